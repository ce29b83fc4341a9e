"""Which test subjects get a page: all of a small test set, else by rules.

Of a large one they are the best, the median and the worst of every row, by their [DICE], and those
that the quality of preprocessing flags.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

EVERY = 80  # subjects of a test set up to which each has a page
RANKS = ("best", "median", "worst")


def means(metrics: pd.DataFrame) -> pd.DataFrame:
    """Means over folds of all numbers, by row, test set and subject, in the order of `metrics`."""
    keys = ["row", "test_set", "subject"]
    numbers = metrics.drop(columns=["fold", "check"], errors="ignore")
    return numbers.groupby(keys, sort=False).mean(numeric_only=True)


def ranked(values: pd.DataFrame) -> dict[str, str]:
    """Best, median and worst subject of a row and test set.

    Parameters
    ----------
    values : DataFrame
        `dice_best` and `lesion_ml` by subject.

    Returns
    -------
    dict of str to str
        Of `RANKS`; empty without any subject that has a lesion. Equals are taken by name.
    """
    known = values[(values["lesion_ml"] > 0) & values["dice_best"].notna()]
    order = known.rename_axis("subject").reset_index().sort_values(["dice_best", "subject"])
    names = list(order["subject"])
    if not names:
        return {}
    return {"best": names[-1], "median": names[(len(names) - 1) // 2], "worst": names[0]}


def choose(
    per_subject: pd.DataFrame, rows: Sequence[str], flagged: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, list[tuple[str, str]]]]:
    """Subjects that get a page, and why.

    Parameters
    ----------
    per_subject : DataFrame
        From `means`.
    rows : sequence of str
        That choose; controls do not.
    flagged : dict of str to dict
        Remarks of the quality of preprocessing, by test set and subject.

    Returns
    -------
    dict
        By test set and subject, in the order of the split, pairs of a reason and what it is about:
        one of `RANKS` and a row, or ``"flagged"`` and a remark. Of small test sets also subjects
        without any.
    """
    found = {}
    for test_set, lines in per_subject.groupby("test_set", sort=False):
        subjects = list(dict.fromkeys(lines.index.get_level_values("subject")))
        reasons: dict[str, list[tuple[str, str]]] = {name: [] for name in subjects}
        for row in rows:
            for rank, subject in ranked(lines.loc[(row, test_set)]).items():
                reasons[subject].append((rank, row))
        for subject, remark in flagged.get(test_set, {}).items():
            if subject in reasons:
                reasons[subject].append(("flagged", remark))
        every = len(subjects) <= EVERY
        found[test_set] = {name: why for name, why in reasons.items() if every or why}
    return found
