"""Examples of synthetic anomalies: a slice before and after, and the mask.

Apart from `uad.evaluation.cases`, so that no row's cases depend on them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from uad.data.packed import Pack

SHOWN = 6  # volumes


class Example(NamedTuple):
    """A slice of a synthetic volume, and the same slice of the healthy one that it was made of.

    Attributes
    ----------
    subject : str
    z : int
        Number of the slice in its volume, from 0.
    before, after : ndarray of float32, shape (X, Y)
    mask, brain : ndarray of bool, shape (X, Y)
    """

    subject: str
    z: int
    before: np.ndarray
    after: np.ndarray
    mask: np.ndarray
    brain: np.ndarray


def collect(made: "Pack", healthy: "Pack", subjects: Sequence[str]) -> list[Example]:
    """One slice with an anomaly of each of the first synthetic test volumes.

    Parameters
    ----------
    made : packed.Pack
        The synthetic data set.
    healthy : packed.Pack
        What it was made of; its subjects have the same names.
    subjects : sequence of str
        Test subjects, in the order of the split.

    Returns
    -------
    list of Example
        The slice with the median area among the slices of the volume that have an anomaly. Volumes
        without any are passed over.
    """
    found = []
    for subject in subjects:
        volume = made.volume(subject)
        areas = volume.lesion.sum(axis=(1, 2))
        slices = np.flatnonzero(areas)
        if len(slices):
            z = int(slices[np.argsort(areas[slices], kind="stable")[len(slices) // 2]])
            before = healthy.volume(subject).image[z]
            found.append(
                Example(subject, z, before, volume.image[z], volume.lesion[z], volume.brain[z])
            )
        if len(found) == SHOWN:
            break
    return found
