"""Segmentation metrics of one volume, exact.

Both the best Dice over all thresholds and the average precision change only at scores that a lesion
voxel has. So it is enough to sort all scores once and to look up the lesion's distinct scores in
them, which is several times faster than sorting scores together with labels; the results are those
of scikit-learn and of trying every threshold.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Counts:
    """Detections at every distinct lesion score, from the highest down.

    Attributes
    ----------
    thresholds : ndarray
        Distinct scores of lesion voxels, descending; a voxel is predicted when it scores at least
        this much.
    true_positives, predicted : ndarray of int
        Predicted lesion voxels and predicted voxels at each threshold.
    positives : int
        Lesion voxels.
    """

    thresholds: np.ndarray
    true_positives: np.ndarray
    predicted: np.ndarray
    positives: int

    @property
    def dice(self):
        """Dice at each threshold: 2 TP / (predicted + positives)."""
        return 2 * self.true_positives / (self.predicted + self.positives)


def count(score, lesion):
    """Counts of one volume, or of several pooled.

    Parameters
    ----------
    score : ndarray of float
        Higher means more abnormal; zero outside the brain.
    lesion : ndarray of bool
        Same shape.
    """
    every = np.sort(score, axis=None)
    inside = np.sort(score[lesion], axis=None)
    thresholds, first = np.unique(inside, return_index=True)
    true_positives = len(inside) - first
    predicted = len(every) - np.searchsorted(every, thresholds, side="left")
    return Counts(thresholds[::-1], true_positives[::-1], predicted[::-1], len(inside))


def best_dice(counts):
    """The highest Dice any threshold reaches, and that threshold.

    Prediction is `score > threshold`, with thresholds from zero up, so that what was masked is
    never predicted. Without lesion voxels the Dice is 0 (the reference's convention) and the
    threshold infinite.

    Returns
    -------
    dice : float
    threshold : float
        The largest number below the deciding score, for use with `score > threshold`.
    """
    usable = counts.thresholds > 0
    if not usable.any():
        return 0.0, np.inf
    dice = counts.dice[usable]
    best = int(dice.argmax())
    return float(dice[best]), float(np.nextafter(counts.thresholds[usable][best], -np.inf))


def average_precision(counts):
    """Average precision: sum over thresholds of (recall step) * precision.

    Not defined, and returned as NaN, without lesion voxels.
    """
    if counts.positives == 0:
        return float("nan")
    steps = np.diff(counts.true_positives, prepend=0)
    precision = counts.true_positives / counts.predicted
    return float((steps * precision).sum() / counts.positives)


def dice(prediction, lesion):
    """Dice of two boolean arrays, 2 |P and L| / (|P| + |L|); 0 if both are empty."""
    total = prediction.sum() + lesion.sum()
    return float(2 * (prediction & lesion).sum() / total) if total else 0.0
