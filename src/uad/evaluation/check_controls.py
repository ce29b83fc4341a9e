"""Rows whose result is known: if one differs, the evaluation is broken.

Checked before any table is written. `intensity` has no expected value. What is not defined, for
want of lesions or of a threshold, must be missing: a number would have been made up.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from uad.base.errors import InputError
from uad.evaluation.statistics import SMALL_ML

TOLERANCE = 0.2  # of the mean prevalence
STANDARD_ERRORS = 3
ROUNDING = 1e-4  # of a Dice that is reckoned from volumes in ml


def check(subjects: pd.DataFrame, rows: Mapping[str, dict], min_component: int = 0) -> None:
    """Raise `InputError` if a control does not have the value that it must have.

    Parameters
    ----------
    subjects : DataFrame
        Metrics of all rows and folds, with the row's name in `row`.
    rows : mapping
        `rows` of the configuration; those whose only map is `perfect` or `chance` are checked.
    min_component : int
        Voxels; smaller components of a thresholded map do not count (`row_metrics`), so that even
        `perfect` misses lesions that small.
    """
    for row, block in rows.items():
        lines = subjects[subjects["row"] == row]
        if block["maps"] in (["perfect"], ["chance"]):
            for _, part in lines.groupby(["test_set", "fold"], sort=False):
                _check_undefined(row, part)
        if block["maps"] == ["perfect"]:
            _check_perfect(row, lines, drops=min_component > 1)
        if block["maps"] == ["chance"]:
            _check_chance(row, lines)


def _check_undefined(row, lines):
    """What one test set and fold cannot say is missing: without lesions, without a threshold."""
    some = (lines["lesion_ml"] > 0).any()
    for _, line in lines.iterrows():
        columns = [] if line["lesion_ml"] > 0 else ["auprc", "auroc"]
        columns += [] if some else ["dice_best", "dice_val"]
        columns += ["dice_val"] if np.isnan(line["threshold"]) else []
        for column in columns:
            if not np.isnan(line[column]):
                raise _broken(row, line, column, "must be missing")


def _check_perfect(row, lines, drops):
    """Dice and average precision are exactly 1 wherever there is a lesion.

    Where small components are dropped, the Dice at the threshold is that of what is left: P of L ml
    are predicted, all of them lesion, so it is 2 P / (P + L).
    """
    for _, line in lines[lines["lesion_ml"] > 0].iterrows():
        columns = ["dice_best", "auprc", "auroc"]
        tuned = not np.isnan(line["threshold"])  # else no validation subject has a lesion
        if tuned and drops:
            left = line["lesion_ml"] + line["volume_error_ml"]
            expected = 2 * left / (left + line["lesion_ml"])
            if left > line["lesion_ml"] or abs(line["dice_val"] - expected) > ROUNDING:
                must = f"must be {expected:.6g}, small components being dropped"
                raise _broken(row, line, "dice_val", must)
        elif tuned:
            columns.append("dice_val")
        for column in columns:
            if line[column] != 1:
                raise _broken(row, line, column, "must be 1")


def _broken(row, line, column, must):
    return InputError(
        f"control {row}: {column} of {line['test_set']}, subject {line['subject']}, fold "
        f"{line['fold']} is {line[column]:.6g} and {must}: the evaluation is broken, and no row "
        "can be trusted"
    )


def _check_chance(row, lines):
    """Mean average precision is the mean prevalence, up to 20 % and the noise of the draw.

    The noise is three standard errors of the ratio of the two means over subjects and folds. A
    lesion of few voxels has an average precision above its prevalence if only one of them comes
    first by luck, so that smaller ones than 1 ml are left out; a single value is not checked.
    """
    for test_set, part in lines[lines["lesion_ml"] >= SMALL_ML].groupby("test_set"):
        if len(part) < 2:
            continue
        expected = part["prevalence"].mean()
        ratio = part["auprc"].mean() / expected
        residual = part["auprc"] - ratio * part["prevalence"]
        if abs(ratio - 1) > TOLERANCE + STANDARD_ERRORS * residual.sem() / expected:
            raise InputError(
                f"control {row}: the mean auprc of {test_set} is {part['auprc'].mean():.4g} and "
                f"must be near the lesions' share of the brain, {expected:.4g}: the evaluation is "
                "broken, and no row can be trusted"
            )
