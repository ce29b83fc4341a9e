"""Whom a row fails: its values in groups of subjects, and how groups differ from the others.

Groups are of one question at a time, such as site or sex. A level of fewer subjects than a stated
number is pooled: of ordered levels with the smaller of its neighbours, of others with all that are
too small. Each level is compared with all other subjects of the question.

As everywhere, a subject's value is its mean over folds, and intervals are percentile bootstraps
over subjects. P values are of the Mann-Whitney test, which holds its level for any distribution
and any number of subjects if the groups do not differ at all. Holm's correction is over all rows,
questions and levels of one measure on one test set.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from uad.base import seeding
from uad.evaluation import statistics

OTHERS = "others"
FINDING = 0.05  # of p after Holm's correction
PLACE = ["of", "test_set", "question"]
COMPARED = [
    "row", "level", "n", "mean", "low", "high", "n_others", "difference", "difference_low",
    "difference_high", "p",
]  # fmt: skip
DECADE = 10


class Question(NamedTuple):
    """What subjects are grouped by.

    Attributes
    ----------
    column : str
        Of the table of subjects.
    title : str
    unit : str
    bins : {"names", "decades", "thirds", "counts"}
        Levels: each name; ten years; thirds of the subjects, or halves where thirds would be too
        small; one, two to four, five or more.
    of : tuple of {"patients", "healthy"}
    """

    column: str
    title: str
    unit: str
    bins: str
    of: tuple[str, ...]


QUESTIONS = (
    Question("site", "Site", "", "names", ("patients", "healthy")),
    Question("age", "Age", "years", "decades", ("patients", "healthy")),
    Question("sex", "Sex", "", "names", ("patients", "healthy")),
    Question("similarity", "Registration quality", "", "thirds", ("patients", "healthy")),
    Question("lesion_ml", "Lesion volume", "ml", "thirds", ("patients",)),
    Question("n_lesions", "Number of lesions", "", "counts", ("patients",)),
    Question("side", "Side of the lesion", "", "names", ("patients",)),
    Question("depth_mm", "Depth of the lesion", "mm", "thirds", ("patients",)),
)


class Levels(NamedTuple):
    """Groups of one question.

    Attributes
    ----------
    subjects : dict of str to list of str
        Level to subjects.
    pooled : list of str
        What was too small and became part of another level.
    unknown : int
        Subjects whose level is not known, or that no level of enough subjects has.
    """

    subjects: dict[str, list[str]]
    pooled: list[str]
    unknown: int


def levels(values: pd.Series, question: Question, fewest: int) -> Levels:
    """Group subjects.

    Parameters
    ----------
    values : Series
        By subject; missing where not known.
    question : Question
    fewest : int
        Subjects of a level.
    """
    known = values.dropna()
    if question.bins == "names":
        return _names(known, fewest, len(values) - len(known))
    groups = _bins(known.astype(float), question.bins, fewest)
    pooled = []
    while len(groups) > 1 and min(map(len, groups)) < fewest:
        small = min(range(len(groups)), key=lambda i: len(groups[i]))
        beside = [i for i in (small - 1, small + 1) if 0 <= i < len(groups)]
        first, second = sorted((small, min(beside, key=lambda i: len(groups[i]))))
        pooled.append(f"{_label(groups[small], question.bins)} (n = {len(groups[small])})")
        groups[first : second + 1] = [pd.concat([groups[first], groups[second]])]
    groups = [part for part in groups if len(part) >= fewest]
    return Levels(
        {_label(part, question.bins): list(part.index) for part in groups},
        pooled,
        len(values) - sum(map(len, groups)),
    )


def _names(known, fewest, unknown):
    groups = {str(name): list(part.index) for name, part in known.groupby(known)}
    small = {name: of for name, of in groups.items() if len(of) < fewest}
    large = {name: of for name, of in groups.items() if name not in small}
    together = [subject for of in small.values() for subject in of]
    pooled = [f"{name} (n = {len(of)})" for name, of in small.items()]
    if len(together) >= fewest:
        large[next(iter(small)) if len(small) == 1 else OTHERS] = together
    else:
        unknown += len(together)
    return Levels(large, pooled, unknown)


def _bins(values, bins, fewest):
    """Ordered groups of numbers."""
    if values.empty:
        return []
    if bins == "thirds":
        parts = min(max(len(values) // fewest, 1), 3)
        place = np.searchsorted(np.quantile(values, np.arange(1, parts) / parts), values)
    elif bins == "decades":
        place = values // DECADE
    else:
        place = np.digitize(values, (2, 5))
    return [part for _, part in values.groupby(np.asarray(place))]


def _label(part, bins):
    """What an ordered group is called: the range of its numbers."""
    low, high = part.min(), part.max()
    if bins == "decades":
        low, high = DECADE * (low // DECADE), DECADE * (high // DECADE) + DECADE - 1
    ends = dict.fromkeys(f"{end:.3g}" for end in (low, high))
    return " to ".join(ends)


def compared(
    values: pd.DataFrame, groups: Mapping[str, Sequence[str]], rng: np.random.Generator
) -> pd.DataFrame:
    """Every level of a question, of every row: its mean, and its difference from the others.

    Parameters
    ----------
    values : DataFrame, shape (subjects, rows)
        Rows without any value, and then subjects without a value of some row, are left out.
    groups : mapping of str to list of str
        Level to subjects.
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        Columns row, level, n, mean, low, high (95 % interval of the mean), n_others, difference
        (mean of the level minus mean of all other subjects), difference_low, difference_high, p. Of
        two levels only the first is compared, since the other one says the same.
    """
    values = values.dropna(axis=1, how="all").dropna()
    groups = {level: values.index.intersection(of, sort=False) for level, of in groups.items()}
    groups = {level: of for level, of in groups.items() if len(of)}
    if not groups or values.empty:
        return pd.DataFrame(columns=COMPARED)
    seed, lines = int(rng.integers(2**63)), []
    everyone = values.index[values.index.isin([s for of in groups.values() for s in of])]
    for number, (level, of) in enumerate(groups.items()):
        inside = values.loc[of]
        low, high = statistics.bootstrap(inside.to_numpy(), np.random.default_rng(seed))
        table = pd.DataFrame(
            {"level": level, "n": len(of), "mean": inside.mean(), "low": low, "high": high}
        )
        others = values.loc[everyone.difference(of)]
        table["n_others"] = len(others)
        if len(others) and (len(groups) > 2 or number == 0):
            table["difference"] = inside.mean() - others.mean()
            ends = _interval(inside.to_numpy(), others.to_numpy(), seed)
            table["difference_low"], table["difference_high"] = ends
            table["p"] = stats.mannwhitneyu(inside, others, axis=0).pvalue
        lines.append(table.rename_axis("row").reset_index())
    return pd.concat(lines, ignore_index=True).reindex(columns=COMPARED)


def _interval(inside, others, seed):
    """Percentile bootstrap interval of a difference of means, by columns; NaN of a single one."""
    if min(len(inside), len(others)) < 2:
        return np.full((2, inside.shape[1]), np.nan)
    return stats.bootstrap(
        (inside, others),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        axis=0,
        n_resamples=statistics.RESAMPLES,
        batch=statistics.BATCH,
        confidence_level=statistics.LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval


def table(
    values: Mapping[tuple[str, str], pd.DataFrame],
    known: Mapping[tuple[str, str], pd.DataFrame],
    fewest: int,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All questions.

    Parameters
    ----------
    values : mapping of (str, str) to DataFrame
        ``patients`` or ``healthy``, and test set, to values of subjects (index) in rows (columns).
    known : mapping of (str, str) to DataFrame
        The same to what is known of the subjects, by subject; columns of `QUESTIONS` it may lack.
    fewest : int
    seed : int
        The run's.

    Returns
    -------
    effects : DataFrame
        Columns of, test_set, question, those of `compared`, and p_holm.
    grouping : DataFrame
        Columns of, test_set, question, levels (with their number of subjects), pooled, unknown.
    """
    effects, grouping = [], []
    for (of, test_set), subjects in values.items():
        for question in QUESTIONS:
            about = known[of, test_set].reindex(subjects.index)
            if of not in question.of or question.column not in about:
                continue
            groups = levels(about[question.column], question, fewest)
            place = {"of": of, "test_set": test_set, "question": question.column}
            told = [f"{level} (n = {len(group)})" for level, group in groups.subjects.items()]
            grouping.append(
                place
                | {
                    "levels": "; ".join(told),
                    "pooled": "; ".join(groups.pooled),
                    "unknown": groups.unknown,
                }
            )
            if len(groups.subjects) > 1:
                rng = seeding.generator(seed, "strata", of, test_set, question.column)
                found = compared(subjects, groups.subjects, rng)
                effects += [found.assign(**place)] if len(found) else []
    found = pd.DataFrame(columns=[*PLACE, *COMPARED])
    if effects:
        found = pd.concat(effects, ignore_index=True)[[*PLACE, *COMPARED]]
    found["p_holm"] = found.groupby(PLACE[:2], sort=False)["p"].transform(statistics.holm)
    return found, pd.DataFrame(grouping, columns=[*PLACE, "levels", "pooled", "unknown"])


class Rates(NamedTuple):
    """Shares of healthy subjects that a rate lets through, and what chance would show."""

    share: float
    low: float
    high: float


def flagged(validation: np.ndarray, tested: np.ndarray, rate: float) -> Rates | None:
    """How many healthy test subjects are above nearly all healthy validation subjects.

    A subject is flagged if its conformal p value, the share of subjects that show at least as
    much, itself among them, is at most `rate`. If test and validation subjects are drawn alike, the
    number flagged has a beta-binomial distribution: a binomial one, widened since the validation
    subjects are few themselves.

    Parameters
    ----------
    validation, tested : ndarray, shape (n,)
        A measure of healthy subjects; higher is more abnormal.
    rate : float

    Returns
    -------
    Rates or None
        Share flagged, and the 95 % band of it; None if the validation subjects are too few for the
        rate, or a value is missing.
    """
    n, m = len(validation), len(tested)
    allowed = int(rate * (n + 1) * (1 + 1e-9))
    if not allowed or not m or np.isnan(validation).any() or np.isnan(tested).any():
        return None
    as_much = n - np.searchsorted(np.sort(validation), tested, "left")
    count = int((1 + as_much <= allowed).sum())
    band = stats.betabinom(m, allowed, n + 1 - allowed).ppf([0.025, 0.975])
    return Rates(count / m, *(band / m))
