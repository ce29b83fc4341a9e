"""Tiny stand-ins for the tests: ellipsoid heads with known lesions; no patient voxel."""

import nibabel as nib
import numpy as np

# A 4 mm grid that holds a head, LPS order like the SRI24 atlas.
SHAPE = (56, 64, 48)
AFFINE = np.array([[-4.0, 0, 0, 110], [0, -4, 0, 126], [0, 0, 4, -90], [0, 0, 0, 1]])


def ellipsoid(shape, centre, radii):
    """Boolean ellipsoid in voxels."""
    grid = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radii)) < 1


def head(rng, shape=SHAPE, lesion_radius=3.0, skull=True):
    """A head: image (float32), brain and lesion (bool).

    Scalp bright, bone dark, grey rim, white core with dark ventricles, one dark lesion, noise.
    """
    centre = np.array(shape) / 2 + rng.uniform(-1, 1, 3)
    size = np.array(shape) * 0.36 * rng.uniform(0.97, 1.03, 3)
    image = np.zeros(shape, np.float32)
    brain = ellipsoid(shape, centre, size)
    if skull:
        image[ellipsoid(shape, centre, size + 4)] = 900
        image[ellipsoid(shape, centre, size + 2)] = 60
    image[brain] = 600
    image[ellipsoid(shape, centre, 0.8 * size)] = 1000
    for side in (-0.16, 0.16):
        where = centre + size * [side, 0.1, 0.1]
        image[ellipsoid(shape, where, size * [0.12, 0.35, 0.2])] = 150
    where = centre + rng.uniform(-0.4, 0.4, 3) * size
    lesion = ellipsoid(shape, where, (lesion_radius,) * 3) & brain
    image[lesion] = 400
    noise = rng.normal(0, 15, shape).astype(np.float32)
    image = np.where(image > 0, np.maximum(image + noise, 1), 0).astype(np.float32)
    return image, brain, lesion


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


def volume(rng, shape=(12, 48, 48)):
    """A packed-size volume (Z, X, Y): image in [0, 1], brain and lesion (bool)."""
    image, brain, lesion = head(rng, (*shape[1:], shape[0]), lesion_radius=4.0, skull=False)
    image = np.clip(image / 1000, 0, 1)
    return tuple(np.ascontiguousarray(a.transpose(2, 0, 1)) for a in (image, brain, lesion))
