"""SSIM against torchmetrics, the median against SciPy, and the map's properties."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torchmetrics.functional.image import structural_similarity_index_measure

from uad.models import median, residuals


@pytest.fixture
def pair(rng):
    """Two smooth volumes that differ."""
    x = ndimage.gaussian_filter(rng.random((14, 20, 18)), 1)
    return tuple(
        map(torch.from_numpy, (x, x + 0.1 * ndimage.gaussian_filter(rng.random(x.shape), 1)))
    )


def test_ssim_equals_torchmetrics(pair):
    x, y = pair
    data_range = float(max(x.max() - x.min(), y.max() - y.min()))
    _, expected = structural_similarity_index_measure(
        y[None, None], x[None, None], sigma=1.0, kernel_size=9, data_range=data_range,
        return_full_image=True,
    )  # fmt: skip
    assert expected.shape[2:] == x.shape
    np.testing.assert_allclose(residuals.ssim(x, y), expected[0, 0], atol=1e-10)


def test_range_is_the_larger_of_both_volumes(pair):
    x = pair[0]
    flat = 0.2 * x  # a fifth of the range
    torch.testing.assert_close(residuals.ssim(x, flat), residuals.ssim(flat, x))


def test_ssim_of_constant_volumes():
    # Range 1 from one corner voxel far away from where the value is read.
    a, b = torch.full((24, 24, 24), 0.2), torch.full((24, 24, 24), 0.8)
    a[0, 0, 0], a[0, 0, 1] = 0.0, 1.0
    assert residuals.ssim(a, b)[18, 18, 18].item() == pytest.approx(0.47067, abs=1e-5)


def test_ssim_of_equal_volumes_is_one(pair):
    np.testing.assert_allclose(residuals.ssim(pair[0], pair[0]), 1, atol=1e-12)


@pytest.mark.parametrize("shape", [(9, 11, 10), (5, 6, 7)])
def test_median_equals_scipy_inside_the_mask(rng, shape):
    volume = rng.random(shape, dtype=np.float32).round(2)
    mask = rng.random(shape) < 0.6
    expected = ndimage.median_filter(volume, 5) * mask
    np.testing.assert_array_equal(median.median_filter(volume, mask), expected)


def test_map_is_zero_outside_the_brain_and_for_equal_volumes(pair, rng):
    x, y = (v.float() for v in pair)
    brain = rng.random(x.shape) < 0.5
    found = residuals.anomaly_map(x, y, brain)
    assert found.dtype == np.float32
    assert (found[~brain] == 0).all()
    assert found.max() > 0.01
    assert abs(residuals.anomaly_map(x, x, brain)).max() < 1e-6


def test_l1_map_by_hand():
    x, y = torch.zeros(5, 15, 15), torch.full((5, 15, 15), 0.25)
    brain = np.zeros((5, 15, 15), bool)
    brain[:, 1:14, 1:14] = True
    for one, other in ((x, y), (y, x)):  # dark and bright lesions alike
        found = residuals.anomaly_map(one, other, brain, "l1")
        np.testing.assert_array_equal(found[0, 7], [0] + [0.25] * 13 + [0])


def test_erosion_is_per_slice_and_four_connected():
    x, y = torch.zeros(5, 15, 15), torch.full((5, 15, 15), 0.25)
    brain = np.zeros((5, 15, 15), bool)
    brain[:, 1:14, 1:14] = True
    brain[:, 7, 14] = True  # a spike, gone after one step
    found = residuals.anomaly_map(x, y, brain, "l1", erosion=2)
    np.testing.assert_array_equal(found[0, 7], [0] * 3 + [0.25] * 9 + [0] * 3)
