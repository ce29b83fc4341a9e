"""The front page: what was run, whether it worked, how it compares with the paper, what it cost.

All of it is read from the results folder, so that a run that stopped half-way has such a page too
(`FAILED`), with what there is.
"""

import base64
import io
import json
from html import escape
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd

from uad.base import logs, tsv
from uad.report import costs as run_costs
from uad.report import pages, plots
from uad.report.costs import DASH, duration

FAILED = "failed.html"  # beside the page of a run that came to its end
TABLES_LOG = "compare.log"
NO_RESULT = ("check", "fetch", "front_page")  # rules whose logs say nothing about results
SHOWN = 5  # of failed jobs, and of excluded subjects per data set
THUMBNAIL = 420  # pixels

LOST = {
    "left_out": "left out as incomplete or doubled",
    "unreadable": "unreadable files",
    "excluded": "excluded by preprocessing",
}
GOOD, LOOK, BAD = "good", "look", "bad"
MARKS = {GOOD: "✓", LOOK: "!", BAD: "✗"}


def measure(root, plan, run):
    """`costs.table` of a run; for its parameters see `write`."""
    abouts = [_json(path) for path in Path(root).glob("models/*/fold-*/about.json")]
    devices = {about.get("device") for about in abouts if about}
    on_gpu = run["accelerator"] == "cuda" or (run["accelerator"] == "auto" and "cuda" in devices)
    return run_costs.table(root, plan, on_gpu)


def write(path, root, run, costs, finished=True):
    """Write the page.

    Parameters
    ----------
    path : path-like
    root : path-like
        Results folder, which links are relative to.
    run : dict
        `simulated`, `configs` (names of files), `modality`, `scheme`, `folds`, `n_folds`, `seed`,
        `accelerator`, `rows` (of the configuration), `models`, `test_sets`, `datasets`, `figures`
        (paths below `root`), `code` (digest), `revision`.
    costs : DataFrame
        From `costs.table`.
    finished : bool
        False where the run stopped with an error.
    """
    root = Path(root)
    failed = failures(root)
    warnings = [pages.SIMULATED] if run["simulated"] else []
    if not finished:
        warnings.append("The run stopped with an error; tables and figures may be older.")
    checks = [
        _controls(root, run, failed), *_failures(failed, finished), *_exclusions(root, run),
        *_leaks(root), *_trainings(root, run),
    ]  # fmt: skip
    body = _BODY.format(
        run=_what(root, run),
        data=_data(root, run),
        checks="\n".join(
            f'<li class="{state}"><b>{MARKS[state]}</b> {text}</li>' for state, text in checks
        ),
        paper=_paper(root, run),
        cost=_cost(costs, run),
        pictures="\n".join(_pictures(root, run["figures"])),
        links="\n".join(_links(root)),
    )
    title = "Results" if finished else "Results: the run is not finished"
    pages.write(path, title, body, warnings, _STYLE)


def failures(root):
    """Jobs that did not finish: pairs of their log's path below `logs` and the reason."""
    folder = Path(root) / "logs"
    found = []
    for path in sorted(folder.rglob("*.log")):
        name = path.relative_to(folder)
        if Path(name.parts[0]).stem not in NO_RESULT and (reason := logs.failure(path)):
            found.append((name.as_posix(), reason))
    return found


def _controls(root, run, failed):
    """Whether rows with a known result have it; `controls.check` decides, in rule compare."""
    broken = [reason for name, reason in failed if name == TABLES_LOG]
    names = {row: run["rows"][row]["maps"] for row in run["rows"]}
    checked = [row for row, maps in names.items() if maps in (["perfect"], ["chance"])]
    if broken:
        return BAD, f"Controls and tables: {escape(broken[0])}"
    if not checked:
        return LOOK, "Controls: the table has none, so nothing vouches for the evaluation."
    table = _table1(root)
    if table is None:
        return LOOK, "Controls: not checked yet, there is no Table 1."
    texts = []
    for row in checked:
        column, metric = ("dice_best_mean", "[DICE]"), ("auprc_mean", "AUPRC")
        key, name = column if names[row] == ["perfect"] else metric
        lines = table[(table["method"] == row) & (table["block"] == "control")]
        values = ", ".join(
            f"{_percent(value)} ({escape(test_set)})"
            for test_set, value in zip(lines["test_set"], lines[key])
        )
        texts.append(f"<i>{escape(row)}</i> has {name} {values}")
    return GOOD, f"Controls read as they must: {'; '.join(texts)}."


def _failures(failed, finished):
    """Jobs that failed, with their reasons; that of the tables is told with the controls."""
    items = [
        f"<code>logs/{escape(name)}</code>: {escape(reason)}"
        for name, reason in failed
        if name != TABLES_LOG
    ]
    more = [f"… and {len(items) - SHOWN} more"] if len(items) > SHOWN else []
    told = "; ".join(items[:SHOWN] + more)
    if items and finished:  # all that this run needs is there
        yield LOOK, f"{len(items)} earlier job(s) failed that this run does without: {told}."
    elif items:
        yield BAD, f"{len(items)} job(s) failed: {told}."
    elif finished:
        yield GOOD, "No job failed."
    elif not failed:
        yield BAD, "The run stopped, but no log says why; the terminal does."


def _lost(root, name):
    """What of a data set is not used, by kind; None where it is not known yet.

    `excluded.tsv` repeats what was left out before registration.
    """
    line = _json(root / f"inventory/{name}.json")
    excluded = _tsv(root / f"packed/{name}/excluded.tsv")
    lost = dict.fromkeys(("left_out", "unreadable", "excluded"))
    if line is not None:
        lost["left_out"] = [name for name, _ in line["left_out"]]
        lost["unreadable"] = [Path(name).name for name, _ in line["unreadable"]]
    if excluded is not None:
        known = lost["left_out"] or []
        lost["excluded"] = [name for name in excluded["subject"] if name not in known]
    return lost


def _exclusions(root, run):
    """What is not in the numbers of each data set, in words."""
    found = {name: _lost(root, name) for name in run["datasets"]}
    for name, lost in found.items():
        if lost["excluded"] is None:
            yield LOOK, f"{escape(name)}: not preprocessed yet."
        parts = [
            f"{len(names)} {LOST[kind]} ({', '.join(map(escape, names[:SHOWN]))}"
            f"{', …' if len(names) > SHOWN else ''})"
            for kind, names in lost.items()
            if names
        ]
        if parts:
            yield LOOK, f"{escape(name)}: {'; '.join(parts)}."
    if all(names == [] for lost in found.values() for names in lost.values()):
        yield GOOD, "Every subject that was found is used."


def _leaks(root):
    """Subjects with two roles in a fold, from the leak report."""
    audit = _tsv(root / "splits/audit.tsv")
    if audit is None:
        return
    used = audit[audit["stage"] == "used"]
    shared = int(used[["train_test", "train_val", "val_test"]].to_numpy().sum())
    if shared:
        yield BAD, f"Splits leak: {shared} times a subject has two roles in a fold."
    else:
        yield GOOD, "No subject has two roles in a fold."


def _trainings(root, run):
    """How many trainings were still improving when they ended."""
    histories = [
        tsv.read(path)
        for model in run["models"]
        for fold in run["folds"]
        if (path := root / f"models/{model}/fold-{fold}/history.tsv").exists()
    ]
    if not histories:
        return
    late = sum(plots.best_epoch(h)["epoch"] == h["epoch"].iloc[-1] for h in histories)
    state = LOOK if late > len(histories) / 2 else GOOD
    yield (
        state,
        f"{late} of {len(histories)} trainings are best at their last epoch"
        + (": more epochs may help." if state == LOOK else "."),
    )


def _what(root, run):
    """What was run, as a list of terms."""
    record = _json(root / "provenance.json") or {}
    packages = dict(record.get("packages", {}))
    for versions in record.get("packages_of_training", []):
        packages |= versions
    versions = [f"Python {record['python']}"] if "python" in record else []
    versions += [f"{n} {packages[n]}" for n in ("torch", "snakemake") if n in packages]
    n = len(run["folds"])
    folds = f"fold{'s' * (n != 1)} {', '.join(map(str, run['folds']))} of {run['n_folds']}"
    n_controls = sum(block["block"] == "control" for block in run["rows"].values())
    rows = _counted(len(run["rows"]) - n_controls, "row")
    if n_controls:
        rows += f" and {_counted(n_controls, 'control')}"
    terms = {
        "Configuration": ", ".join(run["configs"]),
        "Data": ("simulated" if run["simulated"] else "real") + f" {run['modality']} scans",
        "Splits": f"{run['scheme']}; {folds}",
        "Table": f"{rows}, tested on {', '.join(run['test_sets'])}",
        "Seed": run["seed"],
        "Code": f"{run['code']} at {run['revision']}"
        + (" (uncommitted changes)" if str(run["revision"]).endswith("+") else ""),
        "With": ", ".join(versions) or DASH,
    }
    return "\n".join(f"<dt>{k}</dt><dd>{escape(str(v))}</dd>" for k, v in terms.items())


def _counted(n, noun):
    return f"{n} {noun}{'s' * (n != 1)}"


def _data(root, run):
    """Rows of the table of data sets."""
    rows = []
    for name in run["datasets"]:
        cells = [(_json(root / f"inventory/{name}.json") or {}).get("found")]
        cells += [None if names is None else len(names) for names in _lost(root, name).values()]
        split = _tsv(root / f"splits/{name}.tsv")
        for role in ("train", "val", "test"):
            if split is None:
                cells.append(None)
                continue
            used = split[split["fold"].isin(run["folds"]) & (split["role"] == role)]
            sizes = used.groupby("fold").size().reindex(run["folds"], fill_value=0)
            low, high = sizes.min(), sizes.max()
            cells.append(f"{low}" if low == high else f"{low} to {high}")
        numbers = "".join(f'<td class="n">{DASH if c is None else c}</td>' for c in cells)
        rows.append(f"<tr><td>{escape(name)}</td>{numbers}</tr>")
    return "\n".join(rows)


def _paper(root, run):
    """Beside the published values: two rows per test set, and how many rows agree."""
    table = _table1(root)
    if table is None:
        return "<p>There is no Table 1 yet.</p>"
    agreement = _tsv(root / "tables/agreement.tsv")
    rows = []
    for test_set in run["test_sets"]:
        cells = [escape(test_set.upper())]
        for method, unhealthy in (("cddpm", "none"), ("sadm_res", test_set)):
            cells.append(_beside(table, method, unhealthy, test_set))
        for metric in ("dice_best", "auprc"):
            cells.append(_agreeing(agreement, test_set, metric))
        rows.append(
            f"<tr><td>{cells[0]}</td>" + "".join(f'<td class="n">{c}</td>' for c in cells[1:])
            + "</tr>"
        )  # fmt: skip
    note = "Of simulated scans, which the published values say nothing about. "
    return _PAPER.format(rows="\n".join(rows), note=note if run["simulated"] else "")


def _beside(table, method, unhealthy, test_set):
    """Our [DICE] and the published one, per cent."""
    lines = table[
        (table["method"] == method)
        & (table["d_unhealthy"] == unhealthy)
        & (table["test_set"] == test_set)
    ]
    if lines.empty:
        return DASH
    line = lines.iloc[0]
    return (
        f"{_percent(line['dice_best_mean'])} <span>{_percent(line.get('paper_dice_mean'))}</span>"
    )


def _agreeing(agreement, test_set, metric):
    """`3 of 22 (τ 0.71)`: rows within, and the rank correlation."""
    if agreement is None:
        return DASH
    lines = agreement[(agreement["test_set"] == test_set) & (agreement["metric"] == metric)]
    if lines.empty or not lines["n_rows"].iloc[0]:
        return DASH
    line = lines.iloc[0]
    tau = "" if pd.isna(line["tau_b"]) else f" <span>τ {line['tau_b']:.2f}</span>"
    return f"{line['within']} of {line['n_rows']}{tau}"


def _cost(costs, run):
    """Table of hours per rule, the projection, and a line per method to unfold."""
    by_rule = run_costs.by_rule(costs)
    measured = by_rule[by_rule["jobs_measured"] > 0]
    if measured.empty:
        return "<p>Nothing was measured: there are no benchmark files.</p>"
    everything = measured.assign(rule="all of these", of="")
    total = run_costs.by_rule(everything).iloc[0]
    rows = [_cost_row(line, line["rule"]) for _, line in measured.iterrows()]
    rows.append(_cost_row(total, "<b>sum</b>"))
    whole = costs[costs["jobs_measured"] > 0]
    unknown = costs[(costs["jobs_measured"] == 0) & (costs["jobs_full"] > 0)]
    n_measured, n_full = whole["jobs_measured"].sum(), whole["jobs_full"].sum()
    projection = (
        f"All {run['n_folds']} folds of this configuration: "
        f"{'' if n_measured == n_full else 'about '}<b>{_hours(whole['hours_full'].sum())}</b>"
        f"{_gpu(whole['gpu_hours_full'].sum())}, "
    )
    if n_measured == n_full:
        projection += "every one of these jobs measured."
    else:
        projection += (
            f"from {n_measured} measured of {n_full} jobs; each other job is taken to last as long "
            "as the mean of its rule and method."
        )
    projection += " Times are added up over jobs, of which several may run at once."
    if len(unknown):
        names = ", ".join(escape(f"{line['rule']} {line['of']}") for _, line in unknown.iterrows())
        projection += f" Not in it, since never measured: {names}."
    details = [_cost_row(line, f"{line['rule']} {line['of']}") for _, line in whole.iterrows()]
    return _COST.format(
        rows="\n".join(rows),
        projection=projection,
        details="\n".join(details),
        scans=" Simulated scans and small networks: the paper's are not extrapolated from them."
        if run["simulated"]
        else "",
    )


def _cost_row(line, name):
    jobs = f"{line['jobs_measured']} of {line['jobs_planned']}"
    memory = f"{line['memory_gib']:.1f} GiB" if np.isfinite(line["memory_gib"]) else DASH
    gpu = _hours(line["gpu_hours"]) if line["gpu_hours"] else DASH
    cells = [jobs, _hours(line["hours"]), _hours(line["cpu_hours"]), gpu, memory]
    name = name if name.startswith("<") else escape(name)
    return f"<tr><td>{name}</td>" + "".join(f'<td class="n">{c}</td>' for c in cells) + "</tr>"


def _gpu(hours):
    return f", {_hours(hours)} of them with a GPU" if hours else ""


def _hours(hours):
    return duration(3600 * hours)


def _pictures(root, figures):
    """Small versions of the figures that there are, with links to the large ones."""
    for name in figures:
        path = root / name
        if not path.exists():
            continue
        if path.suffix == ".svg":
            kind, data = "svg+xml", path.read_bytes()
        else:
            kind, data = "png", _small(path)
        source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        yield (
            f'<a href="{escape(name)}"><figure><img alt="" src="{source}">'
            f"<figcaption>{_named(path)}</figcaption></figure></a>"
        )


def _small(path):
    """A PNG, at most `THUMBNAIL` pixels wide."""
    width = matplotlib.image.imread(path).shape[1]
    if width <= THUMBNAIL:
        return path.read_bytes()
    small = io.BytesIO()
    with matplotlib.rc_context({"figure.constrained_layout.use": False}):
        matplotlib.image.thumbnail(str(path), small, scale=THUMBNAIL / width)
    return small.getvalue()


# The data's way: heading, and patterns below the results folder with what is put before the name.
LINKS = {
    "Data": [("inventory/*.html", ""), ("qc/*.html", "quality "), ("figures/cohort_*", ""),
             ("figures/splits.*", ""), ("splits/*.html", "leak ")],
    "Training": [("figures/training.*", "")],
    "Methods": [("methods/*.html", ""), ("methods.md", "captions as text: ")],
    "Figures": [(f"figures/{name}*", "") for name in (
        "cases", "comparison", "synthetic", "weights", "precision", "lesion")],
    "Tables": [("tables/*.html", ""), ("tables/*.tex", "LaTeX "), ("tables/*.?sv", "numbers ")],
    "Provenance": [("provenance.json", "")],
}  # fmt: skip


NAMES = {
    "table1": "Table 1", "table2": "Table 2", "table3": "Table 3",
    "precision_recall": "precision and recall", "weights": "weight of the residual map",
    "lesion_volume": "Dice against lesion volume", "comparison": "all rows",
    "synthetic": "synthetic anomalies", "training": "losses",
}  # fmt: skip


def _links(root):
    """Links to everything there is to look at, in the data's way."""
    for heading, patterns in LINKS.items():
        links = [
            f'<a href="{escape(path.relative_to(root).as_posix())}">'
            f"{escape(before)}{_named(path)}</a>"
            for pattern, before in patterns
            for path in sorted(root.glob(pattern))
            if path.suffix != ".tsv" or heading == "Tables"
        ]
        if links:
            yield f"<dt>{heading}</dt><dd>{', '.join(links)}</dd>"


def _named(path):
    """What a file is called in a link."""
    words = path.stem.split("_")
    if words[0] == "cases":
        return f"SADM<sub>res</sub> on {escape(' '.join(words[1:]).upper())}"
    return escape(NAMES.get(path.stem, " ".join(words)))


def _percent(value):
    return DASH if pd.isna(value) else f"{100 * value:.1f}"


def _json(path):
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def _tsv(path):
    return tsv.read(path) if Path(path).exists() else None


def _table1(root):
    path = root / "tables/table1.csv"
    return pd.read_csv(path) if path.exists() else None


_STYLE = """\
body { margin: .8rem 1rem; }
.warning { padding: .2rem .6rem; }
main { columns: 2 26rem; column-gap: 2rem; font-size: 13px; }
section { break-inside: avoid; padding-bottom: .6rem; }
h2 { font-size: 1rem; margin: 0 0 .2rem; border-bottom: 1px solid #c9d1db; }
p { margin: .2rem 0; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem .8rem;
  margin: 0; }
dt { color: #5a6675; }
dd { margin: 0; overflow-wrap: anywhere; }
ul { list-style: none; margin: 0; padding: 0; }
li { padding: .1rem 0 .1rem 1.2rem; text-indent: -1.2rem; overflow-wrap: anywhere; }
li b { display: inline-block; width: 1.2rem; text-indent: 0; }
.good b { color: #1d7a3e; }
.look b { color: #8f5a00; }
.bad b { color: #c22525; }
.bad { background: #fde9e7; }
.scroll { margin: .3rem 0; }
th, td { padding: .05rem .45rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr));
  gap: .6rem; }
.pictures a { text-decoration: none; }
figure { margin: 0; }
.pictures img { width: 100%; }
figcaption { color: #5a6675; }
summary { cursor: pointer; }
"""

_BODY = """\
<main>
<section><h2>What was run</h2>
<dl>
{run}
</dl>
<div class="scroll"><table>
<thead><tr><th>Data set</th><th>found</th><th>left out</th><th>unreadable</th><th>excluded</th>
<th>train</th><th>val</th><th>test</th></tr></thead>
<tbody>
{data}
</tbody></table></div>
</section>
<section><h2>Did it work?</h2>
<ul>
{checks}
</ul>
</section>
<section><h2>Against the paper</h2>
{paper}
</section>
<section><h2>What it cost</h2>
{cost}
</section>
<section><h2>Figures</h2>
<div class="pictures">
{pictures}
</div>
</section>
<section><h2>Look closer</h2>
<dl>
{links}
</dl>
<p><span class="where">Links and pictures lead to the files of the results folder; in the report,
use its menu.</span></p>
</section>
</main>
"""

_PAPER = """\
<div class="scroll"><table>
<thead><tr><th>Test set</th><th>cDDPM</th><th>SADM<sub>res</sub></th><th>[DICE] within</th>
<th>AUPRC within</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
<p>{note}[DICE], per cent, in grey the published value; SADM<sub>res</sub> is trained on the test
set's kind of data. <i>Within</i>: rows whose published value lies in our widened 95 % interval
(Table 2). τ: rank correlation of the rows with the paper, 1 is the same order.</p>
"""

_COST = """\
<div class="scroll"><table>
<thead><tr><th>Rule</th><th>jobs</th><th>time</th><th>CPU time</th><th>GPU time</th>
<th>memory</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
<p>{projection}{scans}</p>
<details><summary>Per method and data set (also <code>tables/costs.tsv</code>)</summary>
<div class="scroll"><table><tbody>
{details}
</tbody></table></div>
<p>Jobs measured, of those planned; their times; their highest memory, which is the host's
and not the GPU's. GPU time: of jobs that had a GPU. A training that was interrupted has the time of
all its epochs, but the CPU time since it went on. Rules that take seconds are not measured.</p>
</details>
"""
