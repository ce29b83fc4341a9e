"""Structural similarity against scikit-image and torchmetrics, in value and in gradient."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.metrics import structural_similarity as by_scikit_image
from torchmetrics.functional.image import structural_similarity_index_measure as by_torchmetrics

from uad.models.ssim import structural_similarity, window_matrix


def pair(rng, shape):
    """Two smooth images that differ, float64."""
    x = ndimage.gaussian_filter(rng.random(shape), 1)
    return x, x + 0.1 * ndimage.gaussian_filter(rng.random(shape), 1)


@pytest.mark.parametrize("shape", [(24, 31), (14, 20, 18)])
@pytest.mark.parametrize(("window", "sigma"), [(9, 1.0), (11, 1.5)])
@pytest.mark.parametrize(("border", "padding"), [("constant", "constant"), ("mirror", "reflect")])
def test_equals_scikit_image(rng, shape, window, sigma, border, padding):
    x, y = pair(rng, shape)
    beyond = window // 2
    padded = [np.pad(image, beyond, mode=padding) for image in (x, y)]
    _, expected = by_scikit_image(
        *padded,
        gaussian_weights=True,
        sigma=sigma,
        data_range=0.7,
        use_sample_covariance=False,
        full=True,
    )
    found = structural_similarity(
        torch.from_numpy(x),
        torch.from_numpy(y),
        window,
        sigma,
        0.7,
        border,
        len(shape),
        torch.float64,
    )
    inside = (slice(beyond, -beyond),) * len(shape)
    np.testing.assert_allclose(found, expected[inside], rtol=0, atol=1e-11)


def test_volume_equals_torchmetrics(rng):
    x, y = map(torch.from_numpy, pair(rng, (14, 20, 18)))
    _, expected = by_torchmetrics(
        y[None, None],
        x[None, None],
        sigma=1.0,
        kernel_size=9,
        data_range=0.7,
        return_full_image=True,
    )
    found = structural_similarity(x, y, 9, 1.0, 0.7, "mirror", 3, torch.float64)
    np.testing.assert_allclose(found, expected[0, 0], rtol=0, atol=1e-10)


def test_leading_axes_are_kept_apart(rng):
    x, y = torch.from_numpy(rng.random((2, 2, 3, 12, 10), dtype=np.float32))
    whole = structural_similarity(x, y, 5, 1.5)
    assert whole.shape == (2, 3, 12, 10) and whole.dtype == torch.float32
    for i, j in np.ndindex(2, 3):
        alone = structural_similarity(x[i, j], y[i, j], 5, 1.5)
        np.testing.assert_allclose(whole[i, j], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 7, 6), (5, 6, 7)])
def test_gradient_equals_finite_differences(rng, shape):
    x, y = torch.from_numpy(rng.random((2, *shape))).requires_grad_()

    def similarity(x, y):
        return structural_similarity(x, y, 5, 1.5, axes=len(shape) - 1, dtype=torch.float64)

    assert torch.autograd.gradcheck(similarity, (x, y))


def test_equal_images_are_one_and_of_constants_the_luminance_counts():
    x = torch.rand(2, 1, 32, 32)
    np.testing.assert_allclose(structural_similarity(x, x, 11, 1.5), 1, atol=1e-6)
    # (2 * 0.2 * 0.8 + 0.0001) / (0.2^2 + 0.8^2 + 0.0001), away from the border.
    dark, bright = torch.full((1, 32, 32), 0.2), torch.full((1, 32, 32), 0.8)
    found = structural_similarity(dark, bright, 11, 1.5)
    assert found[0, 16, 16].item() == pytest.approx(0.47067, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mixed_precision_does_not_reach_it(dtype):
    x, y = torch.rand(2, 1, 1, 32, 32)
    exact = structural_similarity(x, y, 11, 1.5, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = structural_similarity(x, y, 11, 1.5, dtype=dtype)
    assert found.dtype == dtype and (found == exact).all()


def test_window_is_the_specified_one():
    row = window_matrix(31, 1.0, 9, "mirror")[15]
    np.testing.assert_allclose(row[11:16], [0.00013, 0.00443, 0.05399, 0.24197, 0.39894], atol=1e-5)
    assert row.sum() == pytest.approx(1)
