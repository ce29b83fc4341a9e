"""Brain masks on the atlas grid: propagated from the atlas, or found in stripped images."""

import numpy as np
from scipy import ndimage

from uad.imaging.volumes import bounding_box

CROSS = ndimage.generate_binary_structure(3, 1)
DENT_MM = 20


def from_atlas(head, atlas_mask):
    """Brain mask of a whole head that has been registered to the atlas.

    The atlas mask, corrected where the head differs from it: the core is kept, and bright tissue
    around it is added as far as it is connected, up to a shell. Bone and fluid are dark on T1, so
    growth ends there. Meant for simulated heads, and for real ones as long as no brain extractor is
    installed; a wide dark lesion at the surface can lose its rim.

    Parameters
    ----------
    head : ndarray, shape (X, Y, Z)
        T1-weighted, on the atlas grid, any unit.
    atlas_mask : ndarray of bool, shape (X, Y, Z)

    Returns
    -------
    ndarray of bool, shape (X, Y, Z)
    """
    box = bounding_box(ndimage.binary_dilation(atlas_mask, CROSS, iterations=4))
    inside, head = atlas_mask[box], head[box]
    core = ndimage.binary_erosion(inside, CROSS, iterations=5)
    reach = ndimage.binary_dilation(inside, CROSS, iterations=3)
    bright = reach & (head > 0.5 * np.median(head[core]))
    brain = _largest(ndimage.binary_opening(core | bright, CROSS, iterations=2) | core)
    # Fluid of the sulci and dark lesions at the surface come back where the atlas has brain and the
    # mask is dented; a smaller head is not filled up to the atlas, since its mask has no dent.
    brain |= _close(brain, DENT_MM) & inside
    brain = ndimage.binary_closing(np.pad(brain, 3), CROSS, iterations=2)[3:-3, 3:-3, 3:-3]
    mask = np.zeros(atlas_mask.shape, bool)
    mask[box] = ndimage.binary_fill_holes(brain)
    return mask


def _close(mask, radius):
    """Closing by a ball of `radius` voxels, at half resolution for speed."""
    pad = radius + 2
    coarse = np.pad(mask, pad)[::2, ::2, ::2]
    dilated = ndimage.distance_transform_edt(~coarse) <= radius / 2
    closed = ndimage.distance_transform_edt(dilated) > radius / 2
    fine = closed.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    return fine[tuple(slice(pad, pad + n) for n in mask.shape)]


def from_threshold(stripped):
    """Brain mask of a skull-stripped image, as the released preparation does for BraTS.

    Voxels at or above the mean of the whole image (background included), eroded by 2, largest
    component, dilated by 2, holes filled.

    Parameters
    ----------
    stripped : ndarray, shape (X, Y, Z)
        Background zero.
    """
    mask = (stripped > 0) & (stripped >= stripped.mean())
    mask = _largest(ndimage.binary_erosion(mask, CROSS, iterations=2))
    return ndimage.binary_fill_holes(ndimage.binary_dilation(mask, CROSS, iterations=2))


def _largest(mask):
    """The largest 6-connected component; all of an empty mask."""
    components, n = ndimage.label(mask)
    if n < 2:
        return mask
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    return components == sizes.argmax()
