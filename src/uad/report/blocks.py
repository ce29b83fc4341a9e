"""What Tables 1 to 3 share: rows under the headings of their blocks, as the templates take them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

# Headings of the paper's blocks and of the controls; of others the name is the heading.
BLOCKS = {
    "I": "I. Unsupervised",
    "II": "II. Self-supervised",
    "III": "III. Weakly supervised",
    "control": "Controls",
}
RANDOM_EXTRACTOR = "random extractor, not ImageNet weights"


@dataclass(frozen=True)
class Context:
    """What the pages of the tables say besides the numbers.

    Attributes
    ----------
    labels : dict of str to str
        Name of each row to what is printed, with `_` before what is lowered.
    simulated : bool
        Whether the scans are.
    leaks : str
        What the splits leak, in words (`leakage.leak_warning`); a warning at the top of Table 1.
    random_extractors : collection of str
        Rows that get a star and a footnote (`uad.plan.needs.random_extractors`).
    released_threshold : bool
        Whether thresholds were tuned as by the released code; a footnote.
    undefined : list of str
        Why values are missing (`table1.undefined`); warnings at the top of every table.
    """

    labels: Mapping[str, str]
    simulated: bool
    leaks: str = ""
    random_extractors: Collection[str] = ()
    released_threshold: bool = False
    undefined: Sequence[str] = ()

    @property
    def random_extractor(self) -> str:
        """What a star means; empty if no row has one."""
        return RANDOM_EXTRACTOR if self.random_extractors else ""

    @property
    def warnings(self) -> list[str]:
        """Warnings other than the one that data are simulated."""
        return [*filter(None, [self.leaks]), *self.undefined]


class Cell(NamedTuple):
    """A number in a table, and lines in grey below it."""

    text: str
    below: Sequence[str] = ()
    bold: bool = False


class Row(NamedTuple):
    """A row of the tables; `marked` puts a star after its label."""

    label: str
    marked: bool
    d_healthy: str
    d_unhealthy: str
    cells: Sequence[Cell]


class Block(NamedTuple):
    """Rows under one heading."""

    heading: str
    rows: Sequence[Row]


def blocks(
    table: pd.DataFrame, context: Context, cells: Callable[[pd.DataFrame], Sequence[Cell]]
) -> list[Block]:
    """Rows of a table in their blocks, in its order.

    Parameters
    ----------
    table : DataFrame
        Columns block, method, d_healthy and d_unhealthy; lines of one or several test sets.
    context : Context
    cells : function
        From the lines of a row (one per test set) to its cells.
    """
    return [
        Block(
            BLOCKS.get(block, block),
            [
                _row(lines, context, cells(lines))
                for _, lines in part.groupby(["method", "d_unhealthy"], sort=False)
            ],
        )
        for block, part in table.groupby("block", sort=False)
    ]


def _row(lines: pd.DataFrame, context: Context, cells: Sequence[Cell]) -> Row:
    line = lines.iloc[0]
    name = row_name(line["method"], line["d_unhealthy"])
    return Row(
        context.labels[name],
        name in context.random_extractors,
        dataset_name(line["d_healthy"]),
        dataset_name(line["d_unhealthy"]),
        cells,
    )


def row_name(method: str, unhealthy: str) -> str:
    """The configuration's name of a row."""
    return method if unhealthy == "none" else f"{method}-{unhealthy}"


def dataset_name(name: str) -> str:
    """A data set that a row is trained on, as it is printed."""
    return "None" if name == "none" else name.upper()
