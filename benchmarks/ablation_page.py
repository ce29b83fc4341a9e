"""What the runs of `ablation.py` show: changes, paired by subject, and `docs/ablation.md`."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import run
from scipy import stats

from uad.base import seeding
from uad.evaluation import statistics
from uad.plan import docs
from uad.report import canvas, departures

PAGE, PARITY = Path("docs/ablation.md"), Path("docs/parity.md")
SETS = {"brats": "BRATS", "atlas": "ATLAS", "draem": "DRAEM"}
METRICS = {"dice_best": "[DICE]", "dice_val": "Dice_val"}
# Runs that turn no single topic of the table of departures.
NAMED = {
    "again_unet_res": "*nothing: Unet_res trained with other random numbers*",
    "again": "*nothing: all trained with other random numbers*",
    "released": "*all of `released.yaml`*",
}
LIMIT = 10  # points, of the colours


class Run(NamedTuple):
    """A finished run.

    Attributes
    ----------
    config : dict
        Checked.
    metrics : DataFrame
        Of the subjects, of all rows.
    trained : int
        Models that were trained anew.
    minutes : float
        Of processor time.
    """

    config: dict
    metrics: pd.DataFrame
    trained: int
    minutes: float


def changes(base, turned, ranked, seed):
    """Change of each row, test set and metric, paired by subject, and of its rank.

    Parameters
    ----------
    base, turned : DataFrame
        Metrics of subjects, of all rows.
    ranked : list of str
        Rows that have a rank, 1 for the highest [DICE].
    seed : int

    Returns
    -------
    DataFrame
        Columns test_set, metric, row, n, base, turned (means), change, low, high (percentile
        bootstrap over subjects); rank_base, rank_turned, rank_low and rank_high (of the change of
        rank), missing for rows without a rank.
    """
    before, after = (statistics.subject_means(table, METRICS) for table in (base, turned))
    lines = []
    for (test_set, metric), of_base in before.items():
        both = of_base.index.intersection(after[test_set, metric].index)
        pair = [table.loc[both, of_base.columns] for table in (of_base, after[test_set, metric])]
        missing = pair[0].isna() | pair[1].isna()
        pair = [table.mask(missing) for table in pair]
        rng = seeding.generator(seed, "ablation", test_set, metric)
        low, high = statistics.bootstrap((pair[1] - pair[0]).to_numpy(), rng)
        found = {"n": (~missing).sum(), "base": pair[0].mean(), "turned": pair[1].mean()}
        table = pd.DataFrame(found | {"change": found["turned"] - found["base"]})
        table = table.assign(low=low, high=high)
        places = rank_changes(*(each[ranked].dropna() for each in pair), rng)
        lines.append(
            table.join(places).rename_axis("row").reset_index()
            .assign(test_set=test_set, metric=metric)
        )  # fmt: skip
    first = ["test_set", "metric"]
    table = pd.concat(lines, ignore_index=True)
    return table[first + [name for name in table.columns if name not in first]]


def rank_changes(before, after, rng):
    """Ranks of rows by their mean, and an interval of how each changes when subjects are resampled.

    Parameters
    ----------
    before, after : DataFrame
        Subjects by rows, the same ones.
    rng : numpy.random.Generator
    """

    def ranks(means):
        return stats.rankdata(-means, axis=0)

    def shift(values, axis):
        means = np.round(values.mean(axis=axis), 12)  # equal rows share a rank
        return ranks(means[rows:]) - ranks(means[:rows])

    rows = before.shape[1]
    table = pd.DataFrame(index=before.columns)
    table["rank_base"], table["rank_turned"] = (
        ranks(np.round(each.mean().to_numpy(), 12)) for each in (before, after)
    )
    if len(before) > 1:
        interval = stats.bootstrap(
            (np.concatenate([before, after], axis=1).T,),
            shift,
            axis=-1,
            vectorized=True,
            n_resamples=statistics.RESAMPLES,
            batch=statistics.RESAMPLES // 10,
            confidence_level=statistics.LEVEL,
            method="percentile",
            rng=rng,
        ).confidence_interval
        table["rank_low"], table["rank_high"] = interval.low, interval.high
    return table


def inflation(base, turned, seed):
    """How many times as large lesions of test subjects are: n, mean and interval by test set."""
    volumes = [
        table.groupby(["test_set", "subject"], sort=False)["lesion_ml"].first()
        for table in (base, turned)
    ]
    ratio = (volumes[1] / volumes[0]).where(volumes[0] > 0).dropna()
    lines = []
    for test_set, part in ratio.groupby(level="test_set", sort=False):
        rng = seeding.generator(seed, "inflation", test_set)
        low, high = statistics.bootstrap(part.to_numpy()[:, None], rng)
        lines.append((test_set, len(part), part.mean(), low[0], high[0]))
    return pd.DataFrame(lines, columns=["test_set", "n", "ratio", "low", "high"])


# The page.


def in_points(value):
    """Of a fraction, to one decimal; never minus zero."""
    return round(100 * value, 1) + 0.0


def points(line):
    """A change in points, with its interval."""
    if pd.isna(line.change):
        return "n/a"
    change, low, high = map(in_points, line[["change", "low", "high"]])
    return f"{change:+.1f} [{low:.1f}, {high:.1f}]"


def places(line):
    """A rank and what becomes of it, with the interval of its change."""
    if pd.isna(line.rank_base):
        return "–"
    both = f"{line.rank_base:g} → {line.rank_turned:g}"
    return both if pd.isna(line.rank_low) else f"{both} [{line.rank_low:+g}, {line.rank_high:+g}]"


def clear(table):
    """Lines whose interval leaves out zero; of too few subjects none does."""
    return (table["n"] >= statistics.FEWEST) & ((table["low"] > 0) | (table["high"] < 0))


def said(name, runs):
    """A run in words: topic, how the base has it, how this run has it."""
    if name in NAMED:
        return NAMED[name], "", ""
    before, after = (
        {line["name"]: line for line in departures.table(runs[run].config)}
        for run in ("base", name)
    )
    return before[name]["topic"], before[name]["here"], after[name]["here"]


def per_set(values):
    """A cell with a value for each test set."""
    return " / ".join(map(str, values))


def summary(found, runs):
    """A line per run."""
    header = [
        "Departure", "Base", "Turned", "Models trained anew", "Rows with a clear change, of 22",
        "Largest change of [DICE]", "Its rank", "Mean size of changes of [DICE]",
        "Mean change of Dice_val", "τ", "Processor minutes",
    ]  # fmt: skip
    lines = []
    for name, table in found.items():
        ranked = table.dropna(subset=["rank_base"])
        dice, tuned = (
            {s: ranked[(ranked["metric"] == metric) & (ranked["test_set"] == s)] for s in SETS}
            for metric in METRICS
        )
        every = pd.concat(dice.values())
        largest, rank = "none", "–"
        if every["change"].any():
            line = every.loc[every["change"].abs().idxmax()]
            largest = f"{line['row']} on {SETS[line['test_set']]}: {points(line)}"
            rank = places(line)
        taus = [stats.kendalltau(part["base"], part["turned"]).statistic for part in dice.values()]
        lines.append(
            [
                *said(name, runs),
                runs[name].trained,
                per_set(
                    clear(part).sum() if part["n"].max() >= statistics.FEWEST else "–"
                    for part in dice.values()
                ),
                largest,
                rank,
                per_set(f"{in_points(part['change'].abs().mean()):.1f}" for part in dice.values()),
                per_set(f"{in_points(part['change'].mean()):+.1f}" for part in tuned.values()),
                per_set(f"{tau:.2f}" for tau in taus),
                f"{runs[name].minutes:.1f}",
            ]
        )
    return run.table(header, lines)


def details(found, runs):
    """Every row that changes, folded away, a table per run."""
    parts = []
    for name, table in found.items():
        topic, _, turned = said(name, runs)
        title = f"{topic}: {turned}" if turned else topic.strip("*").replace("`", "")
        changing = table.loc[table["change"] != 0, "metric"]
        if changing.empty:
            parts.append(f"**{title}**: no value of any row changes.")
            continue
        metric = next(name for name in METRICS if name in set(changing))
        header = ["Row", *(c for s in SETS.values() for c in (f"{s} {METRICS[metric]}", "Rank"))]
        lines = []
        for row, of_row in table[table["metric"] == metric].groupby("row", sort=False):
            if of_row["change"].any():
                by_set = {line["test_set"]: line for _, line in of_row.iterrows()}
                cells = [(points(by_set[s]), places(by_set[s])) for s in SETS]
                lines.append([row, *(cell for pair in cells for cell in pair)])
        rows = f"{len(lines)} row" + "s" * (len(lines) != 1)
        head = f"<details><summary>{title} ({METRICS[metric]}; {rows})</summary>"
        parts.append(f"{head}\n\n{run.table(header, lines)}\n\n</details>")
    return "\n\n".join(parts)


def of_inflation(table):
    """How lesions grow by the linear warp."""
    lines = [
        [SETS[line.test_set], line.n, f"{line.ratio:.2f} [{line.low:.2f}, {line.high:.2f}]"]
        for line in table.itertuples()
    ]
    return run.table(["Test set", "Subjects", "Volume after the linear warp, times"], lines)


def side_by_side(tables, rows):
    """[DICE] by the authors' search, and AUPRC, of every row under several configurations."""
    means = {
        name: table.groupby(["row", "test_set"])[["dice_best_released", "auprc"]].mean() * 100
        for name, table in tables.items()
    }
    lines = []
    for row in rows:
        pairs = [means[name].loc[(row, s)] for s in SETS for name in means]
        lines.append([row, *("{:.1f} ({:.1f})".format(*pair) for pair in pairs)])
    return run.table(["Row", *(f"{s}, {name}" for s in SETS.values() for name in means)], lines)


def picture(found, runs, rows):
    """Heat map of the changes of [DICE]: a panel per test set, runs by rows."""
    names = [said(name, runs)[0].strip("*").replace("`", "") for name in found]
    figure, axes = canvas.grid(1, len(SETS), (3.4, 1.6 + 0.17 * len(names)))
    for panel, (test_set, shown) in zip(axes[0], SETS.items()):
        parts = [
            table[(table["test_set"] == test_set) & (table["metric"] == "dice_best")]
            .set_index("row")
            .loc[rows]
            for table in found.values()
        ]
        values = 100 * np.array([part["change"] for part in parts])
        image = panel.imshow(values, cmap="PuOr_r", vmin=-LIMIT, vmax=LIMIT, aspect="auto")
        y, x = np.nonzero(np.array([clear(part) for part in parts]))
        panel.plot(x, y, ".", color="black", markersize=3)
        panel.set(title=shown, xticks=range(len(rows)), yticks=range(len(names)))
        panel.set_xticklabels(rows, rotation=90, fontsize=6)
        panel.set_yticklabels(names if panel is axes[0, 0] else [], fontsize=6)
    figure.colorbar(image, ax=axes[0], label="change of [DICE], points", extend="both")
    canvas.heading(figure, "What each departure is worth", simulated=True)
    return figure


def compared(runs):
    """Rows that have a rank, and what changes from the base to each other run."""
    config = runs["base"].config
    rows = [row for row, about in config["rows"].items() if about["block"] != statistics.CONTROL]
    before = runs["base"].metrics
    return rows, {
        name: changes(before, turned.metrics, rows, config["seed"])
        for name, turned in runs.items()
        if name != "base"
    }


def write(demo, study, not_yet, left_out):
    """Fill in the pages.

    Parameters
    ----------
    demo, study : dict of str to Run
        Finished runs by name, with their ``base``; fewer than two are not compared.
    not_yet : list of str
        Runs of the demo that are not finished.
    left_out : dict of str to str
        Topics that no run turns, and why.
    """
    topics = {fact["name"]: fact["topic"] for fact in departures.read_facts()} | NAMED
    missing = dict.fromkeys(not_yet, "not run yet") | left_out
    parts = {
        "run": run.measured_on(),
        "not run": run.table(
            ["Departure", "Why"], [[topics[name], why] for name, why in missing.items()]
        ),
    }
    if len(demo) > 1:
        rows, found = compared(demo)
        parts |= {"summary": summary(found, demo), "details": details(found, demo)}
        canvas.save(picture(found, demo, rows), PAGE.with_name("ablation.svg"))
        if "lesions" in demo:
            pair = demo["base"].metrics, demo["lesions"].metrics
            parts["inflation"] = of_inflation(inflation(*pair, demo["base"].config["seed"]))
        names = {"`config.yaml`": "base", "`released.yaml`": "released"}
        tables = {shown: demo[name].metrics for shown, name in names.items() if name in demo}
        docs.fill_in(PARITY, {"side by side": side_by_side(tables, rows)})
    if len(study) > 1:
        _, found = compared(study)
        parts |= {"study": summary(found, study), "study details": details(found, study)}
    docs.fill_in(PAGE, parts)
