"""Table 2: how sure the numbers of Table 1 are, and how rows compare with the references."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from uad.evaluation import statistics
from uad.report import blocks, pages
from uad.report.blocks import Block, Cell, Context, row_name
from uad.report.numbers import DASH, number, p_value, percent, signed_difference

NAMES = {"dice_best": "[DICE]", "dice_val": "Dice_val", "auprc": "AUPRC"}
# Columns of a `statistics.Distance`, after the metric.
RANK, ENDS = ("rank", "rank_low", "rank_high"), ("rank", "low", "high")
AGAINST = ("minus_paper", "minus_paper_low", "minus_paper_high", "verdict")
IDENTITY = ["block", "method", "d_healthy", "d_unhealthy", "test_set"]


def table2(
    table1: pd.DataFrame,
    intervals: pd.DataFrame,
    comparisons: pd.DataFrame,
    ranks: pd.DataFrame,
    simulated: bool,
) -> pd.DataFrame:
    """One line per row and test set, in the order and with the index of Table 1.

    Parameters
    ----------
    table1 : DataFrame
    intervals, comparisons, ranks : DataFrame
        From the functions of `statistics` with these names.
    simulated : bool
        Whether the scans are: nothing is then said against the published values.

    Returns
    -------
    DataFrame
        Columns as in `docs/metrics.md`; fractions.
    """
    whole = intervals[intervals["stratum"] == "all"].set_index(["row", "test_set", "metric"])
    tests = comparisons.set_index(["reference", "row", "test_set", "metric"])
    places = ranks.set_index(["row", "test_set", "metric"])
    lines = []
    for _, line in table1.iterrows():
        row, test_set = row_name(line["method"], line["d_unhealthy"]), line["test_set"]
        reference = _reference(comparisons, row)
        found = dict(line[IDENTITY]) | {"reference": reference, "n_subjects": line["n_subjects"]}
        for metric in statistics.METRICS:
            interval = whole.loc[(row, test_set, metric)]
            found |= {f"{metric}_{end}": interval[end] for end in ("mean", "low", "high")}
            if (row, test_set, metric) in places.index:
                place = places.loc[(row, test_set, metric)]
                found |= dict(zip((f"{metric}_{name}" for name in RANK), place[list(ENDS)]))
            if metric in statistics.PUBLISHED:
                paper = f"paper_{statistics.PUBLISHED[metric]}"
                estimator = statistics.AS_PUBLISHED[metric]
                distance = statistics.distance(
                    whole.loc[(row, test_set, estimator)],
                    line[f"{estimator}_std"],
                    line[f"{paper}_mean"],
                    line[f"{paper}_std"],
                    simulated,
                )
                found |= {f"{metric}_{name}": of for name, of in zip(AGAINST, distance)}
            if reference is not None:
                test = tests.loc[(reference, row, test_set, metric)]
                found[f"{metric}_difference"] = test["median_difference"]
                found[f"{metric}_p_holm"] = test["p_holm"]
        lines.append(found)
    columns = [*IDENTITY, *(c for m in statistics.METRICS for c in _columns(m))]
    return pd.DataFrame(lines, index=table1.index).reindex(
        columns=[*columns, "reference", "n_subjects"]
    )


def _columns(metric: str) -> list[str]:
    """Names of a metric's columns."""
    against = AGAINST if metric in statistics.PUBLISHED else ()
    ends = ("mean", "low", "high", *RANK, *against, "difference", "p_holm")
    return [f"{metric}_{end}" for end in ends]


def _reference(comparisons: pd.DataFrame, row: str) -> str | None:
    """The reference that a row is shown against, of those that it is compared with.

    Where there are several, the one with the same D_unhealthy, or else the first. None if there is
    none.
    """
    found = comparisons.loc[comparisons["row"] == row, "reference"].unique()
    same = [name for name in found if name.partition("-")[2] == row.partition("-")[2]]
    return next(iter([*same, *found]), None)


class Section(NamedTuple):
    """What the page says of one test set; `levels` are headings, of lesion volumes."""

    test_set: str
    n_subjects: int
    intervals: list[Block]
    agreement: list[dict[str, Any]]
    levels: list[str]
    volumes: list[Block]


def write_html(
    table: pd.DataFrame,
    intervals: pd.DataFrame,
    agreement: pd.DataFrame,
    context: Context,
    path: str | Path,
) -> None:
    """The table as one page with a section per test set.

    Parameters
    ----------
    table : DataFrame
        From `table2`.
    intervals, agreement : DataFrame
        From `uad.evaluation.statistics`; by lesion volume, and the sentence below each table.
    context : Context
    path : path-like
    """
    sections = []
    for test_set, part in table.groupby("test_set", sort=False):
        dice = intervals.query("test_set == @test_set and metric == 'dice_best'")
        sections.append(
            Section(
                test_set,
                part["n_subjects"].max(),
                blocks.blocks(part, context, lambda lines: _interval_cells(lines, context)),
                list(_agreement(agreement, test_set)),
                *_volumes(part, dice[dice["stratum"] == "lesion_ml"], context),
            )
        )
    pages.write(
        path,
        "table2.html.j2",
        title="Table 2. Intervals and tests",
        simulated=context.simulated,
        warnings=context.undefined,
        random_extractor=context.random_extractor,
        fewest=statistics.FEWEST,
        headings=[
            "rank",
            "reference",
            *(h for name in NAMES.values() for h in (name, "it − row", "p")),
        ],
        sections=sections,
    )


def _interval_cells(lines: pd.DataFrame, context: Context) -> list[Cell]:
    """Rank, reference; then mean, interval and verdict, difference, and p of every metric."""
    line = lines.iloc[0]
    cells = [Cell(rank(line, "dice_best")), Cell(_shown(line["reference"], context))]
    for metric in NAMES:
        mean, low, high = (percent(line[f"{metric}_{end}"]) for end in ("mean", "low", "high"))
        p = line[f"{metric}_p_holm"]
        cells += [
            Cell(f"{mean} [{low}, {high}]", against_paper(line, metric)),
            Cell(percent(line[f"{metric}_difference"])),
            Cell(p_value(p), bold=p < 0.05),
        ]
    return cells


def rank(line: pd.Series, metric: str) -> str:
    """`3 [1, 5]`: place of a row, and those that it may have."""
    place, low, high = (line[f"{metric}_{name}"] for name in RANK)
    if pd.isna(place):
        return DASH
    return f"{place:g}" if pd.isna(low) else f"{place:g} [{low:g}, {high:g}]"


def _shown(reference: str | None, context: Context) -> str:
    """Label of a reference, and in brackets what it is trained on."""
    if pd.isna(reference):
        return DASH
    unhealthy = reference.partition("-")[2]
    label = context.labels[reference]
    return f"{label} ({blocks.dataset_name(unhealthy)})" if unhealthy else label


def against_paper(line: pd.Series, metric: str) -> list[str]:
    """`+3.1 [−0.2, 6.4] within`: difference from the published value; nothing if there is none."""
    if metric not in statistics.PUBLISHED:
        return []
    difference, low, high, verdict = (line[f"{metric}_{name}"] for name in AGAINST)
    if pd.isna(difference):
        return []
    return [f"{signed_difference(difference, low, high)} {verdict}"]


def _volumes(
    part: pd.DataFrame, intervals: pd.DataFrame, context: Context
) -> tuple[list[str], list[Block]]:
    """Headings and rows of [DICE] by lesion volume; empty if no subject has a lesion."""
    levels = list(intervals["level"].unique())
    if not levels:
        return [], []
    means = intervals.set_index(["row", "level"])["mean"]
    counts = intervals.groupby("level")["n"].max()

    def cells(lines: pd.DataFrame) -> list[Cell]:
        row = row_name(*lines.iloc[0][["method", "d_unhealthy"]])
        return [Cell(percent(means.get((row, level)))) for level in levels]

    headings = [f"{level} ml\nn = {counts[level]}" for level in levels]
    return headings, blocks.blocks(part, context, cells)


def _agreement(agreement: pd.DataFrame, test_set: str) -> Iterator[dict[str, Any]]:
    """How far rows agree with the paper, per metric that it has."""
    for _, line in agreement.query("test_set == @test_set and n_rows > 0").iterrows():
        tau = "not defined" if pd.isna(line["tau_b"]) else number(line["tau_b"], 2)
        judged = line[[statistics.WITHIN, statistics.ABOVE, statistics.BELOW]].sum()
        yield {**line, "metric": NAMES[line["metric"]], "tau": tau, "judged": judged}
