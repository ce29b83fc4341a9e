"""Anomaly maps of a row as small pictures, for the pages of subjects.

Maps are large, and those of networks are deleted after their last use. A picture has the scores
from 0 to the highest of the volume in 256 steps, less what its compression loses. So the Dice at
many thresholds is kept beside it, of the scores themselves.
"""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

from uad.base.arrays import bounding_box
from uad.base.errors import InputError
from uad.base.files import replacing

STEPS = 100  # thresholds: (k / STEPS)² of the highest score, so that they are denser where low
ABOUT = "about.json"


@dataclass(frozen=True)
class MapPicture:
    """An anomaly map, as it is kept.

    Attributes
    ----------
    shape : list of int
        (X, Y, Z) of the box around the brain.
    peak : float
        Highest score.
    dice : list of float or None
        At each of the `STEPS` thresholds; None without a lesion.
    """

    shape: list[int]
    peak: float
    dice: list[float] | None


def box(brain: np.ndarray) -> tuple[slice, ...]:
    """The part of a volume (Z, X, Y) that pictures show: the box around the brain."""
    return bounding_box(brain) if brain.any() else tuple(slice(0, n) for n in brain.shape)


def boxed(array: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """That part of an array (Z, X, Y), as (X, Y, Z)."""
    return array[box(brain)].transpose(1, 2, 0)


def scaled(array: np.ndarray, highest: float) -> np.ndarray:
    """Values from 0 to the highest one as uint8."""
    return np.round(255 * np.clip(array / highest, 0, 1)).astype(np.uint8)


def thresholds(peak: float) -> np.ndarray:
    """Those of `MapPicture.dice`, ascending from 0."""
    return peak * (np.arange(STEPS) / STEPS) ** 2


def dice_above(score: np.ndarray, lesion: np.ndarray) -> list[float] | None:
    """Dice of what scores more than each threshold; None without a lesion.

    Parameters
    ----------
    score : ndarray of float32, shape (Z, X, Y)
    lesion : ndarray of bool
    """
    if not lesion.any():
        return None
    every, inside = np.sort(score, axis=None), np.sort(score[lesion])
    cuts = thresholds(float(score.max()))
    predicted, found = (len(s) - np.searchsorted(s, cuts, "right") for s in (every, inside))
    # Thresholds are below the highest score, so that something is predicted or a lesion missed.
    return [round(float(d), 4) for d in 2 * found / (predicted + len(inside))]


def name(test_set: str, subject: str, kind: str = "map") -> str:
    """A picture's name in the archive; `kind` is ``map`` or ``healthy``, the reconstruction."""
    return f"{test_set}/{subject}_{kind}.webp"


def write(
    kept: Iterable[tuple[str, str, MapPicture, Mapping[str, bytes]]], path: str | Path
) -> None:
    """Write the pictures of a row: test set, subject, what is known, pictures by their kind."""
    about: dict[str, dict[str, Any]] = {}
    with replacing(path) as temporary, ZipFile(temporary, "w", ZIP_STORED) as archive:
        for test_set, subject, picture, pictures in kept:
            about.setdefault(test_set, {})[subject] = asdict(picture)
            for kind, content in pictures.items():
                archive.writestr(ZipInfo(name(test_set, subject, kind)), content)
        archive.writestr(ZipInfo(ABOUT), json.dumps(about))


class Kept:
    """What `write` wrote of a row.

    Raises
    ------
    InputError
        If the file is damaged.
    """

    def __init__(self, path: str | Path):
        try:
            # Read as a whole: of files that are open, there may be only so many.
            self._archive = ZipFile(io.BytesIO(Path(path).read_bytes()))
            self._about = json.loads(self._archive.read(ABOUT))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise InputError(f"{path}: is damaged ({error}); delete it and run again") from error
        self._path = path
        self._names = set(self._archive.namelist())

    def about(self, test_set: str, subject: str) -> MapPicture:
        """What is known of a subject's map; `InputError` names one that is not there."""
        found = self._about.get(test_set, {}).get(subject)
        if found is None:
            raise InputError(f"{self._path}: lacks {test_set} {subject}; delete it and run again")
        return MapPicture(**found)

    def picture(self, test_set: str, subject: str, kind: str = "map") -> bytes | None:
        """A picture; None if the row has none of this kind."""
        member = name(test_set, subject, kind)
        return self._archive.read(member) if member in self._names else None
