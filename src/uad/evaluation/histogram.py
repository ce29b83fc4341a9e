"""Thresholds and metrics of many subjects pooled, without holding their scores.

Positive scores are counted in bins of equal relative width. A bin's number is the upper part of the
score's bit pattern, which grows with the score, so no range has to be known beforehand, single
precision needs two million bins of fixed size (32 MB) however many subjects are added, and a score
is known to one part in 8192. What is computed from the bins is exact for scores rounded down to a
bin's lower edge.
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

    def add(self, score: np.ndarray, lesion: np.ndarray | None = None) -> None:
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

    def counts(self) -> metrics.Counts:
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

    def interval_search(self) -> tuple[float, float]:
        """The highest Dice that the authors' search comes across, and its threshold.

        See `metrics.interval_search`.
        """
        voxels, lesion = (np.cumsum(of[::-1])[::-1] for of in (self._voxels, self._lesion))
        positives, filled = int(lesion[0]), np.flatnonzero(self._voxels)

        def dice_above(threshold: float) -> float:
            above = _bins(np.float32(threshold)) + 1 if threshold > 0 else 1
            total = voxels[above] + positives
            return 2 * lesion[above] / total if total else 0.0

        return metrics.interval_search(dice_above, float(_edge(filled[-1])))

    def threshold_at(self, share: float) -> float:
        """The lowest threshold above which lies at most this share of the voxels.

        For use with `score > threshold`, from zero up.
        """
        above = np.cumsum(self._voxels[::-1])[::-1]
        lowest = 1 + np.flatnonzero(above[1:] <= share * above[0])[0]  # the last bins are empty
        return float(np.nextafter(_edge(lowest), np.float32(-np.inf)))


def _add(histogram, scores):
    """Count positive scores in the bins they are in."""
    if len(scores):
        bins = _bins(np.ascontiguousarray(scores, np.float32))
        first = int(bins.min())
        counts = np.bincount(bins - first)
        histogram[first : first + len(counts)] += counts


def _bins(scores):
    """The bins of float32 scores."""
    return scores.view(np.uint32) >> DROPPED_BITS


def _edge(bins):
    """Lower edge of bins, float32."""
    return (np.asarray(bins, np.uint32) << DROPPED_BITS).view(np.float32)
