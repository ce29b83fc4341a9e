"""Checking the configuration before anything is planned, in sentences that name the key.

What is said of each key (`uad.plan.schema`) is checked by pydantic, and here what keys have to do
with each other. Nothing scientific is imported: this runs where only Snakemake is installed.
"""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from uad.base import modules
from uad.base.errors import InputError
from uad.data import datasets, released
from uad.data.layouts import LAYOUTS
from uad.evaluation.controls import CONTROLS
from uad.models import methods
from uad.models.methods import PRETRAINING
from uad.models.settings import Anomalies
from uad.plan import schema
from uad.simulation import names as simulated

# Keys of earlier versions, and what has become of them.
RENAMED = {
    "unhealthy": "is called lesion_sources now",
    "preprocessing.registration.transform": "is gone, since the transform is always affine",
}
# Folder of the workflow, with the files that its own configuration names.
HOME = Path(__file__).parents[3]
# Data set of synthetic anomalies, made of healthy volumes, and that of several healthy ones.
SYNTHETIC, POOLED = "draem", "healthy"
# Data set of the training patients of all test sets, also made by a rule.
PATIENTS = "all_patients"
MADE = (SYNTHETIC, POOLED, PATIENTS)
# Scans with planted lesions, where the names of data sets stand.
PLANTED = "planted"

# Letters of `assume_orientation`.
AXES = {"R": "x", "L": "x", "A": "y", "P": "y", "S": "z", "I": "z"}
# Methods whose checkpoints can be imported (`uad.engine.authors_checkpoints`).
IMPORTED = ("spark", "ddpm", "pddpm", "cddpm", "unet_res")

INTEGER = re.compile(r"[-+]?[0-9]+")
METHOD = re.compile(r"[a-z][a-z0-9_]*")
DATA_SET = re.compile(r"[a-z][a-z0-9_]*")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")

# What pydantic's errors mean, by their type.
SENTENCES = {
    "literal_error": "is {shown}, but must be {expected}",
    "either": "is {shown}, but must be {expected}",  # of several types
    "int_type": "is {shown}, but must be a whole number",
    "float_type": "is {shown}, but must be a number",
    "finite_number": "is {shown}, but must be a finite number",
    "bool_type": "is {shown}, but must be true or false",
    "string_type": "is {shown}, but must be text",
    "string_too_short": "is empty",
    "list_type": "is {shown}, but must be a list",
    "dict_type": "is {shown}, but must be a block of keys",
    "dataclass_type": "is {shown}, but must be a block of keys",
    "greater_than": "is {shown}, but must be more than {gt:g}",
    "greater_than_equal": "is {shown}, but must be at least {ge:g}",
    "less_than": "is {shown}, but must be less than {lt:g}",
    "less_than_equal": "is {shown}, but must be at most {le:g}",
    "multiple_of": "is {shown}, but must be a multiple of {multiple_of:g}",
    "too_short": "has {actual_length} entries, but needs at least {min_length}",
    "too_long": "has {actual_length} entries, but may have no more than {max_length}",
}


def check(config: dict, folders: Iterable[Path] = ()) -> None:
    """Complete a configuration in place; raise `InputError` at the first mistake in it.

    Keys that are not named get their defaults. Every method's `training` is the common block with
    the method's own changes. Left are the rows that `table` names, and the data sets that they are
    trained or tested on. Numbers that are text, as Snakemake leaves those in the lists and blocks
    of `--config` and YAML those like 1e-4, become numbers.

    Code of methods outside the project is told to `uad.models.methods`.

    Parameters
    ----------
    config : dict
    folders : iterable of Path
        Of the files that it comes from, where its `code` may be beside the current folder.
    """
    content = _plain(config)
    _check_renamed(content)
    own = [field.name for field in fields(schema.Splits)]
    blocks = content.get("datasets")
    if isinstance(content.get("splits"), dict) and isinstance(blocks, dict):
        theirs = [name for name, of in blocks.items() if _is_own(of)]
        for name in content["splits"]:
            _check_known(name, [*_known_datasets(), *theirs, *own], "splits")
    content = _checked(schema.Config, content)
    for name, block in content["datasets"].items():
        content["datasets"][name] = _data_set(name, block)
    for name, block in content["splits"].items():
        if name not in own:
            content["splits"][name] = _checked(schema.Split, block, f"splits.{name}")
    methods.use(_outside(content["methods"], [*folders, HOME]))
    known_methods = methods.known()
    for name, block in content["methods"].items():
        _check_known(name, known_methods, "methods")
        changes = block.get("training", {})
        if isinstance(changes, dict):
            block["training"] = {**content["training"], **changes}
        if any(field.name == "anomalies" for field in fields(_of_method(name))):
            shared = {field.name: content["synthetic"][field.name] for field in fields(Anomalies)}
            changes = block.get("anomalies", {})
            block["anomalies"] = {**shared, **changes} if isinstance(changes, dict) else changes
        content["methods"][name] = _checked(_of_method(name), block, f"methods.{name}")
        for key in ("code", "env"):
            if content["methods"][name][key] is None:
                del content["methods"][name][key]
        if "env" in content["methods"][name]:
            content["methods"][name]["env"] = _environment(name, block["env"], [*folders, HOME])
    _check_method_names(content["methods"])
    _check_texts(content)
    _check_healthy(content)
    _check_lesion_sources(content)
    _check_orientations(content["datasets"])
    _check_repeated(content)
    _check_registration(content["preprocessing"]["registration"])
    _check_folds(content)
    _check_methods(content)
    _check_slices(content)
    _check_external(content)
    _check_rows(content)
    _check_table(content)
    _check_planted(content)
    _check_checkpoints(content)
    if content["table"]["claims"] is not None:
        _check_claims(read_claims(content["table"]["claims"]), content)
    _check_headline(content["table"])
    if content["table"]["rows"] is not None:
        content["rows"] = {name: content["rows"][name] for name in content["table"]["rows"]}
    left = [name for name in content["table"]["references"] if name in content["rows"]]
    content["table"]["references"] = left
    _choose_planted(content)
    _check_datasets(content)
    used = used_datasets(content)
    # Nothing is left that names a cohort which is not there any more.
    lost = {n for n, of in content["datasets"].items() if _is_own(of) and n not in used}
    content["datasets"] = {name: content["datasets"][name] for name in used if name not in MADE}
    content["splits"] = {n: of for n, of in content["splits"].items() if n not in lost}
    sources = {n: of for n, of in content["lesion_sources"].items() if of not in lost}
    content["lesion_sources"] = sources
    _check_brain_masks(content)
    _check_pretraining(content)
    config.clear()
    config.update(content)


def _plain(node: Any) -> Any:
    """A copy of what YAML or JSON may hold, with null where `--config` leaves its name."""
    if isinstance(node, dict):
        return {str(key): _plain(child) for key, child in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(child) for child in node]
    if node == "null":
        return None
    return node if isinstance(node, bool | int | float | None) else str(node)


def _check_renamed(content):
    for key, change in RENAMED.items():
        node = content
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if node is not None:
            raise InputError(f"configuration: {key} {change}")


# What is said of each key.


@cache
def _adapter(cls: type) -> TypeAdapter:
    return TypeAdapter(cls)


_blocks: dict[type, type[schema.Method]] = {}


def _of_method(name: str) -> type[schema.Method]:
    """The block of a method, made once of each `Params`: a name may stand for another later."""
    params = methods.load(name).Params
    if params not in _blocks:
        _blocks[params] = schema.of_method(name)
    return _blocks[params]


def _checked(cls: type, block: Any, place: str = "") -> dict:
    """A block with its defaults, and numbers for texts that read as such.

    Values stay as they were written otherwise: 1 does not become 1.0.

    Raises
    ------
    InputError
        At the first mistake; shallow ones first, since they have others in their train.
    """
    adapter = _adapter(cls)
    while True:
        try:
            # As JSON: strict about types, but for blocks, which are objects there.
            complete = adapter.dump_python(adapter.validate_json(json.dumps(block)))
            return _merged(complete, block)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
            read = [_read_text(block, error) for error in errors]
            if not any(read):
                first = min(errors, key=lambda e: (len(e["loc"]), e["type"] == "missing"))
                raise InputError(f"configuration: {_sentence(cls, first, place)}") from None


def _read_text(block: dict, error: dict) -> bool:
    """Put a number in the place of a text that reads as one; whether this was done."""
    text, kind = error["input"], error["type"]
    if not isinstance(text, str):
        return False
    if kind in ("bool_type", "literal_error") and text in ("true", "false"):
        value = text == "true"
    elif kind in ("int_type", "float_type", "literal_error") and INTEGER.fullmatch(text):
        value = int(text)
    elif kind == "float_type" and NUMBER.fullmatch(text):
        value = float(text)
    else:
        return False
    *parents, last = error["loc"]
    for part in parents:
        block = block[part]
    if block[last] == value and type(block[last]) is type(value):
        return False
    block[last] = value
    return True


def _merged(base: dict, over: dict) -> dict:
    """Blocks merged key by key; what `over` has counts, and comes first."""
    out = {**over, **{key: value for key, value in base.items() if key not in over}}
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            out[key] = _merged(base[key], over[key])
    return out


def _sentence(cls: type, error: dict, place: str) -> str:
    """What is wrong, naming the key."""
    loc, kind = error["loc"], error["type"]
    where = ".".join([*([place] if place else []), *map(str, loc)])
    if kind == "missing":
        return f"missing key {where}"
    if kind == "unexpected_keyword_argument":
        return _unknown(where, loc[-1], _keys(cls, loc[:-1]))
    if kind == "string_pattern_mismatch":  # names of blocks
        where = ".".join(map(str, loc[:-2]))
        return (
            f"{where} has the name {error['input']!r}, but names there must match "
            f"{error['ctx']['pattern']}"
        )
    value = error["input"]
    shown = repr(value) if isinstance(value, str) else json.dumps(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    words = SENTENCES.get(kind)
    if words is None:
        return f"{where}: {error['msg']}"
    return f"{where} {words.format(shown=shown, **error.get('ctx', {}))}"


def _keys(cls: Any, loc: tuple) -> list[str]:
    """Keys that a block may have; `loc` leads to it."""
    kind = cls
    for part in loc:
        kind = get_type_hints(kind)[part] if is_dataclass(kind) else get_args(kind)[-1]
        if type(None) in get_args(kind):
            kind = get_args(kind)[0]
    return [field.name for field in fields(kind)]


def _unknown(where: str, key: str, known: Iterable[str]) -> str:
    where = where if where.isprintable() else repr(where)
    close = difflib.get_close_matches(key, known, n=1)
    return f"unknown key {where}" + (f" (did you mean {close[0]}?)" if close else "")


def _check_known(name, known, place):
    if name not in known:
        raise InputError(f"configuration: {_unknown(f'{place}.{name}', name, known)}")


# What keys have to do with each other.


def _known_datasets():
    """Data sets that the project has a module of."""
    return modules.names(datasets.__path__)


def _is_own(block):
    """Whether a block of `datasets` is that of a cohort of the user's own."""
    return isinstance(block, dict) and block.get("layout") in LAYOUTS


def _data_set(name, block):
    """A block of `datasets`, checked by its layout."""
    known = _known_datasets()
    if not _is_own(block):
        if name not in known:
            raise InputError(
                f"configuration: {_unknown(f'datasets.{name}', name, known)}; a cohort of your own "
                f"has the key layout: {' or '.join(LAYOUTS)}"
            )
        return _checked(schema.DataSet, block, f"datasets.{name}")
    if name in known:
        raise InputError(
            f"configuration: datasets.{name}.layout is {block['layout']!r}, but {name} is a data "
            "set of the project; give yours another name"
        )
    if not DATA_SET.fullmatch(name) or name in (*MADE, PLANTED):
        raise InputError(
            f"configuration: datasets.{name}: a data set's name is a lower-case letter and then "
            f"lower-case letters, digits or _, and not {', '.join(MADE)} or {PLANTED}"
        )
    return _checked(schema.OWN[block["layout"]], block, f"datasets.{name}")


def _check_healthy(content):
    blocks = content["datasets"]
    for name in content["healthy"]:
        if name not in blocks:
            raise InputError(
                f"configuration: healthy names {name}, but datasets has only {', '.join(blocks)}"
            )
        if not _is_own(blocks[name]) and datasets.load(name).LESION:
            raise InputError(f"configuration: healthy names {name}, but its subjects have lesions")
        sources = [s for s, of in content["lesion_sources"].items() if of == name]
        if sources and _is_own(blocks[name]):
            raise InputError(
                f"configuration: healthy names {name}, but so does lesion_sources.{sources[0]}; "
                "where some of its subjects have lesions, make two data sets of it by the key only"
            )
    prepared = {name: blocks[name]["layout"] == "prepared" for name in content["healthy"]}
    if len(set(prepared.values())) > 1:
        raise InputError(
            "configuration: healthy names data sets as the authors prepared them and others, "
            f"{', '.join(prepared)}; those are not on one grid"
        )


def _outside(blocks: dict[str, dict], folders: Iterable[Path]) -> dict[str, str]:
    """Code of the methods that are not in the project: here, or in the first folder that has it."""
    found = {}
    for name, block in blocks.items():
        code = block.get("code")
        if code is None:
            continue
        if not isinstance(code, str) or not code:
            raise InputError(
                f"configuration: methods.{name}.code is {json.dumps(code)}, but must be the path "
                "of a Python file or folder"
            )
        if name in methods.built_in():
            raise InputError(
                f"configuration: methods.{name}.code is {code!r}, but {name} is a method of the "
                "project; give yours another name"
            )
        places = [Path(code), *(folder / code for folder in folders)]
        found[name] = str(next(filter(Path.exists, places), places[0]))
    return found


def _environment(name: str, path: str, folders: Iterable[Path]) -> str:
    """A method's conda environment: here, or in the first folder that has it."""
    places = [Path(path), *(folder / path for folder in folders)]
    found = next(filter(Path.is_file, places), None)
    if found is None or found.suffix not in (".yaml", ".yml"):
        raise InputError(
            f"configuration: methods.{name}.env is {path!r}, but must be a conda environment file, "
            "with the ending .yaml"
        )
    return str(found)


def _check_method_names(blocks):
    for name in blocks:
        if not METHOD.fullmatch(name) or name in CONTROLS:
            raise InputError(
                f"configuration: methods.{name}: a method's name is a lower-case letter and then "
                f"lower-case letters, digits or _, and not {', '.join(CONTROLS)}"
            )


def _check_repeated(content):
    lists = {"folds": content["folds"], "healthy": content["healthy"]}
    keys = ("rows", "test_sets", "references")
    lists |= {f"table.{key}": content["table"][key] or [] for key in keys}
    planted = content["planted"] or {}
    keys = ("rows", "volumes_ml", "contrasts", "places", "textures")
    lists |= {f"planted.{key}": planted.get(key) or [] for key in keys}
    lists["lesion_sources"] = list(content["lesion_sources"].values())
    for key, values in lists.items():
        for value in values:
            if values.count(value) > 1:
                raise InputError(f"configuration: {key} names {value} more than once")


def _check_lesion_sources(content):
    known = [name for name in _known_datasets() if datasets.load(name).LESION]
    blocks = content["datasets"]
    known += [n for n in blocks if _is_own(blocks[n]) and n not in content["healthy"]]
    for name, dataset in content["lesion_sources"].items():
        if dataset not in [*known, SYNTHETIC, PATIENTS]:
            raise InputError(
                f"configuration: lesion_sources.{name} is {dataset!r}, but must be "
                f"{', '.join([*known, SYNTHETIC])} or {PATIENTS}"
            )
        if (name == SYNTHETIC) != (dataset == SYNTHETIC):
            raise InputError(
                f"configuration: lesion_sources.{name} is {dataset!r}, but {SYNTHETIC} is the name "
                "of synthetic anomalies, and of nothing else"
            )


def _check_orientations(blocks):
    for name, block in blocks.items():
        codes = block["assume_orientation"]
        if codes is not None and sorted(AXES.get(code, code) for code in codes) != ["x", "y", "z"]:
            raise InputError(
                f"configuration: datasets.{name}.assume_orientation is {codes!r}, but must say "
                "where the three voxel axes point to, such as RAS (right, anterior, superior)"
            )


def _check_simulated(subjects):
    for name, n in subjects.items():
        _check_known(name, simulated.known(), "simulation.subjects")
        most = simulated.load(name).MOST
        if n > most:
            raise InputError(
                f"configuration: simulation.subjects.{name} is {n}, but must be at most {most}"
            )


def _check_datasets(config):
    """Everything that the used data sets need is there."""
    blocks = {"datasets": config["datasets"], "splits": config["splits"]}
    used = used_datasets(config)
    if config["simulation"]:
        _check_simulated(config["simulation"]["subjects"])
        blocks["simulation.subjects"] = config["simulation"]["subjects"]
        if config["modality"] != "T1":
            raise InputError(
                f"configuration: modality is {config['modality']}, but only T1 scans are simulated"
            )
        for name in used:
            if _is_own(config["datasets"].get(name)):
                raise InputError(
                    f"configuration: datasets.{name} is a cohort of your own, which nothing "
                    "simulates; set simulation: null"
                )
    for name in used:
        for key, block in blocks.items():
            if name not in block and name not in MADE:
                raise InputError(
                    f"configuration: missing key {key}.{name}: rows or test sets of the table "
                    f"need {name}"
                )
    for model in models(config):
        train, _ = training_datasets(model, config)
        if train == PATIENTS:
            if not pooled_patients(config):
                raise InputError(
                    f"configuration: {model} is trained on the training patients of the test sets, "
                    "but splits has none of them"
                )
            continue
        parts = config["healthy"] if train == healthy(config) else [train]
        if not any(config["splits"][name]["train"] for name in parts):
            raise InputError(
                f"configuration: splits.{parts[0]}.train is 0, but {model} is trained on {parts[0]}"
            )


def _check_brain_masks(config):
    for name, block in config["datasets"].items():
        prepared = block["layout"] == "prepared"
        if not prepared and block["brain_mask"] == "deepbet" and config["modality"] != "T1":
            raise InputError(
                f"configuration: datasets.{name}.brain_mask is deepbet, which knows T1 heads only, "
                f"but modality is {config['modality']}; hd_bet takes both"
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


def _check_checkpoints(config):
    known = models(config | {"checkpoints": {}})
    for name in config["checkpoints"]:
        if name not in known:
            raise InputError(
                f"configuration: {_unknown(f'checkpoints.{name}', name, known)}; the models that "
                f"the rows need are {', '.join(known)}"
            )
        if method(name) not in IMPORTED:
            raise InputError(
                f"configuration: checkpoints names {name}, but the authors have released "
                f"{', '.join(IMPORTED)} only"
            )


def _check_table(config):
    for key, known in (("rows", "rows"), ("test_sets", "lesion_sources"), ("references", "rows")):
        for name in config["table"][key] or ():
            if name not in config[known]:
                raise InputError(
                    f"configuration: table.{key} names {name}, but {known} has only "
                    f"{', '.join(config[known])}"
                )

    for name, dataset in test_sets(config).items():
        if dataset == PATIENTS:
            raise InputError(
                f"configuration: table.test_sets names {name}, but {PATIENTS} only train and "
                "validate"
            )


def _check_planted(config):
    planted = config["planted"] or {}
    for row in planted.get("rows") or ():
        if row not in config["rows"]:
            raise InputError(
                f"configuration: {_unknown(f'planted.rows: {row}', row, config['rows'])}; rows has "
                f"{', '.join(config['rows'])}"
            )
        elsewhere = set(config["rows"][row]["maps"]) & set(config["external"])
        if elsewhere:
            raise InputError(
                f"configuration: planted.rows names {row}, but its maps {min(elsewhere)} were made "
                "elsewhere, of scans without planted lesions"
            )


def _choose_planted(config):
    """Leave those rows of `planted` that are in the table; without any nothing is planted."""
    if config["planted"] is None:
        return
    named, external = config["planted"]["rows"], set(config["external"])
    left = [
        row
        for row, block in config["rows"].items()
        if (named is None or row in named) and not external & set(block["maps"])
    ]
    config["planted"] = {**config["planted"], "rows": left} if left else None


def resource(path: str, home: Path = HOME) -> str:
    """A file that the configuration names: here, or in the workflow's own folder."""
    own = home / path
    return path if Path(path).exists() or not own.exists() else str(own)


def read_claims(path: str) -> dict:
    """The file that `table.claims` names, with its defaults.

    Raises
    ------
    InputError
        If it is missing, no YAML, or has a mistake.
    """
    file = Path(resource(path))
    if not file.is_file():
        raise InputError(f"configuration: table.claims is {path!r}, but there is no such file")
    try:
        content = _plain(yaml.safe_load(file.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f"; see line {place.line + 1}" if place else ""
        raise InputError(f"{file} cannot be read as YAML{line}") from None
    if not isinstance(content, dict):
        raise InputError(f"{file} must have the keys {', '.join(_keys(schema.Claims, ()))}")
    try:
        return _checked(schema.Claims, content)
    except InputError as error:
        raise InputError(f"{file}: {str(error).removeprefix('configuration: ')}") from None


def _check_headline(table):
    """The multiverse's page may only begin with a claim that there is."""
    headline = (table["multiverse"] or {}).get("headline")
    if headline is None:
        return
    if table["claims"] is None:
        raise InputError(
            "configuration: table.multiverse.headline names a claim, but table.claims is null"
        )
    if headline not in read_claims(table["claims"])["claims"]:
        raise InputError(
            f"configuration: table.multiverse.headline is {headline!r}, but {table['claims']} has "
            "no claim of that name"
        )


def _check_claims(found, config):
    """Claims are about rows and test sets that there are, in this table or another.

    Of a configuration that has been checked before only the table's rows are left.
    """
    left = set(config["rows"]) == set(config["table"]["rows"] or ())
    for name, claim in found["claims"].items():
        place = f"table.claims: {name}"
        if claim["margin"] and claim["kind"] != "not_below":
            raise InputError(f"configuration: {place} has a margin, but only not_below takes one")
        for part in claim["compare"]:
            row, others = part["row"], part["than"]
            named = {"rows": [] if left else [row, *others], "lesion_sources": part["test_sets"]}
            for known, names in named.items():
                for one in names:
                    if one not in config[known]:
                        raise InputError(
                            f"configuration: {place} names {one}, but {known} has only "
                            f"{', '.join(config[known])}"
                        )
            if row in others:
                raise InputError(f"configuration: {place} compares {row} with itself")
            varied = row not in config["rows"] or row in weighted(config)
            varied = varied and claim["metric"] == "dice_best"
            if claim["kind"] == "best_weight" and not varied:
                raise InputError(
                    f"configuration: {place} is about weights, which are varied for the dice_best "
                    "of table.references only that add a residual map and one of a network, not "
                    f"for the {claim['metric']} of {row}"
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


def method(model: str) -> str:
    """Method of a model: `unet_res` of `unet_res-brats`."""
    return model.partition("-")[0]


def models(config: dict) -> list[str]:
    """Models that the rows need, with those they build on, in order of first need."""
    needed = {}

    def visit(name: str) -> None:
        block = config["methods"][method(name)]
        # What is imported starts from nothing.
        pretrained = None if name in config["checkpoints"] else block["pretrained"]
        for other in (block["upstream"], pretrained):
            if other in config["methods"]:
                visit(other)
        needed[name] = True

    for row in config["rows"].values():
        for name in row["maps"]:
            if name not in (*CONTROLS, *config["external"]):
                visit(name)
    return list(needed)


def weight_files(config: dict) -> dict[str, str]:
    """Files of published weights that the needed methods start from: method to path."""
    found = {}
    for model in models(config):
        pretrained = config["methods"][method(model)]["pretrained"]
        if pretrained is not None and pretrained not in config["methods"]:
            found[method(model)] = pretrained
    return found


def weighted(config: dict) -> list[str]:
    """References that add two maps, the residual of a reconstruction and one of a network.

    How the two are weighed is varied (paper Fig. 5).
    """

    def reconstructs(name: str) -> bool:
        return name not in CONTROLS and config["methods"][method(name)]["reconstructs"]

    found = []
    for row in config["table"]["references"]:
        maps = config["rows"][row]["maps"]
        if len(maps) == 2 and not set(maps) & set(CONTROLS):
            found += [row] * (sum(map(reconstructs, maps)) == 1)
    return found


def random_extractors(config: dict) -> list[str]:
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


def training_datasets(model: str, config: dict) -> tuple[str, str]:
    """Data sets that a model trains and validates on.

    Without a source a method learns from healthy volumes. `draem` trains on them too and adds
    synthetic anomalies slice by slice; it validates on the synthetic volumes made once, or, as it
    trains, on healthy ones (`synthetic.validation`).
    """
    source, of = model.partition("-")[2], healthy(config)
    if not source:
        return of, of
    if source == SYNTHETIC:
        return of, {"test": SYNTHETIC, "training": of}[config["synthetic"]["validation"]]
    return config["lesion_sources"][source], config["lesion_sources"][source]


def healthy(config: dict) -> str:
    """Name of all healthy subjects as one data set: the only one, or the pool of several."""
    return config["healthy"][0] if len(config["healthy"]) == 1 else POOLED


def test_sets(config: dict) -> dict[str, str]:
    """Test sets of the table: name to data set."""
    return {name: config["lesion_sources"][name] for name in config["table"]["test_sets"]}


def pooled_patients(config: dict) -> list[str]:
    """Data sets of the test sets with patients who train, which together are `all_patients`."""
    splits = config["splits"]
    return [n for n in test_sets(config).values() if n not in MADE and splits[n]["train"]]


def used_datasets(config: dict) -> list[str]:
    """Data sets that models are trained or tested on: healthy ones, then as in `lesion_sources`.

    `draem` is one of them if it is tested or validated on; it is made of the healthy ones. So is
    `all_patients` if a model is trained on it; it is made of those that are tested.
    """
    used = set(test_sets(config).values())
    for model in models(config):
        used.update(training_datasets(model, config))
    others = (name for name in config["lesion_sources"].values() if name in used)
    return [*config["healthy"], *others]
