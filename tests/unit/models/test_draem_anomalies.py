"""Synthetic anomalies: identities of the blending, statistics of the masks, determinism."""

import numpy as np
import pytest
from conftest import write_pack
from PIL import Image

from uad.base import digests
from uad.models import anomalies
from uad.models.anomalies import draem
from uad.models.settings import Anomalies


def test_perlin_noise_is_zero_at_lattice_points_and_bounded(rng):
    angles = rng.uniform(0, 2 * np.pi, (9, 5))
    noise = draem.perlin((8, 4), angles)
    assert abs(noise[::16, ::32]).max() < 1e-12
    assert abs(noise).max() <= 1


def test_perlin_noise_by_hand():
    # One cell, all gradients along x: the noise is sqrt(2) * (1 - fade(u)) u + fade(u) (u - 1).
    noise = draem.perlin((1, 1), np.zeros((2, 2)))
    u = 32 / draem.GRID
    fade = 6 * u**5 - 15 * u**4 + 10 * u**3
    assert noise[32, 77] == pytest.approx(np.sqrt(2) * ((1 - fade) * u + fade * (u - 1)))


def test_mask_statistics(rng):
    masks = [draem.draw(rng, (96, 96))[0] for _ in range(400)]
    areas = np.array([mask.mean() for mask in masks])
    assert areas.mean() == pytest.approx(0.041, abs=0.006)
    assert np.median(areas) == pytest.approx(0.036, abs=0.006)
    assert 0.02 < (areas == 0).mean() < 0.12


def test_texture_statistics(rng):
    draws = [draem.draw(rng, (96, 96)) for _ in range(400)]
    means = [texture[mask].mean() for mask, texture, _ in draws if mask.any()]
    assert np.mean(means) == pytest.approx(0.50, abs=0.03)
    assert np.std(means) == pytest.approx(0.16, abs=0.03)
    opacities = [opacity for _, _, opacity in draws]
    assert 0.2 <= min(opacities) < 0.25 and 0.95 < max(opacities) <= 1


def test_blending_identities(rng):
    image, texture = rng.random((2, 8, 8))
    mask = rng.random((8, 8)) < 0.5
    opaque = draem.blend(image, mask, texture, 1.0)
    np.testing.assert_array_equal(opaque[mask], texture[mask])
    np.testing.assert_array_equal(opaque[~mask], image[~mask])
    half = draem.blend(image, mask, texture, 0.5)
    np.testing.assert_allclose(half[mask], (image[mask] + texture[mask]) / 2)
    np.testing.assert_array_equal(draem.blend(image, mask, texture, 0.0), image)


def test_brain_restricts_label_and_change(rng):
    image, brain = rng.random((96, 96)).astype(np.float32), np.zeros((96, 96), bool)
    brain[20:70, 30:80] = True
    for _ in range(20):
        changed, mask = draem.add_anomaly(image, rng, brain)
        assert not mask[~brain].any()
        np.testing.assert_array_equal(changed[~mask], image[~mask])


@pytest.mark.parametrize("operator", draem.OPERATORS, ids=lambda f: f.__name__)
def test_operators_keep_size_and_are_driven_by_the_generator(rng, operator):
    grey = (rng.random((96, 96)) * 255).astype(np.uint8)
    image = Image.fromarray(np.repeat(grey[..., None], 3, axis=2))
    first, second = (np.asarray(operator(image, np.random.default_rng(3))) for _ in range(2))
    assert first.shape == (96, 96, 3)
    np.testing.assert_array_equal(first, second)


class Extreme:
    """A generator that always draws the lower or always the upper end."""

    def __init__(self, upper):
        self.upper = upper

    def integers(self, low, high):
        return high - 1 if self.upper else low

    def random(self):
        return 0.999 if self.upper else 0.0

    def uniform(self, low, high):
        return high if self.upper else low


RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def applied(operator, upper, grey=RAMP):
    """First channel of a grey image after an operator."""
    image = Image.fromarray(np.repeat(grey[..., None], 3, axis=2))
    return np.asarray(operator(image, Extreme(upper)))[..., 0].astype(int)


def dot():
    """One bright pixel on black, where no border is near."""
    grey = np.zeros((7, 7), np.uint8)
    grey[3, 3] = 130
    return grey


@pytest.mark.parametrize(
    ("operator", "upper", "expected"),
    [
        (draem._gamma, False, np.rint(255 * (RAMP / 255) ** 0.5)),
        (draem._gamma, True, np.rint(255 * (RAMP / 255) ** 2)),
        (draem._brightness, False, np.clip(RAMP * 0.8 - 30, 0, 255)),
        (draem._brightness, True, np.clip((RAMP + 30.0) * 1.2, 0, 255)),
        # Grey has no saturation to take away.
        (draem._hue_and_saturation, False, RAMP),
        # Hue 50/255 of a turn is 0.176 of a sixth beyond yellow: red falls by this share of 50/255.
        (draem._hue_and_saturation, True, RAMP * (1 - 50 / 255 * (6 * 50 / 255 - 1))),
        (draem._solarize, False, np.where(RAMP >= 32, 255.0 - RAMP, RAMP)),
        (draem._solarize, True, RAMP),
        (draem._posterize, False, RAMP // 128 * 128.0),
        (draem._posterize, True, RAMP),
        (draem._invert, True, 255.0 - RAMP),
        (draem._autocontrast, False, RAMP),
        # A fifth of 256 levels cut at both ends: 51 and 204 become black and white.
        (draem._autocontrast, True, np.clip((RAMP - 51.0) / 153 * 255, 0, 255)),
        (draem._equalize, True, RAMP),
    ],
)
def test_operators_by_hand(operator, upper, expected):
    assert abs(applied(operator, upper) - expected).max() <= 2


def test_sharpness_by_hand():
    # The smoothing kernel is 5 in the middle and 1 around, over 13.
    smooth, sharp = (applied(draem._sharpness, upper, dot())[2:5, 2:5] for upper in (0, 1))
    np.testing.assert_array_equal(smooth, [[10, 10, 10], [10, 50, 10], [10, 10, 10]])
    np.testing.assert_array_equal(sharp, [[0, 0, 0], [0, 210, 0], [0, 0, 0]])


def test_equalize_by_hand():
    grey = np.repeat(np.arange(100, 104, dtype=np.uint8), 1024).reshape(64, 64)
    found = applied(draem._equalize, False, grey)
    assert abs(found[::16, 0] - [0, 85, 170, 255]).max() <= 1


def test_rotation_fills_with_black():
    found = applied(draem._rotate, True, np.full((65, 65), 200, np.uint8))
    i, j = np.mgrid[-32:33, -32:33]
    assert (found[np.hypot(i, j) < 31] == 200).all()
    assert (found[abs(i) + abs(j) > 48] == 0).all()
    bar = np.zeros((65, 65), np.uint8)
    bar[32, 40:60] = 250  # right of the centre
    turned = applied(draem._rotate, True, bar)
    assert turned[32 - 12, 32 + 12] > 150 and turned[32, 50] == 0


def test_synthetic_set_depends_on_the_subject_not_on_its_neighbours(tmp_path):
    pack = write_pack(tmp_path, 3)
    table, alone = draem.synthetic_set(pack, {"S1"}, seed=7)
    _, together = draem.synthetic_set(pack, {"S0", "S1", "S2"}, seed=7)
    assert list(table["subject"]) == ["S1"]
    np.testing.assert_array_equal(alone[0]["image"], together[1]["image"])
    assert table["lesion_ml"].iloc[0] == pytest.approx(alone[0]["lesion"].sum() * 0.008)
    assert not (alone[0]["lesion"] & ~pack.volume("S1").brain).any()
    assert not np.array_equal(together[0]["lesion"], together[2]["lesion"])


def test_anomalies_are_found_by_the_name_of_what_they_make():
    assert anomalies.load("draem") is draem.add_anomaly
    assert anomalies.load("brats") is None and anomalies.load("") is None


def test_a_module_of_its_own_for_each():
    modules = {path.stem for path in (digests.LIBRARY / "models/anomalies").glob("[a-z]*.py")}
    assert modules == set(anomalies.SYNTHETIC)


# As in App. C.


def test_uniform_threshold(rng, monkeypatch):
    """A noise that rises from 0 to 1 has above a uniform threshold a uniform share."""
    ramp = np.tile(np.linspace(0, 1, draem.GRID), (draem.GRID, 1))
    monkeypatch.setattr(draem, "perlin", lambda cells, angles: ramp)
    monkeypatch.setattr(draem.ndimage, "rotate", lambda noise, *a, **k: noise)
    shape = (draem.GRID, draem.GRID)
    shares = [draem.draw(rng, shape, Anomalies(threshold="uniform"))[0].mean() for _ in range(400)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)
    assert min(shares) < 0.05 and max(shares) > 0.95
    assert draem.draw(rng, shape)[0].mean() == 0.5


def test_operators_of_the_paper(rng, monkeypatch):
    """Seven: gamma, inversion and rotation are never drawn, all others are."""
    used = []
    for name in ("OPERATORS", "OPERATORS_OF_THE_PAPER"):
        spies = [
            lambda image, rng, o=o: used.append(o.__name__) or image for o in getattr(draem, name)
        ]
        monkeypatch.setattr(draem, name, spies)
    for _ in range(60):
        draem.draw(rng, (8, 8), Anomalies(operators="seven"))
    of_paper = set(used)
    assert of_paper == {
        "_posterize", "_sharpness", "_solarize", "_equalize", "_brightness", "_hue_and_saturation",
        "_autocontrast",
    }  # fmt: skip
    for _ in range(60):
        draem.draw(rng, (8, 8))
    assert set(used) - of_paper == {"_gamma", "_invert", "_rotate"}


def test_texture_of_the_binary_map(monkeypatch):
    """Before the operators it is white inside and black outside; else the noise itself."""
    monkeypatch.setattr(draem, "OPERATORS_PER_IMAGE", 0)
    drawn = {
        kind: draem.draw(np.random.default_rng(3), (96, 96), Anomalies(texture=kind))
        for kind in ("binary", "noise")
    }
    mask, texture, _ = drawn["binary"]
    np.testing.assert_array_equal(texture, mask.astype(np.float32))
    again, noise, _ = drawn["noise"]
    np.testing.assert_array_equal(again, mask)
    assert mask.any() and (noise[mask] >= 0.5 - 1 / 255).all() and np.ptp(noise[mask]) > 0.05


def test_settings_reach_every_anomaly(pack, rng):
    """What `load` gives, the test set, and DRAEM-Net's own."""
    settings = Anomalies(threshold="uniform", operators="seven", texture="binary")
    image = rng.random((48, 48), dtype=np.float32)
    expected = draem.add_anomaly(image, np.random.default_rng(4), settings=settings)
    found = anomalies.load("draem", vars(settings) | {"validation": "test"})(
        image, np.random.default_rng(4)
    )
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)
    usual = draem.synthetic_set(pack, {"S0"}, 1)[1][0]
    _, (volume,) = draem.synthetic_set(pack, {"S0"}, 1, settings)
    assert not np.array_equal(volume["lesion"], usual["lesion"])
