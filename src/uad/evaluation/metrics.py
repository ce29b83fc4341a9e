"""Segmentation metrics of one volume, exact.

Dice over all thresholds, average precision and the area under the ROC curve change only at scores
that a lesion voxel has. So it is enough to sort the scores once and to look up the lesion's
distinct scores in them, which is several times faster than sorting scores together with labels;
the results are those of scikit-learn and of trying every threshold. A score of zero is what was
masked; scores below zero, which no method gives, count as zero.

Lesion-wise detection and surface distance are of a binary prediction and work inside bounding
boxes. Arguments are always in the order (prediction or score, lesion).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from uad.base.arrays import bounding_box

# A predicted component without a lesion voxel counts as false from this size on (voxels).
MIN_FALSE_COMPONENT = 8
SEARCH_STEPS = 10  # of the authors' search for the best threshold
TOUCHING = np.ones((3, 3, 3), bool)  # 26-connected


@dataclass(frozen=True)
class Counts:
    """Detections at every distinct lesion score, from the highest down.

    Attributes
    ----------
    thresholds : ndarray
        Distinct scores of lesion voxels, descending; a voxel is predicted when it scores at least
        this much. The last is zero if lesion voxels were masked.
    true_positives, predicted : ndarray of int
        Predicted lesion voxels and predicted voxels at each threshold.
    tied : ndarray of int
        Voxels of exactly this score (in a histogram: in this bin), lesion or not.
    positives, total : int
        Lesion voxels, all voxels.
    """

    thresholds: np.ndarray
    true_positives: np.ndarray
    predicted: np.ndarray
    tied: np.ndarray
    positives: int
    total: int

    @property
    def found(self) -> np.ndarray:
        """Lesion voxels of exactly each score."""
        return np.diff(self.true_positives, prepend=0)

    @property
    def dice(self) -> np.ndarray:
        """Dice at each threshold: 2 TP / (predicted + positives)."""
        return 2 * self.true_positives / (self.predicted + self.positives)


def count(score: np.ndarray, lesion: np.ndarray) -> Counts:
    """Counts of one volume.

    Parameters
    ----------
    score : ndarray of float
        Higher means more abnormal; zero outside the brain.
    lesion : ndarray of bool
        Same shape.

    Examples
    --------
    >>> score = np.array([0.9, 0.8, 0.3, 0.0])
    >>> counts = count(score, np.array([True, False, True, False]))
    >>> counts.thresholds, counts.true_positives, counts.predicted
    (array([0.9, 0.3]), array([1, 2]), array([1, 3]))
    >>> counts.dice.round(2)
    array([0.67, 0.8 ])
    """
    positive = score > 0
    every = np.sort(score[positive])
    inside = np.sort(score[positive & lesion])
    positives = np.count_nonzero(lesion)
    thresholds, first = np.unique(inside, return_index=True)
    left, right = (np.searchsorted(every, thresholds, side) for side in ("left", "right"))
    true_positives, predicted, tied = len(inside) - first, len(every) - left, right - left
    if len(inside) < positives:
        thresholds = np.insert(thresholds, 0, 0)
        true_positives = np.insert(true_positives, 0, positives)
        predicted = np.insert(predicted, 0, score.size)
        tied = np.insert(tied, 0, score.size - len(every))
    descending = (a[::-1] for a in (thresholds, true_positives, predicted, tied))
    return Counts(*descending, positives, score.size)


def best_dice(counts: Counts) -> tuple[float, float]:
    """The highest Dice any threshold reaches, and that threshold.

    Prediction is `score > threshold`, with thresholds from zero up, so that what was masked is
    never predicted. Without lesion voxels the Dice is 0 (the reference's convention) and the
    threshold infinite.

    Returns
    -------
    dice : float
    threshold : float
        The largest number below the deciding score, for use with `score > threshold`.

    Examples
    --------
    >>> score = np.array([0.9, 0.8, 0.3, 0.0])
    >>> lesion = np.array([True, False, True, False])
    >>> found, threshold = best_dice(count(score, lesion))
    >>> found, float(dice(score > threshold, lesion))
    (0.8, 0.8)
    """
    usable = counts.thresholds > 0
    if not usable.any():
        return 0.0, np.inf
    dice = counts.dice[usable]
    best = int(dice.argmax())
    return float(dice[best]), float(np.nextafter(counts.thresholds[usable][best], -np.inf))


def interval_search(dice_above: Callable[[float], float], highest: float) -> tuple[float, float]:
    """The highest Dice that the authors' search comes across, and its threshold.

    Ten times the Dice at a quarter and at three quarters of an interval are compared, and the half
    with the higher one is searched further; it begins with all scores. Of equal values the later
    one counts. It is a local search: its result is at most that of `best_dice`.

    Parameters
    ----------
    dice_above : callable
        Dice of what scores more than a threshold.
    highest : float
        Of all scores.
    """
    best, threshold = 0.0, 0.0
    low, high = 0.0, highest
    for _ in range(SEARCH_STEPS):
        if low == high:  # as in the authors' code, of scores that are all zero
            high = 1.0
        quarter, three_quarters = (low + (high - low) * share for share in (0.25, 0.75))
        lower, upper = dice_above(quarter), dice_above(three_quarters)
        middle = low + (high - low) * 0.5
        if lower >= upper:
            low, high, found, at = low, middle, lower, quarter
        else:
            low, high, found, at = middle, high, upper, three_quarters
        if found >= best:
            best, threshold = found, at
    return best, threshold


def interval_dice(score: np.ndarray, lesion: np.ndarray) -> float:
    """[DICE] of one volume by `interval_search`; 0 without lesion voxels, as in the reference."""
    positive = score > 0
    every, inside = np.sort(score[positive]), np.sort(score[positive & lesion])
    positives = np.count_nonzero(lesion)

    def dice_above(threshold: float) -> float:
        predicted, found = (
            len(scores) - np.searchsorted(scores, threshold, "right") for scores in (every, inside)
        )
        return 2 * found / (predicted + positives) if predicted + positives else 0.0

    return interval_search(dice_above, float(every[-1]) if len(every) else 0.0)[0]


def average_precision(counts: Counts) -> float:
    """Average precision: sum over thresholds of (recall step) * precision.

    Not defined, and returned as NaN, without lesion voxels.

    Examples
    --------
    >>> lesion = np.array([True, False, True, False])
    >>> round(average_precision(count(np.array([0.9, 0.8, 0.3, 0.0]), lesion)), 4)
    0.8333
    """
    if counts.positives == 0:
        return float("nan")
    precision = counts.true_positives / counts.predicted
    return float((counts.found * precision).sum() / counts.positives)


def auroc(counts: Counts) -> float:
    """Area under the ROC curve: how often a lesion voxel scores higher than another, ties half.

    NaN if all voxels, or none, are lesion.

    Examples
    --------
    >>> auroc(count(np.array([0.9, 0.8, 0.3, 0.0]), np.array([True, False, True, False])))
    0.75
    """
    negatives = counts.total - counts.positives
    if counts.positives == 0 or negatives == 0:
        return float("nan")
    tied = counts.tied - counts.found
    below = negatives - (counts.predicted - counts.true_positives)
    wins = (counts.found * (below + tied / 2)).sum()
    return float(wins / (counts.positives * negatives))


def dice(prediction: np.ndarray, lesion: np.ndarray) -> float:
    """Dice of two boolean arrays, 2 |P and L| / (|P| + |L|); 0 if both are empty.

    Examples
    --------
    >>> round(float(dice(np.array([True, True, False]), np.array([True, False, False]))), 4)
    0.6667
    """
    total = np.count_nonzero(prediction) + np.count_nonzero(lesion)
    return 2 * np.count_nonzero(prediction & lesion) / total if total else 0.0


def lesion_wise(prediction: np.ndarray, lesion: np.ndarray) -> tuple[int, float, float]:
    """Detection of whole lesions, 26-connected components.

    A lesion is found when any voxel of it is predicted. A predicted component is true when it has
    any lesion voxel, and false when it has none and at least `MIN_FALSE_COMPONENT` voxels.

    Parameters
    ----------
    prediction, lesion : ndarray of bool, shape (Z, X, Y)

    Returns
    -------
    n_lesions : int
    recall : float
        Found / all lesions; NaN without lesions.
    precision : float
        True / (true + false) components; NaN without either.

    Examples
    --------
    >>> lesion = np.zeros((1, 5, 9), bool)
    >>> lesion[0, 1, 1] = lesion[0, 3, 7] = True
    >>> n_lesions, recall, precision = lesion_wise(lesion & (np.arange(9) < 4), lesion)
    >>> n_lesions, recall, float(precision)
    (2, 0.5, 1.0)
    """
    n_lesions, found, _ = _touched(lesion, prediction)
    n_components, true, sizes = _touched(prediction, lesion)
    false = np.setdiff1d(np.arange(1, n_components + 1), true)
    n_false = np.count_nonzero(sizes[false] >= MIN_FALSE_COMPONENT)
    recall = len(found) / n_lesions if n_lesions else float("nan")
    counted = len(true) + n_false
    return n_lesions, recall, len(true) / counted if counted else float("nan")


def _touched(mask, other):
    """Components of a mask: their number, those with a voxel of the other mask, all sizes."""
    box = bounding_box(mask)
    labels, n = ndimage.label(mask[box], TOUCHING)
    touched = np.unique(labels[other[box] & mask[box]])
    return n, touched, np.bincount(labels.ravel(), minlength=n + 1)


def hd95(prediction: np.ndarray, lesion: np.ndarray, spacing_mm: float | Sequence[float]) -> float:
    """95th percentile Hausdorff distance of two masks' surfaces, in mm.

    The larger of the two directed distances, as in MONAI; each is the 95th percentile of the
    distances from one surface's voxels to the nearest voxel of the other's. Surface voxels have a
    face neighbour that is not in the mask.

    Parameters
    ----------
    prediction, lesion : ndarray of bool, shape (Z, X, Y)
    spacing_mm : float or sequence of float
        Voxel size, one or per axis.

    Returns
    -------
    float
        NaN if either mask is empty.

    Examples
    --------
    >>> first, second = np.zeros((2, 1, 9, 9), bool)
    >>> first[0, 2, 2] = second[0, 2, 5] = True
    >>> hd95(first, second, spacing_mm=2)
    6.0
    """
    if not prediction.any() or not lesion.any():
        return float("nan")
    a, b = (np.argwhere(surface(mask)) * spacing_mm for mask in (prediction, lesion))
    there, back = cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def surface(mask: np.ndarray) -> np.ndarray:
    """Voxels of a mask with a face neighbour outside it; beyond the array is outside."""
    out = np.zeros_like(mask)
    box = bounding_box(mask)
    inner = np.pad(mask[box], 1)
    core = inner[1:-1, 1:-1, 1:-1].copy()
    for axis in range(3):
        for step in (1, -1):
            core &= np.roll(inner, step, axis)[1:-1, 1:-1, 1:-1]
    out[box] = mask[box] & ~core
    return out


def drop_small(mask: np.ndarray, size: int) -> np.ndarray:
    """Take the 26-connected components of fewer than `size` voxels out of a mask (Z, X, Y), bool.

    The cDDPM's code measures components with their holes filled. That makes no difference up to 26
    voxels, the fewest that enclose one.

    Examples
    --------
    >>> drop_small(np.array([[[True, True, False, True]]]), 2)
    array([[[ True,  True, False, False]]])
    """
    if size < 2:
        return mask
    labels, _ = ndimage.label(mask, TOUCHING)
    large = np.bincount(labels.ravel()) >= size
    large[0] = False  # the background
    return large[labels]


def largest(mask: np.ndarray) -> int:
    """Voxels of the largest 26-connected component of a mask (Z, X, Y); 0 for an empty one."""
    labels, n = ndimage.label(mask, TOUCHING)
    return int(np.bincount(labels.ravel())[1:].max()) if n else 0


def extent(
    score: np.ndarray, brain: np.ndarray, cuts: Mapping[str, float], voxel_ml: float
) -> dict:
    """How much of a volume lies above thresholds: what a healthy brain is known by to `predict`.

    Parameters
    ----------
    score : ndarray of float32, shape (Z, X, Y)
        Zero outside the brain.
    brain : ndarray of bool, shape (Z, X, Y)
    cuts : mapping of str to float
        Thresholds by name; the first is that of the components.
    voxel_ml : float

    Returns
    -------
    dict
        `above_<name>_ml`, volume above each threshold; `largest_ml`, the largest 26-connected
        component above the first; `score_max` and `score_mean` in the brain.
    """
    first = next(iter(cuts.values()))
    return {
        **{f"above_{k}_ml": np.count_nonzero(score > cut) * voxel_ml for k, cut in cuts.items()},
        "largest_ml": largest(score > first) * voxel_ml,
        "score_max": float(score[brain].max()),
        "score_mean": float(score[brain].mean()),
    }
