"""What a run will cost: the jobs that Snakemake plans, and the seconds of each.

Seconds are, the first that is known counts: those of jobs of the same kind that this run has done,
by their logs; of networks, measured on this machine (`uad.engine.calibration`); of other rules,
those of `workflow/resources/seconds.tsv`, written by `benchmarks/jobs.py`.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from uad.data import slices
from uad.engine.calibration import Cost
from uad.models.anomalies import SYNTHETIC

# Rules whose jobs run a network.
TRAINING = ("train_model", "pretrain", "train_drifting")
NETWORKS = (*TRAINING, "reconstruct", "score")
# Voxels of the volume that seconds per volume are of: the paper's.
VOXELS = 50 * 96 * 96
COLUMNS = ["rule", "jobs", "hours", "gpu_hours", "memory_gb", "from"]


@dataclass(frozen=True)
class Planned:
    """A job of a dry run.

    Attributes
    ----------
    rule : str
    wildcards : mapping of str to str
    log : str
    threads, gpus : int
    memory_mb : int
        That it asks for.
    """

    rule: str
    wildcards: Mapping[str, str]
    log: str
    threads: int
    gpus: int
    memory_mb: int


def jobs(output: str) -> list[Planned]:
    """Jobs that `snakemake --dry-run` lists, without targets, which do nothing.

    Parameters
    ----------
    output : str
        What it printed.
    """
    found = []
    # A job is a line with its rule, and lines that are indented below it; in groups, all are.
    one = r"^( *)(?:local)?rule (\w+):\n((?:\1 {4}.*\n?)*)"
    for _, rule, text in re.findall(one, output, flags=re.M):
        lines = dict(re.findall(r"^ +(\w+): (.*)$", text, flags=re.M))
        if "log" not in lines:
            continue
        wildcards = dict(re.findall(r"(\w+)=([^,\s]+)", lines.get("wildcards", "")))
        asked = dict(re.findall(r"(\w+)=(\d+)(?:,|$)", lines.get("resources", "")))
        found.append(
            Planned(
                rule,
                wildcards,
                lines["log"],
                int(lines.get("threads", 1)),
                int(asked.get("gpu", 0)),
                int(asked.get("mem_mb", 0)),
            )
        )
    return found


def finished(log: str, of: str = "", name: str = "*") -> list[float]:
    """Seconds of jobs of the same rule that are done, by the logs beside a job's.

    Parameters
    ----------
    log : str
        Of the job.
    of : str, optional
        Folder below that of the rule, if jobs differ by it: model, row or data set.
    name : str, optional
        Of their logs, without the ending; a pattern.
    """
    parts = Path(log).parts
    folder = Path(*parts[: parts.index("logs") + 2]) if "logs" in parts else Path(log)
    seconds = []
    for path in sorted((folder / of).rglob(f"{name}.log")):
        found = re.search(
            r"finished after ([\d.]+) s$", path.read_text(encoding="utf-8"), flags=re.M
        )
        seconds += [float(found[1])] if found else []
    return seconds


class Work:
    """Seconds of jobs.

    Parameters
    ----------
    blocks : dict
        `methods` of the configuration.
    counts : mapping of str to mapping
        Of each data set, `train`, `val` and `test`: subjects of a fold (`Plan.role_counts`).
    learned_from : mapping of str to (str, str)
        Data sets that each model trains and validates on.
    test_datasets : list of str
    cost_of : callable
        From a model to its `Cost`; called once, and only for models that this run has no job of.
    shipped : DataFrame
        `workflow/resources/seconds.tsv`: `rule`, `seconds`, `per` (job or volume).
    start, start_of_network : float
        Seconds from a job's beginning until its script works: imports. Of most jobs, and of those
        that run a network and import torch.
    voxels : int
        Of a packed volume.
    """

    def __init__(
        self,
        blocks: Mapping[str, Any],
        counts: Mapping[str, Mapping[str, int]],
        learned_from: Mapping[str, tuple[str, str]],
        test_datasets: Sequence[str],
        cost_of: Callable[[str], Cost],
        shipped: pd.DataFrame,
        start: float,
        start_of_network: float,
        voxels: int,
    ):
        self.blocks, self.counts, self._cost_of = blocks, counts, cache(cost_of)
        self.shipped, self.voxels = shipped.set_index("rule"), voxels
        self.start, self.start_of_network = start, start_of_network
        self.learned_from, self.test_datasets = learned_from, test_datasets
        self._done: dict[tuple[str, str, str], list[float]] = {}

    def seconds(self, job: Planned) -> tuple[float, str]:
        """Seconds of a job, and what they are from.

        ``"this run"``, ``"here"`` or ``"shipped"``; or ``"unknown"``, with NaN.
        """
        start = self.start_of_network if job.rule in NETWORKS else self.start
        if done := self._finished(job):
            return median(done) + start, "this run"
        if job.rule in NETWORKS:
            return self._of_network(job) + start, "here"
        if job.rule not in self.shipped.index:
            return math.nan, "unknown"
        line = self.shipped.loc[job.rule]
        units = self.voxels / VOXELS * self._evaluated() if line["per"] == "volume" else 1
        return float(line["seconds"]) * units + start, "shipped"

    def _finished(self, job):
        """Seconds of jobs of the same kind: model or row, else data set.

        Those of a network depend on the model, and a reconstruction's on the data set, whose
        volumes it counts. Of other rules those of another row or data set are better than none.
        """
        of = next((job.wildcards[k] for k in ("model", "row", "dataset") if k in job.wildcards), "")
        name = job.wildcards["dataset"] if job.rule == "reconstruct" else "*"
        if (job.rule, of, name) not in self._done:
            done = finished(job.log, of, name)
            self._done[job.rule, of, name] = (
                done if done or job.rule in NETWORKS else finished(job.log)
            )
        return self._done[job.rule, of, name]

    def _of_network(self, job):
        model = job.wildcards["model"]
        cost = self._cost_of(model)
        if job.rule in TRAINING:
            return self._training(model, cost)
        if job.rule == "reconstruct":
            return cost.reconstruct * self.evaluated(job.wildcards["dataset"])
        return cost.score * self._evaluated()

    def _training(self, model, cost):
        method, _, source = model.partition("-")
        block = self.blocks[method]["training"]
        train, val = self.learned_from[model]
        drop_last = block["drop_last"]
        epoch = slices.TrainingSlices(
            pack=None,
            rows=range(self.counts[train]["train"]),
            batch_size=block["batch_size"],
            slices_per_volume=block["slices_per_volume"],
            drop_last=source in ("", *SYNTHETIC) if drop_last == "healthy" else drop_last,
            augment=False,
            corrupt=None,
            partners=False,
        )
        per_volume = 1 if block["validation"] == "random" else block["validation_slices"]
        validated = self.counts[val]["val"] * per_volume / block["validate_every"]
        return block["epochs"] * (epoch.batches * cost.step + validated * cost.validation)

    def evaluated(self, dataset: str) -> int:
        """Validation and test subjects of a fold."""
        return self.counts[dataset]["val"] + self.counts[dataset]["test"]

    def _evaluated(self):
        return sum(map(self.evaluated, self.test_datasets))


def table(planned: Iterable[Planned], work: Work) -> pd.DataFrame:
    """Cost of the planned jobs, a line per rule, the longest first.

    Parameters
    ----------
    planned : iterable of Planned
    work : Work

    Returns
    -------
    DataFrame
        `hours` of cores, that is, seconds times threads; `gpu_hours`; `memory_gb` that one job asks
        for; `from`, what the seconds are from.
    """
    lines = []
    for job in planned:
        seconds, source = work.seconds(job)
        lines.append(
            {
                "rule": job.rule,
                "jobs": 1,
                "hours": seconds * job.threads / 3600,
                "gpu_hours": seconds * job.gpus / 3600,
                "memory_gb": job.memory_mb / 1000,
                "from": source,
            }
        )
    if not lines:
        return pd.DataFrame(columns=COLUMNS)
    summed = partial(pd.Series.sum, min_count=1)  # NaN if nothing is known
    whole = {"jobs": "sum", "hours": summed, "gpu_hours": summed, "memory_gb": "max"}
    sources = {"from": lambda column: ", ".join(sorted(set(column)))}
    by_rule = pd.DataFrame(lines).groupby("rule").agg(whole | sources).reset_index()[COLUMNS]
    return by_rule.sort_values("hours", ascending=False, ignore_index=True)


def wall_hours(costs: pd.DataFrame, cores: int, gpus: int) -> float:
    """At least so long by the clock, with every core and every GPU busy."""
    return max(costs["hours"].sum() / cores, costs["gpu_hours"].sum() / max(gpus, 1))


def text(costs: pd.DataFrame, cores: int, gpus: int) -> list[str]:
    """The table for the terminal, and a sentence with its sum.

    Parameters
    ----------
    costs : DataFrame
        From `table`.
    cores, gpus : int
        That may be used at once.
    """
    if not len(costs):
        return ["Nothing is left to do."]
    sums = costs[["jobs", "hours", "gpu_hours"]].sum()
    whole = {"rule": "all", **sums, "memory_gb": "", "from": ""}
    shown = pd.concat([costs, pd.DataFrame([whole])])
    shown["jobs"] = shown["jobs"].map("{:,.0f}".format)
    for column in ("hours", "gpu_hours"):
        shown[column] = shown[column].map(_time)
    shown.columns = ["rule", "jobs", "core time", "GPU time", "GB", "from"]
    lines = shown.to_string(index=False).splitlines()
    used = f"{cores} cores" + (f" and {gpus} GPUs" if sums["gpu_hours"] else "")
    hours = wall_hours(costs, cores, gpus)
    lines.append(f"With {used} about {_time(hours)}, if they are busy all the time.")
    if unknown := list(costs.loc[costs["hours"].isna(), "rule"]):
        lines.append(f"Not counted, since nothing is known of their time: {', '.join(unknown)}.")
    return lines


def _time(hours):
    """Hours in words, to two digits or so."""
    seconds = 3600 * hours
    if math.isnan(hours):
        return "?"
    if hours >= 1:
        return f"{hours:,.0f} h" if hours >= 10 else f"{hours:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s" if seconds else "–"
