"""Several packed data sets as one: the healthy subjects of all, each with its roles."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from uad.base import tsv
from uad.base.errors import InputError
from uad.data import packed
from uad.data.datasets import pooled_label
from uad.data.packed import ARRAYS, FULL, Pack


def pool(packs: Mapping[str, Path | str], folder: Path | str) -> pd.DataFrame:
    """Write the volumes of several packed data sets as one.

    Parameters
    ----------
    packs : dict of str to path-like
        Folder of each data set, by name.
    folder : path-like
        Of the result.

    Returns
    -------
    DataFrame
        Its subjects, with their data set in `dataset`.

    Raises
    ------
    InputError
        If their volumes are not on one grid.
    """
    opened = {name: Pack(path) for name, path in packs.items()}
    (first, reference), *others = opened.items()
    for name, pack in others:
        if pack.image.shape[1:] != reference.image.shape[1:]:
            raise InputError(
                f"volumes of {name} have the shape {pack.image.shape[1:]}, those of {first} "
                f"{reference.image.shape[1:]}; healthy data sets need one grid"
            )
    tables = [
        pack.subjects.assign(
            subject=[pooled_label(name, s) for s in pack.subjects["subject"]], dataset=name
        )
        for name, pack in opened.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    packed.write(folder, table, _volumes(opened), len(table), reference.image.shape[1:])
    return table


def _volumes(packs: Mapping[str, Pack]) -> Iterator[dict[str, np.ndarray]]:
    """Arrays of every volume; brain masks in parts of 255 if those of one data set are."""
    fractional = {name: pack.brain.max() > 1 for name, pack in packs.items()}
    for name, pack in packs.items():
        times = FULL if any(fractional.values()) and not fractional[name] else 1
        for row in range(len(pack)):
            volume = {key: np.array(getattr(pack, key)[row]) for key in ARRAYS}
            yield volume | {"brain": volume["brain"] * np.uint8(times)}


def pooled_split(splits: Mapping[str, Path | str]) -> pd.DataFrame:
    """The roles of all subjects, under their labels in the pool.

    Parameters
    ----------
    splits : dict of str to path-like
        Split of each data set, by name.
    """
    found = []
    for name, path in splits.items():
        split = tsv.read(path)
        found.append(split.assign(subject=[pooled_label(name, s) for s in split["subject"]]))
    table = pd.concat(found, ignore_index=True)
    if "shared" in table:  # of released lists only
        table["shared"] = table["shared"].fillna(False).astype(bool)
    return table
