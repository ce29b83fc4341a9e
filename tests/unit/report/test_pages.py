"""What all pages share."""

import pytest

from uad.report import pages


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.34, "12.3"),
        (-1.25, "−1.2"),
        (-0.04, "0.0"),
        (0, "0.0"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_number(value, text):
    assert pages.number(value) == text
