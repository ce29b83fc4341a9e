"""Training and validation patients of several data sets as one, to learn all their lesions.

Roles are those of the patients' own data sets, fold by fold. Nobody who is tested in a fold may
train or validate in it, in whichever data set: not even under another label (`leakage.Same`).
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from uad.base.errors import InputError
from uad.data import splits
from uad.data.leakage import Same
from uad.data.packed import ARRAYS, Pack

KNOWN = ["voxel_ml", "brain_ml", "lesion_ml"]  # columns that every data set has


def split(tables: Mapping[str, pd.DataFrame], folds: Sequence[int], same: Same) -> pd.DataFrame:
    """Who trains and validates in each fold.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Splits of the data sets.
    folds : sequence of int
    same : Same

    Returns
    -------
    DataFrame
        Columns `splits.COLUMNS`; `subject` is the data set and the label, as in `table`.

    Raises
    ------
    InputError
        If a patient has a second role in a fold.
    """
    lines = []
    for fold in folds:
        taken: dict = {}  # patients of the fold to role and name
        for role in ("test", "val", "train"):
            named = [
                (n, s) for n, table in tables.items() for s in splits.subjects(table, fold, role)
            ]
            for scan in dict.fromkeys(named):
                before, first = taken.setdefault(same.subject(scan), (role, scan))
                if before != role:
                    raise InputError(
                        f"{'/'.join(scan)} is a {role} subject in fold {fold}, but "
                        f"{'/'.join(first)}, the same patient, is a {before} subject there; "
                        "patients are pooled without leaks only: use splits.scheme clean or paper, "
                        "or splits.released.purge_leakage"
                    )
            if role != "test":
                lines += [(label(*scan), fold, role) for scan in dict.fromkeys(named)]
    found = pd.DataFrame(lines, columns=splits.COLUMNS)
    splits.check(found)
    return found


def label(dataset: str, subject: str) -> str:
    """What a patient is called among those of several data sets."""
    return f"{dataset}-{subject}"


def table(packs: Mapping[str, Pack], wanted: pd.DataFrame) -> pd.DataFrame:
    """The patients of a split: `subject`, `dataset`, `label` in it, and volumes in ml.

    Parameters
    ----------
    packs : mapping of str to Pack
    wanted : DataFrame
        From `split`.
    """
    parts = []
    for dataset, pack in packs.items():
        part = pack.subjects[["subject", *KNOWN]].rename(columns={"subject": "label"})
        part.insert(0, "subject", [label(dataset, one) for one in part["label"]])
        parts.append(part.assign(dataset=dataset))
    found = pd.concat(parts, ignore_index=True)
    return found[found["subject"].isin(set(wanted["subject"]))].reset_index(drop=True)


def contents(packs: Mapping[str, Pack], patients: pd.DataFrame) -> Iterator[dict[str, np.ndarray]]:
    """Their arrays, as `packed.write` takes them.

    Raises
    ------
    InputError
        If the data sets are on different grids.
    """
    shape = next(iter(packs.values())).image.shape[1:]
    for dataset, pack in packs.items():
        if pack.image.shape[1:] != shape:
            raise InputError(
                f"{dataset}: has volumes of {pack.image.shape[1:]} voxels, others {shape}; they "
                "cannot be pooled"
            )
    for dataset, subject in zip(patients["dataset"], patients["label"]):
        pack = packs[dataset]
        (row,) = pack.rows([subject])
        yield {name: getattr(pack, name)[row] for name in ARRAYS}
