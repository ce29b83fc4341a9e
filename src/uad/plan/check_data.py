"""Checks of the configuration: what the keys about data have to do with each other."""

import re
from typing import Any

from uad.base import modules
from uad.base.errors import InputError
from uad.data import datasets, released
from uad.data.layouts import LAYOUTS
from uad.plan import needs, schema, validation
from uad.simulation import names as simulated

# Letters of `assume_orientation`.
AXES = {"R": "x", "L": "x", "A": "y", "P": "y", "S": "z", "I": "z"}
DATA_SET = re.compile(r"[a-z][a-z0-9_]*")


def check(config: dict) -> None:
    """Raise `InputError` at the first mistake; blocks have their defaults."""
    _check_healthy(config)
    _check_lesion_sources(config)
    _check_orientations(config["datasets"])
    _check_registration(config["preprocessing"]["registration"])
    _check_folds(config)


def known_datasets() -> list[str]:
    """Data sets that the project has a module of."""
    return modules.names(datasets.__path__)


def is_own(block: Any) -> bool:
    """Whether a block of `datasets` is that of a cohort of the user's own."""
    return isinstance(block, dict) and block.get("layout") in LAYOUTS


def data_set(name: str, block: Any) -> dict:
    """A block of `datasets` with its defaults, checked by its layout."""
    known = known_datasets()
    if not is_own(block):
        if name not in known:
            raise InputError(
                f"configuration: {validation.unknown(f'datasets.{name}', name, known)}; a "
                f"cohort of your own has the key layout: {' or '.join(LAYOUTS)}"
            )
        return validation.checked(schema.DataSet, block, f"datasets.{name}")
    if name in known:
        raise InputError(
            f"configuration: datasets.{name}.layout is {block['layout']!r}, but {name} is a data "
            "set of the project; give yours another name"
        )
    if not DATA_SET.fullmatch(name) or name in (*needs.MADE, needs.PLANTED):
        raise InputError(
            f"configuration: datasets.{name}: a data set's name is a lower-case letter and then "
            f"lower-case letters, digits or _, and not {', '.join(needs.MADE)} or {needs.PLANTED}"
        )
    return validation.checked(schema.OWN[block["layout"]], block, f"datasets.{name}")


def _check_healthy(content):
    blocks = content["datasets"]
    for name in content["healthy"]:
        if name not in blocks:
            raise InputError(
                f"configuration: healthy names {name}, but datasets has only {', '.join(blocks)}"
            )
        if not is_own(blocks[name]) and datasets.load(name).LESION:
            raise InputError(f"configuration: healthy names {name}, but its subjects have lesions")
        sources = [s for s, of in content["lesion_sources"].items() if of == name]
        if sources and is_own(blocks[name]):
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


def _check_lesion_sources(content):
    known = [name for name in known_datasets() if datasets.load(name).LESION]
    blocks = content["datasets"]
    known += [n for n in blocks if is_own(blocks[n]) and n not in content["healthy"]]
    for name, dataset in content["lesion_sources"].items():
        if dataset not in [*known, needs.SYNTHETIC, needs.PATIENTS]:
            raise InputError(
                f"configuration: lesion_sources.{name} is {dataset!r}, but must be "
                f"{', '.join([*known, needs.SYNTHETIC])} or {needs.PATIENTS}"
            )
        if (name == needs.SYNTHETIC) != (dataset == needs.SYNTHETIC):
            raise InputError(
                f"configuration: lesion_sources.{name} is {dataset!r}, but "
                f"{needs.SYNTHETIC} is the name of synthetic anomalies, and of nothing else"
            )


def _check_orientations(blocks):
    for name, block in blocks.items():
        codes = block["assume_orientation"]
        if codes is not None and sorted(AXES.get(code, code) for code in codes) != ["x", "y", "z"]:
            raise InputError(
                f"configuration: datasets.{name}.assume_orientation is {codes!r}, but must say "
                "where the three voxel axes point to, such as RAS (right, anterior, superior)"
            )


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


def check_used(config: dict) -> None:
    """Raise `InputError` unless everything that the used data sets need is there."""
    blocks = {"datasets": config["datasets"], "splits": config["splits"]}
    used = needs.used_datasets(config)
    if config["simulation"]:
        _check_simulated(config["simulation"]["subjects"])
        blocks["simulation.subjects"] = config["simulation"]["subjects"]
        for name in used:
            if is_own(config["datasets"].get(name)):
                raise InputError(
                    f"configuration: datasets.{name} is a cohort of your own, which nothing "
                    "simulates; set simulation: null"
                )
    for name in used:
        for key, block in blocks.items():
            if name not in block and name not in needs.MADE:
                raise InputError(
                    f"configuration: missing key {key}.{name}: rows or test sets of the table "
                    f"need {name}"
                )
    for model in needs.models(config):
        train, _ = needs.training_datasets(model, config)
        if train == needs.PATIENTS:
            if not needs.pooled_patients(config):
                raise InputError(
                    f"configuration: {model} is trained on the training patients of the test sets, "
                    "but splits has none of them"
                )
            continue
        parts = config["healthy"] if train == needs.healthy(config) else [train]
        if not any(config["splits"][name]["train"] for name in parts):
            raise InputError(
                f"configuration: splits.{parts[0]}.train is 0, but {model} is trained on {parts[0]}"
            )


def _check_simulated(subjects):
    for name, n in subjects.items():
        validation.check_known(name, simulated.known(), "simulation.subjects")
        most = simulated.load(name).MOST
        if n > most:
            raise InputError(
                f"configuration: simulation.subjects.{name} is {n}, but must be at most {most}"
            )


def check_brain_masks(config: dict) -> None:
    """Raise `InputError` where a data set's stripper does not know the run's modality."""
    for name, block in config["datasets"].items():
        prepared = block["layout"] == "prepared"
        if not prepared and block["brain_mask"] == "deepbet" and config["modality"] != "T1":
            raise InputError(
                f"configuration: datasets.{name}.brain_mask is deepbet, which knows T1 heads only, "
                f"but modality is {config['modality']}; hd_bet takes both"
            )
