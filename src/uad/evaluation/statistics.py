"""Uncertainty and comparisons over test subjects.

A subject's value is its mean over folds. Intervals and tests are over subjects: five fold means,
which share their test subjects, say little about how another cohort would come out.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from uad.base import seeding

METRICS = ("dice_best", "dice_val", "auprc")
PUBLISHED = {"dice_best": "dice", "auprc": "auprc"}  # metric to its name in the paper's columns
# Metric to the one that has its place beside the paper: by the paper's own estimator.
AS_PUBLISHED = {"dice_best": "dice_best_released", "auprc": "auprc"}
MEASURED = (*METRICS, "dice_best_released")
CONTROL = "control"  # block of the rows that are compared with nothing
COMPARED = ("reference", "row", "test_set", "metric", "n", "median_difference", "p", "p_holm")
RESAMPLES = 5000
BATCH = 10  # resamples at a time: few enough for the processor's cache
LEVEL = 0.95
# Fewer subjects get no verdict: percentile intervals of their mean are too short. Between equals
# they leave zero out in 14 % of cohorts of 6 subjects, 8 % of 15, 7 % of 22 and 5 % of 100; it
# should be 5 % (normal differences, 2000 cohorts each; `tests/unit/evaluation/test_claims.py`).
FEWEST = 15
WITHIN, ABOVE, BELOW = "within", "above", "below"
TOO_FEW, OF_SIMULATION, NO_DATA = "too few subjects", "simulated", "no data"
SMALL_ML = 1.0  # lesion volume below which subjects are a stratum of their own


def subject_means(
    subjects: pd.DataFrame, metrics: Sequence[str] = METRICS
) -> dict[tuple[str, str], pd.DataFrame]:
    """Means over folds.

    Parameters
    ----------
    subjects : DataFrame
        Metrics of all rows and folds, with the row's name in `row`.
    metrics : sequence of str

    Returns
    -------
    dict of (str, str) to DataFrame
        Test set and metric to an array of subjects by rows.
    """
    rows = subjects["row"].unique()
    found = {}
    for test_set, part in subjects.groupby("test_set", sort=False):
        means = part.groupby(["subject", "row"])[list(metrics)].mean()
        found |= {(test_set, metric): means[metric].unstack()[rows] for metric in metrics}
    return found


def bootstrap(values: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap interval of the mean over subjects, several columns at a time.

    Missing values are left out. Columns that miss the same ones see the same resamples, and no
    column's depend on which others there are.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    rng : numpy.random.Generator

    Returns
    -------
    low, high : ndarray, shape (k,)
        NaN with fewer than two values.
    """
    seed = int(rng.integers(2**63))
    ends = np.full((2, values.shape[1]), np.nan)
    patterns, pattern_of = np.unique(~np.isnan(values), axis=1, return_inverse=True)
    for number, present in enumerate(patterns.T):
        columns = np.flatnonzero(pattern_of == number)
        if np.count_nonzero(present) > 1:
            found = stats.bootstrap(
                (values[np.ix_(present, columns)],),
                np.mean,
                axis=0,
                n_resamples=RESAMPLES,
                batch=BATCH,
                confidence_level=LEVEL,
                method="percentile",
                rng=np.random.default_rng(seed),
            )
            ends[:, columns] = found.confidence_interval
    return ends[0], ends[1]


def strata(lesion_ml: pd.Series, known: pd.DataFrame) -> list[tuple[str, str, list[str]]]:
    """Groups of test subjects.

    Parameters
    ----------
    lesion_ml : Series
        Lesion volume by subject.
    known : DataFrame
        `subjects.tsv` of the packed data set; its columns `site` and `age_group` are used.

    Returns
    -------
    list of (str, str, list of str)
        Stratum, level and subjects; levels without subjects are left out. Thirds are of the
        subjects with a lesion voxel.
    """
    with_lesion = lesion_ml[lesion_ml > 0]
    groups = [("all", "all", lesion_ml.index), ("lesion", "any voxel", with_lesion.index)]
    groups += [("lesion", "no voxel", lesion_ml.index[lesion_ml == 0])]
    groups += [("lesion_ml", f"<{SMALL_ML:g}", with_lesion.index[with_lesion < SMALL_ML])]
    borders = np.quantile(with_lesion, [1 / 3, 2 / 3]) if len(with_lesion) else []
    third = np.searchsorted(borders, with_lesion)
    for i, name in enumerate(("smallest", "middle", "largest")):
        volumes = with_lesion[third == i]
        if len(volumes):
            ends = dict.fromkeys(f"{end:.3g}" for end in (volumes.min(), volumes.max()))
            level = f"{name} third ({' to '.join(ends)})"
            groups.append(("lesion_ml", level, volumes.index))
    known = known.set_index("subject").reindex(lesion_ml.index)
    for column in known.columns.intersection(["site", "age_group"]):
        for level, part in known.groupby(column):
            groups.append((column, str(level), part.index))
    return [(stratum, level, list(names)) for stratum, level, names in groups if len(names)]


def intervals(subjects: pd.DataFrame, known: dict[str, pd.DataFrame], seed: int) -> pd.DataFrame:
    """Mean and bootstrap interval of every row, test set, metric and stratum.

    Parameters
    ----------
    subjects : DataFrame
        As for `subject_means`.
    known : dict of str to DataFrame
        Test set to `subjects.tsv` of its data set.
    seed : int
        The run's seed.

    Returns
    -------
    DataFrame
        Columns row, test_set, stratum, level, metric, n, mean, low, high.
    """
    means, lines = subject_means(subjects, MEASURED), []
    for test_set, part in subjects.groupby("test_set", sort=False):
        lesion_ml = part.groupby("subject")["lesion_ml"].first()
        for stratum, level, names in strata(lesion_ml, known[test_set]):
            wide = pd.concat(
                {metric: means[test_set, metric].loc[names] for metric in MEASURED}, axis=1
            )
            low, high = bootstrap(
                wide.to_numpy(), seeding.generator(seed, "bootstrap", test_set, stratum, level)
            )
            found = {"n": wide.count(), "mean": wide.mean(), "low": low, "high": high}
            table = pd.DataFrame(found, index=wide.columns).rename_axis(["metric", "row"])
            lines.append(
                table.reset_index().assign(test_set=test_set, stratum=stratum, level=level)
            )
    columns = ["row", "test_set", "stratum", "level", "metric", "n", "mean", "low", "high"]
    return pd.concat(lines, ignore_index=True)[columns]


def comparisons(subjects: pd.DataFrame, rows: dict, references: Sequence[str]) -> pd.DataFrame:
    """References against the other rows of their block: paired Wilcoxon signed-rank tests.

    Rows of a block without a reference are compared with all of them; controls are not compared.
    P values are corrected by Holm's method over the rows of one block that are compared with one
    reference, on one test set and metric.

    Parameters
    ----------
    subjects : DataFrame
        As for `subject_means`.
    rows : dict
        `rows` of the configuration.
    references : sequence of str
        Those among the rows that others are compared with.

    Returns
    -------
    DataFrame
        Columns reference, row, test_set, metric, n, median_difference (reference minus row),
        p, p_holm.
    """
    members: dict[str, list[str]] = {}  # of each block
    for row, about in rows.items():
        if about["block"] != CONTROL:
            members.setdefault(about["block"], []).append(row)
    families = [
        [(reference, row) for row in others if row != reference]
        for reference in references
        for block, others in members.items()
        if block == rows[reference]["block"] or not set(others) & set(references)
    ]
    return _compared(subjects, families)


def pairs(subjects: pd.DataFrame, rows: dict) -> pd.DataFrame:
    """Each row against each other but the controls, as `comparisons`; all are one family."""
    competing = [row for row, about in rows.items() if about["block"] != CONTROL]
    return _compared(subjects, [list(itertools.combinations(competing, 2))])


def ranks(subjects: pd.DataFrame, rows: dict, seed: int) -> pd.DataFrame:
    """Place of every row on each test set by its mean, 1 the highest, and the places it may have.

    The interval holds the middle 95 % of the places in resamples of the subjects, the same for all
    rows, as proposed for challenges (Wiesenfarth et al. 2021, Scientific Reports 11:2369). Subjects
    without a value in some row are left out; rows with equal means share the mean of their places.

    Parameters
    ----------
    subjects : DataFrame
        As for `subject_means`.
    rows : dict
        `rows` of the configuration; controls have no place.
    seed : int
        The run's seed.

    Returns
    -------
    DataFrame
        Columns row, test_set, metric, rank, low, high; the last two are NaN for fewer subjects than
        `FEWEST`, all three where there is none.
    """
    competing = [row for row, about in rows.items() if about["block"] != CONTROL]
    parts = []
    for (test_set, metric), values in subject_means(subjects).items():
        values = values[competing].dropna().to_numpy()
        n = len(values)
        found = np.full((3, len(competing)), np.nan)
        if n and competing:
            found[0] = _places(values.mean(axis=0))
        if n >= FEWEST and competing:
            rng = seeding.generator(seed, "ranks", test_set, metric)
            counts = rng.multinomial(n, np.full(n, 1 / n), RESAMPLES)  # of each subject
            ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
            places = _places(counts @ values / n)
            found[1:] = np.quantile(places, ends, axis=0, method="inverted_cdf")
        columns = dict(zip(("rank", "low", "high"), found))
        parts.append(
            pd.DataFrame({"row": competing, "test_set": test_set, "metric": metric} | columns)
        )
    return pd.concat(parts, ignore_index=True)


def _places(means):
    """1 for the highest of the last axis; equal means, to rounding, share theirs."""
    return stats.rankdata(-np.round(means, 12), axis=-1)


def _compared(subjects, families):
    """Tests of families of pairs, each corrected by itself on each test set and metric."""
    lines = []
    for family, ((test_set, metric), values) in itertools.product(
        families, subject_means(subjects).items()
    ):
        found = []
        for reference, row in family:
            difference = (values[reference] - values[row]).dropna()
            found.append(
                {
                    "reference": reference,
                    "row": row,
                    "test_set": test_set,
                    "metric": metric,
                    "n": len(difference),
                    "median_difference": difference.median(),
                    "p": wilcoxon(difference.to_numpy()),
                }
            )
        corrected = holm([line["p"] for line in found])
        lines += [{**line, "p_holm": p} for line, p in zip(found, corrected)]
    return pd.DataFrame(lines, columns=COMPARED)


def wilcoxon(difference: np.ndarray) -> float:
    """Two-sided p of the signed-rank test; differences of zero are dropped, 1 if all are zero."""
    if not len(difference):
        return float("nan")
    return float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0


def holm(p: Sequence[float]) -> np.ndarray:
    """P values corrected by Holm's step-down method, in the given order; NaN stays NaN.

    Examples
    --------
    >>> holm([0.01, 0.04, float("nan"), 0.03])
    array([0.03, 0.06,  nan, 0.06])
    """
    p = np.asarray(p, float)
    corrected = np.full(p.shape, np.nan)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1, np.maximum.accumulate(factors * p[order]))
    return corrected


class Distance(NamedTuple):
    """Our mean minus the published one, its interval, and what that says; NaN where not known."""

    difference: float
    low: float
    high: float
    verdict: str


def distance(
    interval: Mapping[str, float],
    std: float,
    paper_mean: float,
    paper_std: float,
    simulated: bool,
) -> Distance:
    """How far our mean is from the paper's.

    The published mean has no interval of its own, so that ours, of the subjects, is widened at both
    ends by the spread over folds of both. A missing spread (one fold) counts as zero.

    Parameters
    ----------
    interval : mapping
        `n`, `mean`, `low` and `high` of a row (`intervals`).
    std : float
        Spread of our mean over folds.
    paper_mean, paper_std : float
    simulated : bool
        Whether our scans are.

    Returns
    -------
    Distance
        `verdict` is `within` if zero is in the interval of the difference, `above` or `below` if
        ours is higher or lower than that. There is none, nor an interval, of fewer subjects than
        `FEWEST` (`too few subjects`), and not even a difference of simulated scans (`simulated`)
        or where a mean is missing (`no data`).
    """
    nan = float("nan")
    if np.isnan([interval["mean"], paper_mean]).any():
        return Distance(nan, nan, nan, NO_DATA)
    if simulated:
        return Distance(nan, nan, nan, OF_SIMULATION)
    difference = interval["mean"] - paper_mean
    if interval["n"] < FEWEST:
        return Distance(difference, nan, nan, TOO_FEW)
    slack = np.nansum([std, paper_std])
    low, high = interval["low"] - slack - paper_mean, interval["high"] + slack - paper_mean
    found = ABOVE if low > 0 else BELOW if high < 0 else WITHIN
    return Distance(difference, low, high, found)


def agreement(table1: pd.DataFrame, table2: pd.DataFrame) -> pd.DataFrame:
    """How far the run and the paper agree, per test set and metric; of simulated scans not at all.

    Parameters
    ----------
    table1, table2 : DataFrame

    Returns
    -------
    DataFrame
        Columns test_set, metric, n_rows (with both values, of real scans), tau_b (Kendall's rank
        correlation of the rows; NaN for fewer than two), within, above, below (counts; rows of too
        few subjects have no verdict).
    """
    lines = []
    for test_set, part in table1.groupby("test_set", sort=False):
        for metric, published in PUBLISHED.items():
            ours, paper = part[f"{AS_PUBLISHED[metric]}_mean"], part[f"paper_{published}_mean"]
            verdicts = table2.loc[part.index, f"{metric}_verdict"]
            both = ours.notna() & paper.notna() & (verdicts != OF_SIMULATION)
            tau = stats.kendalltau(ours[both], paper[both]).statistic if both.sum() > 1 else np.nan
            counts = {word: (verdicts == word).sum() for word in (WITHIN, ABOVE, BELOW)}
            lines.append(
                {"test_set": test_set, "metric": metric, "n_rows": both.sum(), "tau_b": tau}
                | counts
            )
    return pd.DataFrame(lines)
