"""Checks of the configuration: what methods, rows and table have to do with each other."""

import re

from uad.base.errors import InputError
from uad.evaluation.controls import CONTROLS
from uad.models.methods import PRETRAINING
from uad.plan import needs, validation

# Methods whose checkpoints can be imported (`uad.engine.authors_checkpoints`).
IMPORTED = ("spark", "ddpm", "pddpm", "cddpm", "unet_res")
METHOD = re.compile(r"[a-z][a-z0-9_]*")


def check(config: dict) -> None:
    """Raise `InputError` at the first mistake; blocks have their defaults."""
    _check_method_names(config["methods"])
    _check_methods(config)
    _check_slices(config)
    _check_external(config)
    _check_rows(config)
    _check_table(config)
    _check_planted(config)
    _check_checkpoints(config)


def _check_method_names(blocks):
    for name in blocks:
        if not METHOD.fullmatch(name) or name in CONTROLS:
            raise InputError(
                f"configuration: methods.{name}: a method's name is a lower-case letter and then "
                f"lower-case letters, digits or _, and not {', '.join(CONTROLS)}"
            )


def _check_methods(config):
    for name, block in config["methods"].items():
        upstream = block["upstream"]
        if upstream is not None and not config["methods"].get(upstream, {}).get("reconstructs"):
            raise InputError(
                f"configuration: methods.{name}.upstream is {upstream!r}, which is not a method "
                "that reconstructs"
            )
        drifting = block.get("frozen") == "drifting"
        if drifting and (upstream is None or "encoder" not in config["methods"][upstream]):
            raise InputError(
                f"configuration: methods.{name}.frozen is 'drifting', but its upstream, "
                f"{upstream}, has no encoder that could drift"
            )
        pretrained = block["pretrained"]
        if pretrained is not None and "/" not in pretrained and pretrained not in config["methods"]:
            raise InputError(
                f"configuration: methods.{name}.pretrained is {pretrained!r}, which is neither a "
                "method nor a file in a folder"
            )


def _check_slices(config):
    """Networks must be able to halve the slices, and patches to tile them."""
    preprocessing = config["preprocessing"]
    x, y = (n // preprocessing["spacing_mm"] for n in preprocessing["crop"][:2])
    for name, block in config["methods"].items():
        factors = {"patch": block.get("patch", 1)}
        if "autoencoder" in block:
            factors["autoencoder.halvings"] = 2 ** block["autoencoder"]["halvings"]
        if "unet" in block:
            factors["unet.multipliers"] = 2 ** (len(block["unet"]["multipliers"]) - 1)
        for key, factor in factors.items():
            if x % factor or y % factor:
                raise InputError(
                    f"configuration: methods.{name}.{key} needs slices with sides that are "
                    f"multiples of {factor} pixels, but preprocessing makes them {x} x {y}"
                )


def _check_external(config):
    """Maps made elsewhere have names of their own, and those in native space scans to be on."""
    for name, block in config["external"].items():
        if name in (*CONTROLS, *config["methods"]):
            raise InputError(
                f"configuration: external.{name} has the name of a method or a control; please "
                "choose another"
            )
        prepared = [d for d, of in config["datasets"].items() if of["layout"] == "prepared"]
        if block["space"] == "native" and prepared:
            raise InputError(
                f"configuration: external.{name}.space is native, but {prepared[0]} came "
                "preprocessed; its maps must be on the atlas or the packed grid"
            )


def _check_rows(config):
    known, sources = config["methods"], config["lesion_sources"]
    for row, block in config["rows"].items():
        for name in [row] + block["maps"]:
            _, _, source = name.partition("-")
            # `pii-pii` and `draem_net-draem` make their anomalies themselves.
            own = name == row and row.partition("-")[0] in block["maps"]
            if source and source not in sources and not own:
                raise InputError(
                    f"configuration: rows.{row}: {name} is trained on {source}, but the known "
                    f"data are {', '.join(sources)}"
                )
        for name in block["maps"]:
            method = name.partition("-")[0]
            if name not in (*CONTROLS, *config["external"]) and method not in known:
                raise InputError(
                    f"configuration: rows.{row} has the unknown method {method}; known are "
                    f"{', '.join([*known, *CONTROLS, *config['external']])}"
                )
            if method in PRETRAINING:
                raise InputError(
                    f"configuration: rows.{row}: {method} has no anomaly map, it only gives other "
                    "methods the weights that they start from"
                )


def _check_table(config):
    for key, known in (("rows", "rows"), ("test_sets", "lesion_sources"), ("references", "rows")):
        for name in config["table"][key] or ():
            if name not in config[known]:
                raise InputError(
                    f"configuration: table.{key} names {name}, but {known} has only "
                    f"{', '.join(config[known])}"
                )

    for name, dataset in needs.test_sets(config).items():
        if dataset == needs.PATIENTS:
            raise InputError(
                f"configuration: table.test_sets names {name}, but {needs.PATIENTS} only train and "
                "validate"
            )


def _check_planted(config):
    planted = config["planted"] or {}
    for row in planted.get("rows") or ():
        if row not in config["rows"]:
            unknown = validation.unknown(f"planted.rows: {row}", row, config["rows"])
            raise InputError(f"configuration: {unknown}; rows has {', '.join(config['rows'])}")
        elsewhere = set(config["rows"][row]["maps"]) & set(config["external"])
        if elsewhere:
            raise InputError(
                f"configuration: planted.rows names {row}, but its maps {min(elsewhere)} were made "
                "elsewhere, of scans without planted lesions"
            )


def _check_checkpoints(config):
    known = needs.models(config | {"checkpoints": {}})
    for name in config["checkpoints"]:
        if name not in known:
            raise InputError(
                f"configuration: {validation.unknown(f'checkpoints.{name}', name, known)}; the "
                f"models that the rows need are {', '.join(known)}"
            )
        if needs.method(name) not in IMPORTED:
            raise InputError(
                f"configuration: checkpoints names {name}, but the authors have released "
                f"{', '.join(IMPORTED)} only"
            )


def check_pretraining(config: dict) -> None:
    """Raise `InputError` unless encoders are pretrained as they are and patches tile slices."""
    for name in map(needs.method, needs.models(config)):
        source = config["methods"][name]["pretrained"]
        if source not in PRETRAINING:
            continue
        encoder, theirs = (config["methods"][m].get("encoder", {}) for m in (name, source))
        for key in ("width", "blocks"):
            if encoder.get(key) != theirs[key]:
                raise InputError(
                    f"configuration: methods.{source}.encoder.{key} is {theirs[key]}, but "
                    f"methods.{name}, which starts from it, has {encoder.get(key)}"
                )
        patch = 2 ** (len(theirs["blocks"]) + 1)  # stride of the encoder
        steps = config["preprocessing"]
        x, y = (n // steps["spacing_mm"] for n in steps["crop"][:2])
        if x % patch or y % patch or x == y == patch:
            raise InputError(
                f"configuration: methods.{source} hides patches of {patch} x {patch} pixels, into "
                f"which slices of {x} x {y} (preprocessing.crop / spacing_mm) cannot be cut"
            )
