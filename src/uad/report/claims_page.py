"""What the paper says of its results and whether it holds in this run: page and forest plot."""

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from uad.evaluation import claims, statistics
from uad.report import canvas, pages
from uad.report.blocks import Cell
from uad.report.numbers import DASH, number, p_value, percent, signed_difference
from uad.report.table2 import NAMES

MARKS = {
    claims.HOLDS: "✓",
    claims.FAILS: "✗",
    claims.UNDECIDED: "?",
    statistics.TOO_FEW: "…",
    claims.NO_VALUE: DASH,
    claims.ABSENT: DASH,
}
# Of a page's style sheet.
CLASSES = {verdict: verdict.replace(" ", "-") for verdict in claims.VERDICTS}
COLOURS = {
    claims.HOLDS: "#009E73",
    claims.FAILS: "#D55E00",
    claims.UNDECIDED: "#6b7480",
    statistics.TOO_FEW: "#6b7480",
}
MARKERS = "os^Dv"
LINEAR = 10  # points to either side of zero; beyond, the axis is logarithmic
TICKS = (-50, -20, -10, -5, 0, 5, 10, 20, 50)
INCHES = 0.085  # between two comparisons of a claim
LINES = 42  # letters of a claim's title in a line


def counts(verdicts: pd.DataFrame) -> str:
    """`3 hold, 1 does not hold, 2 undecided`, of those verdicts that there are."""
    words = {
        claims.HOLDS: ("holds", "hold"),
        claims.FAILS: ("does not hold", "do not hold"),
        claims.UNDECIDED: ("is undecided", "are undecided"),
        statistics.TOO_FEW: ("has too few subjects", "have too few subjects"),
        claims.NO_VALUE: ("is not defined", "are not defined"),
        claims.ABSENT: ("is not in this run", "are not in this run"),
    }
    found = verdicts["verdict"].value_counts().to_dict()
    return ", ".join(
        f"{found[verdict]} {words[verdict][found[verdict] != 1]}"
        for verdict in claims.VERDICTS
        if verdict in found
    )


def difference(line: Mapping[str, Any]) -> str:
    """`+2.1 [0.4, 3.9]`: effect and, if there is one, interval in percentage points."""
    return signed_difference(line["effect"], line["low"], line["high"])


def direction(verdict: Mapping[str, Any]) -> str:
    """`7 of 14 as claimed`, or of one comparison whether it is."""
    if verdict["comparisons"] > 1:
        return f"{verdict['as_claimed']} of {verdict['comparisons']} as claimed"
    return "as claimed" if verdict["as_claimed"] else "not as claimed"


def row_name(row: str, labels: Mapping[str, str]) -> str:
    """What is printed for a row, with what it is trained on; rows of other tables by their name."""
    method, _, trained_on = row.partition("-")
    label = labels.get(row, method)
    return f"{label} ({trained_on.upper()})" if trained_on else label


def forest(comparisons: pd.DataFrame, verdicts: pd.DataFrame, simulated: bool) -> Figure:
    """Effect and interval of every comparison, a row per claim.

    Parameters
    ----------
    comparisons, verdicts : DataFrame
        From `claims.compare` and `claims.judge`; the comparison that decides is drawn bold.
    simulated : bool
        The published effects, of patients, are drawn beside ours only if ours are of patients too.
    """
    sizes = verdicts["comparisons"].to_numpy()
    heights = [max(0.36, INCHES * (size + 2)) for size in sizes]
    figure, axes = canvas.grid(1, 1, (7.6, sum(heights) + 1.0))
    panel, top = axes[0, 0], 0.0
    markers = dict(zip(dict.fromkeys(comparisons["test_set"]), MARKERS))
    ends = [-LINEAR, LINEAR]
    for i, (height, (_, claim)) in enumerate(zip(heights, verdicts.iterrows())):
        if i % 2 == 0:
            panel.axhspan(top, top + height, color="#f2f5f9", zorder=0)
        part = comparisons[comparisons["claim"] == claim["claim"]]
        first = top + (height - INCHES * (len(part) - 1)) / 2
        for k, (_, line) in enumerate(part.iterrows()):
            if line["n"]:
                bold = all(line[key] == claim[key] for key in ("row", "than", "test_set"))
                _draw(panel, line, first + k * INCHES, bold, markers, simulated)
                ends += [100 * line[key] for key in ("low", "high", "effect")]
        middle = top + height / 2
        title = "\n".join(
            " ".join(map(canvas.subscript, text.split()))
            for text in textwrap.wrap(claim["title"], LINES)
        )
        outside = {"transform": panel.get_yaxis_transform(), "va": "center", "fontsize": 8}
        panel.text(-0.02, middle, title, ha="right", linespacing=1.05, **outside)
        colour = COLOURS.get(claim["verdict"], "dimgrey")
        panel.text(1.02, middle, claim["verdict"], ha="left", color=colour, **outside)
        top += height
    panel.axvline(0, color="black", linewidth=0.8)
    panel.set_xscale("symlog", linthresh=LINEAR, linscale=1)
    known = [end for end in ends if pd.notna(end)]
    panel.set(
        ylim=(top, 0),
        xlim=(1.1 * min(known), 1.1 * max(known)),
        xlabel="difference, percentage points: right of the line as claimed",
    )
    panel.xaxis.set_major_locator(FixedLocator(TICKS))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(lambda value, _: number(value, 0))
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    style = {"color": "black", "linestyle": "", "markersize": 4}
    handles = [Line2D([], [], marker=m, label=name.upper(), **style) for name, m in markers.items()]
    if not simulated and comparisons["published"].notna().any():
        handles.append(Line2D([], [], marker="|", label="published", **style))
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False)
    return figure


def _draw(
    panel: Any, line: pd.Series, y: float, bold: bool, markers: Mapping[str, str], simulated: bool
) -> None:
    """One comparison."""
    style = {"color": COLOURS[line["verdict"]], "alpha": 1 if bold else 0.55}
    low, high, effect, bound, paper = (
        100 * line[key] for key in ("low", "high", "effect", "bound", "published")
    )
    width = 1.8 if bold else 0.9
    panel.plot([low, high], [y, y], linewidth=width, solid_capstyle="butt", **style)
    marker, size = markers[line["test_set"]], 4.5 if bold else 3
    panel.plot(effect, y, marker, markersize=size, markeredgewidth=0, **style)
    if bound:
        panel.plot([bound, bound], [y - INCHES / 2, y + INCHES / 2], color="black", linewidth=0.8)
    if not simulated and pd.notna(paper):
        panel.plot(paper, y, "|", color="black", markersize=5, markeredgewidth=0.8)


def write(
    path: str | Path,
    content: Mapping[str, Any],
    comparisons: pd.DataFrame,
    verdicts: pd.DataFrame,
    labels: Mapping[str, str],
    simulated: bool,
) -> None:
    """Write the page.

    Parameters
    ----------
    path : path-like
    content : dict
        The file of claims (`uad.plan.schema.Claims`).
    comparisons, verdicts : DataFrame
        From `claims.compare` and `claims.judge`.
    labels : dict of str to str
        Of the rows of this run.
    simulated : bool
    """
    of_simulation = (
        "The verdicts are about the simulation. The paper's effects are of patients; they stand "
        "beside ours as what the paper reports and are not compared with them."
    )
    pages.write(
        path,
        "claims_page.html.j2",
        title="The paper's claims",
        simulated=simulated,
        warnings=[of_simulation] if simulated else [],
        paper=content["paper"],
        counts=counts(verdicts),
        fewest=statistics.FEWEST,
        resamples=statistics.RESAMPLES,
        n_tested=int(comparisons["p_holm"].notna().sum()),
        forest=canvas.inline_svg(forest(comparisons, verdicts, simulated)),
        headings=_headings(simulated),
        claims=list(_claims(content["claims"], comparisons, verdicts, labels)),
    )


def _headings(simulated: bool) -> list[str]:
    paper = "paper, on patients" if simulated else "published"
    return ["Comparison", "tested on", "n", "difference", "p", paper, "verdict"]


def _claims(
    found: Mapping[str, Mapping[str, Any]],
    comparisons: pd.DataFrame,
    verdicts: pd.DataFrame,
    labels: Mapping[str, str],
) -> Iterator[dict[str, Any]]:
    """What the page says of each claim."""
    for _, line in verdicts.iterrows():
        claim = found[line["claim"]]
        part = comparisons[comparisons["claim"] == line["claim"]]
        yield {
            **{key: claim[key] for key in ("title", "quote", "source", "reading", "published")},
            "verdict": line["verdict"],
            "mark": MARKS[line["verdict"]],
            "kind": CLASSES[line["verdict"]],
            "metric": NAMES[claim["metric"]],
            "n_comparisons": line["comparisons"],
            "as_claimed": line["as_claimed"],
            "n_compared": int((part["n"] > 0).sum()),
            "deciding": _compared(line, labels),
            "test_set": line["test_set"].upper(),
            "effect": difference(line),
            "n": line["n"],
            "missing": _missing(part, labels) if line["verdict"] == claims.ABSENT else "",
            "undefined": _undefined(part) if line["verdict"] == claims.NO_VALUE else "",
            "rows": [
                (
                    _compared(other, labels),
                    other["test_set"].upper(),
                    _cells(other),
                    other["verdict"],
                )
                for _, other in part.iterrows()
            ],
        }


def _compared(line: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """`SADM_res (BRATS) − cDDPM`."""
    return " − ".join(row_name(line[key], labels) for key in ("row", "than"))


def _missing(part: pd.DataFrame, labels: Mapping[str, str]) -> str:
    """Rows and test sets of a claim that this run's table does not have."""
    absent = part[part["verdict"] == claims.ABSENT]
    rows = [row for row in dict.fromkeys([*absent["row"], *absent["than"]]) if row not in labels]
    present = set(part.loc[part["n"] > 0, "test_set"])
    sets = (
        [] if rows else [name for name in dict.fromkeys(absent["test_set"]) if name not in present]
    )
    return ", ".join([*(row_name(row, labels) for row in rows), *(name.upper() for name in sets)])


def _undefined(part: pd.DataFrame) -> str:
    """Test sets where no subject has a value of both rows of some comparison."""
    without = part.loc[part["verdict"] == claims.NO_VALUE, "test_set"]
    return ", ".join(name.upper() for name in dict.fromkeys(without))


def _cells(line: pd.Series) -> list[Cell]:
    limit = [f"limit {percent(line['bound'])}"] if line["n"] and line["bound"] else []
    paper = line["published"]
    return [
        Cell(str(line["n"]) if line["n"] else DASH),
        Cell(difference(line), limit),
        Cell(p_value(line["p_holm"])),
        Cell(DASH if pd.isna(paper) else signed_difference(paper)),
    ]
