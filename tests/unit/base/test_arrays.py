"""The box around a mask, against SciPy's."""

import numpy as np
import pytest
from scipy import ndimage

from uad.base.arrays import bounding_box


@pytest.mark.parametrize("shape", [(9, 7), (6, 8, 5)])
def test_box_is_scipy_s(rng, shape):
    for _ in range(20):
        mask = rng.random(shape) > 0.95
        mask.flat[rng.integers(mask.size)] = True
        assert bounding_box(mask) == ndimage.find_objects(mask.astype(int))[0]
        assert bounding_box(mask.astype(np.uint8) * 4) == bounding_box(mask)


def test_empty_mask_has_a_box_of_no_voxels():
    empty = np.zeros((3, 4, 5), bool)
    assert empty[bounding_box(empty)].size == 0
