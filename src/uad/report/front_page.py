"""The front page: what was run, whether it worked, how it compares with the paper, what it cost.

Everything is read from the results folder, so that a run that stopped half-way also gets a page, of
the results that exist. What cannot be read ends the page of a whole run with a sentence; that of a
failed one names it and shows the rest.
"""

import base64
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.image
import pandas as pd

from uad.base import tsv
from uad.base.errors import InputError
from uad.base.paths import Paths
from uad.data.splits import ROLES
from uad.evaluation import claims, statistics
from uad.report import answer, captions, claims_page, front_checks, overview, pages, stored
from uad.report import costs as run_costs
from uad.report.front_checks import BAD, GOOD, LOOK, MARKS, Check
from uad.report.numbers import DASH, counted, duration, memory, number, percent

DETAILS = {"table1": "with their spread", "table2": "intervals and tests"}  # tables, and of what
THUMBNAIL, LARGE = 420, 900  # pixels
CASES = "each subject's scan, reconstruction, maps of both branches, their sum, lesion"


STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")  # before each line of a log


def measure(
    root: str | Path, plan: Sequence[Mapping[str, Any]], run: Mapping[str, Any]
) -> pd.DataFrame:
    """`costs.table` of a run; for its parameters see `write`."""
    abouts = [stored.json_file(path) for path in Path(root).glob("models/*/fold-*/about.json")]
    devices = {about.get("device") for about in abouts if about}
    on_gpu = run["accelerator"] == "cuda" or (run["accelerator"] == "auto" and "cuda" in devices)
    return run_costs.table(root, plan, on_gpu)


class _Parts:
    """Makes the parts of a page; of a failed run it notes what could not be made, and why."""

    def __init__(self, finished: bool):
        self.finished, self.broken = finished, []

    def __call__(self, name: str, empty: Any, part: Callable, *args: Any) -> Any:
        """What `part` returns, or `empty`."""
        try:
            found = part(*args)
            return list(found) if isinstance(found, Iterator) else found
        except Exception as error:  # whatever a damaged file happens to raise
            if self.finished:
                raise
            reason = str(error) if isinstance(error, InputError) else repr(error)
            self.broken.append((name, f": {reason}"))
            return empty

    def checks(self) -> Iterator[Check]:
        """One that names the parts that are not there."""
        if self.broken:
            yield Check(BAD, "Parts of this page could not be made", self.broken)


def write(
    path: str | Path, root: str | Path, run: Mapping[str, Any], costs: pd.DataFrame
) -> list[str]:
    """Write the page of a run that came to its end.

    Parameters
    ----------
    path : path-like
    root : path-like
        Results folder, which links are relative to.
    run : dict
        `simulated`, `configs` (names of files), `modality`, `scheme`, `folds`, `n_folds`, `seed`,
        `accelerator`, `rows` (of the configuration), `epochs` by model, `test_sets`, `datasets`,
        `judges_claims`, `figures` (paths below `root`), `code` (digest), `revision`.
    costs : DataFrame
        From `costs.table`.

    Returns
    -------
    list of str
        The answer in a few lines, for a terminal.

    Raises
    ------
    InputError
        If a file that the page is made of is damaged.
    """
    checks = _write(path, root, run, lambda: costs, finished=True)
    paths = Paths(str(root))
    claims = stored.tsv_file(paths.table("claims.tsv")) if run["judges_claims"] else None
    return answer.lines(run, stored.table1(paths), [check.state for check in checks], claims)


def write_failed(
    path: str | Path, root: str | Path, run: Mapping[str, Any], plan: Sequence[Mapping[str, Any]]
) -> None:
    """Write the page of a run that stopped with an error, of what can be read.

    Parameters
    ----------
    path, root, run
        As for `write`.
    plan : list of dict
        As for `measure`.
    """
    _write(path, root, run, lambda: measure(root, plan, run), finished=False)


def _write(path, root, run, measured, finished):
    paths, part, name = Paths(str(root)), _Parts(finished), Path(root).resolve().name
    failed = part("logs", [], front_checks.failures, root)
    unknown = [DASH] * (4 + len(ROLES))  # as `_data`
    stopped = "The run stopped with an error."
    table = Path(paths.table("table1.csv"))
    if table.exists():
        when = datetime.fromtimestamp(table.stat().st_mtime)
        stopped += (
            f" Table 1 is as of {when:%Y-%m-%d %H:%M}, before that: what failed has its earlier "
            "values in it and in the figures."
        )
    values = {
        "terms": part("what was run", {}, _what, paths, run),
        "datasets": [
            (name, part(f"data of {name}", unknown, _data, paths, run, name))
            for name in run["datasets"]
        ],
        "heat_maps": part("Table 1", [], _heat_maps, paths, run),
        "forests": part("every subject", [], _forests, paths, run),
        "agreement": part("against the paper", [], _paper, paths, run),
        "claims": part("claims", None, _claims, paths) if run["judges_claims"] else None,
        "cost": part("costs", None, lambda: _cost(measured(), run)),
        "pictures": part("figures", [], _pictures, paths, run["figures"]),
        "details": [
            (name, paths.relative(paths.table(f"{stem}.html")))
            for stem, name in DETAILS.items()
            if Path(paths.table(f"{stem}.html")).exists()
        ],
        "links": part("links", [], _links, paths, run),
    }
    nothing: list[Check] = []
    checks = [
        *part("controls", nothing, front_checks.controls, paths, run, failed),
        *front_checks.of_failures(failed, finished),
        *part("exclusions", nothing, front_checks.exclusions, paths, run),
        *part("missing values", nothing, front_checks.undefined, paths),
        *part("what was learned", nothing, front_checks.learned, paths, run),
        *part("maps made elsewhere", nothing, front_checks.remarks, paths, run),
        *part("leaks", nothing, front_checks.leaks, paths),
        *part("trainings", nothing, front_checks.trainings, paths, run),
        *part("benchmarks", nothing, front_checks.benchmarks, root),
    ]
    tiles = part("what to see first", [], _tiles, paths, run, checks, failed, finished)
    checks = [*part.checks(), *checks]
    pages.write(
        path,
        "front_page.html.j2",
        title=f"{name}: {'results' if finished else 'the run is not finished'}",
        simulated=run["simulated"],
        warnings=[] if finished else [stopped],
        earlier=not finished and Path(paths.earlier_page).exists(),
        tiles=tiles,
        checks=checks,
        marks=MARKS,
        **values,
    )
    return checks


def _what(paths: Paths, run: Mapping[str, Any]) -> dict[str, Any]:
    """What was run, as terms and their texts."""
    record = stored.json_file(paths.provenance) or {}
    packages = dict(record.get("packages", {}))
    for versions in record.get("packages_of_training", []):
        packages |= versions
    versions = [f"Python {record['python']}"] if "python" in record else []
    versions += [f"{n} {packages[n]}" for n in ("torch", "snakemake") if n in packages]
    n = len(run["folds"])
    folds = f"fold{'s' * (n != 1)} {', '.join(map(str, run['folds']))} of {run['n_folds']}"
    n_controls = sum(block["block"] == "control" for block in run["rows"].values())
    rows = counted(len(run["rows"]) - n_controls, "row")
    if n_controls:
        rows += f" and {counted(n_controls, 'control')}"
    return {
        "Configuration": ", ".join(run["configs"]),
        "Data": ("simulated" if run["simulated"] else "real") + f" {run['modality']} scans",
        "Splits": f"{run['scheme']}; {folds}",
        "Table": f"{rows}, tested on {', '.join(run['test_sets'])}",
        "Seed": run["seed"],
        "Code": f"{run['code']} at {run['revision']}"
        + (" (uncommitted changes)" if str(run["revision"]).endswith("+") else ""),
        "With": ", ".join(versions) or DASH,
    }


def _data(paths: Paths, run: Mapping[str, Any], name: str) -> list[str]:
    """Numbers of a data set: found, left out, unreadable, excluded, and subjects per role."""
    counts = [(stored.json_file(paths.inventory(name)) or {}).get("found")]
    lost = front_checks.not_used(paths, name)
    left_out = None if lost["left_out"] is None else {**lost["by_user"], **lost["left_out"]}
    kinds = (left_out, lost["unreadable"], lost["excluded"])
    counts += [None if names is None else len(names) for names in kinds]
    texts = [DASH if n is None else str(n) for n in counts]
    split = stored.tsv_file(paths.split(name))
    for role in ROLES:
        if split is None:
            texts.append(DASH)
            continue
        used = split[split["fold"].isin(run["folds"]) & (split["role"] == role)]
        sizes = used.groupby("fold").size().reindex(run["folds"], fill_value=0)
        low, high = sizes.min(), sizes.max()
        texts.append(f"{low}" if low == high else f"{low} to {high}")
    return texts


def _paper(paths: Paths, run: Mapping[str, Any]) -> list[str]:
    """How far the rows of each test set agree with the published values, as sentences.

    None of simulated scans: the published values say nothing about them.
    """
    agreement = stored.tsv_file(paths.table("agreement.tsv"))
    if run["simulated"] or agreement is None:
        return []
    return [
        f"{of.upper()}: "
        + "; ".join(
            f"{overview.METRICS[metric]} {_agreeing(agreement, of, metric)}"
            for metric in statistics.PUBLISHED
        )
        for of in run["test_sets"]
    ]


def _agreeing(agreement: pd.DataFrame, test_set: str, metric: str) -> str:
    """`within 3 of 22, τ 0.71`: rows with a verdict that are within, and the rank correlation."""
    lines = agreement[(agreement["test_set"] == test_set) & (agreement["metric"] == metric)]
    if lines.empty or not lines["n_rows"].iloc[0]:
        return DASH
    line = lines.iloc[0]
    judged = line[["within", "above", "below"]].sum()
    text = f"within {line['within']} of {judged}" if judged else statistics.TOO_FEW
    return text if pd.isna(line["tau_b"]) else f"{text}, τ {number(line['tau_b'], 2)}"


def _heat_maps(paths: Paths, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Table 1 per metric; empty without one."""
    table = stored.table1(paths)
    if table is None:
        return []
    there = [path.stem for path in Path(paths.root).glob("rows/*.html")]
    return overview.heat_maps(table, run["rows"], run["simulated"], there)


def _forests(paths: Paths, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every row's mean, interval and subjects; empty as long as something of it is missing."""
    table, intervals = stored.table1(paths), stored.tsv_file(paths.table("statistics.tsv"))
    if table is None or intervals is None:
        return []
    read = [
        tsv.read(path).assign(row=row)
        for row in run["rows"]
        for fold in run["folds"]
        if (path := Path(paths.metrics(row, fold))).exists()
    ]
    if not read:
        return []
    subjects = pd.concat(read, ignore_index=True)
    there = [f"{p.parent.name}/{p.stem}" for p in Path(paths.root).glob("subjects/*/*.html")]
    return overview.forests(table, intervals, subjects, run["rows"], run["simulated"], there)


class Tile(NamedTuple):
    """A number to see first; `kind` is a state of a check, or empty."""

    kind: str
    number: str
    text: str


def _tiles(
    paths: Paths,
    run: Mapping[str, Any],
    checks: Sequence[Check],
    failed: Sequence,
    finished: bool,
) -> Iterator[Tile]:
    """Whether it worked, and the answer, in a few numbers."""
    if finished:
        yield Tile(GOOD, "✓", "the run came to its end")
    else:
        jobs = f"{counted(len(failed), 'job')} failed: " if failed else ""
        yield Tile(BAD, "✗", f"{jobs}the run is not finished")
    states = [check.state for check in checks]
    worst = BAD if BAD in states else LOOK if LOOK in states else GOOD
    yield Tile(
        worst,
        f"{states.count(GOOD)} / {len(states)}",
        "checks are good"
        + (f", {states.count(LOOK)} to look at" if LOOK in states else "")
        + (f", {states.count(BAD)} bad" if BAD in states else ""),
    )
    table = stored.table1(paths)
    for method, title in _references(run).items():
        if table is None:
            break
        found = [_of_row(table, method, of) for of in run["test_sets"]]
        if any(line is not None for line in found):
            ours = (DASH if f is None else percent(f["dice_best_mean"]) for f in found)
            text = f"[DICE] of {title}: {', '.join(name.upper() for name in run['test_sets'])}"
            if not run["simulated"]:
                paper = [DASH if f is None else percent(f.get("paper_dice_mean")) for f in found]
                text += f"; paper {' / '.join(paper)}"
            yield Tile("", " / ".join(ours), text)
    verdicts = stored.tsv_file(paths.table("claims.tsv")) if run["judges_claims"] else None
    if verdicts is not None:
        judged = verdicts["verdict"].isin([claims.HOLDS, claims.FAILS, claims.UNDECIDED])
        if judged.any():
            holds = (verdicts["verdict"] == claims.HOLDS).sum()
            yield Tile("", f"{holds} / {judged.sum()}", "claims of the paper hold, of those judged")
        else:
            yield Tile("", str(len(verdicts)), "claims of the paper: too few subjects to judge")
    clock = _clock(Path(paths.root) / "logs")
    if clock is not None:
        first, last = clock
        end = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M}"
        yield Tile(
            "",
            duration((last - first).total_seconds()),
            f"by the clock, {first:%Y-%m-%d %H:%M} to {end}",
        )


def _references(run: Mapping[str, Any]) -> dict[str, str]:
    """Methods of the rows that others are compared with, and how a tile calls them."""
    found = {}
    for row in run["references"]:
        method, _, unhealthy = row.partition("-")
        trained = ", trained on the same" if unhealthy else ""
        found.setdefault(method, run["rows"][row]["label"] + trained)
    return found


def _clock(folder: Path) -> tuple[datetime, datetime] | None:
    """When the first and the last line of all logs were written; None without any.

    Of several runs into one folder it is the time from the first to the last.
    """
    times = []
    for path in folder.rglob("*.log"):
        lines = path.read_text(errors="replace", encoding="utf-8").splitlines()
        found = [stamp[0] for line in lines if (stamp := STAMP.match(line))]
        times += [datetime.fromisoformat(text) for text in {*found[:1], *found[-1:]}]
    return (min(times), max(times)) if times else None


def _of_row(table: pd.DataFrame, method: str, test_set: str) -> pd.Series | None:
    """The line of a method without training lesions, or trained on those of the test set."""
    lines = table[
        (table["method"] == method)
        & table["d_unhealthy"].isin(["none", test_set])
        & (table["test_set"] == test_set)
    ]
    return None if lines.empty else lines.iloc[0]


def _claims(paths: Paths) -> dict[str, Any]:
    """The verdicts on the paper's claims: how many of each, and a line per claim."""
    verdicts = stored.tsv_file(paths.table("claims.tsv"))
    if verdicts is None:
        return {"counts": "", "lines": []}
    return {
        "counts": claims_page.counts(verdicts),
        "page": paths.relative(paths.table("claims.html")),
        "lines": [
            {
                "kind": claims_page.CLASSES[line["verdict"]],
                "mark": claims_page.MARKS[line["verdict"]],
                "title": line["title"],
                "effect": _effect(line),
            }
            for _, line in verdicts.iterrows()
        ],
    }


def _effect(verdict: pd.Series) -> str:
    """The difference that decides over a claim; of too few subjects, the direction too."""
    if not verdict["n"]:
        return verdict["verdict"]
    found = claims_page.difference(verdict)
    return f"{found}, {claims_page.direction(verdict)}" if pd.isna(verdict["low"]) else found


def _cost(costs: pd.DataFrame, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Times per rule, what all folds would take, and a line per method; None if not measured."""
    by_rule = run_costs.by_rule(costs)
    measured = by_rule[by_rule["jobs_measured"] > 0]
    if measured.empty:
        return None
    total = run_costs.by_rule(measured.assign(rule="sum", of="")).iloc[0]
    whole = costs[costs["jobs_measured"] > 0]
    unknown = costs[(costs["jobs_measured"] == 0) & (costs["jobs_full"] > 0)]
    gpu_hours = whole["gpu_hours_full"].sum()
    return {
        "rules": [
            *(_cost_line(line, line["rule"]) for _, line in measured.iterrows()),
            _cost_line(total, "sum", total=True),
        ],
        "details": [
            _cost_line(line, f"{line['rule']} {line['of']}") for _, line in whole.iterrows()
        ],
        "n_folds": run["n_folds"],
        "n_measured": whole["jobs_measured"].sum(),
        "n_full": whole["jobs_full"].sum(),
        "hours": _hours(whole["hours_full"].sum()),
        "gpu_hours": _hours(gpu_hours) if gpu_hours else "",
        "unknown": [f"{line['rule']} {line['of']}" for _, line in unknown.iterrows()],
    }


def _cost_line(line: pd.Series, name: str, total: bool = False) -> dict[str, Any]:
    cells = [
        f"{line['jobs_measured']} of {line['jobs_planned']}",
        _hours(line["hours"]),
        _hours(line["cpu_hours"]),
        _hours(line["gpu_hours"]) if line["gpu_hours"] else DASH,
        memory(line["memory_gib"]),
    ]
    return {"name": name, "cells": cells, "total": total}


def _hours(hours: float) -> str:
    return duration(3600 * hours)


def _pictures(paths: Paths, figures: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The figures that exist, those of cases large enough to look at, and the paths of all."""
    for name in figures:
        path = Path(paths.root) / name
        if not path.exists():
            continue
        large = path.stem.startswith("cases")
        if path.suffix == ".svg":
            kind, data = "svg+xml", path.read_bytes()
        else:
            kind, data = "png", _narrowed(path, LARGE if large else THUMBNAIL)
        source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        page = path.with_suffix(".html")
        shown = paths.relative(page) if page.exists() else name
        yield {
            "path": shown,
            "source": source,
            "name": captions.named(path.stem),
            "large": large,
            "shows": CASES,
        }


def _narrowed(path: Path, most: int) -> bytes:
    """A PNG, at most `most` pixels wide."""
    width = matplotlib.image.imread(path).shape[1]
    if width <= most:
        return path.read_bytes()
    small = io.BytesIO()
    with matplotlib.rc_context({"figure.constrained_layout.use": False}):
        matplotlib.image.thumbnail(str(path), small, scale=most / width)
    return small.getvalue()


FIGURES = (
    *("cases", "comparison", "synthetic", "weights", "precision", "lesion", "claims"),
    "detection",
)
# The data's way: heading, and patterns below the results folder with what is put before the name.
LINKS = {
    "Data": [
        ("inventory/*.html", ""),
        ("qc/*.html", "quality "),
        ("figures/cohort_*", ""),
        ("figures/splits.*", ""),
        ("splits/*.html", "leak "),
    ],
    "Training": [("figures/training.*", "")],
    "Methods": [("methods/*.html", ""), ("methods.md", "captions as text: ")],
    "Rows": [("rows/*.html", "")],
    "Subjects": [("subjects/*.html", "all of ")],
    "Figures": [(f"figures/{name}*", "") for name in FIGURES],
    "Tables": [("tables/*.html", ""), ("tables/*.tex", "LaTeX "), ("tables/*.?sv", "numbers ")],
    "Provenance": [("provenance.json", "")],
}


def _links(paths: Paths, run: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Paths and names of everything there is to look at, in the data's way."""
    spelt = _spelt(paths, run)
    for heading, patterns in LINKS.items():
        files = [
            (paths.relative(path), before + (spelt.get(path) or captions.named(path.stem)))
            for pattern, before in patterns
            for path in sorted(Path(paths.root).glob(pattern))
            if (path.suffix != ".tsv" or heading == "Tables")
            and not (path.suffix in (".png", ".svg") and path.with_suffix(".html").exists())
        ]
        if files:
            yield heading, files


def _spelt(paths: Paths, run: Mapping[str, Any]) -> dict[Path, str]:
    """Names of pages of rows, methods and test sets, as tables spell them."""
    found = {Path(paths.subjects_page(name)): name.upper() for name in run["test_sets"]}
    for row, block in run["rows"].items():
        label = overview.trained_on(block.get("label", row), row.partition("-")[2] or "none")
        found[Path(paths.row_page(row))] = label
        if len(block["maps"]) == 1:  # of SADM the last map is that of another method
            method = block["maps"][0].partition("-")[0]
            found[Path(paths.method_page(method))] = block.get("label", row)
    return found
