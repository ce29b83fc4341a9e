"""Table 2: how sure the numbers of Table 1 are, and how SADM_res compares with the other rows."""

from html import escape

import pandas as pd

from uad.evaluation import statistics
from uad.report import pages
from uad.report.table1 import block_table, row_name

NAMES = {"dice_best": "[DICE]", "dice_val": "Dice<sub>val</sub>", "auprc": "AUPRC"}
IDENTITY = ["block", "method", "d_healthy", "d_unhealthy", "test_set"]


def table2(table1, intervals, comparisons):
    """One line per row and test set, in the order and with the index of Table 1.

    Parameters
    ----------
    table1 : DataFrame
    intervals, comparisons : DataFrame
        From `statistics.intervals` and `statistics.comparisons`.

    Returns
    -------
    DataFrame
        Columns as in `docs/metrics.md`; fractions.
    """
    whole = intervals[intervals["stratum"] == "all"].set_index(["row", "test_set", "metric"])
    tests = comparisons.set_index(["reference", "row", "test_set", "metric"])
    lines = []
    for _, line in table1.iterrows():
        row, test_set = row_name(line["method"], line["d_unhealthy"]), line["test_set"]
        reference = _reference(comparisons, row)
        found = dict(line[IDENTITY]) | {"reference": reference, "n_subjects": line["n_subjects"]}
        for metric in statistics.METRICS:
            interval = whole.loc[(row, test_set, metric)]
            found |= {f"{metric}_{end}": interval[end] for end in ("mean", "low", "high")}
            if metric in statistics.PUBLISHED:
                paper = f"paper_{statistics.PUBLISHED[metric]}"
                found[f"{metric}_verdict"] = statistics.verdict(
                    interval["low"], interval["high"], line[f"{metric}_std"],
                    line[f"{paper}_mean"], line[f"{paper}_std"],
                )  # fmt: skip
            if reference is not None:
                test = tests.loc[(reference, row, test_set, metric)]
                found[f"{metric}_difference"] = test["median_difference"]
                found[f"{metric}_p_holm"] = test["p_holm"]
        lines.append(found)
    columns = [*IDENTITY, *(c for m in statistics.METRICS for c in _columns(m))]
    return pd.DataFrame(lines, index=table1.index).reindex(
        columns=[*columns, "reference", "n_subjects"]
    )


def _columns(metric):
    """Names of a metric's columns."""
    verdict = ["verdict"] if metric in statistics.PUBLISHED else []
    return [f"{metric}_{e}" for e in ("mean", "low", "high", *verdict, "difference", "p_holm")]


def _reference(comparisons, row):
    """The SADM_res row that a row is shown against: of its block, and of its training data.

    A block with one SADM_res row has one for all; where there are several, the one with the same
    D_unhealthy. None if there is no such row.
    """
    found = comparisons.loc[comparisons["row"] == row, "reference"].unique()
    if len(found) > 1:
        found = [name for name in found if name.partition("-")[2] == row.partition("-")[2]]
    return found[0] if len(found) else None


def write_html(table, intervals, agreement, labels, simulated, path):
    """The table as one page with a section per test set.

    Parameters
    ----------
    table : DataFrame
        From `table2`.
    intervals, agreement : DataFrame
        From `uad.evaluation.statistics`; by lesion volume, and the sentence below each table.
    labels : dict of str to str
        Name of each row to what is printed.
    simulated : bool
    path : path-like
    """
    sections = []
    for test_set, part in table.groupby("test_set", sort=False):
        volumes = intervals.query("test_set == @test_set and metric == 'dice_best'")
        sections += [
            f"<h2>{test_set.upper()} ({part['n_subjects'].max()} subjects)</h2>",
            _interval_table(part, labels),
            *(f"<p>{text}</p>" for text in _agreement(agreement, test_set)),
            _volume_table(part, volumes[volumes["stratum"] == "lesion_ml"], labels),
        ]
    warnings = [pages.SIMULATED] if simulated else []
    pages.write(path, "Table 2. Intervals and tests", _BODY + "\n".join(sections), warnings, STYLE)


def _interval_table(part, labels):
    """Mean, interval, verdict, difference and p of every row."""
    headings = [h for name in NAMES.values() for h in (name, "SADM<sub>res</sub> − row", "p")]
    return block_table(part, labels, headings, _interval_cells)


def _interval_cells(line):
    cells = []
    for metric in NAMES:
        mean, low, high = (line[f"{metric}_{end}"] for end in ("mean", "low", "high"))
        verdict = line.get(f"{metric}_verdict", "no data")
        below = "" if verdict == "no data" else f"<br><span>{verdict}</span>"
        p = line[f"{metric}_p_holm"]
        texts = [
            f"{_percent(mean)} [{_percent(low)}, {_percent(high)}]{below}",
            _percent(line[f"{metric}_difference"]),
            f"<b>{_p(p)}</b>" if p < 0.05 else _p(p),
        ]
        cells += [f'<td class="n">{text}</td>' for text in texts]
    return cells


def _volume_table(part, intervals, labels):
    """[DICE] by lesion volume; empty if no subject has a lesion."""
    levels = list(intervals["level"].unique())
    if not levels:
        return ""
    means = intervals.set_index(["row", "level"])["mean"]
    counts = intervals.groupby("level")["n"].max()
    headings = [f"{escape(level)} ml<br>n = {counts[level]}" for level in levels]

    def cells(line):
        row = row_name(line["method"], line["d_unhealthy"])
        return [f'<td class="n">{_percent(means.get((row, level)))}</td>' for level in levels]

    return "<p>[DICE] by lesion volume:</p>" + block_table(part, labels, headings, cells)


def _agreement(agreement, test_set):
    """How far rows agree with the paper, in words, per metric that it has."""
    for _, line in agreement.query("test_set == @test_set and n_rows > 0").iterrows():
        tau = "not defined" if pd.isna(line["tau_b"]) else f"{line['tau_b']:.2f}"
        yield (
            f"{NAMES[line['metric']]} and the paper: {line['within']} of {line['n_rows']} rows "
            f"within, {line['above']} above, {line['below']} below; rank correlation of the rows "
            f"(Kendall's τ<sub>b</sub>) {tau}."
        )


def _percent(value):
    return "–" if value is None else pages.number(100 * value)


def _p(p):
    if pd.isna(p):
        return "–"
    return "&lt; 0.001" if p < 0.001 else f"{p:.3f}"


STYLE = "h2 { font-size: 1.1rem; margin: 1.4rem 0 .4rem; }\n"

_BODY = """\
<p>Per cent. In brackets: 95 % percentile bootstrap interval of the mean over test subjects, each
averaged over the folds. <i>Within</i>, <i>above</i>, <i>below</i>: our value against the published
one, which is within if it lies in the interval, widened by the spread over folds of both.
SADM<sub>res</sub> − row: median difference over subjects from SADM<sub>res</sub> of the same block,
and of the same training data where a block has several. p: Wilcoxon signed-rank test, corrected by
Holm's method over all rows of the block; bold below 0.05.</p>
"""
