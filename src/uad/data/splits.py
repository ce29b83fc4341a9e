"""The table of a split: subject, fold and role; read wherever only some subjects are processed."""

from typing import TYPE_CHECKING

from uad.base.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

ROLES = ("train", "val", "test")
COLUMNS = ["subject", "fold", "role"]


def check(split: "pd.DataFrame") -> None:
    """Raise `InputError` if a subject is listed twice in a fold, with one role or with two.

    Two roles pass only where the table itself admits them, in the column `shared` that the
    released lists get with `purge_leakage: false`.
    """
    repeated = split[split.duplicated(["subject", "fold"], keep=False)]
    if "shared" in split:
        repeated = repeated[~repeated["shared"] | repeated.duplicated(COLUMNS, keep=False)]
    if len(repeated):
        subject, fold = repeated.iloc[0][["subject", "fold"]]
        roles = ", ".join(repeated.query("subject == @subject and fold == @fold")["role"])
        raise InputError(f"subject {subject} has more than one role in fold {fold}: {roles}")


def check_enough(n: int, train: int, val: int, test: int | None, folds: int) -> None:
    """Raise `InputError` if `n` subjects cannot have these roles; see `drawing.clean`."""
    pool = train + val
    tested = n - pool if test is None else test
    sets = folds if train else 1
    if tested < 1 or n < pool + tested or pool < sets * val:
        raise InputError(
            f"{n} subjects are too few for {train} training, {val} validation and "
            f"{max(tested, 1)} test subjects with {sets} disjoint validation sets"
        )


def subjects(split: "pd.DataFrame", fold: int, role: str) -> list[str]:
    """Subjects with a role in a fold, in the order of the table.

    Examples
    --------
    >>> import pandas as pd
    >>> lines = [("A", 0, "train"), ("B", 0, "test"), ("A", 1, "test")]
    >>> subjects(pd.DataFrame(lines, columns=COLUMNS), 0, "test")
    ['B']
    """
    return list(split.query("fold == @fold and role == @role")["subject"])


def evaluated(split: "pd.DataFrame", fold: int, with_training: bool = False) -> list[str]:
    """Validation, then test subjects of a fold: the order of all reconstructions and maps.

    Each subject appears once, even with both roles (released lists). Training subjects
    come last, and only if thresholds are tuned on them too (`evaluation.threshold: released`).

    Examples
    --------
    >>> import pandas as pd
    >>> lines = [("A", 0, "train"), ("B", 0, "test"), ("C", 0, "val")]
    >>> evaluated(pd.DataFrame(lines, columns=COLUMNS), 0)
    ['C', 'B']
    """
    roles = ("val", "test", "train") if with_training else ("val", "test")
    return list(dict.fromkeys(s for role in roles for s in subjects(split, fold, role)))
