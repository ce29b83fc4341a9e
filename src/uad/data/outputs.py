"""What a network made of the volumes of a fold, as it is read again: reconstructions and maps."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uad.base.errors import InputError
from uad.data import splits

if TYPE_CHECKING:
    import pandas as pd


def stored(
    path: Path | str,
    split: "pd.DataFrame",
    fold: int,
    with_training: bool,
    voxels: tuple[int, ...],
) -> np.ndarray:
    """A file of volumes, in the order of `splits.evaluated`, as a memory map.

    Parameters
    ----------
    path : path-like
    split : DataFrame
        Of the data set.
    fold : int
    with_training : bool
        Whether training subjects are needed. They come last, so that nothing else minds if they are
        there.
    voxels : tuple of int
        (Z, X, Y) of the packed data set.

    Returns
    -------
    ndarray
        (subjects, ..., Z, X, Y).

    Raises
    ------
    InputError
        If the file is damaged, or of other subjects or voxels.
    """
    try:
        array = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:  # cut short
        raise InputError(
            f"{path}: cannot be read ({error}); delete the file and run again"
        ) from error
    needed = len(splits.evaluated(split, fold, with_training))
    fitting = {needed, len(splits.evaluated(split, fold, True))}
    if len(array) not in fitting or array.shape[-3:] != voxels:
        raise InputError(
            f"{path}: has the shape {array.shape}, which does not fit the {needed} subjects of "
            f"{voxels} voxels that fold {fold} evaluates; delete the file and run again"
        )
    return array
