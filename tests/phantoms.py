"""Tiny stand-ins for the tests: the phantoms of `uad.contract`, and their files."""

import nibabel as nib
import numpy as np

from uad.contract.phantoms import SHAPE, ellipsoid, head, volume

__all__ = ["AFFINE", "SHAPE", "atlas", "ellipsoid", "head", "save", "volume"]

# A 4 mm grid that holds a head, LPS order like the SRI24 atlas.
AFFINE = np.array([[-4.0, 0, 0, 110], [0, -4, 0, 126], [0, 0, 4, -90], [0, 0, 0, 1]])


def atlas():
    """Templates on the same grid: a head and its brain (float32), with the shape of real ones.

    The base of the brain is narrow and lies further back than its top; the face is in front of it.
    """
    rng = np.random.default_rng(0)
    x, y, z = np.array(SHAPE) / 2
    cerebellum = ellipsoid(SHAPE, (x, y + 9, z - 11), (9, 7, 7))
    brain = ellipsoid(SHAPE, (x, y, z), (16, 20, 15)) | cerebellum
    brain[:, :32, :17] = False
    face = ellipsoid(SHAPE, (x, y - 12, z - 8), (14, 14, 14))
    around = ellipsoid(SHAPE, (x, y, z), (21, 25, 21)) | face
    image = 700 + rng.normal(0, 5, SHAPE)
    image[ellipsoid(SHAPE, (x, y, z), (18, 22, 17))] = 60
    image[brain] = 500 + 300 * rng.random(brain.sum())
    head = np.where(around, image, 0).astype(np.float32)
    return head, np.where(brain, head, 0).astype(np.float32)


def save(array, path, affine=AFFINE):
    """Write an array as NIfTI, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path
