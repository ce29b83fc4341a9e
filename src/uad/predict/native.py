"""From the atlas back onto a scan's own voxels, in the order and with the header of its file."""

from pathlib import Path

import nibabel as nib
import numpy as np

from uad.base.files import replacing
from uad.imaging import registration
from uad.imaging.volumes import ORIENTATION, Volume


def resample(volume: Volume, scan: Volume, affine: np.ndarray, interpolation: str) -> np.ndarray:
    """Carry a volume in atlas space onto the grid of a scan.

    Parameters
    ----------
    volume : Volume
        Any grid in atlas space.
    scan : Volume
        As `volumes.read` gives it.
    affine : ndarray, shape (4, 4)
        Atlas millimetres to the scan's millimetres, as `registration.register` gives it.
    interpolation : {"linear", "nearest"}

    Returns
    -------
    ndarray, shape (X, Y, Z) of `scan`
        Zero where `volume` does not reach; dtype of `volume`.
    """
    return registration.resample(volume, scan, np.linalg.inv(affine), interpolation).array


def turned_back(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """An array in LPS order with the axes of a file.

    Parameters
    ----------
    array : ndarray, shape (X, Y, Z)
    affine : ndarray, shape (4, 4)
        That of the file.
    """
    lps = nib.orientations.axcodes2ornt(ORIENTATION)
    of_file = nib.orientations.io_orientation(affine)
    change = nib.orientations.ornt_transform(lps, of_file)
    return np.ascontiguousarray(nib.orientations.apply_orientation(array, change))


def write(array: np.ndarray, like: Path | str, path: Path | str) -> None:
    """Write an array on the grid of a scan's file, complete or not at all.

    Parameters
    ----------
    array : ndarray, shape (X, Y, Z)
        LPS order, on the grid that `volumes.read` gives of the file; booleans become uint8.
    like : path-like
        The scan; position and orientation are copied as they are stored.
    path : path-like
    """
    source = nib.load(like)
    values = turned_back(array, source.affine)
    values = values.astype(np.uint8 if values.dtype == bool else np.float32)
    image = nib.Nifti1Image(values, source.affine)
    image.header.set_xyzt_units("mm")
    for name in ("sform", "qform"):
        code = int(source.header[f"{name}_code"])
        getattr(image, f"set_{name}")(source.affine, code)
    with replacing(path) as temporary:
        nib.save(image, temporary)
