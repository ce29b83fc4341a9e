"""Metrics of a row of Table 1: maps added up (eq. 3), thresholds from validation subjects.

The columns are defined in `workflow/schemas/metrics.schema.yaml` and explained in
`docs/metrics.md`. Voxels are those of the packed box; the score is zero outside the brain.

What is not defined is missing: everything that compares with lesions, if no test subject has any;
everything at the threshold, if no validation subject has any.

Differs from the released code: confusion counts are not swapped, a false-positive rate is of all
healthy voxels, and thresholds come from validation volumes only, not from training volumes, unless
`evaluation.threshold: released` asks for that.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from uad.evaluation import curves, metrics
from uad.evaluation.histogram import ScoreHistogram
from uad.evaluation.scores import Cohort, ReconstructionError, RowScore, Stored

# Share of the healthy validation subjects' brain voxels that a threshold lets through.
FALSE_POSITIVE_RATES = {"fpr1": 0.01, "fpr5": 0.05, "fpr10": 0.1}
# Columns that need the threshold of the best Dice, and those that need a lesion in the test set.
AT_THRESHOLD = ["dice_val", "lesion_recall", "lesion_precision", "hd95_mm", "volume_error_ml"]
OF_LESIONS = ["dice_best", "dice_best_released", "dice_pooled_best", *AT_THRESHOLD]
OF_LESIONS += [f"dice_{rate}" for rate in FALSE_POSITIVE_RATES]


class Evaluation(NamedTuple):
    """Tables with one line per test set and: test subject, healthy test subject, no subject, point
    of the precision-recall curve of all voxels pooled, healthy validation subject."""

    subjects: pd.DataFrame
    healthy: pd.DataFrame
    pooled: pd.DataFrame
    curve: pd.DataFrame
    validation: pd.DataFrame


class Row(NamedTuple):
    """A row of Table 1 in one fold.

    Attributes
    ----------
    name : str
    maps : list of str
        Models and controls whose maps are added.
    reconstruction : str or None
        Model whose reconstruction error is measured.
    residual : dict
        `kind` and `erosion` of the residual map of models that reconstruct.
    fold, seed : int
    """

    name: str
    maps: list
    reconstruction: str | None
    residual: dict
    fold: int
    seed: int


def evaluate_row(
    row: Row,
    stored: Mapping[str, Stored],
    test_sets: Mapping[str, str],
    healthy: str,
    spacing_mm: float,
    min_component: int = 0,
    threshold: str = "validation",
    dice_search: str = "exact",
    threshold_search: str = "exact",
    empty: str = "zero",
) -> Evaluation:
    """Evaluate one row on every test set.

    Parameters
    ----------
    row : Row
    stored : mapping of str to Stored
        By data set.
    test_sets : mapping of str to str
        Name in the table to data set.
    healthy : str
        Data set of healthy subjects, whose scores tell false positives.
    spacing_mm : float
        Voxel size of the packed volumes.
    min_component : int
        Voxels; smaller components of a thresholded map do not count (`dice_val` and what else is
        measured at its threshold). 0 and 1 keep all.
    threshold : {"validation", "released"}
        What the threshold of `dice_val` is tuned on: validation subjects, or, as by the released
        code, these and the training subjects of the test set.
    dice_search, threshold_search, empty : str
        See `uad.evaluation.settings.Evaluation`.
    """
    free_of_lesions = Cohort(stored[healthy], row.fold)
    parts = []
    for name, dataset in test_sets.items():
        cohort = Cohort(stored[dataset], row.fold, with_training=threshold == "released")
        patients = RowScore(row.maps, cohort, row.residual, row.seed)
        # Healthy subjects get the controls of the test set: `intensity` has the sign that it needs.
        others = RowScore(row.maps, free_of_lesions, row.residual, row.seed, patients.controls)
        error = ReconstructionError(row.reconstruction, cohort) if row.reconstruction else None
        tables = _evaluate_test_set(
            patients, others, error, spacing_mm, min_component, threshold_search
        )
        subjects = tables[0]
        if dice_search == "interval":
            subjects["dice_best"] = subjects["dice_best_released"]
        if empty == "left_out":
            # Neither lesion nor prediction: what is predicted is the error of the volume then.
            nothing = (subjects["lesion_ml"] == 0) & (subjects["volume_error_ml"] == 0)
            subjects.loc[nothing, "dice_val"] = float("nan")
        for table in tables:
            table.insert(0, "row", row.name)
            table.insert(1, "test_set", name)
        parts.append(tables)
    return Evaluation(*(pd.concat(tables, ignore_index=True) for tables in zip(*parts)))


def _evaluate_test_set(
    patients, healthy, reconstruction_error, spacing_mm, min_component, threshold_search
):
    """The tables of one test set, without its name."""
    fold = patients.cohort.fold
    cuts, dice_tuned = _thresholds(patients, healthy, threshold_search)

    def predict(score: np.ndarray) -> np.ndarray:
        return metrics.drop_small(score > cuts["val"], min_component)

    healthy_lines = [
        {
            "subject": volume.subject,
            "fold": fold,
            "fp_ml": np.count_nonzero(predict(score)) * healthy.cohort.voxel_ml,
            "score_mean": float(score[volume.brain].mean()),
        }
        for volume, score in healthy.of("test")
    ]
    pooled, lines, brain = ScoreHistogram(), [], 0
    for volume, score in patients.of("test"):
        pooled.add(score, volume.lesion)
        brain += int(volume.brain.sum())
        errors = reconstruction_error(volume) if reconstruction_error else [float("nan")] * 2
        line = _subject_line(
            volume, score, predict(score), cuts, patients.cohort.voxel_ml, spacing_mm
        )
        line |= dict(zip(("recon_l1_healthy", "recon_l1_lesion"), errors))
        lines.append({"subject": volume.subject, "fold": fold, **line})
    pooled_line = {"fold": fold, **_pooled(pooled.counts(), lines, healthy_lines)}
    pooled_line["dice_tuned"] = dice_tuned
    pooled_line |= {f"threshold_{name}": cut for name, cut in cuts.items()}
    counts = pooled.counts()
    curve = curves.precision_recall(counts).assign(prevalence=counts.positives / brain)
    curve.insert(0, "fold", fold)
    validation = [
        {
            "subject": v.subject,
            "fold": fold,
            **metrics.extent(s, v.brain, cuts, healthy.cohort.voxel_ml),
        }
        for v, s in healthy.of("val")
    ]
    found = (lines, healthy_lines, [pooled_line], curve, validation)
    tables = [pd.DataFrame(table) for table in found]
    if np.isnan(cuts["val"]):
        without = [*AT_THRESHOLD, "fp_ml", "above_val_ml", "largest_ml"]
        tables = [_without(table, without) for table in tables]
    return tables if counts.positives else [_without(table, OF_LESIONS) for table in tables]


def _without(table, columns):
    """The table with nothing in those of some columns that it has."""
    return table.assign(**dict.fromkeys(table.columns.intersection(columns), float("nan")))


def _thresholds(patients, healthy, search):
    """Thresholds from validation subjects: best pooled Dice, and those of false-positive rates.

    That of the best Dice is from training subjects too, if the cohort says so, and missing if none
    of them has a lesion. That Dice is returned too.
    """
    validation, background = ScoreHistogram(), ScoreHistogram()
    for volume, score in patients.of(*patients.cohort.tuned_on):
        validation.add(score, volume.lesion)
    for volume, score in healthy.of("val"):
        background.add(score[volume.brain])
    counts = validation.counts()
    if not counts.positives:
        dice = cut = float("nan")
    elif search == "interval":
        dice, cut = validation.interval_search()
    else:
        dice, cut = metrics.best_dice(counts)
    rates = {name: background.threshold_at(r) for name, r in FALSE_POSITIVE_RATES.items()}
    return {"val": cut, **rates}, dice


def _subject_line(volume, score, prediction, cuts, voxel_ml, spacing_mm):
    """What is measured of one volume's score."""
    lesion = volume.lesion
    counts = metrics.count(score, lesion)
    n_lesions, recall, precision = metrics.lesion_wise(prediction, lesion)
    return {
        "dice_best": metrics.best_dice(counts)[0],
        "dice_best_released": metrics.interval_dice(score, lesion),
        "dice_val": metrics.dice(prediction, lesion),
        "auprc": metrics.average_precision(counts),
        "auroc": metrics.auroc(counts),
        **{
            f"dice_{rate}": metrics.dice(score > cuts[rate], lesion)
            for rate in FALSE_POSITIVE_RATES
        },
        "threshold": cuts["val"],
        "lesion_ml": counts.positives * voxel_ml,
        "prevalence": np.count_nonzero(lesion & volume.brain) / np.count_nonzero(volume.brain),
        "n_lesions": n_lesions,
        "lesion_recall": recall,
        "lesion_precision": precision,
        "hd95_mm": metrics.hd95(prediction, lesion, spacing_mm),
        "volume_error_ml": (np.count_nonzero(prediction) - counts.positives) * voxel_ml,
        "score_mean": float(score[volume.brain].mean()),
    }


def _pooled(counts, lines, healthy_lines):
    """Metrics of all test subjects together."""
    means = [np.array([line["score_mean"] for line in of]) for of in (lines, healthy_lines)]
    is_patient = np.repeat([True, False], [len(m) for m in means])
    return {
        "dice_pooled_best": metrics.best_dice(counts)[0],
        "auprc_pooled": metrics.average_precision(counts),
        "auroc_subjects": metrics.auroc(metrics.count(np.concatenate(means), is_patient)),
    }
