"""Scans of one subject with two roles in a fold, and the warning about them.

Two scans are of one subject if their labels say so (`datasets.person`), or if they hold the same
voxels, in one data set or in two.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from uad.data.datasets import person
from uad.data.splits import ROLES, subjects

if TYPE_CHECKING:
    import pandas as pd

LEAKS = {
    ("train", "test"): "up to {} subjects of the test set are also trained on",
    ("train", "val"): "up to {} subjects of the validation set are also trained on",
    ("val", "test"): "up to {} subjects of the test set also validate",
}
Scan = tuple[str, str]  # data set and label


class Same:
    """Which scans are of one subject.

    Parameters
    ----------
    twins : iterable of sequence of (str, str)
        Groups of scans with the same voxels: data set and label of each (`inventory.twins`).
    """

    def __init__(self, twins: Iterable[Sequence[Scan]] = ()):
        self._first = {}
        for group in twins:
            known = {self.subject(scan) for scan in group}
            first = min(known)
            for who in [*self._first, *known]:
                if self._first.get(who, who) in known:
                    self._first[who] = first

    def subject(self, scan: Scan) -> Scan:
        """What stands for all scans of a scan's subject."""
        dataset, label = scan
        who = dataset, person(label)
        return self._first.get(who, who)


NO_TWINS = Same()


def overlaps(
    tables: Mapping[str, "pd.DataFrame"], dataset: str, fold: int, same: Same = NO_TWINS
) -> dict[tuple[str, str], list[str]]:
    """Scans of a data set whose subject has another role in a fold too, for each pair of roles.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Splits of all data sets.
    dataset : str
    fold : int
    same : Same

    Returns
    -------
    dict of (str, str) to list of str
        For the roles a and b the labels of scans that have role b, sorted. Where role a belongs to
        another scan, that is told behind an equals sign, with the data set if it is another one.
    """
    found = {}
    for a, b in combinations(ROLES, 2):
        others = {}
        for name, table in tables.items():
            for label in subjects(table, fold, a):
                others.setdefault(same.subject((name, label)), []).append((name, label))
        found[a, b] = sorted(
            _named((dataset, label), others[subject])
            for label in set(subjects(tables[dataset], fold, b))
            if (subject := same.subject((dataset, label))) in others
        )
    return found


def _named(scan: Scan, others: Sequence[Scan]) -> str:
    """The label of a scan, and of the first of the others unless that is itself."""
    if scan in others:
        return scan[1]
    dataset, label = min(others)
    return f"{scan[1]}={label if dataset == scan[0] else f'{dataset}/{label}'}"


def leak_warning(split: "pd.DataFrame", lists: str = "released lists") -> str:
    """Warning of what a split leaks, with the largest number in any fold; empty without leaks."""
    folds = [overlaps({"": split}, "", fold) for fold in sorted(set(split["fold"]))]
    most = {pair: max(len(shared[pair]) for shared in folds) for pair in LEAKS}
    leaks = [words.format(most[pair]) for pair, words in LEAKS.items() if most[pair]]
    return f"{lists}: {', '.join(leaks)}" if leaks else ""
