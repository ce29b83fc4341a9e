"""Pure functions give what they gave, on a stored volume (`tests/golden_functions.py`)."""

import golden_functions
import numpy as np
import pytest

INPUTS, EXPECTED = golden_functions.load()


@pytest.fixture(scope="module")
def found():
    return golden_functions.compute(INPUTS)


def test_every_function_is_stored(found):
    assert set(found) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_golden_function(found, name):
    # Relative to the largest value: a difference of nearly equal numbers may be zero or not.
    tolerance = 1e-6 * np.abs(EXPECTED[name]).max()
    np.testing.assert_allclose(
        np.asarray(found[name], np.float64), EXPECTED[name], rtol=1e-6, atol=tolerance
    )
