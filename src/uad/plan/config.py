"""Checking the configuration before anything is planned, in sentences that name the key.

Standard library and what Snakemake itself needs; runs where the workflow is planned.
"""

import difflib
from pathlib import Path

import jsonschema
import yaml

from uad.base.errors import InputError
from uad.data import released
from uad.evaluation.controls import CONTROLS
from uad.models.methods import PRETRAINING


def check(config, schema_path):
    """Complete a configuration in place; raise `InputError` at the first mistake in it.

    Every method's `training` is the common block with the method's own changes. Left are the rows
    that `table` names, and the data sets that they are trained or tested on.

    Parameters
    ----------
    config : dict
    schema_path : path-like
        JSON schema as YAML.
    """
    common = config.get("training")
    for block in config.get("methods", {}).values():
        if isinstance(common, dict) and isinstance(block.get("training"), dict):
            block["training"] = {**common, **block["training"]}
    schema = yaml.safe_load(Path(schema_path).read_text(encoding="utf-8"))
    errors = jsonschema.Draft202012Validator(schema).iter_errors(config)
    # Shallow ones first: what is wrong with a common block is wrong with all that take from it.
    first = min(errors, key=_depth_and_path, default=None)
    if first is not None:
        raise InputError(f"configuration: {_sentence(first)}")
    _check_texts(config)
    _check_registration(config["preprocessing"]["registration"])
    _check_folds(config)
    _check_methods(config)
    _check_slices(config)
    _check_rows(config)
    _check_table(config)
    if config["table"]["rows"] is not None:
        config["rows"] = {name: config["rows"][name] for name in config["table"]["rows"]}
    _check_datasets(config)
    used = used_datasets(config)
    config["datasets"] = {name: config["datasets"][name] for name in used if name != "draem"}
    _check_pretraining(config)


def _depth_and_path(error):
    return len(error.absolute_path), list(map(str, error.absolute_path))


def from_command_line(folds):
    """Folds as numbers: Snakemake leaves those of `--config folds=[3]` as text."""
    if not isinstance(folds, list):
        return folds
    return [int(f) if isinstance(f, str) and f.isdigit() else f for f in folds]


def _sentence(error):
    """What is wrong, naming the key."""
    if error.validator == "anyOf":  # a block or null: the block's own mistake says more
        error = min(error.context, key=lambda e: e.validator == "type")
    place = ".".join(map(str, error.absolute_path))
    dot = f"{place}." if place else ""
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        (key, *_) = sorted(set(error.instance) - set(known))
        close = difflib.get_close_matches(key, known, n=1)
        return f"unknown key {dot}{key}" + (f" (did you mean {close[0]}?)" if close else "")
    if error.validator == "required":
        (key, *_) = sorted(set(error.schema["required"]) - set(error.instance))
        return f"missing key {dot}{key}"
    if error.validator == "enum":
        allowed = ", ".join(map(str, error.validator_value))
        return f"{place} is {error.instance!r}, but must be one of: {allowed}"
    return f"{place}: {error.message}"


def _check_datasets(config):
    """Everything that the used data sets need is there."""
    blocks = {"datasets": config["datasets"], "splits": config["splits"]}
    if config["simulation"]:
        blocks["simulation.subjects"] = config["simulation"]["subjects"]
        if config["modality"] != "T1":
            raise InputError("configuration: modality is T2, but only T1 scans are simulated")
    for name in used_datasets(config):
        for key, block in blocks.items():
            if name not in block and name != "draem":
                raise InputError(
                    f"configuration: missing key {key}.{name}: rows or test sets of the table "
                    f"need {name}"
                )
    for model in models(config):
        train, _ = training_datasets(model, config)
        if config["splits"][train]["train"] == 0:
            raise InputError(
                f"configuration: splits.{train}.train is 0, but {model} is trained on {train}"
            )


def _check_texts(node, place=""):
    """Names and paths become parts of rules and of what they write, see `datasets.unsafe`."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in children:
        for text in (key, child):
            if isinstance(text, str) and (set("{}") & set(text) or not text.isprintable()):
                raise InputError(
                    f"configuration: {place}{key!s} is {text!r}, but braces and characters that "
                    "cannot be printed are not allowed in names and paths"
                )
        if isinstance(child, dict | list):
            _check_texts(child, f"{place}{key}.")


def _check_registration(registration):
    lengths = {
        key: len(registration[key]) for key in ("iterations", "shrink_factors", "smoothing_sigmas")
    }
    if len(set(lengths.values())) > 1:
        raise InputError(
            "configuration: preprocessing.registration needs as many iterations as shrink_factors "
            f"and smoothing_sigmas, found {lengths}"
        )


def _check_folds(config):
    n = config["splits"]["folds"]
    for fold in config["folds"]:
        if fold >= n:
            raise InputError(
                f"configuration: folds names fold {fold}, but splits.folds is {n}, so folds go "
                f"from 0 to {n - 1}"
            )
    if config["splits"]["scheme"] == "released" and n > released.FOLDS:
        raise InputError(
            f"configuration: splits.folds is {n}, but the released lists have only "
            f"{released.FOLDS} folds"
        )


def _check_methods(config):
    for name, block in config["methods"].items():
        upstream = block["upstream"]
        if upstream is not None and not config["methods"].get(upstream, {}).get("reconstructs"):
            raise InputError(
                f"configuration: methods.{name}.upstream is {upstream!r}, which is not a method "
                "that reconstructs"
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


def _check_rows(config):
    methods, unhealthy = config["methods"], config["unhealthy"]
    for row, block in config["rows"].items():
        for name in [row] + block["maps"]:
            _, _, source = name.partition("-")
            # `pii-pii` and `draem_net-draem` make their anomalies themselves.
            own = name == row and row.partition("-")[0] in block["maps"]
            if source and source not in unhealthy and not own:
                raise InputError(
                    f"configuration: rows.{row}: {name} is trained on {source}, but the known "
                    f"data are {', '.join(unhealthy)}"
                )
        for name in block["maps"]:
            method = name.partition("-")[0]
            if name not in CONTROLS and method not in methods:
                raise InputError(
                    f"configuration: rows.{row} has the unknown method {method}; known are "
                    f"{', '.join([*methods, *CONTROLS])}"
                )
            if method in PRETRAINING:
                raise InputError(
                    f"configuration: rows.{row}: {method} has no anomaly map, it only gives other "
                    "methods the weights that they start from"
                )


def _check_table(config):
    for key, known in (("rows", "rows"), ("test_sets", "unhealthy")):
        for name in config["table"][key] or ():
            if name not in config[known]:
                raise InputError(
                    f"configuration: table.{key} names {name}, but {known} has only "
                    f"{', '.join(config[known])}"
                )


def _check_pretraining(config):
    """Encoders must be those that they are pretrained for, and slices divide into patches."""
    for name in map(method, models(config)):
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


def method(model):
    """Method of a model: `unet_res` of `unet_res-brats`."""
    return model.partition("-")[0]


def models(config):
    """Models that the rows need, with those they stand on, in order of first need."""
    needed = {}

    def visit(name):
        block = config["methods"][method(name)]
        for other in (block["upstream"], block["pretrained"]):
            if other in config["methods"]:
                visit(other)
        needed[name] = True

    for row in config["rows"].values():
        for name in row["maps"]:
            if name not in CONTROLS:
                visit(name)
    return list(needed)


def weight_files(config):
    """Files of published weights that the needed methods start from: method to path."""
    found = {}
    for model in models(config):
        pretrained = config["methods"][method(model)]["pretrained"]
        if pretrained is not None and pretrained not in config["methods"]:
            found[method(model)] = pretrained
    return found


def random_extractors(config):
    """Rows with a method whose feature extractor (`extractor`) has random weights."""
    methods = config["methods"]
    at_random = {
        name
        for name, block in methods.items()
        if "extractor" in block and block["pretrained"] is None
    }
    return [
        row for row, block in config["rows"].items() if at_random & {*map(method, block["maps"])}
    ]


def training_datasets(model, config):
    """Data sets that a model trains and validates on.

    Without a source a method learns from healthy volumes. `draem` trains on them too and adds
    synthetic anomalies slice by slice; it validates on the synthetic volumes made once.
    """
    source = model.partition("-")[2]
    if not source:
        return "ixi", "ixi"
    if source == "draem":
        return "ixi", "draem"
    return config["unhealthy"][source], config["unhealthy"][source]


def test_sets(config):
    """Test sets of the table: name to data set."""
    return {name: config["unhealthy"][name] for name in config["table"]["test_sets"]}


def used_datasets(config):
    """Data sets that models are trained or tested on: IXI, then others in the order of `unhealthy`.

    `draem` is one of them if it is tested or validated on; it is made of IXI.
    """
    used = set(test_sets(config).values())
    for model in models(config):
        used.update(training_datasets(model, config))
    return ["ixi", *(name for name in config["unhealthy"].values() if name in used)]
