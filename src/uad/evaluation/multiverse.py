"""Which choices of the evaluation change the order of the rows: what all combinations of them say.

Apart from `uad.evaluation.variants`, which makes the numbers of maps.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

# Choices that a map is made by, those of the measurement, and the fold.
OF_MAPS = ["residual", "erosion", "median", "box"]
CHOICES = [*OF_MAPS, "min_component", "measure", "folds"]
JUDGED = ("above", "not_below")  # kinds of claims that means can judge


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Means of every row in every combination, and its rank.

    Parameters
    ----------
    table : DataFrame
        From `variants.measured`, of all rows and folds, with `row`, `test_set` and `fold`.

    Returns
    -------
    DataFrame
        Columns test_set, those of `CHOICES`, row, mean and rank (1 is best, equals share the mean
        of their ranks). `folds` is a fold, or ``all``: the mean over folds of the means over
        subjects, as in Table 1. Combinations in which some row has no value are left out.
    """
    keys = [name for name in CHOICES if name != "folds"]
    single = table.assign(folds=table["fold"].astype(str))
    parts = [single]
    if table["fold"].nunique() > 1:
        whole = table.groupby(["test_set", *keys, "row"], sort=False)["mean"]
        parts.append(whole.agg(lambda of: of.mean(skipna=False)).reset_index().assign(folds="all"))
    found = pd.concat(parts, ignore_index=True)[["test_set", *CHOICES, "row", "mean"]]
    groups = found.groupby(["test_set", *CHOICES], sort=False)["mean"]
    found = found[groups.transform("count") == groups.transform("size")].copy()
    groups = found.groupby(["test_set", *CHOICES], sort=False)["mean"]
    found["rank"] = groups.rank(ascending=False)
    return found


def influence(ranks: pd.DataFrame) -> pd.DataFrame:
    """How much each choice alone changes the order: over pairs of combinations that differ in it.

    Parameters
    ----------
    ranks : DataFrame
        From `ranked`.

    Returns
    -------
    DataFrame
        Columns test_set, choice, pairs (of combinations), tau_b (mean of Kendall's rank
        correlation of the rows' means), order_changes and best_changes (shares of the pairs in
        which any two rows swap, and in which another row is best). A choice without an alternative
        has no line.
    """
    lines = []
    for test_set, part in ranks.groupby("test_set", sort=False):
        wide = part.pivot(index=CHOICES, columns="row", values="mean")
        for choice in CHOICES:
            others = [name for name in CHOICES if name != choice]
            taus, best = [], []
            for _, same in wide.groupby(level=others, sort=False):
                for one, other in itertools.combinations(same.to_numpy(), 2):
                    taus.append(1.0 if (one == other).all() else stats.kendalltau(one, other)[0])
                    best.append(one.argmax() != other.argmax())
            if taus:
                lines.append(
                    {
                        "test_set": test_set,
                        "choice": choice,
                        "pairs": len(taus),
                        "tau_b": float(np.mean(taus)),
                        "order_changes": float(np.mean([not tau > 1 - 1e-9 for tau in taus])),
                        "best_changes": float(np.mean(best)),
                    }
                )
    columns = ["test_set", "choice", "pairs", "tau_b", "order_changes", "best_changes"]
    return pd.DataFrame(lines, columns=columns)


def claimed(
    ranks: pd.DataFrame, claims: Mapping[str, Mapping[str, Any]], usual: Mapping[str, Any]
) -> pd.DataFrame:
    """In which share of the combinations each claim holds.

    A claim holds in a combination if each of its comparisons does on its test set: the mean of the
    row above that of the row it is compared with, or not more than the claim's margin below it.
    Nothing is said of chance.

    Parameters
    ----------
    ranks : DataFrame
        From `ranked`.
    claims : mapping
        As for `uad.evaluation.claims.compare`. Those about weights are left out, as are those with
        a row or test set that is not there.
    usual : mapping
        The combination that Table 1 is in, by the names of `CHOICES`.

    Returns
    -------
    DataFrame
        Columns claim, title, combinations, holds (share), usual (1 if it holds there, 0 if not,
        missing if that is not among the combinations), and `<choice>_<value>`, the share among the
        combinations with that value; for `min_component` among those of `dice_val`, which it
        matters to.
    """
    wide = ranks.pivot(index=CHOICES, columns=["test_set", "row"], values="mean")
    lines = []
    for name, claim in claims.items():
        pairs = [
            (part["row"], than, test_set)
            for part in claim["compare"]
            for test_set in part["test_sets"]
            for than in part["than"]
        ]
        needed = {(test_set, row) for *rows, test_set in pairs for row in rows}
        if claim["kind"] not in JUDGED or not needed <= set(wide.columns):
            continue
        here = wide[sorted(needed)].dropna()
        if here.empty:
            continue
        holds = pd.Series(True, here.index)
        for row, than, test_set in pairs:
            bound = here[test_set, than] * (1 - claim["margin"])
            holds &= here[test_set, row] > bound
        line = {"claim": name, "title": claim["title"]}
        line |= {"combinations": len(here), "holds": holds.mean()}
        line["usual"] = float(holds.get(tuple(usual[choice] for choice in CHOICES), np.nan))
        for choice in CHOICES:
            matters = holds
            if choice == "min_component":
                matters = holds[holds.index.get_level_values("measure") == "dice_val"]
            for value, part in matters.groupby(level=choice, sort=False):
                line[f"{choice}_{value}"] = part.mean()
        lines.append(line)
    return pd.DataFrame(lines).reindex(columns=_columns(lines))


def _columns(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """All keys, in order."""
    first = ["claim", "title", "combinations", "holds", "usual"]
    return list(dict.fromkeys([*first, *(key for line in lines for key in line)]))
