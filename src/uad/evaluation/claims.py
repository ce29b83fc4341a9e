"""What a paper says of its results, judged by paired comparisons over the test subjects of a run.

A claim consists of comparisons of two rows on a test set. As everywhere, a subject's value is its
mean over folds, and the interval of a mean difference is `statistics.bootstrap`'s. A claim of
several comparisons holds only if each of them does.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from uad.base import seeding
from uad.evaluation import statistics
from uad.evaluation.statistics import FEWEST, TOO_FEW

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
ABSENT, NO_VALUE = "not in this run", "not defined"
VERDICTS = (HOLDS, FAILS, UNDECIDED, TOO_FEW, NO_VALUE, ABSENT)
# One comparison with a verdict decides over its claim: the first of these that one of them has.
GRAVEST = (ABSENT, NO_VALUE, FAILS, TOO_FEW, UNDECIDED, HOLDS)


def compare(
    subjects: pd.DataFrame,
    claims: Mapping[str, Mapping[str, Any]],
    table1: pd.DataFrame,
    seed: int,
    weights: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Every comparison of every claim.

    Parameters
    ----------
    subjects : DataFrame
        As for `statistics.subject_means`.
    claims : dict
        `claims` of the file (`uad.plan.schema.Claim`).
    table1 : DataFrame
        For the published means (`paper_*`); fractions.
    seed : int
        The run's seed.
    weights : DataFrame, optional
        Of all rows of SADM_res and folds, from `curves.weight_table`; for claims of kind
        ``best_weight``.

    Returns
    -------
    DataFrame
        Columns as in `docs/metrics.md` (`figures/claims.tsv`); fractions. `effect` is the mean
        over subjects of row minus `than`; the comparison is in favour of the claim above `bound`.
        What this run does not have is missing, with `n` 0, and so is what is not defined for any
        subject, for want of lesions or of a threshold; of too few subjects, the interval and p.
    """
    means, published = statistics.subject_means(subjects), _published(table1)
    lines = []
    for name, claim in claims.items():
        metric = claim["metric"]
        for row, than, test_set in _pairs(claim):
            line = {"claim": name, "row": row, "than": than, "test_set": test_set, "metric": metric}
            papers = [published.get((one, test_set, metric), np.nan) for one in (row, than)]
            line |= {"n": 0, "published": papers[0] - papers[1]}
            present = False
            values = means.get((test_set, metric))
            if values is not None and {row, than} <= set(values):
                present = True
                ours = values[row]
                if claim["kind"] == "best_weight" and ours.notna().any():
                    ours = at_best_weight(_curves(weights, row, test_set))
                rng = seeding.generator(seed, "claims", test_set, metric)
                line |= _compared(ours, values[than], claim["margin"], rng)
            lines.append(line | {"verdict": _verdict(line) if present else ABSENT})
    found = pd.DataFrame(lines).reindex(
        columns=[
            "claim", "row", "than", "test_set", "metric", "n", "effect", "low", "high", "bound",
            "p", "p_holm", "published", "verdict",
        ]
    )  # fmt: skip
    found["p_holm"] = statistics.holm(found["p"])
    return found


def _pairs(claim: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for part in claim["compare"]:
        for test_set in part["test_sets"]:
            for than in part["than"]:
                yield part["row"], than, test_set


def _published(table1: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    """The paper's means by row, test set and metric."""
    found = {}
    for _, line in table1.iterrows():
        unhealthy = line["d_unhealthy"]
        row = line["method"] if unhealthy == "none" else f"{line['method']}-{unhealthy}"
        for metric, name in statistics.PUBLISHED.items():
            found[row, line["test_set"], metric] = line[f"paper_{name}_mean"]
    return found


def _compared(
    ours: pd.Series, theirs: pd.Series, margin: float, rng: np.random.Generator
) -> dict[str, float]:
    """Mean difference over the subjects with both values; if they are enough, its interval, and the
    test against the bound, `margin` times the mean of what is compared with, taken as fixed."""
    both = pd.concat([ours, theirs], axis=1, keys=["ours", "theirs"]).dropna()
    difference = (both["ours"] - both["theirs"]).to_numpy()
    if not len(difference):
        return {}
    bound = -margin * both["theirs"].mean() if margin else 0.0
    found = {"n": len(difference), "effect": difference.mean(), "bound": bound}
    if len(difference) >= FEWEST:
        (low,), (high,) = statistics.bootstrap(difference[:, None], rng)
        p = statistics.wilcoxon(difference - bound)
        found |= {"low": low, "high": high, "p": p}
    return found


def _verdict(line: Mapping[str, Any]) -> str:
    """What an interval says of a bound that the effect should be above."""
    if not line["n"]:
        return NO_VALUE
    if line["n"] < FEWEST:
        return TOO_FEW
    if line["low"] > line["bound"]:
        return HOLDS
    return FAILS if line["high"] < line["bound"] else UNDECIDED


def _curves(weights: pd.DataFrame | None, row: str, test_set: str) -> pd.DataFrame:
    """[DICE] of subjects (index) against weights (columns), averaged over folds."""
    trained_on = weights["d_unhealthy"] == row.partition("-")[2]
    here = weights[trained_on & (weights["test_set"] == test_set)]
    return here.pivot_table(index="subject", columns="beta", values="dice_best")


def at_best_weight(curves: pd.DataFrame) -> pd.Series:
    """Value of every subject at the weight between 0 and 1 that is best for the *others*.

    A weight that a subject helped to choose would flatter it, and a weight chosen among many is
    better than both ends by chance alone.

    Parameters
    ----------
    curves : DataFrame, shape (subjects, weights)
        Columns are the weights.

    Returns
    -------
    Series
        By subject.
    """
    between = curves.loc[:, (curves.columns > 0) & (curves.columns < 1)]
    of_others = between.sum() - between
    chosen = of_others.to_numpy().argmax(axis=1)
    return pd.Series(between.to_numpy()[np.arange(len(between)), chosen], index=between.index)


def judge(comparisons: pd.DataFrame, claims: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The verdict on every claim, and the comparison that decides it.

    That is the weakest of those with the claim's verdict: the one whose interval, or of too few
    subjects whose effect, lies lowest above its bound.

    Parameters
    ----------
    comparisons : DataFrame
        From `compare`.
    claims : dict
        As for `compare`.

    Returns
    -------
    DataFrame
        Columns as in `docs/metrics.md` (`tables/claims.tsv`); those of the deciding comparison,
        `comparisons` (how many there are), and `as_claimed` (how many effects are above their
        bounds).
    """
    lines = []
    for name, part in comparisons.groupby("claim", sort=False):
        verdict = next(verdict for verdict in GRAVEST if verdict in set(part["verdict"]))
        deciding = part[part["verdict"] == verdict]
        distance = deciding["low"].fillna(deciding["effect"]) - deciding["bound"]
        line = deciding.loc[distance.fillna(0).idxmin()]
        as_claimed = int((part["effect"] > part["bound"]).sum())
        told = {key: claims[name][key] for key in ("title", "source", "kind")}
        lines.append({**line, **told, "comparisons": len(part), "as_claimed": as_claimed})
    columns = ["claim", "title", "source", "kind", "verdict", "comparisons", "as_claimed"]
    found = pd.DataFrame(lines)
    return found[[*columns, *(name for name in comparisons if name not in columns)]]
