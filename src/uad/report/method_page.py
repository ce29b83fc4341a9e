"""Method cards: what a method is, what it was trained with, what it cost, on one page.

Everything is read from where it is decided: the docstring of the method's module, its block of the
configuration, the `about.json` and `history.tsv` of its models, and Snakemake's benchmark files. A
missing benchmark (results may have been copied without them) shows as a dash.
"""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from uad.report import canvas, joined, pages, plots
from uad.report.costs import measured
from uad.report.numbers import DASH, duration, memory, percent


@dataclass(frozen=True)
class Method:
    """A trained method, as its module and the configuration have it.

    Attributes
    ----------
    name : str
    docstring : str
        Of its module.
    block : dict
        Its block of the configuration.
    rows : list of str
        Rows of Table 1 that use it.
    """

    name: str
    docstring: str
    block: Mapping[str, Any]
    rows: Sequence[str]


@dataclass(frozen=True)
class Run:
    """A model of a method in one fold: its `about.json`, its `history.tsv`, and `costs` of it."""

    model: str
    fold: int
    about: Mapping[str, Any]
    history: pd.DataFrame
    costs: Mapping[str, tuple[float, float]]


def read_runs(
    epochs: Mapping[str, int],
    folds: Sequence[int],
    abouts: Sequence[str | Path],
    histories: Sequence[str | Path],
    root: str | Path,
) -> list[Run]:
    """All models of a method.

    Parameters
    ----------
    epochs : dict of str to int
        That each model is trained for.
    folds : list of int
    abouts, histories : list of path-like
        `about.json` and `history.tsv` of each model and fold, fold changing fastest.
    root : path-like
        Results folder, for the benchmark files.
    """
    found = joined.histories(histories, epochs, folds)
    keys = [(model, fold) for model in epochs for fold in folds]
    return [
        Run(
            model,
            fold,
            joined.record(about),
            history,
            costs(root, model, fold),
        )
        for (model, fold), about, history in zip(
            keys, abouts, itertools.chain(*found.values()), strict=True
        )
    ]


def write(path: str | Path, method: Method, runs: Sequence[Run], simulated: bool) -> None:
    """Write the card of one trained method.

    Parameters
    ----------
    path : path-like
    method : Method
    runs : list of Run
        From `read_runs`.
    simulated : bool
    """
    by_model: dict[str, list[pd.DataFrame]] = {}
    for run in filter(_trained, runs):
        by_model.setdefault(run.model, []).append(run.history)
    folds = list(dict.fromkeys(run.fold for run in runs))
    title, idea, departures = sections(method.docstring)
    sources = {key: method.block[key] for key in ("upstream", "pretrained")}
    settings = {key: value for key, value in method.block.items() if key not in sources}
    pages.write(
        path,
        "method_page.html.j2",
        title=f"Method {_called(title) or method.name}",
        simulated=simulated,
        method={
            "key": f"methods.{method.name}",
            "title": title,
            "idea": idea,
            "departures": departures,
            "rows": method.rows,
            "settings": flat(settings),
            **sources,
        },
        linked=any(name and "/" not in name for name in sources.values()),
        curves=canvas.inline_svg(plots.training(by_model, folds)) if by_model else "",
        models=[[run.model, run.fold, *_learnt(run), *_cost(run.costs)] for run in runs],
        provenance=[
            [run.model, run.fold, *(_said(run.about, key) for key in ("code", "seed", "revision"))]
            for run in runs
        ],
        versions="; ".join(dict.fromkeys(_versions(run.about) for run in runs)),
        DASH=DASH,
    )


def sections(docstring: str) -> tuple[str, list[str], list[str]]:
    """Parts of a method's docstring.

    Returns
    -------
    title : str
        Its first paragraph.
    idea, departures : list of str
        The other paragraphs; departures begin with "Differs from".
    """
    title, *others = (" ".join(p.split()) for p in re.split(r"\n\s*\n", docstring.strip()))
    departures = [p for p in others if p.startswith("Differs from")]
    return title, [p for p in others if p not in departures], departures


def _called(title: str) -> str:
    """A method's name, which is before a colon in its docstring; empty if it has none."""
    name, colon, _ = title.partition(": ")
    return name if colon else ""


def flat(block: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Keys (dotted) and values (as in YAML) of a block of the configuration."""
    found = []
    for key, value in block.items():
        if isinstance(value, dict) and value:
            found += flat(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, value if isinstance(value, str) else json.dumps(value)))
    return found


def costs(root: str | Path, model: str, fold: int) -> dict[str, tuple[float, float]]:
    """Time and memory of a model's jobs, from the benchmark files of the results folder.

    Returns
    -------
    dict of str to (float, float)
        Rule to seconds (all test sets together) and highest memory in MiB, NaN where not measured.
    """
    folder = Path(root) / "benchmarks"
    run = f"{model}/fold-{fold}"
    return {
        "train_model": measured([folder / f"train_model/{run}.tsv"]),
        "reconstruct": measured(sorted((folder / f"reconstruct/{run}").glob("*.tsv"))),
        "score": measured([folder / f"score/{run}.tsv"]),
    }


def _trained(run: Run) -> bool:
    """Whether a run's method has weights that are trained by gradient."""
    return len(run.history) > 0


def _said(about: Mapping[str, Any], key: str) -> Any:
    """What a record says; an imported model has no seed."""
    return DASH if about[key] is None else about[key]


def _learnt(run: Run) -> list[str]:
    """Parameters, epochs, steps, the best epoch with its loss and Dice, seconds per epoch."""
    n = run.about["parameters"]
    counts = f"{n['trained']:,}" + (f" + {n['frozen']:,} frozen" if n["frozen"] else "")
    if not _trained(run):
        return [counts, "0", *[DASH] * 5]
    best = plots.best_epoch(run.history)
    steps = run.history["steps"].sum() if "steps" in run.history else 0
    return [
        counts,
        f"{len(run.history)}",
        f"{steps:,.0f}" if steps else DASH,  # of an imported model
        f"{best['epoch']:.0f}",
        DASH if pd.isna(best["val_loss"]) else f"{best['val_loss']:.4g}",
        percent(best.get("val_dice")),
        f"{run.history['seconds'].mean():.1f} s",
    ]


def _cost(jobs: Mapping[str, tuple[float, float]]) -> list[str]:
    """Time and memory of each rule."""
    return [
        text
        for seconds, mebibytes in jobs.values()
        for text in (duration(seconds), memory(mebibytes / 1024))
    ]


def _versions(about: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in about["versions"].items())
