"""Maps made elsewhere, in the order of the subjects, checked, and on the packed grid."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from uad.base import resumable
from uad.base.errors import InputError
from uad.data import splits
from uad.data.external import PROBABILITIES, Found
from uad.imaging import downsample, registration, volumes
from uad.imaging.settings import Downsampling
from uad.imaging.volumes import Volume

NAMED = 5  # subjects in a sentence


def in_order(
    found: Sequence[Found], dataset: str, split: pd.DataFrame, fold: int, with_training: bool
) -> tuple[list[Path], list[str]]:
    """Files of the subjects that are evaluated, in their order, and remarks about the others.

    Parameters
    ----------
    found : sequence of Found
    dataset : str
    split : DataFrame
        Columns of `splits.COLUMNS`.
    fold : int
    with_training : bool
        See `splits.evaluated`.

    Raises
    ------
    InputError
        If a subject has no map, or several.
    """
    paths: dict[str, list[Path]] = {}
    for one in found:
        if one.dataset == dataset:
            paths.setdefault(one.subject, []).append(one.path)
    wanted = splits.evaluated(split, fold, with_training)
    missing = [subject for subject in wanted if subject not in paths]
    if missing:
        raise InputError(
            f"{dataset}, fold {fold}: {len(missing)} of {len(wanted)} subjects have no map: "
            f"{_some(missing)}"
        )
    for subject in wanted:
        if len(paths[subject]) > 1:
            raise InputError(
                f"{dataset}: {subject} has {len(paths[subject])} maps: "
                f"{', '.join(map(str, paths[subject]))}; keep one"
            )
    others = [subject for subject in paths if subject not in wanted]
    trained_on = [s for s in splits.subjects(split, fold, "train") if s in others]
    unknown = [subject for subject in others if subject not in set(split["subject"])]
    remarks = [
        f"{len(names)} map(s) of {what} are not used: {_some(names)}"
        for names, what in ((trained_on, "training subjects"), (unknown, "unknown subjects"))
        if names
    ]
    return [paths[subject][0] for subject in wanted], remarks


def _some(names):
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def packed_grid(shape: tuple[int, int, int], spacing_mm: float) -> Volume:
    """The grid of exported images.

    Parameters
    ----------
    shape : tuple of int
        Of a packed volume, (Z, X, Y).
    spacing_mm : float

    Returns
    -------
    Volume
        Zeros (X, Y, Z). A subject's place in the atlas is not kept: the origin is the first voxel.
    """
    z, x, y = shape
    affine = np.diag([-spacing_mm, -spacing_mm, spacing_mm, 1.0])
    return Volume(np.zeros((x, y, z), np.uint8), affine)


def read_packed(path: Path, grid: Volume) -> np.ndarray:
    """A map on the packed grid, float32 (Z, X, Y).

    Parameters
    ----------
    path : path-like
    grid : Volume
        From `packed_grid`.

    Raises
    ------
    InputError
        If it is on another grid.
    """
    path, (x, y, z) = Path(path), grid.array.shape
    if path.suffix == PROBABILITIES:
        return _of_nnunet(path, (z, y, x)).transpose(0, 2, 1)
    if path.suffix.lower() != ".npy":
        found = volumes.read(path)
        _check_grid(found, grid, "that of the exported images")
        return found.array.transpose(2, 0, 1)
    try:
        array = np.load(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a NumPy array ({error})") from error
    if array.shape != (z, x, y):
        raise InputError(f"{path}: has the shape {array.shape}, expected (Z, X, Y) = {(z, x, y)}")
    return array.astype(np.float32)


def _of_nnunet(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Probability of any label but the background, float32 (Z, Y, X), as SimpleITK reads images.

    nnU-Net's `--save_probabilities` writes the array `probabilities`, (labels, Z, Y, X), background
    first.
    """
    try:
        with np.load(path) as file:
            array = file["probabilities"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: holds no array `probabilities` as nnU-Net writes it ({error})"
        ) from error
    if array.ndim != 4 or len(array) < 2 or array.shape[1:] != shape:
        raise InputError(
            f"{path}: has the shape {array.shape}, expected (labels, Z, Y, X) = (2, {shape[0]}, "
            f"{shape[1]}, {shape[2]})"
        )
    return array[1:].sum(axis=0, dtype=np.float32)


class Preprocessed(NamedTuple):
    """What carries a map from the grid of a scan to that of the packed volume.

    Attributes
    ----------
    brain : path-like
        Brain mask at 1 mm, on the atlas grid.
    transform, native : path-like or None
        Of the registration, and the scan; for maps in native space.
    """

    brain: Path | str
    transform: Path | str | None = None
    native: Path | str | None = None


def read_resampled(
    path: Path, files: Preprocessed, settings: Downsampling, prepared: bool = False
) -> np.ndarray:
    """A map on the atlas grid, or in native space, brought to the packed grid by linear
    interpolation.

    Parameters
    ----------
    path : path-like
        NIfTI.
    files : Preprocessed
    settings, prepared
        As for `downsample.downsample`.

    Returns
    -------
    ndarray of float32, shape (Z, X, Y)

    Raises
    ------
    InputError
        If it is on another grid.
    """
    if str(path).lower().endswith((".npy", PROBABILITIES)):
        raise InputError(f"{path}: a map outside of the packed grid must be NIfTI, with its affine")
    found, brain = volumes.read(path), volumes.read_soft_mask(files.brain)
    if files.native is None:
        _check_grid(found, brain, f"that of {files.brain}")
    else:
        _check_grid(found, volumes.read(files.native), f"that of {files.native}")
        affine = registration.read_transform(files.transform)
        found = registration.resample(found, brain, affine, "linear")
    grid = downsample.grid(brain, settings, prepared)
    return registration.resample(found, grid, np.eye(4), "linear").array.transpose(2, 0, 1)


def _check_grid(found: Volume, grid: Volume, of: str) -> None:
    """Raise `InputError` unless a map has the shape and affine of a grid."""
    if found.array.shape != grid.array.shape:
        raise InputError(
            f"{found.path}: has {found.array.shape} voxels, but its grid must be {of}, "
            f"{grid.array.shape}"
        )
    if not np.allclose(found.affine, grid.affine, atol=1e-2):
        raise InputError(
            f"{found.path}: its affine differs from {of}, so that it may be flipped or shifted; "
            "write maps with the header of the image that they are of"
        )


def import_maps(
    output: Path | str,
    paths: Sequence[Path],
    subjects: Sequence[str],
    read: Callable[[str, Path], np.ndarray],
    shape: tuple[int, int, int],
    fingerprint: str,
) -> list[str]:
    """Write checked maps as one array, as rule `score` writes those of a network.

    Parameters
    ----------
    output : path-like
        `.npy`, (subjects, Z, X, Y) float32.
    paths : sequence of path-like
        From `in_order`.
    subjects : sequence of str
        Of these maps.
    read : callable
        From subject and path to a map (Z, X, Y).
    shape : tuple of int
        (Z, X, Y).
    fingerprint : str
        See `resumable.write_resumable`.

    Returns
    -------
    list of str
        Remarks about maps of one value, zero being what a binary map of a healthy brain is.

    Raises
    ------
    InputError
        If a map has values that are not finite, or if every map has one value only, not zero.
    """

    def compute(i: int) -> np.ndarray:
        array = read(subjects[i], paths[i])
        if not np.isfinite(array).all():
            raise InputError(f"{paths[i]}: contains NaN or infinite values")
        return array

    resumable.write_resumable(output, len(paths), shape, np.float32, compute, fingerprint, "maps")
    # From the file, since a resumed job has not computed all of it.
    constant, zero = [], []
    for subject, array in zip(subjects, np.load(output, mmap_mode="r"), strict=True):
        if array.min() == array.max():
            (constant if array.flat[0] else zero).append(subject)
    if constant and len(constant) == len(paths):
        Path(output).unlink()
        raise InputError(f"{Path(paths[0]).parent}: every map has one value only, and not zero")
    return [
        f"{len(names)} of {len(paths)} maps {said}: {_some(names)}"
        for names, said in ((constant, "have one value only"), (zero, "are zero everywhere"))
        if names
    ]
