"""How far a run is: what is done of each step, trainings that are under way, and the time left.

    PYTHONPATH=src python -m uad.plan.status [OVERLAY.yaml ...]    (make status, uad status)

Reads benchmark files and logs only, so that it may be asked while Snakemake runs.
"""

import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from uad.base.errors import InputError
from uad.plan import config as settings
from uad.plan import needs
from uad.plan.figures import costs
from uad.plan.overlays import with_defaults
from uad.plan.plan import Plan
from uad.report import costs as measured
from uad.report.numbers import DASH, duration

HOME = Path(__file__).parents[3]
TRAINING = ("pretrain", "train_model")  # rules
STALE = 3600  # seconds without a line, after which a job may be gone
_EPOCH = re.compile(
    r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ epoch (\d+): train (\S+), validation (\S+)$", re.M
)
_STAMP = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),", re.M)


@dataclass(frozen=True)
class Training:
    """A training that has begun and not ended.

    Attributes
    ----------
    model : str
    fold, epoch, epochs : int
        The last epoch that the log tells, 0 before the first; and how many there will be.
    train, validation : str
        Losses of that epoch.
    seconds_left : float
        From the time that epochs of this job took; NaN before two of them.
    per_epoch : float
        Seconds; NaN before two of them.
    quiet : float
        Seconds since the log was written.
    """

    model: str
    fold: int
    epoch: int
    epochs: int
    train: str
    validation: str
    seconds_left: float
    per_epoch: float
    quiet: float


def training(path: str | Path, model: str, fold: int, epochs: int, now: float) -> Training | None:
    """What the log of a training says; None if there is none, or the training has ended.

    Parameters
    ----------
    path : path-like
        Of the log.
    model : str
    fold : int
    epochs : int
        That it is trained for.
    now : float
        Time, as the file system has it.
    """
    path = Path(path)
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    if " finished after " in text or "Error: " in text:
        return None
    told = [
        (datetime.fromisoformat(at), int(n), *losses) for at, n, *losses in _EPOCH.findall(text)
    ]
    nan = float("nan")
    per_epoch = nan
    if len(told) > 1:
        (first, begun, *_), (last, done, *_) = told[0], told[-1]
        per_epoch = (last - first).total_seconds() / (done - begun) if done > begun else nan
    _, epoch, train, validation = told[-1] if told else (None, 0, DASH, DASH)
    return Training(
        model,
        fold,
        epoch,
        epochs,
        train,
        validation,
        per_epoch * (epochs - epoch),
        per_epoch,
        max(now - path.stat().st_mtime, 0),
    )


def trainings(plan: Plan) -> list[Training]:
    """Those that are under way."""
    found = []
    for model, epochs in plan.epochs.items():
        for fold in plan.folds:
            log = plan.paths.log(f"train_model/{model}/fold-{fold}")
            found.append(training(log, model, fold, epochs, time.time()))
    return [one for one in found if one]


def steps(table: pd.DataFrame, under_way: Sequence[Training]) -> pd.DataFrame:
    """Jobs and hours of each rule.

    Parameters
    ----------
    table : DataFrame
        From `costs.table`.
    under_way : sequence of Training

    Returns
    -------
    DataFrame
        By `rule`: `done`, `total`; `hours` so far; `left`, hours that the other jobs will take if
        they take as long as those of their method, or else of their rule: NaN if none is measured.
    """
    lines = []
    for _, line in table.iterrows():
        of_rule = table[table["rule"] == line["rule"]]
        known = of_rule["hours"].sum(), of_rule["jobs_measured"].sum()
        per_job = known[0] / known[1] if known[1] else float("nan")
        mine = []
        if line["rule"] in TRAINING:
            mine = [one for one in under_way if needs.method(one.model) == line["of"]]
            whole = [one.per_epoch * one.epochs / 3600 for one in mine if one.per_epoch > 0]
            per_job = sum(whole) / len(whole) if whole else per_job
        if line["jobs_measured"]:
            per_job = line["hours"] / line["jobs_measured"]
        done = min(line["jobs_measured"], line["jobs_planned"])
        running = [one.seconds_left / 3600 for one in mine if one.seconds_left >= 0]
        waiting = max(line["jobs_planned"] - done - len(running), 0)
        left = sum(running) + (waiting * per_job if waiting else 0)
        lines.append((line["rule"], done, line["jobs_planned"], line["hours"], left))
    found = pd.DataFrame(lines, columns=["rule", "done", "total", "hours", "left"])
    grouped = found.groupby("rule", sort=False)
    sums = grouped[["done", "total"]].sum()
    sums["hours"] = grouped["hours"].sum()
    sums["left"] = grouped["left"].agg(lambda hours: hours.sum(skipna=False))
    return sums[sums["total"] > 0]


def show(plan: Plan, console: Console) -> None:
    """Print it."""
    under_way = trainings(plan)
    table = steps(measured.table(plan.paths.root, costs(plan), False), under_way)
    shown = Table(title=f"{plan.paths.root}: jobs that are measured")
    shown.add_column("step")
    for name in ("done", "of", "took", "left"):
        shown.add_column(name, justify="right")
    for rule, line in table.iterrows():
        left = duration(3600 * line["left"]) if line["done"] < line["total"] else ""
        took = duration(3600 * line["hours"]) if line["done"] else ""
        shown.add_row(rule, f"{line['done']:.0f}", f"{line['total']:.0f}", took, left)
    console.print(shown)
    if under_way:
        running = Table(title="Trainings that have begun")
        running.add_column("model")
        for name in ("fold", "epoch", "loss", "validation", "left", "last line"):
            running.add_column(name, justify="right")
        for one in under_way:
            quiet = f"{duration(one.quiet)} ago" + (" (killed?)" if one.quiet > STALE else "")
            running.add_row(
                one.model,
                str(one.fold),
                f"{one.epoch} of {one.epochs}",
                one.train,
                one.validation,
                duration(one.seconds_left),
                quiet,
            )
        console.print(running)
    console.print(sentence(table, Path(plan.paths.front_page).exists()))


def sentence(table: pd.DataFrame, is_there: bool) -> str:
    """How much time is left, as far as one can tell."""
    waiting = table[table["done"] < table["total"]]
    if waiting.empty:
        told = "is there" if is_there else "is not written yet"
        return f"All measured jobs are done; the front page {told}."
    unknown = list(waiting.index[waiting["left"].isna()])
    hours = waiting["left"].sum()
    text = f"Left: about {duration(3600 * hours)} of jobs, of which several may run at once"
    return text + (f"; not known yet: {', '.join(unknown)}." if unknown else ".")


def main(overlays: Iterable[str]) -> None:
    """Print how far the run of a configuration is; a mistake in it ends the process."""
    config: dict = {}
    try:
        paths = list(overlays)
        for path in reversed(paths):
            if not Path(path).is_file():
                raise InputError(f"{path}: no such file")
            with_defaults(config, path)
        with_defaults(config, HOME / "config/config.yaml")
        settings.check(config, [Path(path).parent for path in paths])
        show(Plan(config, HOME), Console())
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
