"""Checking the configuration before anything is planned, in sentences that name the key.

Blocks are completed and checked one by one (`validation`), then against each other (`check_data`,
`check_rows`, `claims`). Nothing scientific is imported, since this runs where only Snakemake is
installed.
"""

import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from uad.base.errors import InputError
from uad.models import methods
from uad.models.settings import Anomalies
from uad.plan import check_data, check_rows, claims, needs, schema, validation

# Keys of earlier versions, and what has become of them.
RENAMED = {
    "unhealthy": "is called lesion_sources now",
    "preprocessing.registration.transform": "is gone, since the transform is always affine",
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
    content = validation.plain(config)
    _check_renamed(content)
    content = _completed(content, [*folders, needs.HOME])
    _check_texts(content)
    check_data.check(content)
    _check_repeated(content)
    check_rows.check(content)
    claims.check(content)
    _choose_rows(content)
    _choose_planted(content)
    check_data.check_used(content)
    _choose_datasets(content)
    check_data.check_brain_masks(content)
    check_rows.check_pretraining(content)
    config.clear()
    config.update(content)


def _completed(content, folders):
    """Every block with its defaults, checked by itself."""
    own = [field.name for field in fields(schema.Splits)]
    blocks = content.get("datasets")
    if isinstance(content.get("splits"), dict) and isinstance(blocks, dict):
        theirs = [name for name, of in blocks.items() if check_data.is_own(of)]
        for name in content["splits"]:
            validation.check_known(name, [*check_data.known_datasets(), *theirs, *own], "splits")
    content = validation.checked(schema.Config, content)
    for name, block in content["datasets"].items():
        content["datasets"][name] = check_data.data_set(name, block)
    for name, block in content["splits"].items():
        if name not in own:
            content["splits"][name] = validation.checked(schema.Split, block, f"splits.{name}")
    methods.use(_outside(content["methods"], folders))
    known = methods.known()
    for name, block in content["methods"].items():
        validation.check_known(name, known, "methods")
        content["methods"][name] = _method(name, block, content, folders)
    return content


def _method(name, block, content, folders):
    """A block of `methods`, completed by what is said of all."""
    cls = validation.of_method(name)
    changes = block.get("training", {})
    if isinstance(changes, dict):
        block["training"] = {**content["training"], **changes}
    if any(field.name == "anomalies" for field in fields(cls)):
        shared = {field.name: content["synthetic"][field.name] for field in fields(Anomalies)}
        changes = block.get("anomalies", {})
        block["anomalies"] = {**shared, **changes} if isinstance(changes, dict) else changes
    block = validation.checked(cls, block, f"methods.{name}")
    if block["env"] is not None:
        block["env"] = _environment(name, block["env"], folders)
    # Only those that have their own are named.
    return {key: of for key, of in block.items() if key not in ("code", "env") or of is not None}


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


def _check_renamed(content):
    for key, change in RENAMED.items():
        node = content
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if node is not None:
            raise InputError(f"configuration: {key} {change}")


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


def _choose_rows(config):
    """Leave the rows that the table names."""
    table = config["table"]
    if table["rows"] is not None:
        config["rows"] = {name: config["rows"][name] for name in table["rows"]}
    table["references"] = [name for name in table["references"] if name in config["rows"]]


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


def _choose_datasets(config):
    """Leave the data sets that are used; nothing names a cohort which is not there any more."""
    blocks, used = config["datasets"], needs.used_datasets(config)
    lost = {name for name, of in blocks.items() if check_data.is_own(of) and name not in used}
    config["datasets"] = {name: blocks[name] for name in used if name not in needs.MADE}
    config["splits"] = {n: of for n, of in config["splits"].items() if n not in lost}
    sources = {n: of for n, of in config["lesion_sources"].items() if of not in lost}
    config["lesion_sources"] = sources
