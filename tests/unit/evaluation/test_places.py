"""Where lesions are: side in the patient's terms, and depth in millimetres."""

import numpy as np
import pytest

from uad.data.packed import PackedVolume
from uad.evaluation import places


def volume(*boxes):
    """A brain of 9 x 21 x 9 voxels in a larger box, with boxes of lesion."""
    brain = np.zeros((13, 27, 13), bool)
    brain[2:11, 3:24, 2:11] = True
    lesion = np.zeros_like(brain)
    for box in boxes:
        lesion[box] = True
    return PackedVolume("S", brain.astype(np.float32), brain, lesion, brain)


def at(x):
    """One voxel in the middle of the other axes."""
    return (6, x, 6)


def test_left_is_where_x_is_large():
    assert places.place(volume(at(20)), 2)["side"] == "left"
    assert places.place(volume(at(5)), 2)["side"] == "right"
    assert places.place(volume(at(5), at(20)), 2)["side"] == "both"
    assert places.place(volume(at(13)), 2)["side"] == "both"  # the middle plane


def test_four_fifths_make_a_side():
    right = [at(x) for x in (4, 5, 6, 7)]
    assert places.place(volume(*right, at(20)), 2)["side"] == "right"
    assert places.place(volume(*right[:3], at(20)), 2)["side"] == "both"


def test_depth_is_the_median_distance_from_outside_the_brain():
    # Distances of the three voxels: 1, 2 and 3 voxels from the rim.
    found = places.place(volume(at(3), at(4), at(5)), 2.0)
    assert found["depth_mm"] == pytest.approx(4.0)
    assert places.place(volume(at(13)), 2.0)["depth_mm"] == pytest.approx(10.0)


def test_voxels_outside_the_brain_do_not_count():
    found = places.place(volume((0, 0, 0)), 2)
    assert found["side"] is None and np.isnan(found["depth_mm"])
    assert places.place(volume((0, 0, 0), at(20)), 2)["side"] == "left"
