"""The front page: what was run, whether it worked, how it compares with the paper, what it cost.

Everything is read from the results folder, so that a run that stopped half-way also gets a page, of
the results that exist. What cannot be read ends the page of a whole run with a sentence; that of a
failed one names it and shows the rest.
"""

import base64
import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.image
import pandas as pd

from uad.base import logs, tsv
from uad.base.errors import InputError
from uad.base.paths import Paths
from uad.data.splits import ROLES
from uad.evaluation import claims, statistics
from uad.report import answer, blocks, captions, claims_page, joined, overview, pages, plots
from uad.report import costs as run_costs
from uad.report.numbers import DASH, counted, duration, memory, number, percent

TABLES_LOG = "compare.log"
NO_RESULT = ("check", "fetch", "front_page")  # rules whose logs say nothing about results
SHOWN = 5  # of failed jobs, and of excluded subjects per data set
DETAILS = {"table1": "with their spread", "table2": "intervals and tests"}  # tables, and of what
THUMBNAIL, LARGE = 420, 900  # pixels
CASES = "each subject's scan, reconstruction, maps of both branches, their sum, lesion"

SYNTHETIC = "draem"  # test set without real lesions
METRICS = {"dice_best_mean": "[DICE]", "auprc_mean": "AUPRC"}  # columns of Table 1

STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")  # before each line of a log

LOST = {
    "by_user": "left out by the configuration",
    "left_out": "left out as incomplete or doubled",
    "unreadable": "unreadable files",
    "excluded": "excluded by preprocessing",
}
GOOD, LOOK, BAD = "good", "look", "bad"
MARKS = {GOOD: "✓", LOOK: "!", BAD: "✗"}


class Check(NamedTuple):
    """Something that was checked, and a sentence about it.

    Attributes
    ----------
    state : str
        `GOOD`, `LOOK` or `BAD`.
    text : str
        The sentence; without its full stop if `named` follows.
    named : list of (str, str)
        Rows or files that it concerns, and what is said about each.
    n_more : int
        How many of them are not shown.
    """

    state: str
    text: str
    named: Sequence[tuple[str, str]] = ()
    n_more: int = 0


def measure(
    root: str | Path, plan: Sequence[Mapping[str, Any]], run: Mapping[str, Any]
) -> pd.DataFrame:
    """`costs.table` of a run; for its parameters see `write`."""
    abouts = [_json(path) for path in Path(root).glob("models/*/fold-*/about.json")]
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
    claims = _tsv(paths.table("claims.tsv")) if run["judges_claims"] else None
    return answer.lines(run, _table1(paths), [check.state for check in checks], claims)


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
    failed = part("logs", [], failures, root)
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
        *part("controls", nothing, _controls, paths, run, failed),
        *_failures(failed, finished),
        *part("exclusions", nothing, _exclusions, paths, run),
        *part("missing values", nothing, _undefined, paths),
        *part("what was learned", nothing, _learned, paths, run),
        *part("maps made elsewhere", nothing, _remarks, paths, run),
        *part("leaks", nothing, _leaks, paths),
        *part("trainings", nothing, _trainings, paths, run),
        *part("benchmarks", nothing, _benchmarks, root),
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


def failures(root: str | Path) -> list[tuple[str, str]]:
    """Jobs that did not finish: pairs of their log's path below `logs` and the reason."""
    folder = Path(root) / "logs"
    found = []
    for path in sorted(folder.rglob("*.log")):
        name = path.relative_to(folder)
        if Path(name.parts[0]).stem not in NO_RESULT and (reason := logs.failure(path)):
            found.append((name.as_posix(), reason))
    return found


def _controls(
    paths: Paths, run: Mapping[str, Any], failed: Sequence[tuple[str, str]]
) -> Iterator[Check]:
    """Whether rows of known result have it; `check_controls.check` decides, in rule compare."""
    broken = [reason for name, reason in failed if name == TABLES_LOG]
    names = {row: run["rows"][row]["maps"] for row in run["rows"]}
    checked = [row for row, maps in names.items() if maps in (["perfect"], ["chance"])]
    table = None if broken else _table1(paths)
    if broken:
        yield Check(BAD, f"Controls and tables: {broken[0]}")
    elif not checked:
        yield Check(LOOK, "Controls: the table has none, so nothing vouches for the evaluation.")
    elif table is None:
        yield Check(LOOK, "Controls: not checked yet, since there is no Table 1.")
    else:
        named = []
        for row in checked:
            column, metric = ("dice_best_mean", "[DICE]"), ("auprc_mean", "AUPRC")
            key, name = column if names[row] == ["perfect"] else metric
            lines = table[(table["method"] == row) & (table["block"] == "control")]
            lines = lines.dropna(subset=[key])
            values = [f"{percent(v)} ({of})" for of, v in zip(lines["test_set"], lines[key])]
            if values:
                named.append((row, f" has {name} {', '.join(values)}"))
        if named:
            yield Check(GOOD, "Control rows have their expected values", named)
        else:
            yield Check(LOOK, "Controls: none has a value, so nothing vouches for the evaluation.")


def _undefined(paths: Paths) -> Iterator[Check]:
    """Test sets on which no row has a value of some kind; Table 1 says of single folds, too."""
    table = _table1(paths)
    if table is None:
        return
    for test_set, lines in table.groupby("test_set", sort=False):
        there = lines.notna().any()
        if not there["dice_best_mean"]:
            why = "no test subject has a lesion"
        elif not there.get("dice_val_mean", True):
            why = "no validation subject has a lesion, so that there is no threshold for Dice_val"
        else:
            continue
        yield Check(LOOK, f"Values on {test_set} are missing: {why}.")


def _learned(paths: Paths, run: Mapping[str, Any]) -> Iterator[Check]:
    """Rows that are not above the controls that know nothing, on test sets with real lesions.

    Means decide, without a test: it is something to look at.
    """
    table = _table1(paths)
    names = overview.knowing_nothing(run["rows"])
    if table is None:
        return
    if not names:
        told = "the table has neither chance nor intensity"
        yield Check(LOOK, f"Whether anything was learned cannot be told: {told}.")
        return
    defined = table["dice_best_mean"].notna()  # without lesions nothing tells
    trained = table[(table["block"] != "control") & (table["test_set"] != SYNTHETIC) & defined]
    controls = table[table["method"].isin(names)].set_index("method")
    found = False
    for (test_set, lines), (key, metric) in itertools.product(
        trained.groupby("test_set", sort=False), METRICS.items()
    ):
        floors = controls.loc[controls["test_set"] == test_set, key]
        named = [
            (blocks.row_name(line["method"], line["d_unhealthy"]), f" {percent(line[key])}")
            for _, line in lines.iterrows()
            if line[key] <= floors.max()
        ]
        if named:
            found = True
            known = " and ".join(f"{name} ({percent(floor)})" for name, floor in floors.items())
            several = counted(len(lines), "row")
            yield Check(
                LOOK, f"{metric} on {test_set}: {len(named)} of {several} not above {known}", named
            )
    if len(trained) and not found:
        known = " and ".join(names)
        yield Check(GOOD, f"Every row is above {known} on every test set with real lesions.")


def _failures(failed: Sequence[tuple[str, str]], finished: bool) -> Iterator[Check]:
    """Jobs that failed, with their reasons; a failure of the tables is reported with the controls.

    Jobs that failed earlier, in a run that came to its end, were not needed.
    """
    named = [(f"logs/{name}", f": {reason}") for name, reason in failed if name != TABLES_LOG]
    shown = named[:SHOWN], max(len(named) - SHOWN, 0)
    if named and finished:
        yield Check(
            LOOK, f"{len(named)} job(s) failed earlier but are not needed by this run", *shown
        )
    elif named:
        yield Check(BAD, f"{len(named)} job(s) failed", *shown)
    elif finished:
        yield Check(GOOD, "No job failed.")
    elif not failed:
        yield Check(BAD, "The run stopped, but no log says why; see the terminal output.")


def _lost(paths: Paths, name: str) -> dict[str, dict[str, str] | None]:
    """What of a data set is not used, with the reasons, by kind; None where it is not known yet.

    `excluded.tsv` repeats what was left out before registration.
    """
    line = _json(paths.inventory(name))
    excluded = _tsv(paths.packed_file(name, "excluded.tsv"))
    lost = dict.fromkeys(LOST)
    if line is not None:
        lost["by_user"] = dict(line["excluded"])
        lost["left_out"] = dict(line["left_out"])
        lost["unreadable"] = {Path(name).name: reason for name, reason in line["unreadable"]}
    if excluded is not None:
        reasons = zip(excluded["subject"], excluded["status"])
        known = {**(lost["by_user"] or {}), **(lost["left_out"] or {})}
        lost["excluded"] = {name: reason for name, reason in reasons if name not in known}
    return lost


def _exclusions(paths: Paths, run: Mapping[str, Any]) -> Iterator[Check]:
    """What is not in the numbers of each data set."""
    found = {name: _lost(paths, name) for name in run["datasets"]}
    for name, lost in found.items():
        if lost["excluded"] is None:
            yield Check(LOOK, f"{name}: not preprocessed yet.")
        for kind, reasons in lost.items():
            if reasons:
                named = [(lost_one, f" ({reason})") for lost_one, reason in reasons.items()]
                text = f"{name}: {len(reasons)} {LOST[kind]}"
                yield Check(LOOK, text, named[:SHOWN], max(len(named) - SHOWN, 0))
    if all(reasons == {} for lost in found.values() for reasons in lost.values()):
        yield Check(GOOD, "Every subject that was found is used.")


def _remarks(paths: Paths, run: Mapping[str, Any]) -> Iterator[Check]:
    """What was noticed about anomaly maps made elsewhere."""
    names = {name for block in run["rows"].values() for name in block["maps"]}
    for path in sorted(Path(paths.root).glob("scores/*/fold-*/remarks.txt")):
        name, fold = path.parts[-3], path.parts[-2].partition("-")[2]
        lines = path.read_text(encoding="utf-8").splitlines()
        if lines and name in names and fold in map(str, run["folds"]):
            yield Check(LOOK, f"Maps of {name}, fold {fold}: {'; '.join(lines)}.")


def _leaks(paths: Paths) -> Iterator[Check]:
    """Subjects with two roles in a fold, and listed ones without any, from the leak report."""
    audit = _tsv(paths.leaks("tsv"))
    if audit is None:
        return
    used = audit[audit["stage"] == "used"]
    shared = int(used[["train_test", "train_val", "val_test"]].to_numpy().sum())
    if shared:
        yield Check(BAD, f"Splits leak: {shared} times a subject has two roles in a fold.")
    else:
        yield Check(GOOD, "No subject has two roles in a fold.")
    for name, lines in audit[audit["absent"] > 0].groupby("dataset", sort=False):
        absent = sorted({one for names in lines["absent_subjects"] for one in names.split()})
        text = f"{name}: {counted(len(absent), 'subject')} of the released lists not used"
        named = [(one, "") for one in absent[:SHOWN]]
        yield Check(LOOK, text, named, max(len(absent) - SHOWN, 0))


def _trainings(paths: Paths, run: Mapping[str, Any]) -> Iterator[Check]:
    """How many trainings were still improving when they ended."""
    histories = [
        joined.history(path, epochs)
        for model, epochs in run["epochs"].items()
        if epochs
        for fold in run["folds"]
        if (path := Path(paths.model(model, fold, "history.tsv"))).exists()
    ]
    if not histories:
        return
    late = sum(plots.best_epoch(h)["epoch"] == h["epoch"].iloc[-1] for h in histories)
    text = f"{late} of {len(histories)} trainings are best at their last epoch"
    if late > len(histories) / 2:
        yield Check(LOOK, f"{text}: more epochs may help.")
    else:
        yield Check(GOOD, f"{text}.")


def _benchmarks(root: str | Path) -> Iterator[Check]:
    """Benchmark files that count as not measured, since they cannot be read."""
    named = [(f"benchmarks/{name}", "") for name in run_costs.unreadable(root)]
    if named:
        shown = named[:SHOWN], max(len(named) - SHOWN, 0)
        yield Check(LOOK, f"{counted(len(named), 'benchmark file')} cannot be read", *shown)


def _what(paths: Paths, run: Mapping[str, Any]) -> dict[str, Any]:
    """What was run, as terms and their texts."""
    record = _json(paths.provenance) or {}
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
    counts = [(_json(paths.inventory(name)) or {}).get("found")]
    lost = _lost(paths, name)
    left_out = None if lost["left_out"] is None else {**lost["by_user"], **lost["left_out"]}
    kinds = (left_out, lost["unreadable"], lost["excluded"])
    counts += [None if names is None else len(names) for names in kinds]
    texts = [DASH if n is None else str(n) for n in counts]
    split = _tsv(paths.split(name))
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
    agreement = _tsv(paths.table("agreement.tsv"))
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
    table = _table1(paths)
    if table is None:
        return []
    there = [path.stem for path in Path(paths.root).glob("rows/*.html")]
    return overview.heat_maps(table, run["rows"], run["simulated"], there)


def _forests(paths: Paths, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every row's mean, interval and subjects; empty as long as something of it is missing."""
    table, intervals = _table1(paths), _tsv(paths.table("statistics.tsv"))
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
    paths: Paths, run: Mapping[str, Any], checks: Sequence[Check], failed: Sequence, finished: bool
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
    table = _table1(paths)
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
    verdicts = _tsv(paths.table("claims.tsv")) if run["judges_claims"] else None
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
        yield Tile(
            "",
            duration((last - first).total_seconds()),
            f"by the clock, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}",
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
    verdicts = _tsv(paths.table("claims.tsv"))
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


def _json(path: str | Path) -> Any:
    return joined.record(path) if Path(path).exists() else None


def _tsv(path: str | Path) -> pd.DataFrame | None:
    return tsv.read(path) if Path(path).exists() else None


def _table1(paths: Paths) -> pd.DataFrame | None:
    path = Path(paths.table("table1.csv"))
    try:
        return pd.read_csv(path) if path.exists() else None
    except ValueError as error:  # not text, or no table
        raise InputError(f"{path}: is damaged ({error}); delete it and run again") from error
