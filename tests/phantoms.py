"""Tiny stand-ins for the tests: the phantoms of `uad.contract`, and their files."""

import nibabel as nib
import numpy as np

from uad.contract.phantoms import SHAPE, ellipsoid, head, volume

__all__ = ["AFFINE", "SHAPE", "ellipsoid", "head", "save", "volume"]

# A 4 mm grid that holds a head, LPS order like the SRI24 atlas.
AFFINE = np.array([[-4.0, 0, 0, 110], [0, -4, 0, 126], [0, 0, 4, -90], [0, 0, 0, 1]])


def save(array, path, affine=AFFINE):
    """Write an array as NIfTI, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path
