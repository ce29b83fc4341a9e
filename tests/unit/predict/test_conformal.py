"""Conformal p-values: by hand, and that healthy scans exceed a rate as often as it says."""

import numpy as np
import pytest
from scipy import stats

from uad.predict import conformal


def test_by_hand():
    healthy = [(0, 1.0), (0, 3.0), (1, 10.0), (1, 30.0)]
    # Each fold's score is compared with that fold's healthy scans.
    assert conformal.p_value({0: 2.0, 1: 40.0}, healthy) == (1 + 1) / 5
    assert conformal.percentile({0: 2.0, 1: 40.0}, healthy) == 75
    assert conformal.p_value({0: 3.0, 1: 30.0}, healthy) == (1 + 2) / 5  # ties count against it
    assert conformal.p_value({0: 0.0, 1: 0.0}, healthy) == 1
    assert conformal.p_value({0: 1.0}, []) == 1 and np.isnan(conformal.percentile({0: 1.0}, []))


@pytest.mark.parametrize(
    ("n", "supported"), [(4, ()), (9, (0.1,)), (19, (0.05, 0.1)), (98, (0.05, 0.1))]
)
def test_a_rate_needs_enough_scans(n, supported):
    assert tuple(r for r in conformal.RATES if conformal.supported(r, n)) == supported
    found = conformal.exceeds(1 / (n + 1), n)
    assert found == {r: True if r in supported else None for r in conformal.RATES}
    assert conformal.supported(0.01, 99)


def test_numbers_of_numpy_become_plain_ones():
    """They are written as JSON, which knows no others."""
    values, healthy = {0: np.float64(2)}, [(0, np.float64(i)) for i in range(19)]
    p = conformal.p_value(values, healthy)
    assert type(p) is float and type(conformal.percentile(values, healthy)) is float
    assert {type(flag) for flag in conformal.exceeds(p, 19).values()} == {bool, type(None)}


def test_healthy_scans_exceed_a_rate_as_often_as_it_says():
    """Exchangeable scans, one fold: the observed rates lie in the joint 95 % bands."""
    rng, trials, n = np.random.default_rng(0), 20_000, 99
    scores = rng.lognormal(size=(trials, n + 1))
    p = [conformal.p_value({0: row[0]}, [(0, x) for x in row[1:]]) for row in scores]
    for rate in conformal.RATES:
        count = sum(value <= rate for value in p)
        low, high = stats.binom.ppf((0.025 / 3, 1 - 0.025 / 3), trials, rate)
        assert low <= count <= high


def test_several_folds_keep_a_rate():
    """Folds whose scores differ in scale and agree in part: no rate is more than doubled."""
    rng, trials, folds, per_fold = np.random.default_rng(1), 2000, 5, 20
    scale = np.arange(1, folds + 1)
    counts = dict.fromkeys(conformal.RATES, 0)
    for _ in range(trials):
        brain = rng.normal(size=folds * per_fold)
        healthy = [
            (i % folds, scale[i % folds] * (value + 0.5 * rng.normal()))
            for i, value in enumerate(brain)
        ]
        own = rng.normal()
        new = {f: scale[f] * (own + 0.5 * rng.normal()) for f in range(folds)}
        p = conformal.p_value(new, healthy)
        for rate in counts:
            counts[rate] += p <= rate
    for rate, count in counts.items():
        assert count <= stats.binom.ppf(0.999, trials, 2 * rate)
        assert count > 0
