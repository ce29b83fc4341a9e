"""Small components by hand."""

import numpy as np
import pytest
from scipy import ndimage

from uad.evaluation import metrics


@pytest.fixture
def mask():
    """Bars of 7 and 8 voxels, and 8 voxels along a diagonal of the volume."""
    mask = np.zeros((20, 20, 20), bool)
    mask[0, 0, :7] = mask[5, 0, :8] = True
    mask[range(10, 18), range(10, 18), range(10, 18)] = True
    return mask


def test_components_below_the_size_go(mask):
    found = metrics.drop_small(mask, 8)
    assert not found[0].any()
    assert found[5].sum() == 8 and found[10:].sum() == 8  # corners connect
    assert not metrics.drop_small(mask, 9).any()


@pytest.mark.parametrize("size", [0, 1])
def test_nothing_goes_by_default(mask, size):
    np.testing.assert_array_equal(metrics.drop_small(mask, size), mask)


def test_empty_mask():
    assert not metrics.drop_small(np.zeros((3, 3, 3), bool), 8).any()


def test_holes_do_not_matter_up_to_26_voxels():
    # The reference fills holes, with diagonal neighbours, before it measures.
    shell = np.ones((3, 3, 3), bool)
    shell[1, 1, 1] = False
    whole = np.ones((3, 3, 3), bool)
    assert ndimage.binary_fill_holes(shell, whole).sum() == 27  # 26 voxels close it
    shell[0, 0, 0] = False
    assert ndimage.binary_fill_holes(shell, whole).sum() == 25  # 25 do not
