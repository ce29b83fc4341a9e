"""Weights of the fusion (paper Fig. 5) and pooled precision and recall, from stored anomaly maps.

Maps are read volume by volume, so that memory does not grow with the number of subjects. Tables of
these numbers are kept, not the maps: a figure can be drawn again without scoring again.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from uad.evaluation import metrics
from uad.evaluation.metrics import Counts
from uad.evaluation.scores import Cohort, RowScore

WEIGHTS = tuple(i / 10 for i in range(11))
POINTS = 200  # kept of each precision-recall curve


def weighted_dice(
    residual_map: np.ndarray, prediction: np.ndarray, lesion: np.ndarray
) -> list[float]:
    """[DICE] of one subject for every weight beta of the residual map (eq. 4).

    The score is beta * residual map + (1 - beta) * prediction.

    Parameters
    ----------
    residual_map, prediction : ndarray of float32, shape (Z, X, Y)
        Of the reconstruction and of the segmentation branch; zero outside the brain.
    lesion : ndarray of bool, shape (Z, X, Y)

    Returns
    -------
    list of float
        For each of `WEIGHTS`; 0 without lesion voxels, as in `row_metrics`.
    """
    # Zeros are never predicted, whatever the weight: the rest decides.
    inside = (residual_map != 0) | (prediction != 0) | lesion
    first, second, lesion = residual_map[inside], prediction[inside], lesion[inside]
    return [
        metrics.best_dice(
            metrics.count(np.float32(beta) * first + np.float32(1 - beta) * second, lesion)
        )[0]
        for beta in WEIGHTS
    ]


def weight_table(
    row: str,
    maps: Sequence[str],
    cohorts: Mapping[str, Cohort],
    residual: dict,
    seed: int,
) -> pd.DataFrame:
    """[DICE] of every test subject against the weight of a row's residual map, for one fold.

    Parameters
    ----------
    row : str
        What it is trained on follows the hyphen.
    maps : sequence of str
        The first is the residual map, the others make up the prediction.
    cohorts : mapping of str to Cohort
        Of each test set.
    residual : dict
        See `Cohort.anomaly_map`.
    seed : int

    Returns
    -------
    DataFrame
        `d_unhealthy`, `test_set`, `fold`, `subject`, `beta` and `dice_best`, which is missing if no
        subject of the test set has a lesion.
    """
    lines = []
    for test_set, cohort in cohorts.items():
        defined = any(volume.lesion.any() for volume in cohort.volumes("test"))
        parts = [RowScore(part, cohort, residual, seed) for part in (maps[:1], maps[1:])]
        for volume in cohort.volumes("test"):
            values = [float("nan")] * len(WEIGHTS)
            if defined:
                values = weighted_dice(*(score(volume) for score in parts), volume.lesion)
            place = (row.partition("-")[2], test_set, cohort.fold, volume.subject)
            lines += [(*place, beta, value) for beta, value in zip(WEIGHTS, values)]
    columns = ["d_unhealthy", "test_set", "fold", "subject", "beta", "dice_best"]
    return pd.DataFrame(lines, columns=columns)


def precision_recall(counts: Counts) -> pd.DataFrame:
    """Recall and precision of pooled voxels, thinned evenly in recall.

    At most `POINTS` lines, among them that with the highest Dice. What is masked (score 0) is never
    predicted. Where there is no curve, for want of lesions or of a score above 0 in them, one line
    without values says so.
    """
    usable = counts.thresholds > 0
    if not usable.any():
        return pd.DataFrame({"recall": [float("nan")], "precision": float("nan")})
    recall = counts.true_positives[usable] / counts.positives
    precision = counts.true_positives[usable] / counts.predicted[usable]
    even = np.searchsorted(recall, np.linspace(0, 1, POINTS - 1)).clip(max=len(recall) - 1)
    kept = np.unique([*even, counts.dice[usable].argmax()])
    return pd.DataFrame({"recall": recall[kept], "precision": precision[kept]})
