"""What a bundle says beside its models: thresholds and what healthy validation brains showed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from uad.base import tsv
from uad.data import splits

THRESHOLDS = ("val", "fpr1", "fpr5", "fpr10")
# Numbers of the preprocessing that a scan is compared by; those of `quality.measure` and of the
# registration that do not depend on how much was searched.
COMPARED = (
    "similarity", "coverage", "scale_min", "scale_max", "brain_ml", "dice_atlas", "noise_percent",
    "field_ratio",
)  # fmt: skip
# A number is unusual beyond this many robust standard deviations (median absolute deviations times
# 1.4826) from the median, and beyond what any healthy validation scan showed.
UNUSUAL = 3.5
LEAST_SCANS = 10  # fewer tell nothing about what is usual


def thresholds(pooled: Sequence[Path | str], folds: Sequence[int], test_set: str) -> dict:
    """Thresholds of every fold.

    Parameters
    ----------
    pooled : list of path-like
        Metrics pooled over subjects, of each fold.
    folds : list of int
    test_set : str
        Whose validation subjects `val` is tuned on.

    Returns
    -------
    dict of str to dict of str to float
        Name to fold (as text) to threshold; `val` only where validation subjects have lesions.
    """
    found = {name: {} for name in THRESHOLDS}
    for fold, path in zip(folds, pooled):
        line = tsv.read(path).query("test_set == @test_set").iloc[0]
        for name in THRESHOLDS:
            found[name][str(fold)] = float(line[f"threshold_{name}"])
    return {
        name: of_folds
        for name, of_folds in found.items()
        if np.isfinite([*of_folds.values()]).all()
    }


def healthy(tables: Sequence[Path | str], test_set: str) -> list[dict]:
    """What healthy validation scans of all folds show, without their names.

    Parameters
    ----------
    tables : list of path-like
        `metrics/<row>/fold-<fold>_validation.tsv`.
    test_set : str

    Returns
    -------
    list of dict
        `fold` and the measures of `metrics.extent` that every fold has, sorted, so that no order is
        left. Those of a threshold that is missing in a fold are missing.
    """
    found = pd.concat([tsv.read(path) for path in tables]).query("test_set == @test_set")
    found = found.drop(columns=["row", "test_set", "subject"]).dropna(axis=1)
    return found.sort_values(list(found.columns)).to_dict("records")


def limits(
    quality: Sequence[Path | str], split: Sequence[Path | str], folds: Sequence[int]
) -> dict[str, list[float]]:
    """Range of each quality number in healthy validation scans, widened by `UNUSUAL`.

    None where there are fewer than `LEAST_SCANS`.

    Parameters
    ----------
    quality : sequence of path-like
        Table of the preprocessing of each healthy data set (`qc/<name>.tsv`).
    split : sequence of path-like
    folds : list of int
    """
    tables = []
    for path, roles in zip(quality, map(tsv.read, split)):
        subjects = {s for fold in folds for s in splits.subjects(roles, fold, "val")}
        one = tsv.read(path)
        tables.append(one[one["subject"].isin(subjects)])
    table = pd.concat(tables)
    found = {}
    for name in COMPARED:
        values = table[name].dropna().to_numpy() if name in table else np.array([])
        if len(values) >= LEAST_SCANS:
            median = np.median(values)
            margin = UNUSUAL * 1.4826 * np.median(np.abs(values - median))
            low, high = min(values.min(), median - margin), max(values.max(), median + margin)
            found[name] = [float(f"{low:.6g}"), float(f"{high:.6g}")]
    return found


def interval(tables: Sequence[Path | str], test_sets: Sequence[str], seed: int) -> dict:
    """Mean Dice per test set with a bootstrap interval over subjects, for the model card.

    Parameters
    ----------
    tables : list of path-like
        Metrics of every fold's test subjects.
    test_sets : list of str
    seed : int

    Returns
    -------
    dict of str to dict
        Per test set `n`, and `dice_best` and `dice_val` as [mean, low, high]; a subject counts with
        its mean over folds.
    """
    lines = pd.concat([tsv.read(path) for path in tables])
    found = {}
    for name in test_sets:
        means = (
            lines[lines["test_set"] == name].groupby("subject")[["dice_best", "dice_val"]].mean()
        )
        rng = np.random.default_rng(seed)
        drawn = rng.integers(0, len(means), (2000, len(means)))
        found[name] = {"n": len(means)}
        for column in means:
            values = means[column].to_numpy()
            low, high = np.percentile(values[drawn].mean(axis=1), (2.5, 97.5))
            found[name][column] = [round(float(x), 4) for x in (values.mean(), low, high)]
    return found
