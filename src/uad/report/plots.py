"""Plots of the report: splits, training, weights of the fusion, precision-recall, lesion volume.

Every function takes tables and returns a figure; scripts read the tables and save it.
"""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from uad.base import colours
from uad.data.splits import ROLES
from uad.report import canvas
from uad.report.numbers import duration

COLUMNS = 4  # panels side by side
MARKERS = "os^Dv"
SADM_RES = colours.COLOURS[1]
CROWD = 25  # subjects from which on medians of fifths are drawn


def subjects_per_role(splits: Mapping[str, pd.DataFrame], ages: Mapping[str, pd.Series]) -> Figure:
    """Subjects per role and fold, a panel per data set, and the ages of the roles of some.

    Parameters
    ----------
    splits : dict of str to DataFrame
        Split table of each data set.
    ages : dict of str to Series
        Of data sets that know them: years by subject, missing where not known.
    """
    figure, axes = canvas.grid(1, len(splits) + len(ages), (2.5, 2.9))
    for panel, (name, split) in zip(axes[0], splits.items()):
        counts = split.groupby(["fold", "role"]).size().unstack(fill_value=0)
        bottom = 0
        for role, colour in zip(ROLES, colours.COLOURS):
            if role in counts:
                height = counts[role]
                bars = panel.bar(counts.index, height, bottom=bottom, color=colour, label=role)
                panel.bar_label(bars, label_type="center", color="white")
                bottom = bottom + height
        panel.set(title=name, xlabel="fold", xticks=counts.index)
    axes[0, 0].set_ylabel("subjects")
    axes[0, 0].legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -0.2), ncols=3)
    for panel, (name, years) in zip(axes[0, len(splits) :], ages.items()):
        _ages(panel, name, splits[name], years)
    return figure


def _ages(panel, name, split, ages):
    for position, (role, colour) in enumerate(zip(ROLES, colours.COLOURS)):
        chosen = split.loc[split["role"] == role, "subject"].drop_duplicates()
        years = ages.reindex(chosen).dropna()
        panel.plot([position] * len(years), years, "o", color=colour, alpha=0.5, markersize=4)
    panel.set(
        title=f"{name}: age",
        xticks=range(len(ROLES)),
        xticklabels=ROLES,
        ylabel="years",
        ylim=(0, 100),
        xlim=(-0.5, len(ROLES) - 0.5),
    )


def training(histories: Mapping[str, Sequence[pd.DataFrame]], folds: Sequence[int]) -> Figure:
    """Training loss (pale) and validation loss (full) per epoch, a panel per model.

    The dot marks the lowest validation loss, whose weights are used. Dotted, on the right axis, is
    the Dice of the validation slices, of models that learn masks. Headings have the steps and the
    time of a training, mean over folds.

    Parameters
    ----------
    histories : dict of str to list of DataFrame
        `history.tsv` of each model, in the order of `folds`.
    folds : list of int
    """
    columns = min(COLUMNS, len(histories))
    figure, axes = canvas.grid(math.ceil(len(histories) / columns), columns, (2.75, 2.3))
    for panel in axes.ravel()[len(histories) :]:
        panel.set_axis_off()
    for panel, (model, tables) in zip(axes.ravel(), histories.items()):
        positive = True
        for fold, colour, history in zip(folds, itertools.cycle(colours.COLOURS), tables):
            panel.plot(
                history["epoch"], history["train_loss"], color=colour, alpha=0.35, linewidth=1
            )
            validated = history.dropna(subset=["val_loss"])
            best = best_epoch(history)
            panel.plot(
                validated["epoch"], validated["val_loss"], color=colour, label=f"fold {fold}"
            )
            panel.plot(best["epoch"], best["val_loss"], "o", color=colour, markersize=4)
            positive &= (history[["train_loss", "val_loss"]].min() > 0).all()
        panel.set(title=f"{model}\n{_effort(tables)}", xlabel="epoch")
        _dice(panel, tables)
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if positive:
            canvas.log_scale(panel, "y")
    for line in axes:
        line[0].set_ylabel("loss")
    axes[0, 0].legend(frameon=False)
    return figure


def _effort(histories: Sequence[pd.DataFrame]) -> str:
    """Steps and time of a training, mean over folds, as far as they are known."""
    parts = []
    known = [table["steps"].sum() for table in histories if "steps" in table]
    if known and min(known) > 0:  # an imported model does not tell
        parts.append(f"{np.mean(known):,.0f} steps")
    if all("seconds" in table for table in histories):
        parts.append(duration(np.mean([table["seconds"].sum() for table in histories])))
    return ", ".join(parts)


def _dice(panel: Axes, histories: Sequence[pd.DataFrame]) -> None:
    """Dice of the validation slices, a line per fold, on an axis of its own from 0 to 100 %."""
    known = [
        table.dropna(subset=["val_dice"]) if "val_dice" in table else table.iloc[:0]
        for table in histories
    ]
    if not any(map(len, known)):
        return
    right = panel.twinx()
    for colour, table in zip(itertools.cycle(colours.COLOURS), known):
        if len(table):
            right.plot(table["epoch"], 100 * table["val_dice"], ":", color=colour, linewidth=1.2)
    right.set(ylim=(0, 100), ylabel="Dice, %")
    right.spines["right"].set_visible(True)


def best_epoch(history: pd.DataFrame) -> pd.Series:
    """The line of a `history.tsv` whose weights are used: the first with the lowest loss."""
    # An imported model may not tell the loss that it was chosen by.
    validated = history["val_loss"].notna().any()
    return history.loc[history["val_loss"].idxmin()] if validated else history.iloc[-1]


def mean_weights(table: pd.DataFrame) -> pd.DataFrame:
    """Means over subjects of a `curves.weight_table`, with their number in `n_subjects`."""
    groups = table.groupby(["d_unhealthy", "test_set", "fold", "beta"], sort=False)["dice_best"]
    found = groups.agg(dice_best="mean", n_subjects="count")
    return found.reset_index()


def weights(table: pd.DataFrame, colours: Mapping[str, str], ends: Sequence[str]) -> Figure:
    """[DICE] against the weight of the residual map (paper Fig. 5), a panel per test set.

    Lines are means over folds, bands one population standard deviation to either side.

    Parameters
    ----------
    table : DataFrame
        Of all folds, from `mean_weights`.
    colours : dict of str to str
        Of each D_unhealthy.
    """
    test_sets = list(table["test_set"].unique())
    figure, axes = canvas.grid(1, len(test_sets), (2.5, 3.2), sharey=True)
    for panel, test_set in zip(axes[0], test_sets):
        here = table[table["test_set"] == test_set]
        for trained_on in (name for name in colours if name in set(here["d_unhealthy"])):
            lines = here[here["d_unhealthy"] == trained_on]
            values = 100 * lines.pivot(index="beta", columns="fold", values="dice_best")
            mean, spread = values.mean(axis=1), values.std(axis=1, ddof=0)
            colour = colours[trained_on]
            panel.plot(
                mean,
                color=colour,
                marker=MARKERS[list(colours).index(trained_on)],
                markersize=4,
                label=trained_on.upper(),
            )
            panel.fill_between(
                mean.index, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0
            )
        if here["dice_best"].isna().all():
            _say_empty(panel)
        panel.axvline(0.5, color="grey", linewidth=0.8, linestyle=":")
        panel.set(title=f"tested on {test_set.upper()}", xlabel="β", xticks=(0, 0.25, 0.5, 0.75, 1))
        first, middle, last = map(canvas.subscript, ends)
        panel.set_xticklabels([f"0\n{first}", "", f"0.5\n{middle}", "", f"1\n{last}"])
    axes[0, 0].set(ylabel="[DICE], %", ylim=(0, None))
    _legend(figure, axes[0, 0], "trained on")
    return figure


def precision_recall(
    table: pd.DataFrame,
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    single: Collection[str] = (),
) -> Figure:
    """Precision against recall of the pooled test voxels, a panel per test set.

    Grey curves join points of equal Dice; the dotted line is the precision of chance; a dot marks
    the highest Dice of a curve.

    Parameters
    ----------
    table : DataFrame
        From `curves.precision_table`.
    labels : dict of str to str
        Rows, in order, and their labels.
    colours : dict of str to str
        Of each D_unhealthy; a row without one is black.
    single : collection of str
        Rows of a single map, which are dashed if they are trained on lesions.
    """
    test_sets = list(table["test_set"].unique())
    figure, axes = canvas.grid(1, len(test_sets), (2.5, 3.3), sharex=True, sharey=True)
    for panel, test_set in zip(axes[0], test_sets):
        here = table[table["test_set"] == test_set]
        for dice in (0.2, 0.4, 0.6, 0.8):
            recall = np.linspace(dice / (2 - dice), 1, 100)  # from where the precision is 1
            precision = dice * recall / (2 * recall - dice)
            panel.plot(recall, precision, color="#CCCCCC", linewidth=0.7, zorder=0)
            panel.text(1.01, precision[-1], f"{dice:g}", color="dimgrey", fontsize=7, va="center")
        for row, label in labels.items():
            trained_on = row.partition("-")[2]
            curve = here[here["row"] == row].dropna(subset=["recall", "precision"])
            style = "--" if trained_on and row in single else "-"
            colour = colours.get(trained_on, "black")
            panel.plot(
                curve["recall"],
                curve["precision"],
                color=colour,
                linestyle=style,
                linewidth=1.2,
                label=label,
            )
            dice = 2 * curve["precision"] * curve["recall"] / (curve["precision"] + curve["recall"])
            if len(curve):
                best = curve.loc[dice.idxmax()]
                panel.plot(best["recall"], best["precision"], "o", color=colour, markersize=4)
        if here["recall"].isna().all():
            _say_empty(panel)
        panel.axhline(here["prevalence"].iloc[0], color="black", linewidth=0.8, linestyle=":")
        panel.set(title=test_set.upper(), xlabel="recall", xlim=(0, 1), ylim=(0, 1.02))
        panel.set_xticks((0, 0.5, 1))
    axes[0, 0].set_ylabel("precision")
    _legend(figure, axes[0, 0])
    return figure


def lesion_volume(tables: Mapping[str, Mapping[str, pd.DataFrame]]) -> Figure:
    """Dice of every subject against the volume of its lesion, a panel per test set.

    Parameters
    ----------
    tables : dict of str to dict of str to DataFrame
        Test set to label to metrics, of all folds; subjects are averaged over folds and those
        without a lesion left out. In crowds the medians of fifths by volume are joined.
    """
    figure, axes = canvas.grid(1, len(tables), (2.5, 3.1), sharey=True)
    for panel, (test_set, series) in zip(axes[0], tables.items()):
        for (label, metrics), colour, marker in zip(series.items(), ("black", SADM_RES), MARKERS):
            mean = metrics.groupby("subject")[["lesion_ml", "dice_best"]].mean()
            mean = mean[mean["lesion_ml"] > 0].sort_values("lesion_ml")
            crowd = len(mean) >= CROWD
            panel.plot(
                mean["lesion_ml"],
                100 * mean["dice_best"],
                marker,
                color=colour,
                markersize=2.5 if crowd else 5,
                alpha=0.35 if crowd else 0.9,
                markeredgewidth=0,
                rasterized=crowd,
                label=None if crowd else label,
            )
            if crowd:
                fifths = np.array_split(np.arange(len(mean)), 5)
                middle = pd.DataFrame([mean.iloc[fifth].median() for fifth in fifths])
                panel.plot(
                    middle["lesion_ml"],
                    100 * middle["dice_best"],
                    color=colour,
                    marker=marker,
                    markersize=5,
                    linewidth=1.5,
                    markeredgecolor="white",
                    label=label,
                )
        panel.set(title=test_set.upper(), xlabel="lesion, ml", ylim=(0, 100))
        if all((metrics["lesion_ml"] == 0).all() for metrics in series.values()):
            _say_empty(panel)
        else:
            canvas.log_scale(panel, "x")
    axes[0, 0].set_ylabel("[DICE], %")
    _legend(figure, axes[0, 0])
    return figure


def _say_empty(panel: Axes) -> None:
    """Why nothing is drawn: no test subject of the panel's test set has a lesion."""
    place = {"transform": panel.transAxes, "ha": "center", "va": "center"}
    panel.text(0.5, 0.5, "no lesion,\nnot defined", color="dimgrey", **place)


def _legend(figure: Figure, panel: Axes, title: str | None = None) -> None:
    """Legend of a panel below all of them."""
    handles, names = panel.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, title=title)
