"""Anomaly maps made elsewhere: found by their names, checked, and brought to the packed grid.

Maps lie in `FOLDER/[fold-K/]DATA_SET/SUBJECT.ENDING`; without folders of folds they count for all
folds. A map is on one of three grids (`space`):

`packed`
    what `snakemake export` writes and the networks here see: NIfTI with the affine of the exported
    images; or `.npy`, (Z, X, Y); or `.npz`, as nnU-Net writes probabilities of the exported images;
`atlas`
    that of the preprocessed images, 1 mm;
`native`
    that of the scan as it was found.

Synthetic anomalies exist on the packed grid only, so their maps are always there.

nnU-Net writes a segmentation beside a subject's probabilities; of the two these are the map.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from uad.base.errors import InputError

PROBABILITIES = ".npz"
ENDINGS = (".nii.gz", ".nii", ".npy", PROBABILITIES)


class Found(NamedTuple):
    """A map's file: data set, subject and path."""

    dataset: str
    subject: str
    path: Path


def find(folder: Path | str, fold: int | str, datasets: Iterable[str]) -> list[Found]:
    """Files of maps for a fold, by their names only.

    Parameters
    ----------
    folder : path-like
    fold : int
    datasets : iterable of str
        Names of folders; others are not looked at.

    Raises
    ------
    InputError
        If the folder, that of the fold, or those of all data sets are missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; it should hold anomaly maps made elsewhere")
    if any(folder.glob("fold-*")):
        folder = folder / f"fold-{fold}"
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder, although other folds have theirs")
    found = [
        Found(dataset, name, path)
        for dataset in datasets
        for path in sorted((folder / dataset).glob("*"))
        if (name := _subject(path)) is not None
        and (path.suffix == PROBABILITIES or not path.with_name(f"{name}{PROBABILITIES}").exists())
    ]
    if not found:
        raise InputError(
            f"{folder}: holds no map; a map is DATA_SET/SUBJECT with the ending "
            f"{' or '.join(ENDINGS)}, data sets are {', '.join(datasets)}"
        )
    return found


def _subject(path):
    """Label of a map's subject; None for other files."""
    for ending in ENDINGS:
        if path.name.lower().endswith(ending) and not path.name.startswith("."):
            return path.name[: -len(ending)]
    return None
