"""A run's numbers in one file, to be laid beside another lab's: no image, no path, no weights.

A sealed zip archive (`uad.base.sealed`) with

`manifest.json`
    under which protocol the numbers were made: configuration without the places of files, digests
    of the code and of the inputs, what is in the tables,
the tables of the results folder, under their names in it
    metrics of every row, fold and subject, splits, what is known of subjects, quality tables.

Subjects have the names that the public data sets give them.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from uad.base import sealed
from uad.base.errors import InputError
from uad.base.paths import Paths

FORMAT = 2
MANIFEST = "manifest.json"
KINDS = ("subjects", "healthy", "pooled")  # of the tables of metrics (`Paths.metrics`)
PUBLISHED = "published.csv"
# What may differ between two runs of one protocol: where files are, how fast it goes, pages. A star
# stands for any name.
PLACES = (
    "accelerator", "atlas.brain", "atlas.head", "bundle", "datasets.*.demographics",
    "datasets.*.folder", "folds", "hd_bet.weights", "keep_maps", "local_gpus",
    "methods.*.training.save_minutes", "planted", "predict", "results", "splits.released.folder",
    "table.all_pairs", "table.calibration", "table.multiverse", "table.strata", "threads",
    "training.save_minutes",
)  # fmt: skip
# Scripts whose code decides numbers; the others make pages.
DECIDING = (
    "carry_brain_mask", "correct_bias", "downsample", "evaluate", "import_checkpoint",
    "import_maps", "make_splits", "pack", "pool_healthy", "pool_patients", "reconstruct",
    "register_to_sri24", "score", "simulate_atlas", "simulate_demographics", "simulate_scan",
    "strip_skull", "strip_skull_deepbet", "strip_skull_hd_bet", "synthesize", "train_model",
    "weigh_maps",
)  # fmt: skip


def manifest(record: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """What an archive says of its run.

    Parameters
    ----------
    record : mapping
        `provenance.json`.
    tables : mapping
        What `uad.report.tables.Comparison` and `uad.report.judged.Judged` are made of, `datasets`
        (all that are split), `test_sets` (name to data set) and `healthy` (a data set).
    """
    code = record["code"]
    models = {name.partition("/")[0]: of["code"] for name, of in record["models"].items()}
    inputs: dict[str, list[str]] = {}
    for path, digest in record["inputs"].items():
        inputs.setdefault(Path(path).name, []).append(digest)
    return {
        "format": FORMAT,
        "revision": record["revision"],
        "config": without_places(record["config"]),
        "models": models,
        "scripts": {name: code["scripts"].get(name) for name in DECIDING},
        "tables_code": code["scripts"]["compare"],
        "inputs": {name: sorted(digests) for name, digests in inputs.items()},
        "data_sets": record["data_sets"],
        "packages": record["packages_of_training"],
        "results": {Path(path).name: digest for path, digest in record["results"].items()},
        "tables": tables,
    }


def without_places(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as flat keys, without `PLACES`; of paths of files only the names."""
    found = {}
    for key, value in flat(config):
        if not any(_fits(key.split("."), place.split(".")) for place in PLACES):
            is_path = isinstance(value, str) and "/" in value
            found[key] = Path(value).name if is_path else value
    return found


def flat(node: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Pairs of dotted key and value of nested blocks; lists and empty blocks are values."""
    for key, value in sorted(node.items()):
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _fits(parts, pattern):
    """Whether a key is one of a pattern's, or within one."""
    return len(parts) >= len(pattern) and all(p in ("*", k) for k, p in zip(parts, pattern))


def names(tables: Mapping[str, Any], folds: list[int]) -> dict[str, list[str]]:
    """Files of an archive, below the results folder.

    Parameters
    ----------
    tables : mapping
        As for `manifest`.
    folds : list of int

    Returns
    -------
    dict of str to list of str
        As `uad.report.tables.write_all` and `uad.report.judged.write_all` take them.
    """
    paths, sets = Paths(""), tables["test_sets"]
    found = {
        "metrics": [paths.metrics(row, fold) for row in tables["rows"] for fold in folds],
        "healthy": [
            paths.metrics(row, fold, "healthy") for row in tables["rows"] for fold in folds
        ],
        "pooled": [paths.metrics(row, fold, "pooled") for row in tables["rows"] for fold in folds],
        "known": [paths.packed_file(name, "subjects.tsv") for name in sets.values()],
        "quality": [paths.quality(sets[name], "tsv") for name in tables["registered"]],
        "splits": [paths.split(name) for name in tables["datasets"]],
        "test_splits": [paths.split(name) for name in [*sets.values(), tables["healthy"]]],
        "weights": [paths.weights(row, fold) for fold in folds for row in tables["weighted"]],
    }
    return {kind: [name.lstrip("/") for name in of] for kind, of in found.items()}


def write(
    path: Path | str, content: Mapping[str, Any], root: Path | str, published: str | None
) -> None:
    """Write an archive, complete or not at all.

    Parameters
    ----------
    path : path-like
    content : mapping
        From `manifest`.
    root : path-like
        The results folder.
    published : path-like or None
        Table of published values.
    """
    tables = content["tables"]
    files = dict.fromkeys(name for of in names(tables, tables["folds"]).values() for name in of)
    text = json.dumps(content, indent=1, allow_nan=False)  # rows keep their order
    members = {MANIFEST: (text + "\n").encode()} | {name: Path(root) / name for name in files}
    if published:
        members[PUBLISHED] = Path(published)
    sealed.write(path, members, compressed=True)


def read(path: Path | str, folder: Path | str) -> dict[str, Any]:
    """The manifest of an archive; its tables are put into a folder.

    Raises
    ------
    InputError
        If it is no such archive, of another format, or not as it was written.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; `snakemake share` makes one (docs/compare.md)")
    try:
        with zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(MANIFEST))
            form = content["format"]
            if form != FORMAT:
                raise InputError(
                    f"{path}: is of format {form}, and this version reads format {FORMAT} only; "
                    f"please use the version that made it ({content.get('revision')})"
                )
            if not sealed.is_whole(path):
                raise InputError(
                    f"{path}: was changed since `snakemake share` wrote it (its check sum is "
                    "wrong); please get it again"
                )
            tables = content["tables"]
            wanted = dict.fromkeys(n for of in names(tables, tables["folds"]).values() for n in of)
            for name in [*wanted, *({PUBLISHED} & set(archive.namelist()))]:
                target = Path(folder) / name
                if ".." in target.parts:  # of a row, in a manifest that somebody made up
                    raise ValueError(f"a file is named {name}")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: is no archive of `snakemake share`, or is damaged ({error}); please get it "
            "again"
        ) from error
    return content
