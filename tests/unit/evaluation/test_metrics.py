"""Metrics against scikit-learn, SciPy, brute force and hand-worked tables."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.spatial.distance import directed_hausdorff
from sklearn.metrics import average_precision_score, roc_auc_score

from uad.evaluation import metrics


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
    assert metrics.auroc(counts) == pytest.approx(roc_auc_score(lesion, score), abs=1e-12)
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
    # Of nine pairs the first lesion voxel wins three, the second two, the last half of one.
    assert metrics.auroc(counts) == pytest.approx(5.5 / 9)


def test_scores_below_zero_count_as_masked():
    score = np.array([0.5, -0.1, 0.0, -3.0], np.float32)
    lesion = np.array([1, 1, 0, 0], bool)
    below, masked = (metrics.count(s, lesion) for s in (score, np.maximum(score, 0)))
    for metric in (metrics.average_precision, metrics.auroc, metrics.best_dice):
        assert metric(below) == metric(masked)


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
    assert metrics.auroc(counts) == 1.0


def test_without_lesion_dice_counts_zero_and_the_others_are_missing(rng):
    counts = metrics.count(rng.random(50), np.zeros(50, bool))
    assert metrics.best_dice(counts) == (0.0, np.inf)
    assert np.isnan(metrics.average_precision(counts))
    assert np.isnan(metrics.auroc(counts))


def test_masked_lesion_voxels_are_never_predicted():
    score, lesion = np.zeros(10, np.float32), np.ones(10, bool)
    assert metrics.best_dice(metrics.count(score, lesion)) == (0.0, np.inf)


def test_chance_has_the_prevalence(rng):
    lesion = rng.random(200_000) < 0.03
    counts = metrics.count(rng.random(200_000), lesion)
    assert metrics.average_precision(counts) == pytest.approx(0.03, rel=0.05)
    assert metrics.auroc(counts) == pytest.approx(0.5, abs=0.01)


# Whole lesions.


def boxes(*corners, shape=(12, 20, 20)):
    """A mask of boxes, each of two corners, the second one beyond it."""
    mask = np.zeros(shape, bool)
    for (z, x, y), (z_end, x_end, y_end) in corners:
        mask[z:z_end, x:x_end, y:y_end] = True
    return mask


def test_lesions_by_hand():
    lesion = boxes(((1, 1, 1), (4, 4, 4)), ((8, 8, 8), (9, 9, 9)), ((8, 15, 15), (10, 17, 17)))
    prediction = boxes(
        ((3, 3, 3), (5, 5, 5)),  # touches the first lesion at its corner voxel
        ((1, 15, 1), (3, 17, 3)),  # 8 voxels: a false component
        ((1, 10, 10), (2, 11, 17)),  # 7 voxels: too small to count
        ((8, 15, 15), (9, 16, 16)),  # a single voxel inside the third lesion counts
    )
    # Found: first and third of three. Components: two true, one false.
    assert metrics.lesion_wise(prediction, lesion) == (
        3,
        pytest.approx(2 / 3),
        pytest.approx(2 / 3),
    )
    # The arguments are not interchangeable: two of four predicted components would be found.
    assert metrics.lesion_wise(lesion, prediction) == (4, 0.5, 1.0)


def test_lesions_that_touch_at_a_corner_are_one():
    lesion = boxes(((1, 1, 1), (2, 2, 2)), ((2, 2, 2), (3, 3, 3)))
    assert metrics.lesion_wise(lesion, lesion) == (1, 1.0, 1.0)


def test_one_component_over_two_lesions_finds_both_and_is_true_once():
    lesion = boxes(((1, 1, 1), (2, 2, 2)), ((1, 1, 8), (2, 2, 9)))
    prediction = boxes(((1, 1, 1), (2, 2, 9)), ((6, 6, 6), (8, 8, 8)))
    assert metrics.lesion_wise(prediction, lesion) == (2, 1.0, 0.5)


def test_lesions_of_empty_masks():
    empty, one = boxes(), boxes(((1, 1, 1), (3, 3, 3)))
    n, recall, precision = metrics.lesion_wise(empty, one)
    assert (n, recall) == (1, 0) and np.isnan(precision)
    n, recall, precision = metrics.lesion_wise(one, empty)
    assert (n, precision) == (0, 0) and np.isnan(recall)


# Surface distance.


def hd95_by_brute_force(a, b, spacing):
    """All pairs of surface voxels; surfaces voxel by voxel."""

    def border(mask):
        padded = np.pad(mask, 1)
        return [
            p * np.array(spacing)
            for p in np.argwhere(mask)
            if not all(
                padded[tuple(p + 1 + step)]
                for axis in np.eye(3, dtype=int)
                for step in (axis, -axis)
            )
        ]

    pairs = np.linalg.norm(np.array(border(a))[:, None] - np.array(border(b))[None], axis=2)
    return max(np.percentile(pairs.min(axis=k), 95) for k in (0, 1))


@pytest.mark.parametrize("spacing", [(2, 2, 2), (5.0, 1.0, 0.7)])
def test_surface_distance_by_brute_force(rng, spacing):
    for _ in range(5):
        a, b = rng.random((2, 6, 9, 8)) < 0.6
        b[:, :4] = False
        found = metrics.hd95(a, b, spacing)
        assert found == pytest.approx(hd95_by_brute_force(a, b, spacing), abs=1e-12)


@pytest.mark.parametrize("spacing", [(2, 2, 2), (5.0, 1.0, 0.7)])
def test_surface_distance_equals_monai(rng, spacing):
    monai = pytest.importorskip("monai.metrics")
    for _ in range(5):
        prediction, lesion = (
            ndimage.gaussian_filter(rng.random((2, 12, 20, 18)), (0, 2, 2, 2)) > 0.51
        )
        lesion[:4] = False
        masks = [torch.from_numpy(mask)[None, None] for mask in (prediction, lesion)]
        expected = monai.compute_hausdorff_distance(*masks, percentile=95, spacing=spacing)
        found = metrics.hd95(prediction, lesion, spacing)
        assert found > 0
        assert found == pytest.approx(expected.item(), rel=1e-5)  # MONAI computes in 32 bits


def test_surface_distance_of_few_voxels_is_nearly_the_largest():
    # Two cubes of 27 voxels, 5 voxels apart along x, at 2 mm.
    a, b = boxes(((2, 2, 2), (5, 5, 5))), boxes(((2, 7, 2), (5, 10, 5)))
    largest = 2 * directed_hausdorff(np.argwhere(a), np.argwhere(b))[0]
    assert metrics.hd95(a, b, 2) == largest == 10
    assert metrics.hd95(a, a, 2) == 0
    assert metrics.hd95(a, b, (9, 1, 9)) == 5


def test_surface_distance_to_nothing_is_missing():
    empty, one = boxes(), boxes(((1, 1, 1), (3, 3, 3)))
    assert np.isnan(metrics.hd95(empty, one, 2)) and np.isnan(metrics.hd95(one, empty, 2))


def test_surface_at_the_edge_of_the_array_is_surface():
    full = np.ones((3, 3, 3), bool)
    assert metrics.surface(full).sum() == 26


def released_search(score, lesion):
    """The authors' search as the specification tells it, on all voxels, in words of its own."""
    best, at = 0.0, 0.0
    interval = (0.0, float(score.max()))
    for _ in range(10):
        low, high = interval
        if low == high:
            high = 1.0
        points = [low + share * (high - low) for share in (0.25, 0.75)]
        lower, upper = (
            2 * ((score > t) & lesion).sum() / max((score > t).sum() + lesion.sum(), 1)
            for t in points
        )
        middle = (low + high) / 2
        keep_lower = lower >= upper
        interval = (low, middle) if keep_lower else (middle, high)
        value, point = (lower, points[0]) if keep_lower else (upper, points[1])
        if value >= best:
            best, at = value, point
    return best, at


@pytest.mark.parametrize("seed", range(20))
def test_interval_search_is_the_reference_s_and_never_above_the_maximum(seed):
    rng = np.random.default_rng(seed)
    lesion = rng.random((6, 12, 12)) < 0.05
    score = (rng.random(lesion.shape) ** 3 + 0.4 * lesion * rng.random(lesion.shape)).astype("f4")
    score[rng.random(lesion.shape) < 0.3] = 0
    found = metrics.interval_dice(score, lesion)
    assert found == pytest.approx(released_search(score, lesion)[0], abs=1e-12)
    assert found <= metrics.best_dice(metrics.count(score, lesion))[0] + 1e-12


def test_interval_search_misses_a_maximum_by_hand():
    """The half with the higher Dice is kept, though the other one may hold the highest."""
    score = np.array([0.2] * 4 + [0.3] + [0.5] * 3 + [1.0] * 6, np.float32)
    lesion = np.array([0] * 4 + [1] + [0] * 3 + [1] * 6, bool)
    # At 0.25: 10 predicted, 7 found of 7: 14/17; at 0.75: 6 and 6: 12/13. So up to [0.5, 1].
    assert metrics.interval_dice(score, lesion) == pytest.approx(12 / 13)
    score[4] = 0.9
    # Now 14/17 against 14/14.
    assert metrics.interval_dice(score, lesion) == 1


def test_interval_search_without_lesion_or_score():
    nothing = np.zeros(5, np.float32)
    assert metrics.interval_dice(nothing, np.zeros(5, bool)) == 0
    assert metrics.interval_dice(nothing, np.ones(5, bool)) == 0
    assert metrics.interval_dice(nothing + 1, np.ones(5, bool)) == 1


@pytest.mark.parametrize(
    ("level", "found"), [(0.1, True), (1.5 * 2**-11, True), (0.75 * 2**-11, False)]
)
def test_interval_search_goes_down_between_equals_and_takes_ten_steps(level, found):
    """Ten lesion voxels low, one false one at 1: Dice is 0 at all thresholds above the lesion.

    Of equals the lower half is kept; the lowest threshold of ten steps is a quarter of 2^-9.
    """
    score = np.array([level] * 10 + [1.0], np.float32)
    lesion = np.array([1] * 10 + [0], bool)
    assert metrics.interval_dice(score, lesion) == pytest.approx(20 / 21 if found else 0)
