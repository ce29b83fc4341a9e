"""Weights of the fusion (paper Fig. 5) and pooled precision and recall, from stored anomaly maps.

Maps are read volume by volume, so that memory does not grow with the number of subjects. Tables of
these numbers are kept, not the maps: a figure can be drawn again without scoring again.
"""

import numpy as np
import pandas as pd

from uad.evaluation import metrics
from uad.evaluation.histogram import ScoreHistogram
from uad.evaluation.row_metrics import Cohort, RowScore

WEIGHTS = tuple(i / 10 for i in range(11))
POINTS = 200  # kept of each precision-recall curve


def weighted_dice(residual_map, prediction, lesion):
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
        For each of `WEIGHTS`; 0 without lesion voxels.
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


def weight_table(root, rows, test_sets, fold, seed):
    """[DICE] against the weight of the residual map, for one fold.

    Parameters
    ----------
    root : path-like
        Results folder.
    rows : dict of str to list of str
        Rows, named with what they are trained on behind the hyphen; the first of their maps is the
        residual map, the others make up the prediction.
    test_sets : dict of str to str
        Name in the table to data set.
    fold, seed : int

    Returns
    -------
    DataFrame
        `d_unhealthy`, `test_set`, `fold`, `beta`, `dice_best` (mean over test subjects) and
        `n_subjects`.
    """
    lines = []
    for test_set, dataset in test_sets.items():
        cohort = Cohort(root, dataset, fold)
        branches = {
            row: [RowScore(root, part, cohort, seed) for part in parts]
            for row, parts in ((row, (maps[:1], maps[1:])) for row, maps in rows.items())
        }
        dice = {row: [] for row in rows}
        for volume in cohort.volumes("test"):
            for row, scores in branches.items():
                values = (score(volume) for score in scores)
                dice[row].append(weighted_dice(*values, volume.lesion))
        for row, values in dice.items():
            trained_on = row.partition("-")[2]
            for beta, mean in zip(WEIGHTS, np.mean(values, axis=0)):
                lines.append((trained_on, test_set, fold, beta, mean, len(values)))
    columns = ["d_unhealthy", "test_set", "fold", "beta", "dice_best", "n_subjects"]
    return pd.DataFrame(lines, columns=columns)


def precision_table(root, rows, test_sets, fold, seed):
    """Precision and recall of all voxels of a test set pooled, for one fold.

    Parameters
    ----------
    root, test_sets, fold, seed
        As in `weight_table`.
    rows : dict of str to list of str
        Rows and their maps.

    Returns
    -------
    DataFrame
        `row`, `test_set`, `fold`, `recall`, `precision`, and `prevalence`, the lesions' share of
        the brain; at most `POINTS` lines per curve, among them that with the highest Dice.
    """
    parts = []
    for test_set, dataset in test_sets.items():
        cohort = Cohort(root, dataset, fold)
        scores = {row: RowScore(root, maps, cohort, seed) for row, maps in rows.items()}
        pooled = {row: ScoreHistogram() for row in rows}
        brain = lesion = 0
        for volume in cohort.volumes("test"):
            brain += int(volume.brain.sum())
            lesion += int(volume.lesion.sum())
            for row, score in scores.items():
                pooled[row].add(score(volume), volume.lesion)
        for row in rows:
            part = _curve(pooled[row].counts())
            about = {"row": row, "test_set": test_set, "fold": fold}
            parts.append(part.assign(**about, prevalence=lesion / brain))
    columns = ["row", "test_set", "fold", "recall", "precision", "prevalence"]
    return pd.concat(parts, ignore_index=True)[columns]


def _curve(counts):
    """Recall and precision, thinned evenly in recall; what is masked is never predicted."""
    usable = counts.thresholds > 0
    recall = counts.true_positives[usable] / max(counts.positives, 1)
    precision = counts.true_positives[usable] / counts.predicted[usable]
    kept = []
    if len(recall):
        even = np.searchsorted(recall, np.linspace(0, 1, POINTS - 1)).clip(max=len(recall) - 1)
        kept = np.unique([*even, counts.dice[usable].argmax()])
    return pd.DataFrame({"recall": recall[kept], "precision": precision[kept]})
