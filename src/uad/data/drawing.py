"""Who trains, validates and tests: folds drawn by subject, or taken from published lists.

Paper Sec. 4.1: 160 healthy subjects test; the others form five training sets of 358 and validation
sets of 44. About a tenth of BraTS21 and ATLAS v2 is for training and validation, the rest tests.

Differs from the paper: validation sets are disjoint between folds and drawn by subject. The
released lists overlap, repeat rows and share subjects between roles; `from_lists` uses them
anyway, unchanged or purged.
"""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from uad.base.errors import InputError
from uad.base.logs import log
from uad.data import datasets
from uad.data.leakage import leak_warning
from uad.data.splits import COLUMNS, ROLES, check, check_enough


def clean(
    subjects: Sequence[str],
    strata: Sequence,
    n_train: int,
    n_val: int,
    n_test: int | None,
    n_folds: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw the folds of one data set.

    Test subjects are common to all folds. The rest is the pool: each fold validates on `n_val` of
    its subjects, disjoint between folds, and trains on `n_train` of the others. Without training
    the pool only sets thresholds, and all of it validates in every fold. The sessions of a subject
    (`datasets.person`) are drawn together and count as one.

    Parameters
    ----------
    subjects : sequence of str
    strata : sequence
        One value per subject; every draw takes the same share of each value, as nearly as whole
        subjects allow.
    n_train, n_val : int
    n_test : int or None
        None: all that the pool of `n_train` + `n_val` subjects leaves.
    n_folds : int
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        Columns subject, fold, role; a subject without a role in a fold has no line for it.

    Raises
    ------
    InputError
        If there are too few subjects.
    """
    sessions = pd.DataFrame({"subject": list(subjects), "stratum": [str(s) for s in strata]})
    sessions["person"] = sessions["subject"].map(datasets.person)
    frame = sessions.drop_duplicates("person")[["person", "stratum"]]
    frame = frame.rename(columns={"person": "subject"})
    check_enough(len(frame), n_train, n_val, n_test, n_folds)
    pool_size = n_train + n_val
    n_test = len(frame) - pool_size if n_test is None else n_test
    n_sets = n_folds if n_train else 1
    # Sorted by name first, so that the draw does not depend on the order of files.
    frame = frame.sort_values("subject").sample(frac=1, random_state=rng).reset_index(drop=True)
    test, rest = _draw(frame, n_test)
    pool, _ = _draw(rest, pool_size)
    validation = []
    for _ in range(n_sets):
        left = pool[~pool["subject"].isin([s for drawn in validation for s in drawn])]
        validation.append(list(_draw(left, n_val)[0]["subject"]))
    lines = []
    for fold in range(n_folds):
        val = validation[fold % n_sets]
        train, _ = _draw(pool[~pool["subject"].isin(val)], n_train)
        for role, names in zip(ROLES, (train["subject"], val, test["subject"])):
            lines += [(name, fold, role) for name in names]
    split = pd.DataFrame(of_sessions(lines, subjects), columns=COLUMNS)
    check(split)
    return split


def of_sessions(
    rows: Sequence[tuple[str, int, str]], subjects: Sequence[str]
) -> list[tuple[str, int, str]]:
    """Rows of subject, fold and role, with a row for every session of a subject among `subjects`.

    A subject that is not among them keeps its row.
    """
    known = {}
    for label in subjects:
        known.setdefault(datasets.person(label), []).append(label)
    return [
        (label, fold, role) for who, fold, role in rows for label in sorted(known.get(who, [who]))
    ]


def from_lists(
    rows: Sequence[tuple[str, int, str]],
    subjects: Sequence[str],
    purge_leakage: bool,
    needed: Collection[int] | None = None,
) -> pd.DataFrame:
    """The folds of published lists.

    Repeated rows count once. Listed subjects that are not packed (never downloaded, or excluded)
    are left out, packed ones that are not listed get no role; the log says how many.

    Parameters
    ----------
    rows : sequence of tuple
        Subject, fold and role, as listed; a listed subject stands for all of its sessions.
    subjects : sequence of str
        All packed subjects of the data set.
    purge_leakage : bool
        A subject with several roles in a fold keeps one: test before val before train. Else it
        keeps them all, and the table says so in a column `shared`.
    needed : collection of int, optional
        Folds that must have subjects for all of their roles; by default all that are listed.

    Returns
    -------
    DataFrame
        Columns subject, fold, role; and `shared` (bool) if there are subjects with several roles.

    Raises
    ------
    InputError
        If a role that is listed in a needed fold has no subject left.
    """
    listed = pd.DataFrame(of_sessions(rows, subjects), columns=COLUMNS)
    split = listed.drop_duplicates(ignore_index=True)
    log.info("%d repeated rows of the lists are dropped", len(listed) - len(split))
    if purge_leakage:
        rank = split["role"].map(ROLES.index)
        kept = rank == rank.groupby([split["subject"], split["fold"]]).transform("max")
        log.info("%d roles of subjects with several in a fold are dropped", (~kept).sum())
        split = split[kept]
    packed = split["subject"].isin(list(subjects))
    absent = sorted(set(split.loc[~packed, "subject"]))
    split = split[packed].reset_index(drop=True)
    names = ", ".join(absent) or "-"
    log.info("%d listed subjects are not packed and left out: %s", len(absent), names)
    log.info("%d packed subjects are not listed", len(set(subjects) - set(listed["subject"])))
    left = set(zip(split["fold"], split["role"]))
    for (fold, role), lines in listed.groupby(["fold", "role"]):
        if (fold, role) not in left and (needed is None or fold in needed):
            reason = " with no other role" if purge_leakage else ""
            raise InputError(
                f"fold {fold} has no {role} subject: of the {len(lines)} rows of the lists none "
                f"is a packed subject{reason}"
            )
    shared = split.duplicated(["subject", "fold"], keep=False)
    if shared.any():
        split = split.assign(shared=shared)
        log.warning(leak_warning(split))
    check(split)
    return split


def _draw(frame, n):
    """`n` lines with equal shares of every stratum, and the remaining lines.

    Systematic sampling: sorted by stratum (already in random order within), every k-th line is
    taken. Unlike quotas per stratum this works for any number of subjects and strata.
    """
    ordered = frame.sort_values("stratum", kind="stable")
    positions = np.floor((np.arange(n) + 0.5) * len(ordered) / n).astype(int)
    taken = np.zeros(len(ordered), bool)
    taken[positions] = True
    return ordered[taken], ordered[~taken]


def of_synthetic(split: pd.DataFrame) -> pd.DataFrame:
    """Roles of the synthetic volumes: those of the healthy volumes they are made from.

    Validation subjects of a fold validate there, test subjects test; none trains, since training
    draws new anomalies for every slice.
    """
    return split[split["role"] != "train"].reset_index(drop=True)


def age_group(age: float) -> str:
    """The released lists' age groups: 20-40, 40-60, 60-80, 80 and older, and below 20."""
    if pd.isna(age):
        return "unknown"
    return ["<20", "20-40", "40-60", "60-80", "80+"][int(np.digitize(age, (20, 40, 60, 80)))]
