"""Pooled metrics from bins against scikit-learn's of all voxels together."""

import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from uad.evaluation import metrics
from uad.evaluation.histogram import ScoreHistogram


def volumes(rng, n, size=3000):
    """Scores over several orders of magnitude, saturated at one, masked in half of the voxels."""
    for _ in range(n):
        lesion = rng.random(size) < 0.05
        score = 1 / (1 + np.exp(rng.normal(4, 3, size) - 9 * lesion))
        yield (score * (rng.random(size) < 0.5)).astype(np.float32), lesion


def rounded_down(score):
    """Scores with 14 significant binary digits, the rest cut off."""
    mantissa, exponent = np.frexp(score.astype(float))  # mantissa in [0.5, 1)
    return np.ldexp(np.floor(mantissa * 2**14) / 2**14, exponent)


def test_pooled_equals_scikit_learn_of_all_voxels_to_the_width_of_a_bin(rng):
    pooled, parts = ScoreHistogram(), list(volumes(rng, 6))
    for part in parts:
        pooled.add(*part)
    score, lesion = (np.concatenate(arrays) for arrays in zip(*parts))
    counts, known = pooled.counts(), rounded_down(score)
    assert (score >= known).all() and (score - known <= score / 8192).all()
    found = metrics.average_precision(counts)
    assert found == pytest.approx(average_precision_score(lesion, known), abs=1e-12)
    assert found == pytest.approx(average_precision_score(lesion, score), abs=1e-3)
    assert metrics.auroc(counts) == pytest.approx(roc_auc_score(lesion, known), abs=1e-12)
    precision, recall, _ = precision_recall_curve(lesion, known)
    best = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
    found, threshold = metrics.best_dice(counts)
    assert found == pytest.approx(best, abs=1e-12)
    assert 0 <= metrics.best_dice(metrics.count(score, lesion))[0] - found < 1e-3
    # Its threshold is a real one: on the unrounded scores it reaches exactly the Dice of the bins.
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


def test_without_lesion_or_without_score():
    pooled = ScoreHistogram()
    assert metrics.best_dice(pooled.counts()) == (0.0, np.inf)
    pooled.add(np.zeros(5, np.float32), np.ones(5, bool))
    counts = pooled.counts()
    assert metrics.best_dice(counts) == (0.0, np.inf)
    assert metrics.average_precision(counts) == 1
    assert np.isnan(metrics.average_precision(ScoreHistogram().counts()))


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


@pytest.mark.parametrize("seed", range(8))
def test_interval_search_equals_that_of_all_voxels(seed):
    from test_metrics import released_search

    rng, pooled = np.random.default_rng(seed), ScoreHistogram()
    # Scores that are edges of bins, so that nothing is rounded.
    parts = [(rounded_down(s).astype(np.float32), m) for s, m in volumes(rng, 3)]
    for part in parts:
        pooled.add(*part)
    score, lesion = (np.concatenate(arrays) for arrays in zip(*parts))
    dice, threshold = pooled.interval_search()
    expected, at = released_search(score, lesion)
    assert dice == pytest.approx(expected, abs=1e-12)
    assert threshold == pytest.approx(at, rel=1e-12)
    assert dice <= metrics.best_dice(pooled.counts())[0] + 1e-12
