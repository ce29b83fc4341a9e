"""Pooled metrics from bins against the exact ones of the concatenated volumes."""

import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from uad.evaluation import metrics
from uad.evaluation.histogram import ScoreHistogram, average_precision_bound, dice_bound


def volumes(rng, n, size=3000):
    """Scores over several orders of magnitude, saturated at one, masked in half of the voxels."""
    for _ in range(n):
        lesion = rng.random(size) < 0.05
        score = 1 / (1 + np.exp(rng.normal(4, 3, size) - 9 * lesion))
        yield (score * (rng.random(size) < 0.5)).astype(np.float32), lesion


def test_pooled_equals_the_concatenation_within_its_bounds(rng):
    pooled, parts = ScoreHistogram(), list(volumes(rng, 6))
    for part in parts:
        pooled.add(*part)
    score, lesion = (np.concatenate(arrays) for arrays in zip(*parts))
    exact, counts = metrics.count(score, lesion), pooled.counts()
    dice = metrics.best_dice(exact)[0] - metrics.best_dice(counts)[0]
    precision = metrics.average_precision(counts) - average_precision_score(lesion, score)
    assert 0 <= dice <= dice_bound(counts) < 1e-3
    assert abs(precision) <= average_precision_bound(counts) < 1e-2
    # Its threshold is a real one: on the unrounded scores it reaches exactly the Dice of the bins.
    found, threshold = metrics.best_dice(counts)
    assert metrics.dice(score > threshold, lesion) == found


def test_exact_where_scores_are_bins(rng):
    parts = [(np.round(s, 2).astype(np.float16).astype(np.float32), m) for s, m in volumes(rng, 3)]
    pooled = ScoreHistogram()
    for part in parts:
        pooled.add(*part)
    exact = metrics.count(*(np.concatenate(arrays) for arrays in zip(*parts)))
    counts = pooled.counts()
    for name in ("thresholds", "true_positives", "predicted", "tied", "positives", "total"):
        np.testing.assert_array_equal(getattr(counts, name), getattr(exact, name))


def test_bounds_by_hand():
    # One bin holds two lesion voxels and two others, and there is nothing else.
    pooled = ScoreHistogram()
    pooled.add(np.full(4, 0.7, np.float32), np.array([1, 1, 0, 0], bool))
    counts = pooled.counts()
    # Dice 4/6; with the lesion first 4/4. Precision 1/2; at best 1, at worst (1/3 + 2/4) / 2,
    # which the bound takes for 1/3.
    assert metrics.best_dice(counts)[0] == pytest.approx(4 / 6)
    assert dice_bound(counts) == pytest.approx(1 / 3)
    assert metrics.average_precision(counts) == pytest.approx(0.5)
    assert average_precision_bound(counts) == pytest.approx(0.5)


def test_without_lesion_or_without_score():
    pooled = ScoreHistogram()
    assert metrics.best_dice(pooled.counts()) == (0.0, np.inf)
    pooled.add(np.zeros(5, np.float32), np.ones(5, bool))
    counts = pooled.counts()
    assert metrics.best_dice(counts) == (0.0, np.inf) and dice_bound(counts) == 0
    assert metrics.average_precision(counts) == 1
    assert np.isnan(average_precision_bound(ScoreHistogram().counts()))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1])
def test_false_positive_rate_is_met_and_not_wasted(rng, share):
    score = (rng.random(200_000) ** 3).astype(np.float32)
    pooled = ScoreHistogram()
    pooled.add(score)
    threshold = pooled.threshold_at(share)
    assert threshold == pytest.approx(np.quantile(score, 1 - share), rel=1e-3)
    assert share - 1e-4 < (score > threshold).mean() <= share


def test_false_positive_rate_of_ties_and_of_nothing():
    pooled = ScoreHistogram()
    pooled.add(np.array([0, 0, 0, 0.25, 0.25, 0.25, 1, 1], np.float32))
    # 0.25 would let 5 of 8 through, 1 lets 2 of 8: 30 % takes the ones, 20 % nothing.
    score = np.array([0.25, 1.0], np.float32)
    assert list(score > pooled.threshold_at(0.3)) == [False, True]
    assert list(score > pooled.threshold_at(0.2)) == [False, False]
    assert list(score > pooled.threshold_at(0.625)) == [True, True]
    # Healthy volumes without any score let everything above zero through.
    nothing = ScoreHistogram()
    nothing.add(np.zeros(8, np.float32))
    assert 0 <= nothing.threshold_at(0.01) < 1e-30


def test_memory_does_not_grow_with_subjects(rng):
    score = rng.random((50, 96, 96), dtype=np.float32)
    pooled = ScoreHistogram()
    pooled.add(score, score > 0.9)
    tracemalloc.start()
    for _ in range(20):
        pooled.add(score, score > 0.9)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1e6 and peak < 5e7
