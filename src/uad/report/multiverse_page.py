"""The page of ranks in all combinations of choices of the evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from uad.base import colours, tsv
from uad.base.errors import InputError
from uad.evaluation import multiverse
from uad.evaluation.complete import AGAIN
from uad.report import canvas, pages
from uad.report.numbers import DASH, percent

NAMES = {
    "residual": "kind of residual",
    "erosion": "erosion, voxels",
    "median": "median filter on",
    "box": "box",
    "min_component": "components from, voxels",
    "measure": "measure",
    "folds": "fold",
}


@dataclass(frozen=True)
class Multiverse:
    """What the page is about.

    Attributes
    ----------
    labels : dict of str to str
        Of the rows.
    test_sets : list of str
    folds : list of int
    claims : dict
        The file of claims; empty if there is none.
    headline : str or None
        Name of the claim that the page begins with.
    usual : dict
        The combination that Table 1 is in.
    simulated : bool
    """

    labels: Mapping[str, str]
    test_sets: Sequence[str]
    folds: Sequence[int]
    claims: Mapping[str, Any]
    headline: str | None
    usual: Mapping[str, Any]
    simulated: bool


def write_all(
    paths: Sequence[str | Path], outputs: Mapping[str, str | Path], about: Multiverse
) -> None:
    """Write the page and its numbers.

    Parameters
    ----------
    paths : list of path-like
        From `variants.measured`, of every row and fold, fold changing fastest.
    outputs : dict of str to path-like
        `page`, `ranks`, `influence` and `claims`.
    about : Multiverse

    Raises
    ------
    InputError
        If a file is of another row or fold.
    """
    ranks = multiverse.ranked(_read(paths, about))
    influence = multiverse.influence(ranks)
    usual = {**about.usual, "folds": _all_folds(about)}
    claims = multiverse.claimed(ranks, about.claims.get("claims", {}), usual)
    tsv.write(ranks, outputs["ranks"])
    tsv.write(influence, outputs["influence"])
    tsv.write(claims, outputs["claims"])
    headline = about.headline or next(iter(claims["claim"]), None)
    pages.write(
        outputs["page"],
        "multiverse_page.html.j2",
        title="Ranks in all combinations of choices",
        simulated=about.simulated,
        warnings=[],
        paper=about.claims.get("paper", ""),
        headline=next(iter(_claims(claims[claims["claim"] == headline], ranks)), None),
        claims=list(_claims(claims, ranks)),
        combinations=len(ranks[["test_set", *multiverse.CHOICES]].drop_duplicates()),
        choices=[
            (NAMES[name], ", ".join(map(str, ranks[name].unique()))) for name in multiverse.CHOICES
        ],
        ranks=canvas.inline_svg(ranks_figure(ranks, about)) if len(ranks) else "",
        influence=canvas.inline_svg(influence_figure(influence, about)) if len(influence) else "",
        best=list(_best(ranks, about)),
    )


def _read(paths, about):
    tables = []
    names = [(row, fold) for row in about.labels for fold in about.folds]
    for path, (row, fold) in zip(paths, names, strict=True):
        table = tsv.read(path)
        if set(zip(table["row"], table["fold"])) != {(row, fold)}:
            raise InputError(f"{path}: is not of row {row} and fold {fold}; {AGAIN}")
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _claims(claims, ranks):
    """What is said of each claim."""
    for _, line in claims.iterrows():
        parts = []
        for choice in multiverse.CHOICES:
            values = list(dict.fromkeys(map(str, ranks[choice])))
            shares = [line.get(f"{choice}_{value}", np.nan) for value in values]
            known = [(v, s) for v, s in zip(values, shares) if not pd.isna(s)]
            if len(known) > 1 and len({s for _, s in known}) > 1:
                told = ", ".join(f"{value} {share_text(share)} %" for value, share in known)
                parts.append(f"{NAMES[choice]}: {told}")
        yield {
            "title": line["title"],
            "share": share_text(line["holds"]),
            "combinations": line["combinations"],
            "usual": {1: "yes", 0: "no"}.get(line["usual"], DASH),
            "parts": parts,
        }


def share_text(share: float) -> str:
    """A share in whole per cent, without the sign: 0 is none, and 100 is all.

    Parameters
    ----------
    share : float
        Of the combinations, 0 to 1; a dash if it is missing.
    """
    text = percent(share, 0)
    if text == "0" and share > 0:
        return "<1"
    return ">99" if text == "100" and share < 1 else text


def _best(ranks, about):
    """Per test set: which rows are best, and in what share of the combinations."""
    for test_set in about.test_sets:
        part = ranks[ranks["test_set"] == test_set]
        if part.empty:
            continue
        first = part.loc[part.groupby(multiverse.CHOICES, sort=False)["rank"].idxmin(), "row"]
        shares = first.value_counts(normalize=True)
        told = [f"{_name(row, about)} {share_text(share)} %" for row, share in shares.items()]
        yield test_set.upper(), ", ".join(told)


def _name(row, about):
    method, _, trained_on = row.partition("-")
    label = about.labels.get(row, method)
    return f"{label} ({trained_on.upper()})" if trained_on else label


def ranks_figure(ranks: pd.DataFrame, about: Multiverse) -> Figure:
    """How often each row has each rank, a panel per test set; rows in the order of their medians.

    The ring is the rank in Table 1.
    """
    test_sets = [name for name in about.test_sets if name in set(ranks["test_set"])]
    n = len(about.labels)
    figure, axes = canvas.grid(
        1, len(test_sets), (9.6 / max(len(test_sets), 2), max(0.25 * n, 1.5) + 0.9)
    )
    for panel, test_set in zip(axes[0], test_sets):
        part = ranks[ranks["test_set"] == test_set]
        middle = part.groupby("row")["rank"].agg(["median", "mean"])
        order = list(middle.sort_values(["median", "mean"]).index)
        share = np.zeros((n, n))
        for place, row in enumerate(order):
            found = np.clip(part.loc[part["row"] == row, "rank"].astype(int), 1, n)
            share[place] = np.bincount(found - 1, minlength=n) / len(found)
        panel.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        usual = part[_is_usual(part, about)].set_index("row")["rank"]
        for place, row in enumerate(order):
            if row in usual.index:
                panel.plot(
                    usual[row] - 1, place, "o", color=colours.COLOURS[1], markerfacecolor="none"
                )
        labels = [canvas.row_label(row, about.labels[row]) for row in order]
        panel.set_yticks(range(n), labels, fontsize=7)
        panel.set_xticks(range(0, n, 3), [str(i + 1) for i in range(0, n, 3)])
        panel.set(title=test_set.upper(), xlabel="rank")
        panel.tick_params(axis="y", length=0)
    canvas.heading(figure, "Ranks over all combinations", about.simulated)
    return figure


def _all_folds(about):
    """The value of `folds` that Table 1 is of."""
    return "all" if len(about.folds) > 1 else str(about.folds[0])


def _is_usual(part, about):
    """Lines of the combination that Table 1 is in, over all folds that run."""
    is_usual = part["folds"] == _all_folds(about)
    for choice, value in about.usual.items():
        is_usual &= part[choice] == value
    return is_usual


def influence_figure(influence: pd.DataFrame, about: Multiverse) -> Figure:
    """How far a choice alone changes the order, a bar per choice and test set."""
    choices = [name for name in multiverse.CHOICES if name in set(influence["choice"])]
    figure, axes = canvas.grid(1, 2, (4.2, 0.32 * len(choices) + 1.2), sharey=True)
    titles = {"tau_b": "agreement of the order, τ", "best_changes": "another row is best, %"}
    width = 0.8 / len(about.test_sets)
    for panel, (column, title) in zip(axes[0], titles.items()):
        for place, test_set in enumerate(about.test_sets):
            part = influence[influence["test_set"] == test_set].set_index("choice")
            values = part[column].reindex(choices) * (100 if column == "best_changes" else 1)
            y = np.arange(len(choices)) + (place + 0.5) * width - 0.4
            colour = colours.COLOURS[place % len(colours.COLOURS)]
            panel.barh(y, values, 0.9 * width, color=colour, label=test_set.upper())
        panel.set(title=title)
        panel.set_yticks(range(len(choices)), [NAMES[name] for name in choices])
        panel.set_ylim(len(choices) - 0.5, -0.5)
        panel.xaxis.set_major_locator(MaxNLocator(5))
    axes[0, 0].set_xlim(left=min(0, influence["tau_b"].min()), right=1)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)
    canvas.heading(figure, "What one choice alone changes", about.simulated)
    return figure
