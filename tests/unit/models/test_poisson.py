"""Poisson image interpolation: solution against a sparse solver, invariants, patches, labels."""

import numpy as np
import pytest
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from uad.models.methods.pii import poisson

PATCH = (slice(3, 15), slice(5, 22))


@pytest.fixture
def pair(rng):
    """Two smooth images (24, 32) in [0, 1]."""
    images = ndimage.gaussian_filter(rng.random((2, 24, 32)), (0, 2, 2))
    return (images - images.min()) / (images.max() - images.min())


def solved_pixel_by_pixel(image, foreign, patch, alpha):
    """The equations of the method, one row per pixel, by a general solver."""
    pixels = [(i, j) for i in range(*patch[0].indices(99)) for j in range(*patch[1].indices(99))]
    number = {p: k for k, p in enumerate(pixels)}
    matrix, right = sparse.lil_matrix((len(pixels), len(pixels))), np.zeros(len(pixels))
    for p, k in number.items():
        matrix[k, k] = 4
        for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            q = (p[0] + step[0], p[1] + step[1])
            own, other = (1 - alpha) * (image[p] - image[q]), alpha * (foreign[p] - foreign[q])
            right[k] += own if abs(own) > abs(other) else other
            if q in number:
                matrix[k, number[q]] = -1
            else:
                right[k] += image[q]
    out = image.copy()
    out[patch] = spsolve(matrix.tocsc(), right).reshape(out[patch].shape)
    return np.clip(out, image.min(), image.max())


@pytest.mark.parametrize("alpha", [0.05, 0.3, 0.5, 0.95])
def test_blending_solves_the_equations(pair, alpha):
    expected = solved_pixel_by_pixel(*pair, PATCH, alpha)
    assert abs(poisson.blend(*pair, PATCH, alpha) - expected).max() < 1e-10


def test_single_pixel_by_hand():
    # Own differences to the four neighbours are 0, 0, 0, -0.4; the foreign image is flat. Half of
    # the gradients: 4 x = 4 * 0.2 + 0.4 - 0.2 -> x = 0.25.
    image = np.full((3, 3), 0.2)
    image[1, 2] = 0.6
    out = poisson.blend(image, np.zeros((3, 3)), (slice(1, 2), slice(1, 2)), 0.5)
    assert out[1, 1] == pytest.approx(0.25)


def test_outside_the_patch_nothing_changes(pair):
    image, foreign = pair.astype(np.float32)
    out = poisson.blend(image, foreign, PATCH, 0.6)
    outside = np.ones(image.shape, bool)
    outside[PATCH] = False
    np.testing.assert_array_equal(out[outside], image[outside])
    assert out.dtype == np.float32
    assert image.min() <= out.min() and out.max() <= image.max()


def test_constant_images_stay():
    out = poisson.blend(np.full((24, 32), 0.3), np.full((24, 32), 0.8), PATCH, 0.7)
    np.testing.assert_allclose(out, 0.3, atol=1e-12)


def test_alpha_one_takes_the_foreign_gradients(pair):
    image = pair[0].copy()
    image[0, 0], image[0, 1] = -9, 9  # wide enough a range that nothing is clipped
    out = poisson.blend(image, pair[1], PATCH, 1.0)
    difference = ndimage.laplace(out)[PATCH] - ndimage.laplace(pair[1])[PATCH]
    assert abs(difference).max() < 1e-12


def test_an_image_in_itself_is_damped_at_one_half_only(pair):
    image = pair[0]
    assert abs(poisson.blend(image, image, PATCH, 0.5) - image).max() > 0.01
    assert abs(poisson.blend(image, image, PATCH, 1e-9) - image).max() < 1e-6


def test_no_edge_at_the_border(pair):
    image, foreign = pair
    pasted = image.copy()
    pasted[PATCH] = foreign[PATCH]
    blended = poisson.blend(image, foreign, PATCH, 0.9)
    jumps = [abs(x[3, 5:22] - x[2, 5:22]).mean() for x in (pasted, blended)]
    assert jumps[1] < jumps[0] / 3


def test_values_are_clipped_to_the_image_range(pair):
    image, foreign = 0.5 + 0.01 * pair[0], 5 * pair[1]
    out = poisson.blend(image, foreign, PATCH, 0.9)
    assert out.min() >= image.min() and out.max() <= image.max()


def test_patches_of_the_papers_slices(rng):
    drawn = [poisson.draw_patch(rng, np.ones((96, 96), bool)) for _ in range(4000)]
    for rows, columns in drawn:
        for side in (rows, columns):
            assert 1 <= side.start < side.stop <= 95  # the outermost frame is left out
    areas = np.array([(r.stop - r.start) * (c.stop - c.start) for r, c in drawn])
    assert areas.mean() / 96**2 == pytest.approx(0.062, abs=0.003)
    # The median is 22 x 22 (0.053): half of the sides, and a little more by clipping.
    assert (areas <= 22**2).mean() == pytest.approx(0.504, abs=0.025)
    inside = [r for r, _ in drawn if r.start > 1 and r.stop < 95]
    sides = {r.stop - r.start for r in inside}
    assert sides == set(range(10, 37, 2))
    middles = [(r.start + r.stop) // 2 for r in inside]
    assert min(middles) == 9 and max(middles) == 85


def test_centres_lie_where_they_may(rng):
    allowed = np.zeros((96, 96), bool)
    allowed[40:44, 60:70] = True
    allowed[:, :5] = True  # not in the central part
    for _ in range(50):
        rows, columns = poisson.draw_patch(rng, allowed)
        assert 40 <= (rows.start + rows.stop) // 2 < 44
        assert 60 <= (columns.start + columns.stop) // 2 < 70
    assert poisson.draw_patch(rng, np.zeros((96, 96), bool)) is None


@pytest.mark.parametrize("centre", ["brain", "anywhere"])
def test_label_is_alpha_where_the_brain_changed(rng, pair, centre):
    image, foreign = pair.astype(np.float32)
    brain = np.zeros(image.shape, bool)
    brain[4:20, 6:26] = True
    for _ in range(30):
        blended, label = poisson.interpolate(image, foreign, brain, centre, rng)
        assert blended.dtype == label.dtype == np.float32
        np.testing.assert_array_equal(blended[~brain], image[~brain])
        values = set(np.unique(label)) - {0}
        assert len(values) <= 1 and all(0.05 <= v <= 0.95 for v in values)
        assert not label[blended == image].any()
        assert label[abs(blended - image) > poisson.STEP].all()


def test_invisible_changes_are_not_labelled(rng):
    image = np.full((24, 32), 0.5003, np.float32)
    foreign = image + 1e-4 * rng.random(image.shape).astype(np.float32)
    image[0] = 0  # a range to change in
    _, label = poisson.interpolate(image, foreign, np.ones(image.shape, bool), "brain", rng)
    assert not label[2:].any()


@pytest.mark.parametrize("centre", ["brain", "anywhere"])
def test_without_brain_nothing_happens(rng, pair, centre):
    image, foreign = pair.astype(np.float32)
    blended, label = poisson.interpolate(image, foreign, np.zeros((24, 32), bool), centre, rng)
    np.testing.assert_array_equal(blended, image)
    assert not label.any()
