"""Simplex noise against the package, the specification and an independent implementation."""

import os
import subprocess
import sys

import numpy as np
import opensimplex
import pytest
from conftest import ROOT

from uad.models import noise

SETTINGS = {"octaves": 6, "persistence": 0.8, "wavelength": 64}

# Of fields of 40 x 96 pixels by seed, from an implementation of the algorithm that this project had
# before it used the package: values at the pixels of `PIXELS`, and the sum of the field.
PIXELS = [(0, 1), (1, 0), (7, 90), (23, 41), (39, 95)]
INDEPENDENT = {
    0: (
        [
            -0.633086060071482,
            -0.30308543548918504,
            -0.5066239254111494,
            -0.2648281174267606,
            0.5056916246737573,
        ],
        -2617.923789224509,
    ),
    1: (
        [
            -0.28512893803904665,
            0.5466927191008875,
            -0.5319495079450324,
            -0.9996660171590241,
            0.22194255552538034,
        ],
        87.9235395767885,
    ),
    -7_654_321_098: (
        [
            -0.28516205479811396,
            0.5108523334100257,
            0.3126220198490236,
            -1.0700711004683623,
            0.9767326981072894,
        ],
        -1003.2870849670004,
    ),
    9_999_999_999: (
        [
            -0.2995235577166549,
            -0.6170981948931169,
            0.16592182114990167,
            -0.7904854179125853,
            -0.7866869486981374,
        ],
        -2142.1003395966554,
    ),
}


def one_by_one(seed, shape):
    """The fractal sum, pixel by pixel."""
    point = opensimplex.OpenSimplex(seed).noise2
    scales = [64 / 2**k for k in range(6)]
    return [
        [sum(0.8**k * point(x / w, y / w) for k, w in enumerate(scales)) for x in range(shape[1])]
        for y in range(shape[0])
    ]


@pytest.mark.parametrize("seed", INDEPENDENT)
def test_field_equals_an_independent_implementation(seed):
    field = noise.fractal_field(seed, (40, 96), **SETTINGS)
    values, total = INDEPENDENT[seed]
    np.testing.assert_allclose([field[pixel] for pixel in PIXELS], values, rtol=0, atol=1e-14)
    assert field.sum() == pytest.approx(total, abs=1e-10)


def test_rows_are_y_and_columns_are_x():
    found = noise.fractal_field(1, (5, 12), **SETTINGS)
    np.testing.assert_allclose(found, one_by_one(1, (5, 12)), rtol=0, atol=1e-14)


def test_field_has_the_specified_values():
    field = noise.fractal_field(1, (96, 96), **SETTINGS)
    expected = {
        (0, 0): 0.0,
        (0, 1): -0.28512894,
        (1, 0): 0.54669272,
        (48, 17): 0.87871029,
        (95, 95): 0.36772258,
    }
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


def test_drawn_values_stay_the_same():
    # The seed is one draw from the generator; a change of it would train all models anew.
    rng = np.random.default_rng(5)
    field = noise.draw(rng, (16, 16), **SETTINGS)
    assert field[3, :6].tolist() == [
        -0.92236328125,
        -0.56689453125,
        -0.255859375,
        -0.2646484375,
        -0.4169921875,
        -0.4560546875,
    ]
    assert rng.integers(10**6) == 22653


def test_same_generator_same_field():
    first, second = (noise.draw(np.random.default_rng(5), (16, 16), **SETTINGS) for _ in range(2))
    assert (first == second).all()


def test_another_function_can_make_the_field():
    asked = []

    def plane(*arguments):
        asked.append(arguments)
        return np.full((4, 6), 1 / 3)

    drawn = noise.draw(np.random.default_rng(5), (4, 6), **SETTINGS, field=plane)
    (seed, *others), same_seed = asked[0], np.random.default_rng(5).integers(-(10**10), 10**10)
    assert (seed, others) == (same_seed, [(4, 6), 6, 0.8, 64])
    assert (drawn == np.float32(np.float16(1 / 3))).all()


def test_where_numba_cannot_store_what_it_compiles(tmp_path):
    """In a folder that is gone afterwards, as where neither package nor home can be written."""
    code = (
        "import os, sys, tempfile\n"
        "tempfile.tempdir = sys.argv[1]\n"
        "from uad.models import noise\n"
        "print(noise.fractal_field(1, (2, 2), 6, 0.8, 64)[0, 1], len(os.listdir(sys.argv[1])))"
    )
    # Only a folder that it is told counts, and it is told none.
    settings = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator", "NUMBA_CACHE_DIR": ""}
    env = {**os.environ, **settings, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", code, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    value, folders = done.stdout.split()
    assert float(value) == pytest.approx(-0.28512894, abs=1e-8) and folders == "1"
    assert list(tmp_path.iterdir()) == []


THREADS = """
import re
import numpy as np
import torch
from uad.models import noise
torch.set_num_threads(1)
noise.draw(np.random.default_rng(0), (16, 16), 2, 0.8, 16)
print(re.search(r"omp_get_max_threads\\(\\) : (\\d+)", torch.__config__.parallel_info())[1])
"""


def test_torch_keeps_its_number_of_threads():
    """With Numba's OpenMP layer it got as many as there are cores, and trained ten times slower."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    environment |= {"PYTHONPATH": str(ROOT / "src"), "NUMBA_NUM_THREADS": "2"}
    command = [sys.executable, "-c", THREADS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout == "1\n", done.stderr
