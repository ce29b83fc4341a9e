"""Simplex noise against the opensimplex package and the values of the specification."""

import numpy as np
import opensimplex
import pytest

from uad.models import noise

SETTINGS = {"octaves": 6, "persistence": 0.8, "wavelength": 64}


def oracle(seed, shape):
    """The fractal sum with the package, octave by octave."""
    opensimplex.seed(seed)
    y, x = np.arange(shape[0]), np.arange(shape[1])
    return sum(0.8**k * opensimplex.noise2array(x / (64 / 2**k), y / (64 / 2**k)) for k in range(6))


def test_permutation_of_seed_1():
    assert noise.permutation(1)[:8].tolist() == [33, 221, 255, 106, 55, 126, 129, 158]
    assert sorted(noise.permutation(1)) == list(range(256))


@pytest.mark.parametrize("seed", [0, 1, -7_654_321_098, 9_999_999_999])
def test_field_equals_opensimplex(seed):
    field = noise.fractal_field(seed, (40, 96), **SETTINGS)
    np.testing.assert_allclose(field.numpy(), oracle(seed, (40, 96)), atol=1e-12)


def test_field_has_the_specified_values():
    field = noise.fractal_field(1, (96, 96), **SETTINGS).numpy()
    expected = {(0, 0): 0.0, (0, 1): -0.28512894, (1, 0): 0.54669272, (48, 17): 0.87871029,
                (95, 95): 0.36772258}  # fmt: skip
    for position, value in expected.items():
        assert field[position] == pytest.approx(value, abs=1e-8)
    assert field.mean() == pytest.approx(0.08782, abs=1e-5)
    assert field.std() == pytest.approx(0.61022, abs=1e-5)


def test_statistics_over_seeds(rng):
    fields = np.stack([noise.draw(rng, (96, 96), **SETTINGS).numpy() for _ in range(60)])
    assert fields.std(axis=(1, 2)).mean() == pytest.approx(0.55, abs=0.03)
    assert abs(fields).max() < 3.689  # the amplitudes' sum
    assert (fields[:, 0, 0] == 0).all()


def test_drawn_field_is_rounded_to_half_precision(rng):
    field = noise.draw(rng, (32, 32), **SETTINGS)
    assert (field == field.half().float()).all()
    assert field.unique().numel() > 500


def test_same_generator_same_field():
    first, second = (noise.draw(np.random.default_rng(5), (16, 16), **SETTINGS) for _ in range(2))
    assert (first == second).all()
