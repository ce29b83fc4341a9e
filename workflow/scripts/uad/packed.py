"""Packed data sets: all subjects of a data set in three memory-mapped arrays.

`image.npy` (float32), `brain.npy` and `lesion.npy` (uint8) have shape (N, Z, X, Y), so that an
axial slice is contiguous on disk; `subjects.tsv` has one line per subject, in the order of the
arrays.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from uad import volumes
from uad.errors import InputError
from uad.volumes import replacing

ARRAYS = {"image": np.float32, "brain": np.uint8, "lesion": np.uint8}


@dataclass(frozen=True)
class PackedVolume:
    """One subject: `image` (float32), `brain` and `lesion` (bool), each (Z, X, Y)."""

    subject: str
    image: np.ndarray
    brain: np.ndarray
    lesion: np.ndarray


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
        self.subjects = read_table(folder / "subjects.tsv")
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

    def rows(self, subjects):
        """Positions of subjects in the arrays; `InputError` names one that is not there."""
        missing = [subject for subject in subjects if subject not in self._row]
        if missing:
            raise InputError(f"subject {missing[0]} is in the split but not in the packed data")
        return np.array([self._row[subject] for subject in subjects], int)

    def volume(self, subject):
        """One subject's volume."""
        (row,) = self.rows([subject])
        return PackedVolume(
            subject,
            np.array(self.image[row]),
            np.array(self.brain[row]) > 0,
            np.array(self.lesion[row]) > 0,
        )


def of_files(paths):
    """The packed data set that a list of its files belongs to."""
    return Pack(Path(paths[0]).parent)


def write(folder, subjects, contents, n, shape):
    """Write a packed data set, each array complete or not at all.

    Parameters
    ----------
    folder : path-like
    subjects : DataFrame
    contents : iterable of dict
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
        write_table(subjects, folder / "subjects.tsv")


def subject_table(module, subjects, qc_paths, demographics):
    """What is known of each subject, and who is excluded.

    Parameters
    ----------
    module : module
        Of the data set, for its metadata.
    subjects : list of datasets.Subject
    qc_paths : list of path-like
        Registration quality of each subject, in order; empty for data that came registered.
    demographics : path-like or None

    Returns
    -------
    table, excluded : DataFrame
        Subjects to pack, and those whose registration failed with the reason in `status`.
    """
    if qc_paths:
        quality = pd.DataFrame([json.loads(Path(path).read_text()) for path in qc_paths])
    else:
        quality = pd.DataFrame({"similarity": np.nan, "status": "ok"}, index=range(len(subjects)))
    known = pd.DataFrame({"subject": [s.subject for s in subjects]})
    table = pd.concat([known, module.metadata(subjects, demographics), quality], axis=1)
    good = table["status"] == "ok"
    if not good.any():
        raise InputError(f"{module.TITLE}: registration failed for every subject")
    kept = table[good].drop(columns="status").reset_index(drop=True)
    return kept, table.loc[~good, ["subject", "similarity", "status"]]


def with_left_out(excluded, left_out):
    """Add what was found but could not be used, (file or subject, reason), to those excluded."""
    lines = pd.DataFrame(
        {"subject": [name for name, _ in left_out], "status": [why for _, why in left_out]}
    )
    return pd.concat([excluded, lines], ignore_index=True)


def pack(folder, table, files):
    """Pack downsampled volumes.

    Parameters
    ----------
    folder : path-like
    table : DataFrame
        Subjects, in order; brain and lesion volumes are added to it.
    files : list of tuple of path-like
        Image, brain and lesion of each subject.
    """
    first = volumes.read(files[0][0])
    table = table.assign(voxel_ml=first.voxel_ml, brain_ml=0.0, lesion_ml=0.0)

    def read():
        for line, paths in enumerate(files):
            arrays = {}
            for (name, dtype), path in zip(ARRAYS.items(), paths):
                volume = volumes.read(path, dtype)
                if volume.array.shape != first.array.shape:
                    raise InputError(
                        f"{path}: shape {volume.array.shape} differs from {first.array.shape}"
                    )
                arrays[name] = volume.array.transpose(2, 0, 1)  # (Z, X, Y)
            for name in ("brain", "lesion"):
                table.loc[line, f"{name}_ml"] = arrays[name].sum() * first.voxel_ml
            yield arrays

    x, y, z = first.array.shape
    write(folder, table, read(), len(table), (z, x, y))


def read_table(path):
    """Read a TSV table; `subject` stays text."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    return pd.read_csv(path, sep="\t", dtype={"subject": str})


def write_table(table, path):
    """Write a TSV table, complete or not at all; floats with six significant digits."""
    with replacing(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="n/a")
