"""Synthetic anomalies: identities of the blending, statistics of the masks, determinism."""

import numpy as np
import pytest
from conftest import write_pack
from PIL import Image

from uad import synthesis


def test_perlin_noise_is_zero_at_lattice_points_and_bounded(rng):
    angles = rng.uniform(0, 2 * np.pi, (9, 5))
    noise = synthesis.perlin((8, 4), angles)
    assert abs(noise[::16, ::32]).max() < 1e-12
    assert abs(noise).max() <= 1


def test_perlin_noise_by_hand():
    # One cell, all gradients along x: the noise is sqrt(2) * (1 - fade(u)) u + fade(u) (u - 1).
    noise = synthesis.perlin((1, 1), np.zeros((2, 2)))
    u = 32 / synthesis.GRID
    fade = 6 * u**5 - 15 * u**4 + 10 * u**3
    assert noise[32, 77] == pytest.approx(np.sqrt(2) * ((1 - fade) * u + fade * (u - 1)))


def test_mask_statistics(rng):
    masks = [synthesis.draw(rng, (96, 96))[0] for _ in range(400)]
    areas = np.array([mask.mean() for mask in masks])
    assert areas.mean() == pytest.approx(0.041, abs=0.006)
    assert np.median(areas) == pytest.approx(0.036, abs=0.006)
    assert 0.02 < (areas == 0).mean() < 0.12


def test_texture_statistics(rng):
    draws = [synthesis.draw(rng, (96, 96)) for _ in range(400)]
    means = [texture[mask].mean() for mask, texture, _ in draws if mask.any()]
    assert np.mean(means) == pytest.approx(0.50, abs=0.03)
    assert np.std(means) == pytest.approx(0.16, abs=0.03)
    opacities = [opacity for _, _, opacity in draws]
    assert 0.2 <= min(opacities) < 0.25 and 0.95 < max(opacities) <= 1


def test_blending_identities(rng):
    image, texture = rng.random((2, 8, 8))
    mask = rng.random((8, 8)) < 0.5
    opaque = synthesis.blend(image, mask, texture, 1.0)
    np.testing.assert_array_equal(opaque[mask], texture[mask])
    np.testing.assert_array_equal(opaque[~mask], image[~mask])
    half = synthesis.blend(image, mask, texture, 0.5)
    np.testing.assert_allclose(half[mask], (image[mask] + texture[mask]) / 2)
    np.testing.assert_array_equal(synthesis.blend(image, mask, texture, 0.0), image)


def test_brain_restricts_label_and_change(rng):
    image, brain = rng.random((96, 96)).astype(np.float32), np.zeros((96, 96), bool)
    brain[20:70, 30:80] = True
    for _ in range(20):
        changed, mask = synthesis.add_anomaly(image, rng, brain)
        assert not mask[~brain].any()
        np.testing.assert_array_equal(changed[~mask], image[~mask])


@pytest.mark.parametrize("operator", synthesis.OPERATORS, ids=lambda f: f.__name__)
def test_operators_keep_size_and_are_driven_by_the_generator(rng, operator):
    grey = (rng.random((96, 96)) * 255).astype(np.uint8)
    image = Image.fromarray(np.repeat(grey[..., None], 3, axis=2))
    first, second = (np.asarray(operator(image, np.random.default_rng(3))) for _ in range(2))
    assert first.shape == (96, 96, 3)
    np.testing.assert_array_equal(first, second)


def test_operators_by_hand():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(np.repeat(ramp[..., None], 3, axis=2))
    inverted = np.asarray(synthesis._invert(image, None))
    np.testing.assert_array_equal(inverted[..., 0], 255 - ramp)

    class Fixed:
        """A generator that always draws the lower end."""

        def integers(self, low, high=None):
            return low

        def random(self):
            return 0.0

        def uniform(self, low, high):
            return low

    assert set(np.unique(np.asarray(synthesis._posterize(image, Fixed())))) == {0, 128}
    solarized = np.asarray(synthesis._solarize(image, Fixed()))[..., 0]
    np.testing.assert_array_equal(solarized, np.where(ramp >= 32, 255 - ramp, ramp))
    gamma = np.asarray(synthesis._gamma(image, Fixed()))[..., 0]
    np.testing.assert_array_equal(gamma, np.rint(255 * (ramp / 255) ** 0.5).astype(np.uint8))
    darker = np.asarray(synthesis._brightness(image, Fixed()))[..., 0].astype(int)
    assert abs(darker - np.clip(ramp * 0.8 - 30, 0, 255)).max() <= 2


def test_synthetic_set_depends_on_the_subject_not_on_its_neighbours(tmp_path):
    pack = write_pack(tmp_path, 3)
    table, alone = synthesis.synthetic_set(pack, {"S1"}, seed=7)
    _, together = synthesis.synthetic_set(pack, {"S0", "S1", "S2"}, seed=7)
    assert list(table["subject"]) == ["S1"]
    np.testing.assert_array_equal(alone[0]["image"], together[1]["image"])
    assert table["lesion_ml"].iloc[0] == pytest.approx(alone[0]["lesion"].sum() * 0.008)
    assert not (alone[0]["lesion"] & ~pack.volume("S1").brain).any()
    assert not np.array_equal(together[0]["lesion"], together[2]["lesion"])
