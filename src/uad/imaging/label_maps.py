"""Values of masks: which count, and which leave doubt.

Masks reach a data set by many ways: saved again as floats, resampled, of other programs. A mask
that leaves doubt is refused by its name and with the numbers, since it would change the reference
silently.
"""

from collections.abc import Sequence

import numpy as np

from uad.base.errors import InputError

# Labels saved as scaled integers come back as 0.996 or 1.000015 instead of 1.
ROUNDING = 0.01
MOST_LABELS = 8  # different values of a label map; an image has more


def labelled(array: np.ndarray, labels: Sequence[int] | None, path: str) -> np.ndarray:
    """Voxels of a label map that count.

    Parameters
    ----------
    array : ndarray of float
        Values of the file, finite.
    labels : sequence of int or None
        Values that count; None for all above zero.
    path : str
        For messages.

    Returns
    -------
    ndarray of bool

    Raises
    ------
    InputError
        If values are not whole numbers (to `ROUNDING`), negative or too many, or none is one of
        `labels`.
    """
    whole = np.rint(array)
    broken = np.abs(array - whole) > ROUNDING
    if broken.any():
        first = array[broken][0]
        raise InputError(
            f"{path}: {broken.sum()} voxels hold no whole number (such as {first:.3g}), so it is "
            "an interpolated mask, or an image; give the label map as it was drawn"
        )
    values = np.unique(whole[whole != 0])
    if len(values) > MOST_LABELS:
        raise InputError(
            f"{path}: holds {len(values)} values other than zero, from {values[0]:g} to "
            f"{values[-1]:g}, so it is an image and no mask of labels"
        )
    shown = ", ".join(f"{value:g}" for value in values)
    if (values < 0).any():
        raise InputError(f"{path}: holds negative labels ({shown})")
    if labels and len(values) and not np.isin(values, labels).any():
        counting = ", ".join(map(str, labels))
        raise InputError(
            f"{path}: holds the labels {shown}, but lesions of this data set are {counting}; give "
            "the mask as distributed"
        )
    return np.isin(whole, labels) if labels else whole > 0


def positive(array: np.ndarray, path: str) -> np.ndarray:
    """Voxels above zero of a mask that may hold fractions, as the authors' prepared masks do.

    Raises
    ------
    InputError
        If there are negative values.
    """
    if (array < -ROUNDING).any():
        raise InputError(f"{path}: holds negative values, down to {array.min():.3g}")
    return array > 0
