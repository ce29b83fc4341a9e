"""Numbers as text."""

import pytest

from uad.report import numbers

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.34, "12.3"),
        (-1.25, "−1.2"),
        (-0.04, "0.0"),
        (0, "0.0"),
        (NAN, "–"),
        (INFINITE, "–"),
        (None, "–"),
    ],
)
def test_number(value, text):
    assert numbers.number(value) == text


@pytest.mark.parametrize(("fraction", "text"), [(0.1234, "12.3"), (-0.5, "−50.0"), (None, "–")])
def test_percent(fraction, text):
    assert numbers.percent(fraction) == text


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [(0.5, 0.0123, "50.00 ± 1.23"), (0.5, NAN, "50.00"), (NAN, NAN, "–"), (NAN, 0.1, "–")],
)
def test_mean_and_spread(mean, std, text):
    assert numbers.percent_with_spread(mean, std) == text


@pytest.mark.parametrize(
    ("p", "text"), [(0.0009, "< 0.001"), (0.001, "0.001"), (0.25, "0.250"), (NAN, "–")]
)
def test_p_value(p, text):
    assert numbers.p_value(p) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3605, "1 h 0 min"), (NAN, "–")],
)
def test_duration(seconds, text):
    assert numbers.duration(seconds) == text


def test_memory_and_counts():
    assert (numbers.memory(1.54), numbers.memory(NAN)) == ("1.5 GiB", "–")
    assert (numbers.counted(1, "row"), numbers.counted(0, "row")) == ("1 row", "0 rows")
