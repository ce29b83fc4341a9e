"""Packed data sets: all subjects of a data set in three memory-mapped arrays.

`image.npy` (float32), `brain.npy` and `lesion.npy` (uint8) have shape (N, Z, X, Y), so that an
axial slice is contiguous on disk; a fractional brain mask is stored in parts of 255.
`subjects.tsv` has one line per subject, in the order of the arrays.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from uad.base import tsv
from uad.base.errors import InputError
from uad.base.files import replacing

ARRAYS = {"image": np.float32, "brain": np.uint8, "lesion": np.uint8}
FULL = 255  # of a fractional brain mask; a binary one has 1


@dataclass(frozen=True)
class PackedVolume:
    """One subject: `image` (float32), `brain` and `lesion` (bool), each (Z, X, Y).

    `weight` is what scores are multiplied by: `brain`, or float32 in [0, 1] if the brain mask is
    fractional.
    """

    subject: str
    image: np.ndarray
    brain: np.ndarray
    lesion: np.ndarray
    weight: np.ndarray


class Pack:
    """A packed data set, opened read-only.

    Attributes
    ----------
    image, brain, lesion : memmap, shape (N, Z, X, Y)
    subjects : DataFrame
        One line per subject, in the arrays' order.
    """

    def __init__(self, folder):
        folder = Path(folder)
        self.subjects = tsv.read(folder / "subjects.tsv")
        for name in ARRAYS:
            path = folder / f"{name}.npy"
            try:
                array = np.load(path, mmap_mode="r")
            except (OSError, ValueError) as error:
                raise InputError(f"{path}: cannot be read as a packed array ({error})") from error
            if len(array) != len(self.subjects):
                raise InputError(
                    f"{path}: holds {len(array)} volumes, but {folder / 'subjects.tsv'} lists "
                    f"{len(self.subjects)}"
                )
            setattr(self, name, array)
        self._row = {subject: row for row, subject in enumerate(self.subjects["subject"])}

    def __len__(self):
        return len(self.subjects)

    def rows(self, subjects: Sequence[str]) -> np.ndarray:
        """Positions of subjects in the arrays; `InputError` names one that is not there."""
        missing = [subject for subject in subjects if subject not in self._row]
        if missing:
            raise InputError(f"subject {missing[0]} is in the split but not in the packed data")
        return np.array([self._row[subject] for subject in subjects], int)

    def volume(self, subject: str) -> PackedVolume:
        """One subject's volume."""
        (row,) = self.rows([subject])
        return self.volume_at(row)

    def volume_at(self, row: int) -> PackedVolume:
        """The volume at a position in the arrays."""
        stored = np.array(self.brain[row])
        brain = stored > 0
        return PackedVolume(
            self.subjects["subject"].iloc[row],
            np.array(self.image[row]),
            brain,
            np.array(self.lesion[row]) > 0,
            brain if stored.max() <= 1 else stored / np.float32(FULL),
        )


class Volumes(Sequence):
    """Volumes of a packed data set, each read when it is asked for.

    Parameters
    ----------
    pack : Pack
    rows : sequence of int
        Their positions in the arrays.
    """

    def __init__(self, pack: Pack, rows: Sequence[int] | np.ndarray):
        self._pack, self._rows = pack, rows

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, i):
        if isinstance(i, slice):
            return Volumes(self._pack, self._rows[i])
        return self._pack.volume_at(self._rows[i])


def of_files(paths: Sequence[Path | str]) -> Pack:
    """The packed data set that a list of its files belongs to."""
    return Pack(Path(paths[0]).parent)


def write(
    folder: Path | str,
    subjects: pd.DataFrame,
    contents: Iterable[Mapping[str, np.ndarray]],
    n: int,
    shape: tuple[int, int, int],
) -> None:
    """Write a packed data set, each array complete or not at all.

    Parameters
    ----------
    folder : path-like
    subjects : DataFrame
    contents : iterable of mapping
        Arrays (Z, X, Y) under the names of `ARRAYS`, in the order of `subjects`.
    n : int
    shape : tuple of int
        (Z, X, Y).
    """
    folder = Path(folder)
    with (
        replacing(folder / "image.npy") as image,
        replacing(folder / "brain.npy") as brain,
        replacing(folder / "lesion.npy") as lesion,
    ):
        arrays = {
            name: np.lib.format.open_memmap(path, "w+", dtype, (n, *shape))
            for (name, dtype), path in zip(ARRAYS.items(), (image, brain, lesion))
        }
        for row, volume in enumerate(contents):
            for name, array in arrays.items():
                array[row] = volume[name]
        for array in arrays.values():
            array.flush()
        tsv.write(subjects, folder / "subjects.tsv", sealed=True)
