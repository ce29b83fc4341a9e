"""Metrics against scikit-learn, brute force and hand-worked tables."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from uad import metrics


def brute_force(score, lesion):
    """Best Dice over every distinct threshold from zero up."""
    candidates = [0, *np.unique(score[score > 0])]
    return max(metrics.dice(score > t, lesion) for t in candidates)


@pytest.mark.parametrize("decimals", [1, 2, 8])
@pytest.mark.parametrize("prevalence", [0.002, 0.1])
def test_against_scikit_learn_and_brute_force(rng, decimals, prevalence):
    lesion = rng.random(4000) < prevalence
    score = np.round(rng.random(4000) * 0.7 + 0.3 * lesion, decimals).astype(np.float32)
    score[rng.random(4000) < 0.5] = 0  # outside the brain, with lesion voxels among them
    counts = metrics.count(score, lesion)
    expected = average_precision_score(lesion, score)
    assert metrics.average_precision(counts) == pytest.approx(expected, abs=1e-12)
    dice, threshold = metrics.best_dice(counts)
    assert dice == pytest.approx(brute_force(score, lesion), abs=1e-12)
    assert metrics.dice(score > threshold, lesion) == pytest.approx(dice, abs=1e-12)


def test_by_hand():
    #            TP   FP   TP   FP   FN (score 0)
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.0, 0.0], np.float32)
    lesion = np.array([1, 0, 1, 0, 1, 0], bool)
    counts = metrics.count(score, lesion)
    # Thresholds below 0.9, 0.7 and 0: Dice 2/4, 4/6; below zero everything would be predicted.
    assert metrics.best_dice(counts)[0] == pytest.approx(4 / 6)
    # Recall steps of 1/3 with precision 1/1, 2/3 and 3/6.
    assert metrics.average_precision(counts) == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)


def test_dice_counts_by_hand():
    # 6 true positives, 3 false positives, 4 false negatives.
    prediction = np.array([1] * 9 + [0] * 91, bool)
    lesion = np.array([1] * 6 + [0] * 3 + [1] * 4 + [0] * 87, bool)
    assert metrics.dice(prediction, lesion) == pytest.approx(12 / 19)
    assert metrics.dice(np.zeros(3, bool), np.zeros(3, bool)) == 0


def test_perfect_score_is_exactly_one():
    lesion = np.arange(100) < 7
    counts = metrics.count(lesion.astype(np.float32), lesion)
    assert metrics.best_dice(counts)[0] == 1.0
    assert metrics.average_precision(counts) == 1.0


def test_without_lesion_dice_counts_zero_and_precision_is_missing(rng):
    counts = metrics.count(rng.random(50), np.zeros(50, bool))
    assert metrics.best_dice(counts) == (0.0, np.inf)
    assert np.isnan(metrics.average_precision(counts))


def test_masked_lesion_voxels_are_never_predicted():
    score, lesion = np.zeros(10, np.float32), np.ones(10, bool)
    assert metrics.best_dice(metrics.count(score, lesion)) == (0.0, np.inf)


def test_chance_has_the_prevalence(rng):
    lesion = rng.random(200_000) < 0.03
    found = metrics.average_precision(metrics.count(rng.random(200_000), lesion))
    assert found == pytest.approx(0.03, rel=0.05)
