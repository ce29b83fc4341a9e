"""What the front page checks: controls, failures, exclusions, leaks, what was learned.

Each check reads the results folder and yields sentences with a state; files that are not there yet
are not an error.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from uad.base import logs
from uad.base.paths import Paths
from uad.report import blocks, joined, overview, plots, stored
from uad.report import costs as run_costs
from uad.report.numbers import counted, percent

TABLES_LOG = "compare.log"
NO_RESULT = ("check", "fetch", "front_page")  # rules whose logs say nothing about results
SHOWN = 5  # of failed jobs, and of excluded subjects per data set
SYNTHETIC = "draem"  # test set without real lesions
METRICS = {"dice_best_mean": "[DICE]", "auprc_mean": "AUPRC"}  # columns of Table 1

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


def failures(root: str | Path) -> list[tuple[str, str]]:
    """Jobs that did not finish: pairs of their log's path below `logs` and the reason."""
    folder = Path(root) / "logs"
    found = []
    for path in sorted(folder.rglob("*.log")):
        name = path.relative_to(folder)
        if Path(name.parts[0]).stem not in NO_RESULT and (reason := logs.failure(path)):
            found.append((name.as_posix(), reason))
    return found


def controls(
    paths: Paths, run: Mapping[str, Any], failed: Sequence[tuple[str, str]]
) -> Iterator[Check]:
    """Whether rows of known result have it; `check_controls.check` decides, in rule compare."""
    broken = [reason for name, reason in failed if name == TABLES_LOG]
    names = {row: run["rows"][row]["maps"] for row in run["rows"]}
    checked = [row for row, maps in names.items() if maps in (["perfect"], ["chance"])]
    table = None if broken else stored.table1(paths)
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


def undefined(paths: Paths) -> Iterator[Check]:
    """Test sets on which no row has a value of some kind; Table 1 says of single folds, too."""
    table = stored.table1(paths)
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


def learned(paths: Paths, run: Mapping[str, Any]) -> Iterator[Check]:
    """Rows that are not above the controls that know nothing, on test sets with real lesions.

    Means decide, without a test: it is something to look at.
    """
    table = stored.table1(paths)
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


def of_failures(failed: Sequence[tuple[str, str]], finished: bool) -> Iterator[Check]:
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


def not_used(paths: Paths, name: str) -> dict[str, dict[str, str] | None]:
    """What of a data set is not used, with the reasons, by kind; None where it is not known yet.

    `excluded.tsv` repeats what was left out before registration.
    """
    line = stored.json_file(paths.inventory(name))
    excluded = stored.tsv_file(paths.packed_file(name, "excluded.tsv"))
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


def exclusions(paths: Paths, run: Mapping[str, Any]) -> Iterator[Check]:
    """What is not in the numbers of each data set."""
    found = {name: not_used(paths, name) for name in run["datasets"]}
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


def remarks(paths: Paths, run: Mapping[str, Any]) -> Iterator[Check]:
    """What was noticed about anomaly maps made elsewhere."""
    names = {name for block in run["rows"].values() for name in block["maps"]}
    for path in sorted(Path(paths.root).glob("scores/*/fold-*/remarks.txt")):
        name, fold = path.parts[-3], path.parts[-2].partition("-")[2]
        lines = path.read_text(encoding="utf-8").splitlines()
        if lines and name in names and fold in map(str, run["folds"]):
            yield Check(LOOK, f"Maps of {name}, fold {fold}: {'; '.join(lines)}.")


def leaks(paths: Paths) -> Iterator[Check]:
    """Subjects with two roles in a fold, and listed ones without any, from the leak report."""
    audit = stored.tsv_file(paths.leaks("tsv"))
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


def trainings(paths: Paths, run: Mapping[str, Any]) -> Iterator[Check]:
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


def benchmarks(root: str | Path) -> Iterator[Check]:
    """Benchmark files that count as not measured, since they cannot be read."""
    named = [(f"benchmarks/{name}", "") for name in run_costs.unreadable(root)]
    if named:
        shown = named[:SHOWN], max(len(named) - SHOWN, 0)
        yield Check(LOOK, f"{counted(len(named), 'benchmark file')} cannot be read", *shown)
