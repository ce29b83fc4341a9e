"""Connected components of binary maps."""

import numpy as np
from scipy import ndimage

NEIGHBOURS = np.ones((3, 3, 3), bool)  # 26


def drop_small(mask, size):
    """Take the 26-connected components of fewer than `size` voxels out of a mask (Z, X, Y), bool.

    The cDDPM's code measures components with their holes filled. That makes no difference up to 26
    voxels, the fewest that enclose one.
    """
    if size < 2:
        return mask
    labels, _ = ndimage.label(mask, NEIGHBOURS)
    large = np.bincount(labels.ravel()) >= size
    large[0] = False  # the background
    return large[labels]
