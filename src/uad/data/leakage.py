"""Subjects with two roles in a fold, and the warning about them."""

from itertools import combinations
from typing import TYPE_CHECKING

from uad.data.splits import ROLES, subjects

if TYPE_CHECKING:
    import pandas as pd

LEAKS = {
    ("train", "test"): "up to {} subjects of the test set are also trained on",
    ("train", "val"): "up to {} subjects of the validation set are also trained on",
    ("val", "test"): "up to {} subjects of the test set also validate",
}


def overlaps(split: "pd.DataFrame", fold: int) -> dict[tuple[str, str], list[str]]:
    """Subjects with two roles in a fold, sorted, for each pair of roles."""
    members = {role: set(subjects(split, fold, role)) for role in ROLES}
    return {(a, b): sorted(members[a] & members[b]) for a, b in combinations(ROLES, 2)}


def leak_warning(split: "pd.DataFrame", lists: str = "released lists") -> str:
    """Warning of what a split leaks, with the largest number in any fold; empty without leaks."""
    folds = [overlaps(split, fold) for fold in sorted(set(split["fold"]))]
    most = {pair: max(len(shared[pair]) for shared in folds) for pair in LEAKS}
    leaks = [words.format(most[pair]) for pair, words in LEAKS.items() if most[pair]]
    return f"{lists}: {', '.join(leaks)}" if leaks else ""
