"""The authors' released split lists, and the ids of the paper's ATLAS split.

The lists are CSV files with one row per image and its name in `img_name`; the other columns differ
between data sets and are not needed here. They are read as they are: repeated rows, and subjects
that have two roles in a fold, are kept (`drawing.from_lists` handles them).

IXI has a training and a validation list per fold and one test list. The other data sets have one
list that is not for testing, common to all folds; the released code cuts it by position into
validation (first rows) and training.

Standard library only: file names are looked up where only Snakemake is installed.
"""

import csv
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from uad.base.errors import InputError

FOLDS = 5
# First rows of the shared list, which validate; the others train. Without an entry all validate.
VALIDATE = {"brats21": 10, "atlas_v2": 6}
# Name of an image in the lists, and its label in the workflow (`uad.data.datasets.*.label`).
NAMES = {
    "ixi": (r"(IXI\d{3})-(?:Guys|HH|IOP)-\d{4}_t1\.nii\.gz", r"\1"),
    "brats21": (r"BraTS2021_(\d{5})", r"BraTS\1"),
    "atlas_v2": (r"sub-(r\d{3}s\d{3})", r"\1"),
    "mslub": (r"(patient\d{2})", r"\1"),
    "wmh": (r"(Utrecht|Singapore|GE3T)_(\d+)_t1\.nii\.gz", r"\1\2"),
}
FILES = {"brats21": "Brats21", "atlas_v2": "ATLAS_v2", "mslub": "MSLUB", "wmh": "WMH"}


def paths(
    folder: Path | str, dataset: str, n_folds: int, needed: Collection[int] | None = None
) -> list[str]:
    """Paths of a data set's lists: those of the folds that are needed, and others if they exist.

    Parameters
    ----------
    folder : path-like
    dataset : str
    n_folds : int
        At most `FOLDS`.
    needed : collection of int, optional
        Folds; all by default.

    Raises
    ------
    InputError
        If the folder or a needed list is missing, or there are none of this data set.
    """
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: no such folder (configuration key splits.released.folder)")
    if dataset not in NAMES:
        raise InputError(
            f"there are no released split lists of {dataset}; known: {', '.join(NAMES)}"
        )
    found = list(dict.fromkeys(path for _, _, path in _lists(folder, dataset, n_folds, needed)))
    for path in found:
        if not Path(path).is_file():
            raise InputError(f"{path}: this released split list is missing")
    return found


def _lists(folder, dataset, n_folds, needed=None):
    """Fold, role and path of every list; the role of the shared one is still to be cut.

    Lists that are missing are left out with their whole fold, unless it is needed.
    """
    for fold in range(n_folds):
        of_fold = list(_of_fold(folder, dataset, fold))
        there = all(Path(path).is_file() for _, _, path in of_fold)
        if there or needed is None or fold in needed:
            yield from of_fold


def _of_fold(folder, dataset, fold):
    if dataset == "ixi":
        for role in ("train", "val"):
            yield fold, role, f"{folder}/IXI_{role}_fold{fold}.csv"
        yield fold, "test", f"{folder}/IXI_test.csv"
    else:
        for role in ("val", "test"):
            yield fold, role, f"{folder}/{FILES[dataset]}_{role}.csv"


def rows(
    folder: Path | str, dataset: str, n_folds: int, needed: Collection[int] | None = None
) -> list[tuple[str, int, str]]:
    """Every row of a data set's lists.

    Parameters
    ----------
    folder : path-like
    dataset : str
    n_folds : int
        At most `FOLDS`.
    needed : collection of int, optional
        Folds, as for `paths`.

    Returns
    -------
    list of tuple
        Subject's label, fold, role.

    Raises
    ------
    InputError
        If a list cannot be read, has no column `img_name`, or holds a name of another form.
    """
    found = []
    for fold, role, path in _lists(folder, dataset, n_folds, needed):
        labels = _read(path, dataset)
        if role == "val" and dataset in VALIDATE:
            found += _cut(labels, VALIDATE[dataset], fold)
        else:
            found += [(label, fold, role) for label in labels]
    return found


def paper_rows(
    path: Path | str, dataset: str, subjects: Sequence[str], n_folds: int
) -> list[tuple[str, int, str]]:
    """The same from the paper's file of training and validation ids: all other subjects test.

    Parameters
    ----------
    path : path-like
        One id per line, as in the lists.
    dataset : str
    subjects : sequence of str
        All of the data set.
    n_folds : int
    """
    ids = [_label(name, dataset, path) for name in Path(path).read_text(encoding="utf-8").split()]
    test = [subject for subject in subjects if subject not in set(ids)]
    return [
        row
        for fold in range(n_folds)
        for row in _cut(ids, VALIDATE[dataset], fold) + [(s, fold, "test") for s in test]
    ]


def _cut(labels, n_val, fold):
    """The first `n_val` validate, the others train."""
    roles = ["val" if i < n_val else "train" for i in range(len(labels))]
    return [(label, fold, role) for label, role in zip(labels, roles)]


def _read(path, dataset):
    """Labels of a list, row by row."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns, lines = reader.fieldnames or [], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a released split list ({error})") from error
    if "img_name" not in columns:
        raise InputError(f"{path}: has no column img_name, so it is not a released split list")
    if not lines:
        raise InputError(f"{path}: this released split list has no rows")
    return [_label(line["img_name"] or "", dataset, path) for line in lines]


def _label(name, dataset, path):
    pattern, label = NAMES[dataset]
    match = re.fullmatch(pattern, name)
    if not match:
        raise InputError(f"{path}: {name!r} is not an image of {dataset} as the lists name them")
    return match.expand(label)
