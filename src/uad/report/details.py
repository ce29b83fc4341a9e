"""What pages of rows and of subjects share: the run, columns of their tables, strips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from uad.report import overview
from uad.report.numbers import number, percent

# What tables of subjects show: column of the metrics, heading, how a value is printed.
COLUMNS = {
    "dice_best": ("[DICE]", percent),
    "auprc": ("AUPRC", percent),
    "dice_val": ("Dice_val", percent),
    "lesion_recall": ("lesions found", percent),
    "lesion_precision": ("true findings", percent),
    "hd95_mm": ("HD95, mm", number),
}
WIDTH, MARGIN = 150, 4  # of a strip, pixels


@dataclass(frozen=True)
class Run:
    """What all pages say of the run.

    Attributes
    ----------
    rows : dict
        `rows` of the configuration.
    test_sets : dict of str to str
        To their data sets.
    fold : int
        That maps are shown of.
    folds : sequence of int
    simulated : bool
    registered : collection of str
        Test sets whose quality page is there.
    """

    rows: Mapping[str, Mapping[str, Any]]
    test_sets: Mapping[str, str]
    fold: int
    folds: Sequence[int]
    simulated: bool
    registered: Sequence[str]

    @property
    def scored(self) -> list[str]:
        """Rows that are not controls."""
        return [row for row, block in self.rows.items() if block["block"] != "control"]

    def label(self, row: str) -> str:
        """What is printed for a row, and what it is trained on."""
        return overview.trained_on(self.rows[row]["label"], row.partition("-")[2] or "none")


class Strip(NamedTuple):
    """Where a value is among those of all subjects, in pixels; what is not known is None.

    Attributes
    ----------
    low, high : float or None
        5th and 95th percentile.
    left, right, middle : float or None
        Quartiles.
    here : float or None
    """

    low: float | None
    high: float | None
    left: float | None
    right: float | None
    middle: float | None
    here: float | None


def strip(values: Sequence[float], here: float, top: float) -> Strip:
    """One subject's value and the distribution of all, on an axis from 0 to `top`."""

    def at(value: float) -> float | None:
        if not np.isfinite(value):
            return None
        return round(MARGIN + (WIDTH - 2 * MARGIN) * min(value / top, 1), 1)

    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return Strip(None, None, None, None, None, at(here))
    low, left, middle, right, high = map(at, np.percentile(known, [5, 25, 50, 75, 95]))
    return Strip(low, high, left, right, middle, at(here))


def top_of(per_subject: pd.DataFrame) -> float:
    """Upper end of the axes of [DICE]: the same for all rows."""
    highest = per_subject["dice_best"].max()
    return max(0.1, float(highest)) if pd.notna(highest) else 1.0
