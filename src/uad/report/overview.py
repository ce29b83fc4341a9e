"""What the front page shows of Table 1: its rows as a heat map, and every subject's value."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from uad.evaluation.statistics import AS_PUBLISHED
from uad.report.blocks import BLOCKS, dataset_name, row_name
from uad.report.numbers import DASH, percent, signed_difference

METRICS = {"dice_best": "[DICE]", "auprc": "AUPRC", "dice_val": "Dice_val"}
PUBLISHED = {"dice_best": "paper_dice_mean", "auprc": "paper_auprc_mean"}
DARKEST = 60  # per cent of the colour, so that text on it stays readable
MOST_DOTS = 80  # subjects of a test set that are drawn one by one

KNOW_NOTHING = (["chance"], ["intensity"])  # maps of rows that any trained row should be above

Rows = Mapping[str, Mapping[str, Any]]


def knowing_nothing(rows: Rows) -> list[str]:
    """Rows of the configuration that are controls without any knowledge of lesions."""
    return [row for row, block in rows.items() if block["maps"] in KNOW_NOTHING]


class HeatCell(NamedTuple):
    """A value of the heat map.

    Attributes
    ----------
    text, grey : str
        Ours, and the published value with our difference from it.
    page : str
        What says more, empty if there is no page.
    shade : int
        Per cent of the colour, between the column's lowest and highest trained row.
    low : bool
        Not above the controls that know nothing.
    """

    text: str
    grey: str
    shade: int
    low: bool
    page: str = ""


class HeatRow(NamedTuple):
    """A row of the heat map; `page` is its own, empty if it has none."""

    label: str
    page: str
    unhealthy: str
    cells: Sequence[HeatCell]


def heat_maps(
    table: pd.DataFrame, rows: Rows, simulated: bool, pages: Collection[str]
) -> list[dict[str, Any]]:
    """Table 1 once per metric, its values shaded per test set.

    Parameters
    ----------
    table : DataFrame
        Table 1; fractions.
    rows : dict
        `rows` of the configuration.
    simulated : bool
        Whether the scans are: then nothing is said of published values.
    pages : collection of str
        Rows that have a page.

    Returns
    -------
    list of dict
        `name` of the metric, `test_sets`, and `blocks`: headings and rows.
    """
    test_sets = list(dict.fromkeys(table["test_set"]))
    found = []
    for metric, name in METRICS.items():
        column = f"{metric}_mean"
        if column not in table:
            continue
        scales = {of: _scale(table[table["test_set"] == of], column, rows) for of in test_sets}
        blocks = []
        for block, part in table.groupby("block", sort=False):
            of_block = part.groupby(["method", "d_unhealthy"], sort=False)
            lines = [_row(lines, metric, scales, rows, simulated, pages) for _, lines in of_block]
            blocks.append((BLOCKS.get(block, block), lines))
        found.append({"name": name, "test_sets": test_sets, "blocks": blocks})
    return found


class _Scale(NamedTuple):
    lowest: float
    highest: float
    floor: float  # of the controls that know nothing; minus infinity without any


def _scale(lines: pd.DataFrame, column: str, rows: Rows) -> _Scale:
    trained = lines.loc[lines["block"] != "control", column]
    floor = lines.loc[lines["method"].isin(knowing_nothing(rows)), column].max()
    return _Scale(trained.min(), trained.max(), -float("inf") if pd.isna(floor) else floor)


def _row(lines, metric, scales, rows, simulated, pages):
    line = lines.iloc[0]
    name = row_name(line["method"], line["d_unhealthy"])
    page = f"rows/{name}.html" if name in pages and name in rows else ""
    control = line["block"] == "control"
    by_set = lines.set_index("test_set")
    cells = []
    for of, scale in scales.items():
        if of not in by_set.index:
            cells.append(HeatCell(DASH, "", 0, False))
            continue
        value = by_set.loc[of, f"{metric}_mean"]
        paper = float("nan") if simulated else by_set.loc[of].get(PUBLISHED.get(metric), None)
        grey = ""
        if paper is not None and pd.notna(paper):
            # By the estimator of the published value, which for [DICE] is not ours.
            alike = by_set.loc[of].get(f"{AS_PUBLISHED[metric]}_mean", value)
            grey = f"{percent(paper)} ({signed_difference(alike - paper)})"
        span = scale.highest - scale.lowest
        known = pd.notna(value) and span > 0 and not control
        shade = round(DARKEST * (value - scale.lowest) / span) if known else 0
        low = bool(known and value <= scale.floor)
        there = f"{page}#{of}" if page else ""
        cells.append(HeatCell(percent(value), grey, shade, low, there))
    return HeatRow(_label(rows, name), page, dataset_name(line["d_unhealthy"]), cells)


def _label(rows: Rows, name: str) -> str:
    return rows.get(name, {}).get("label", name)


# Every subject's value.

WIDTH, LABELS, LINE = 460, 130, 15  # of a panel and of its row labels, height of a row; pixels


class ForestRow(NamedTuple):
    """A row of a panel, in pixels; what is not known is None.

    A dot is a subject: where, what it says, and the subject's page or nothing.
    """

    label: str
    y: int
    mean: float | None
    low: float | None
    high: float | None
    paper: float | None
    dots: Sequence[tuple[float, str, str]]
    text: str


class _Axis:
    """[DICE] from 0 to somewhat above a value, as pixels from the left."""

    def __init__(self, highest: float):
        self.top = min(1.0, max(0.1, 1.05 * highest))

    def at(self, value: float | None) -> float | None:
        """Where a value is; None for one that is missing."""
        if value is None or pd.isna(value):
            return None
        return round(LABELS + (WIDTH - LABELS - 12) * min(value, self.top) / self.top, 1)

    def ticks(self) -> list[tuple[float, str]]:
        """At most seven round values: where, and per cent."""
        step = next(step for step in (0.02, 0.05, 0.1, 0.2) if self.top / step <= 6)
        values = [step * n for n in range(7) if step * n <= self.top]
        return [(self.at(value), percent(value, 0)) for value in values]


def forests(
    table: pd.DataFrame,
    intervals: pd.DataFrame,
    subjects: pd.DataFrame,
    rows: Rows,
    simulated: bool,
    pages: Collection[str] = (),
) -> list[dict[str, Any]]:
    """[DICE] of all rows on each test set: mean, interval, and the subjects if there are few.

    Parameters
    ----------
    table : DataFrame
        Table 1.
    intervals : DataFrame
        From `statistics.intervals`.
    subjects : DataFrame
        Columns row, test_set, subject and dice_best, a line per fold.
    rows, simulated
        As for `heat_maps`.
    pages : collection of str
        Subjects that have a page, as `test_set/subject`.

    Returns
    -------
    list of dict
        Per test set `n` subjects, whether they are `few`, `rows` (`ForestRow`), `ticks` (position
        and text), `floors`, the controls that know nothing and their positions, `width` and
        `height`.
    """
    whole = intervals[(intervals["stratum"] == "all") & (intervals["metric"] == "dice_best")]
    per_subject = subjects.groupby(["row", "test_set", "subject"], sort=False)["dice_best"].mean()
    return [
        _panel(
            lines,
            whole[whole["test_set"] == test_set].set_index("row"),
            per_subject[per_subject.index.get_level_values("test_set") == test_set],
            rows,
            simulated,
            {name: f"subjects/{name}.html" for name in pages},
        )
        for test_set, lines in table.groupby("test_set", sort=False)
    ]


def _panel(
    lines: pd.DataFrame,
    intervals: pd.DataFrame,
    per_subject: pd.Series,
    rows: Rows,
    simulated: bool,
    pages: Mapping[str, str],
) -> dict[str, Any]:
    """One test set: lines of Table 1, intervals by row, subjects' means by row and subject."""
    trained, test_set = lines[lines["block"] != "control"], lines["test_set"].iloc[0]
    names = [row_name(*line) for line in zip(trained["method"], trained["d_unhealthy"])]
    values = {
        row: part.droplevel(["row", "test_set"])
        for row, part in per_subject.groupby("row", sort=False)
        if row in names
    }
    n = max(map(len, values.values()), default=0)
    few = n <= MOST_DOTS
    drawn = [trained["dice_best_mean"].max(), *(v.max() for v in values.values() if few)]
    axis = _Axis(max((value for value in drawn if pd.notna(value)), default=0))
    shown = []
    for number, (name, (_, line)) in enumerate(zip(names, trained.iterrows())):
        mean = line["dice_best_mean"]
        low, high = (intervals[end].get(name) for end in ("low", "high"))
        known = low is not None and pd.notna(low) and pd.notna(mean)
        dots = values[name].dropna().items() if few and name in values else []
        shown.append(
            ForestRow(
                trained_on(_label(rows, name), line["d_unhealthy"]),
                18 + LINE * number,
                axis.at(mean),
                axis.at(low) if known else None,
                axis.at(high) if known else None,
                None if simulated else axis.at(line.get("paper_dice_mean")),
                [
                    (axis.at(v), f"{subject}: {percent(v)}", pages.get(f"{test_set}/{subject}", ""))
                    for subject, v in dots
                ],
                percent(mean) + (f" [{percent(low)}, {percent(high)}]" if known else ""),
            )
        )
    floors = lines[lines["method"].isin(knowing_nothing(rows))]
    return {
        "test_set": test_set,
        "n": n,
        "few": few,
        "rows": shown,
        "ticks": axis.ticks(),
        "floors": [
            (control["method"], axis.at(control["dice_best_mean"]))
            for _, control in floors.dropna(subset="dice_best_mean").iterrows()
        ],
        "width": WIDTH,
        "labels": LABELS - 8,
        "height": 18 + LINE * len(shown) + 8,
    }


def trained_on(label: str, unhealthy: str) -> str:
    """What is printed for a row, with what it learns lesions from if it does."""
    return label if unhealthy == "none" else f"{label} · {unhealthy.upper()}"
