"""Which planted lesions each row sees: a page with a figure per row, and one of some rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uad.base import colours, tsv
from uad.base.errors import InputError
from uad.evaluation import detection_limits, planted
from uad.evaluation.complete import AGAIN
from uad.evaluation.detection_limits import ALL
from uad.report import canvas, pages

SHADES = "Blues"
PAD = 16  # points between a title and the panel, for the legend
BESIDE = 1.07  # on the axis of volumes, so that intervals of several lines are told apart
RATES = {"threshold_fpr1": "1 %", "threshold_fpr5": "5 %", "threshold_fpr10": "10 %"}


def read(
    paths: Sequence[str | Path],
    lesions: str | Path,
    rows: Sequence[str] | Mapping[str, str],
    folds: Sequence[int],
) -> pd.DataFrame:
    """What all rows see in all folds, as one table.

    Parameters
    ----------
    paths : sequence of path-like
        What rule find_planted wrote, of every row, fold changing fastest.
    lesions : path-like
        All that were planted.
    rows : sequence of str
    folds : sequence of int

    Raises
    ------
    InputError
        If a file is of another row or fold, or does not have every lesion once.
    """
    key = ["subject", "number", "source", "place", "texture", "contrast", "volume_ml"]
    wanted, found = tsv.read(lesions)[key], []
    for path, (row, fold) in zip(paths, [(r, f) for r in rows for f in folds], strict=True):
        table = tsv.read(path)
        if set(table["row"]) != {row} or set(table["fold"]) != {fold}:
            raise InputError(f"{path}: is not of row {row}, fold {fold}; {AGAIN}")
        if not table[key].equals(wanted):
            raise InputError(f"{path}: does not have the lesions of {lesions}; {AGAIN}")
        found.append(table)
    return pd.concat(found, ignore_index=True)


def name(row: str, labels: Mapping[str, str]) -> str:
    """What is printed for a row: its label, and what it is trained on."""
    return canvas.row_label(row, labels[row])


def overview(
    curves: pd.DataFrame, limits: pd.DataFrame, rows: Sequence[str], labels: Mapping[str, str]
) -> Figure:
    """A small map of contrast and volume for each of some rows.

    Parameters
    ----------
    curves, limits : DataFrame
        From `detection_limits`.
    rows : sequence of str
    labels : mapping of str to str
    """
    columns = min(len(rows), 3)
    lines = -(-len(rows) // columns)
    figure, axes = canvas.grid(lines, columns, (2.1, 2.0), sharex=True, sharey=True)
    for panel in axes.ravel()[len(rows) :]:
        panel.set_axis_off()
    for panel, row in zip(axes.ravel(), rows):
        image = _map(panel, curves[curves["row"] == row], limits[limits["row"] == row])
        panel.set_title(name(row, labels))
    for panel in axes[:, 0]:
        panel.set_ylabel("lesion, ml")
    for panel in axes[-1]:
        panel.set_xlabel("contrast, %")
    figure.colorbar(image, ax=axes, label="detected", ticks=(0, 0.5, 1), shrink=0.8)
    return figure


def figure_of(curves: pd.DataFrame, limits: pd.DataFrame) -> Figure:
    """What one row sees: map, curves of dark and of bright lesions, curves by place and texture."""
    figure, axes = canvas.grid(1, 4, (2.6, 2.7))
    first, dark, bright, places = axes[0]
    image = _map(first, curves, limits)
    first.set(title="all lesions", xlabel="contrast, %", ylabel="lesion, ml")
    figure.colorbar(image, ax=first, label="detected", ticks=(0, 0.5, 1), location="top")
    overall = curves[(curves["place"] == ALL) & (curves["texture"] == ALL)]
    for panel, part, title in (
        (dark, overall[overall["contrast"] < 0], "darker"),
        (bright, overall[overall["contrast"] > 0], "brighter"),
    ):
        by_size = sorted(part["contrast"].unique(), key=abs, reverse=True)
        _curves(panel, [(f"{c:+g} %", part[part["contrast"] == c]) for c in by_size])
        panel.set_title(title, pad=PAD)
    strongest = min(curves["contrast"], key=lambda c: (-abs(c), c))
    at = curves[curves["contrast"] == strongest]
    series = [
        (which.replace("_", " "), at[(at[of] == which) & (at[other] == ALL)])
        for of, other in (("place", "texture"), ("texture", "place"))
        for which in at[of].unique()
        if which != ALL
    ]
    _curves(places, series, bars=False)
    places.set_title(f"by place and texture, {strongest:+g} %", pad=PAD)
    return figure


def _map(panel: Axes, curves: pd.DataFrame, limits: pd.DataFrame) -> Any:
    """Shares of all lesions as colours, and where they reach one half."""
    part = curves[(curves["place"] == ALL) & (curves["texture"] == ALL)]
    wide = part.pivot(index="volume_ml", columns="contrast", values="detected").sort_index()
    wide = wide[sorted(wide.columns)]
    image = panel.imshow(wide, cmap=SHADES, vmin=0, vmax=1, origin="lower", aspect="auto")
    panel.set(
        xticks=range(len(wide.columns)),
        yticks=range(len(wide)),
        xticklabels=[f"{c:g}" for c in wide.columns],
        yticklabels=[f"{v:g}" for v in wide.index],
    )
    panel.tick_params(axis="x", labelsize=7)
    points = limits[(limits["place"] == ALL) & (limits["texture"] == ALL)].set_index("contrast")
    at = np.log(points["from_ml"].reindex(wide.columns).to_numpy(float))
    heights = np.interp(at, np.log(wide.index.to_numpy(float)), np.arange(len(wide)))
    panel.plot(range(len(heights)), heights, "o", color=colours.COLOURS[1], markersize=4)
    return image


def _curves(panel, series, bars=True):
    """Share against volume, a line each, with their intervals side by side."""
    for i, (label, part) in enumerate(series):
        part = part.sort_values("volume_ml")
        volumes, shares = part["volume_ml"] * BESIDE**i, part["detected"]
        colour = colours.COLOURS[i % len(colours.COLOURS)]
        panel.plot(volumes, shares, "o-", ms=3, lw=1.2, color=colour, label=label)
        if bars:
            panel.vlines(volumes, part["low"], part["high"], colors=colour, linewidth=0.8)
    panel.axhline(detection_limits.HALF, color="dimgrey", linewidth=0.7, linestyle=":")
    panel.set(xlabel="lesion, ml", ylim=(-0.03, 1.03), yticks=(0, 0.5, 1))
    if series:
        canvas.log_scale(panel, "x")
        panel.legend(
            frameon=False,
            fontsize=6.5,
            loc="lower center",
            bbox_to_anchor=(0.5, 0.99),
            ncols=4,
            columnspacing=0.8,
            handlelength=1,
        )
    else:
        panel.text(0.5, 0.6, "none", ha="center", transform=panel.transAxes)


def write(
    path: str | Path,
    curves: pd.DataFrame,
    limits: pd.DataFrame,
    labels: Mapping[str, str],
    threshold: str,
    simulated: bool,
) -> None:
    """Write the page.

    Parameters
    ----------
    path : path-like
    curves, limits : DataFrame
        From `detection_limits`.
    labels : mapping of str to str
        Rows, in order, to what is printed for them.
    threshold : str
        Column of the pooled metrics.
    simulated : bool
    """
    pages.write(
        path,
        "detection_page.html.j2",
        title="Detection limits",
        simulated=simulated,
        rate=RATES[threshold],
        share=f"{100 * planted.SHARE:g} %",
        n_subjects=int(curves["n_subjects"].max()),
        smallest=f"{curves['volume_ml'].min():g}",
        largest=f"{curves['volume_ml'].max():g}",
        rows=[_of_row(row, curves, limits, labels) for row in labels],
    )


def _of_row(row, curves, limits, labels):
    curves, limits = (table[table["row"] == row] for table in (curves, limits))
    groups = limits[["place", "texture"]].drop_duplicates().itertuples(index=False, name=None)
    groups = list(groups)
    seen = limits.set_index(["contrast", "place", "texture"])["seen"]
    _, _, trained_on = row.partition("-")
    return {
        "row": row,
        "name": labels[row] + (f" ({trained_on.upper()})" if trained_on else ""),
        "figure": canvas.inline_svg(figure_of(curves, limits)),
        "groups": [_group(place, texture) for place, texture in groups],
        "lines": [
            (f"{contrast:+g} %", [seen.get((contrast, *group), "") for group in groups])
            for contrast in sorted(limits["contrast"].unique())
        ],
    }


def _group(place, texture):
    return (place if texture == ALL else texture).replace("_", " ")
