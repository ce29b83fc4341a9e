"""Method cards: what a method is, what it was trained with, what it cost, on one page.

All of it is read from where it is decided: the docstring of the method's module, its block of the
configuration, the `about.json` and `history.tsv` of its models, and Snakemake's benchmark files. A
benchmark that is missing, since results were copied without it, shows as a dash.
"""

import json
import re
from html import escape
from pathlib import Path

import numpy as np

from uad.base import tsv
from uad.report import canvas, pages, plots
from uad.report.costs import DASH, duration, measured


def write(path, method, docstring, block, rows, models, folds, abouts, histories, simulated):
    """Write the card of one trained method.

    Parameters
    ----------
    path : path-like
        In a folder of the results folder.
    method : str
    docstring : str
        Of its module.
    block : dict
        Its block of the configuration.
    rows : list of str
        Rows of Table 1 that use it.
    models : list of str
        Its models.
    folds : list of int
    abouts, histories : list of path-like
        `about.json` and `history.tsv` of each model and fold, fold changing fastest.
    simulated : bool
    """
    root = Path(path).parents[1]
    runs = [(model, fold) for model in models for fold in folds]
    abouts = [json.loads(Path(p).read_text(encoding="utf-8")) for p in abouts]
    histories = [tsv.read(p) for p in histories]
    title, idea, departures = sections(docstring)
    lines = [
        [*run, *_learnt(about, history), *_cost(costs(root, *run))]
        for run, about, history in zip(runs, abouts, histories)
    ]
    by_model = {
        model: [table for (name, _), table in zip(runs, histories) if name == model]
        for model in models
    }
    sources = [_source(block[key]) for key in ("upstream", "pretrained")]
    body = _BODY.format(
        title=_prose(title),
        idea="\n".join(f"<p>{_prose(paragraph)}</p>" for paragraph in idea),
        departures="\n".join(f"<p>{_prose(paragraph)}</p>" for paragraph in departures)
        or "<p>The module names none.</p>",
        upstream=sources[0],
        pretrained=sources[1],
        links=_LINKS if any("<a " in source for source in sources) else "",
        rows=", ".join(map(escape, rows)) or DASH,
        settings=_rows(
            [f"<code>{escape(key)}</code>", escape(value)]
            for key, value in flat(block)
            if key not in ("upstream", "pretrained")
        ),
        models=_rows(map(_cells, lines)),
        curves=canvas.inline_svg(plots.training(by_model, folds)),
        provenance=_rows(
            _cells([*run, about["code"], about["seed"], about["revision"]])
            for run, about in zip(runs, abouts)
        ),
        dash=DASH,
        versions="; ".join(dict.fromkeys(_versions(about) for about in abouts)),
    )
    warnings = [pages.SIMULATED] if simulated else []
    pages.write(path, f"Method {method}", body, warnings, _STYLE)


def sections(docstring):
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


def flat(block, prefix=""):
    """Keys (dotted) and values (as in YAML) of a block of the configuration."""
    found = []
    for key, value in block.items():
        if isinstance(value, dict) and value:
            found += flat(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, value if isinstance(value, str) else json.dumps(value)))
    return found


def costs(root, model, fold):
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


def _learnt(about, history):
    """Parameters, epochs, the best one and its loss, seconds per epoch, as text."""
    best = plots.best_epoch(history)
    parameters = f"{about['parameters']['trained']:,}"
    if about["parameters"]["frozen"]:
        parameters += f" + {about['parameters']['frozen']:,} frozen"
    return [
        parameters, f"{len(history)}", f"{best['epoch']:.0f}", f"{best['val_loss']:.4g}",
        f"{history['seconds'].mean():.1f} s",
    ]  # fmt: skip


def _cost(jobs):
    """Time and memory of each rule, as text."""
    cells = []
    for seconds, mebibytes in jobs.values():
        memory = f"{mebibytes / 1024:.1f} GiB" if np.isfinite(mebibytes) else DASH
        cells += [duration(seconds), memory]
    return cells


def _versions(about):
    return escape(", ".join(f"{name} {version}" for name, version in about["versions"].items()))


def _source(name):
    """Where weights or reconstructions come from: a method with its card, a file, or nothing."""
    if name is None:
        return "none"
    if "/" in name:
        return f"<code>{escape(name)}</code>"
    return f'<a href="{escape(name)}.html">{escape(name)}</a>'


def _prose(text):
    """Plain text as HTML, names in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _cells(line):
    """Any values as cells of `_rows`."""
    return [escape(str(value)) for value in line]


def _rows(lines):
    """Rows of a table; cells are HTML."""
    return "\n".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in lines
    )


_STYLE = """\
h2 { font-size: 1.1rem; margin: 1.4rem 0 .4rem; }
table { margin: .4rem 0; }
.models td:nth-child(n+2) { text-align: right; font-variant-numeric: tabular-nums; }
.uses td:last-child, .settings td { white-space: normal; }
svg { max-width: 100%; height: auto; }
"""

_LINKS = (
    '<p><span class="where">Links work where this page lies in the results folder, not in the '
    "report.</span></p>"
)

_BODY = """\
<p><b>{title}</b></p>
{idea}
<h2>Departures</h2>
{departures}
<h2>Uses</h2>
<table class="uses"><tbody>
<tr><td>Stands on</td><td>{upstream}</td></tr>
<tr><td>Starts from the weights of</td><td>{pretrained}</td></tr>
<tr><td>Rows of Table 1</td><td>{rows}</td></tr>
</tbody></table>
{links}
<h2>Training</h2>
<p>Training loss pale, validation loss full, per epoch; the dot marks the epoch whose weights are
used.</p>
{curves}
<h2>Models</h2>
<p>Its loss: the lowest validation loss. Time and highest memory of the host (not of the GPU) are
Snakemake's for the last run of each job: one that was interrupted counts from where it went on.
Reconstructing and scoring are for all test sets together; {dash}: not measured.</p>
<div class="scroll"><table class="models">
<thead><tr><th rowspan="2">Model</th><th rowspan="2">Fold</th><th rowspan="2">Parameters</th>
<th rowspan="2">Epochs</th><th rowspan="2">Best epoch</th><th rowspan="2">Its loss</th>
<th rowspan="2">Per epoch</th><th colspan="2">Training</th><th colspan="2">Reconstructing</th>
<th colspan="2">Scoring</th></tr><tr><th>time</th><th>memory</th><th>time</th><th>memory</th>
<th>time</th><th>memory</th></tr></thead>
<tbody>
{models}
</tbody></table></div>
<h2>Settings</h2>
<div class="scroll"><table class="settings"><tbody>
{settings}
</tbody></table></div>
<h2>Provenance</h2>
<p>Of the files <code>models/*/fold-*/model.pt</code>. Versions: {versions}.</p>
<div class="scroll"><table>
<thead><tr><th>Model</th><th>Fold</th><th>Code digest</th><th>Seed</th><th>Git revision</th></tr>
</thead>
<tbody>
{provenance}
</tbody></table></div>
"""
