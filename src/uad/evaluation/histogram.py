"""Thresholds and metrics of many subjects pooled, without holding their scores.

Positive scores are counted in bins of equal relative width. A bin's number is the upper part of the
score's bit pattern, which grows with the score, so no range has to be known beforehand, single
precision needs two million bins of fixed size (32 MB) however many subjects are added, and a score
is known to one part in 8192. What is computed from the bins is exact for scores rounded down to a
bin's lower edge; `dice_bound` and `average_precision_bound` say how far that can be from the value
of the unrounded scores.
"""

import numpy as np

from uad.evaluation import metrics

DROPPED_BITS = 10  # of the 23 of a single-precision mantissa; 13 stay
BINS = 1 << (31 - DROPPED_BITS)


class ScoreHistogram:
    """Counts of voxels and of lesion voxels per score, over any number of volumes.

    Bin 0 holds scores of zero (masked voxels), and below.
    """

    def __init__(self):
        self._voxels = np.zeros(BINS, np.int64)
        self._lesion = np.zeros(BINS, np.int64)

    def add(self, score, lesion=None):
        """Add voxels.

        Parameters
        ----------
        score : ndarray of float32
        lesion : ndarray of bool, same shape, or None for none
        """
        positive = score > 0
        _add(self._voxels, score[positive])
        self._voxels[0] += score.size - np.count_nonzero(positive)
        if lesion is not None:
            inside = score[positive & lesion]
            _add(self._lesion, inside)
            self._lesion[0] += np.count_nonzero(lesion) - len(inside)

    def counts(self):
        """`metrics.Counts` of all voxels, for the metrics of `uad.evaluation.metrics`."""
        used = np.flatnonzero(self._lesion)[::-1]
        total, positives = int(self._voxels.sum()), int(self._lesion.sum())
        below = np.cumsum(self._voxels)[used] - self._voxels[used]
        return metrics.Counts(
            thresholds=_edge(used),
            true_positives=np.cumsum(self._lesion[used]),
            predicted=total - below,
            tied=self._voxels[used],
            positives=positives,
            total=total,
        )

    def threshold_at(self, share):
        """The lowest threshold above which lies at most this share of the voxels.

        For use with `score > threshold`, from zero up.
        """
        above = np.cumsum(self._voxels[::-1])[::-1]
        lowest = 1 + np.flatnonzero(above[1:] <= share * above[0])[0]  # the last bins are empty
        return float(np.nextafter(_edge(lowest), np.float32(-np.inf)))


def _add(histogram, scores):
    """Count positive scores in the bins they are in."""
    if len(scores):
        bins = np.ascontiguousarray(scores, np.float32).view(np.uint32) >> DROPPED_BITS
        first = int(bins.min())
        counts = np.bincount(bins - first)
        histogram[first : first + len(counts)] += counts


def _edge(bins):
    """Lower edge of bins, float32."""
    return (np.asarray(bins, np.uint32) << DROPPED_BITS).view(np.float32)


def dice_bound(counts):
    """By how much at most the best Dice of a histogram is below that of the unrounded scores.

    A threshold inside a bin cannot do better than to take all lesion voxels of the bin and nothing
    else of it.
    """
    usable = counts.thresholds > 0
    if not usable.any():
        return 0.0
    above = counts.predicted - counts.tied
    ideal = 2 * counts.true_positives / (above + counts.found + counts.positives)
    return float(ideal[usable].max() - counts.dice[usable].max())


def average_precision_bound(counts):
    """By how much at most the average precision of a histogram differs from the unrounded one.

    Extremes: in each bin all lesion voxels come first, or all come last. Masked voxels are tied in
    either case. NaN without lesion voxels.
    """
    if counts.positives == 0:
        return float("nan")
    precision = counts.true_positives / counts.predicted
    above, true_above = counts.predicted - counts.tied, counts.true_positives - counts.found
    first = counts.true_positives / (above + counts.found) - precision
    last = precision - (true_above + 1) / (counts.predicted - counts.found + 1)
    weights = counts.found * (counts.thresholds > 0) / counts.positives
    return float(max((weights * first).sum(), (weights * last).sum()))
