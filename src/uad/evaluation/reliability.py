"""What counts of voxels by their probability say.

Apart from `uad.evaluation.calibration`, which counts them in maps.
"""

import pandas as pd

# `row_metrics.FALSE_POSITIVE_RATES`, for pages: that module needs what makes scores.
RATES = {"fpr1": 0.01, "fpr5": 0.05, "fpr10": 0.1}
BINS = 10  # of a probability, of equal width


def curve(table: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Mean probability and share of lesion voxels of every bin, all subjects together.

    Parameters
    ----------
    table : DataFrame
        From `calibration.bins`, of one row and test set; subjects and folds are added up.

    Returns
    -------
    points : DataFrame
        By bin: voxels, probability, lesion (both means).
    error : float
        Expected calibration error, the mean over voxels of the absolute difference of the two.
    """
    total = table.groupby("bin")[["voxels", "probability", "lesion"]].sum()
    total = total[total["voxels"] > 0]
    voxels = total["voxels"]
    points = total.assign(
        probability=total["probability"] / voxels, lesion=total["lesion"] / voxels
    )
    gap = (points["probability"] - points["lesion"]).abs()
    return points, float((gap * voxels).sum() / voxels.sum())
