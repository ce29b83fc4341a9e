"""Detection limits against detectors with a known answer: intervals, 50 % points, words."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from uad.evaluation import detection_limits as limits

VOLUMES_ML = np.array([0.05, 0.2, 1, 5, 20, 50])
DRAWS = 400


def seen_by(rng, n_subjects, half_ml, spread, width=0.25, n=8):
    """Lesions that a detector with a logistic curve in log10 of the volume sees.

    Its 50 % point varies between subjects (normal, `spread` in log10), so that lesions of one
    subject are seen or missed together. Returns bool (subjects, volumes, n).
    """
    own = np.log10(half_ml) + spread * rng.standard_normal(n_subjects)
    chance = 1 / (1 + np.exp(-(np.log10(VOLUMES_ML) - own[:, None]) / width))
    return rng.random((n_subjects, len(VOLUMES_ML), n)) < chance[..., None]


def table_of(seen, contrast=-40):
    """The same as `planted.measure` tells it."""
    columns = ["row", "fold", "source", "place", "texture", "contrast", "volume_ml", "detected"]
    lines = [
        ("row", 0, f"S{i}", f"p{k % 4}", f"t{k // 4}", contrast, VOLUMES_ML[j], int(seen[i, j, k]))
        for i, j, k in np.ndindex(seen.shape)
    ]
    return pd.DataFrame(lines, columns=columns).assign(newly_above=0.0, rise=0.0)


@pytest.mark.parametrize(("n_subjects", "spread"), [(6, 0.3), (12, 0.6), (20, 0.0), (20, 0.6)])
def test_interval_of_the_half_point_covers_it(n_subjects, spread):
    """In at least 95 % of 400 draws, but for the binomial band of that many."""
    rng, covered, errors = np.random.default_rng(7), 0, []
    for _ in range(DRAWS):
        half_ml = 10 ** rng.uniform(-0.7, 1)
        shares = seen_by(rng, n_subjects, half_ml, spread).mean(axis=2)
        counts = np.full(n_subjects, 8)
        ends = np.array([limits.interval(of_volume, counts) for of_volume in shares.T])
        curves = (shares.mean(axis=0), ends[:, 1], ends[:, 0])
        point, low, high = (limits.crossing(VOLUMES_ML, curve) for curve in curves)
        covered += not (low.ml > half_ml or low.beyond > 0 or high.ml < half_ml or high.beyond < 0)
        errors.append(np.log10(point.ml / half_ml) if not point.beyond else np.nan)
    least = stats.binom.ppf(0.025, DRAWS, 0.95)
    assert covered >= least
    assert abs(np.nanmean(errors)) < 3 * np.nanstd(errors) / np.sqrt(DRAWS) + 0.02


@pytest.mark.parametrize("half_ml", [0.4, 3.0])
def test_a_planted_half_point_is_recovered_within_its_interval(half_ml):
    table = limits.curves(table_of(seen_by(np.random.default_rng(1), 20, half_ml, 0.3)))
    found = limits.limits(table)
    line = found[(found["place"] == "all") & (found["texture"] == "all")].iloc[0]
    assert line["low_ml"] < half_ml < line["high_ml"]
    assert half_ml / 1.6 < line["from_ml"] < 1.6 * half_ml
    assert line["high_ml"] / line["low_ml"] < 10
    assert line[["from", "low", "high"]].tolist() == ["within"] * 3
    assert line["seen"].startswith(f"from {line['from_ml']:.2g} ml (")


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("spread", [0.0, 0.25])
def test_intervals_of_a_share_cover_it(share, spread):
    """Of 10 subjects with 8 lesions each, which are alike within a subject if `spread`."""
    rng, covered = np.random.default_rng(3), 0
    for _ in range(DRAWS):
        own = np.full(10, share)
        if spread:
            own = rng.beta(share / spread, (1 - share) / spread, 10)
        seen = rng.binomial(8, own) / 8
        low, high = limits.interval(seen, np.full(10, 8))
        covered += low <= share <= high
    assert covered >= stats.binom.ppf(0.025, DRAWS, 0.95)


def test_subjects_are_the_unit():
    """The same lesions in fewer, more different subjects say less."""
    alike = limits.interval(np.full(10, 0.5), np.full(10, 8))
    apart = limits.interval(np.repeat([0.0, 1.0], 5), np.full(10, 8))
    assert apart[0] < alike[0] - 0.1 and apart[1] > alike[1] + 0.1
    # All lesions of a subject alike: as many as subjects, by their t distribution.
    ratio = (stats.t.ppf(0.975, 79) / stats.t.ppf(0.975, 9)) ** 2
    n = 0.25 / (np.var(np.repeat([0.0, 1.0], 5), ddof=1) / 10) * ratio
    expected = stats.beta.ppf([0.025, 0.975], [n / 2, n / 2 + 1], [n / 2 + 1, n / 2])
    np.testing.assert_allclose(apart, expected)


def test_where_all_or_no_lesions_are_seen_the_interval_has_a_width():
    """Clopper and Pearson's of as many as there are subjects."""
    expected = 1 - 0.025 ** (1 / 7)
    assert limits.interval(np.zeros(7), np.full(7, 16)) == (0, pytest.approx(expected))
    assert limits.interval(np.ones(7), np.full(7, 16)) == (pytest.approx(1 - expected), 1)
    assert np.isnan(limits.interval(np.ones(1), np.full(1, 16))).all()


# Curves.


def test_folds_and_lesions_are_averaged_before_subjects():
    columns = ["fold", "source", "place", "detected"]
    lines = [
        (0, "A", "deep", 1), (1, "A", "deep", 0),
        (0, "A", "cortex", 0), (1, "A", "cortex", 0),
        (0, "B", "deep", 1), (1, "B", "deep", 1),
    ]  # fmt: skip
    table = pd.DataFrame(lines, columns=columns).assign(
        row="r", texture="smooth", contrast=-20, volume_ml=1.0, newly_above=0.5, rise=2.0
    )
    found = limits.curves(table).set_index(["place", "texture"])
    overall = found.loc[("all", "all")]
    assert overall["detected"] == pytest.approx((0.25 + 1) / 2)
    assert overall["n_subjects"] == 2 and overall["n_lesions"] == 3
    assert found.loc[("deep", "all"), "detected"] == pytest.approx(0.75)
    assert found.loc[("cortex", "all"), "n_subjects"] == 1
    assert np.isnan(found.loc[("cortex", "all"), "low"])
    # Of the texture there is only one.
    assert set(found.index) == {("all", "all"), ("deep", "all"), ("cortex", "all")}
    assert overall["rise"] == 2 and overall["newly_above"] == 0.5


def test_curves_are_of_one_row_and_contrast():
    rng = np.random.default_rng(0)
    tables = [
        table_of(seen_by(rng, 4, half_ml, 0), contrast).assign(row=row)
        for (row, half_ml), contrast in itertools.product({"a": 0.2, "b": 20}.items(), (-60, 30))
    ]
    found = limits.limits(limits.curves(pd.concat(tables)))
    overall = found[(found["place"] == "all") & (found["texture"] == "all")]
    assert len(overall) == 4
    from_ml = overall.groupby("row")["from_ml"].mean()
    assert from_ml["a"] < 1 < 5 < from_ml["b"]


# Crossings.


def test_crossing_is_linear_in_the_logarithm():
    found = limits.crossing(np.array([1.0, 10, 100]), np.array([0.0, 0.25, 0.75]))
    assert found.ml == pytest.approx(10**1.5) and found.beyond == 0
    assert limits.crossing(np.array([1.0, 10]), np.array([0.0, 0.5])).ml == pytest.approx(10)


def test_curves_are_made_monotone_first():
    volumes = np.array([1.0, 10, 100, 1000])
    dip = limits.crossing(volumes, np.array([0.1, 0.6, 0.2, 0.9]))  # 0.1, 0.4, 0.4, 0.9
    assert dip.ml == pytest.approx(10 ** (2 + 0.1 / 0.5))


def test_curves_that_do_not_cross_say_on_which_side():
    volumes = np.array([1.0, 10])
    assert limits.crossing(volumes, np.array([0.5, 0.9]))[1] == -1
    assert limits.crossing(volumes, np.array([0.1, 0.4]))[1] == 1
    unknown = limits.crossing(volumes, np.array([0.1, np.nan]))
    assert np.isnan(unknown.ml) and unknown.beyond == 0


@pytest.mark.parametrize(
    ("shares", "low", "high", "seen"),
    [
        ([0, 0, 1], [0, 0, 0.6], [0.4, 0.6, 1], "from 3.2 ml (0.32 to 6.8)"),
        ([1, 1, 1], [0.2, 0.6, 0.6], [1, 1, 1], "from 0.1 ml or less (<0.1 to 0.56)"),
        ([0, 0, 0], [0, 0, 0], [0.3, 0.4, 0.6], "not up to 10 ml (3.2 to >10)"),
        ([0, 0, 0], [0, 0, 0], [0.3, 0.3, 0.3], "not up to 10 ml (>10 to >10)"),
        ([0, 0, 1], [np.nan] * 3, [np.nan] * 3, "from 3.2 ml"),
    ],
)
def test_limits_in_words(shares, low, high, seen):
    table = pd.DataFrame(
        {
            "row": "r", "place": "all", "texture": "all", "contrast": -60,
            "volume_ml": [0.1, 1, 10], "n_subjects": 9, "detected": shares, "low": low,
            "high": high,
        }
    )  # fmt: skip
    line = limits.limits(table.astype({"detected": float, "low": float, "high": float})).iloc[0]
    assert line["seen"] == seen
    assert (line["low"] == "unknown") == np.isnan(low[0])
