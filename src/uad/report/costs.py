"""What a run cost, from Snakemake's benchmark files, and what all its folds would cost.

A benchmark file describes the last run of a job: of an interrupted training, the time since its
last restart. The hours of a training are therefore the sum of its epochs (`history.tsv`) if that is
more. Hours are summed over jobs; jobs that ran at the same time took less wall-clock time.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uad.base import tsv
from uad.base.errors import InputError

ADDED = ["jobs_planned", "jobs_measured", "hours", "cpu_hours", "gpu_hours"]
PROJECTED = ["jobs_full", "hours_full", "gpu_hours_full"]
COLUMNS = ["rule", "of", *ADDED, "memory_gib", *PROJECTED]


def read(path: str | Path) -> tuple[float, float, float] | None:
    """Seconds, CPU seconds and highest memory in MiB of a job.

    Returns
    -------
    tuple of float or None
        NaN where not measured (very short jobs have a hyphen); None without a readable file.
    """
    try:
        line = tsv.read(path).iloc[0]
    except (InputError, IndexError):
        return None
    if not {"s", "max_rss"} <= set(line.index):
        return None
    numbers = pd.to_numeric(line.reindex(["s", "cpu_time", "max_rss"]), errors="coerce")
    return tuple(map(float, numbers))


def measured(paths: Iterable[str | Path]) -> tuple[float, float]:
    """Sum of seconds and highest memory in MiB of several jobs, NaN where none is measured."""
    jobs = [job for job in map(read, paths) if job is not None]
    seconds, _, memory = pd.DataFrame(jobs, columns=["s", "cpu", "memory"]).T.to_numpy(float)
    return _sum(seconds), _max(memory)


def unreadable(root: str | Path) -> list[str]:
    """Benchmark files that `read` cannot read, as paths below their folder."""
    folder = Path(root) / "benchmarks"
    files = sorted(folder.rglob("*.tsv"))
    return [path.relative_to(folder).as_posix() for path in files if read(path) is None]


def table(root: str | Path, plan: Sequence[Mapping[str, Any]], on_gpu: bool) -> pd.DataFrame:
    """One line per rule and what it was run for.

    Parameters
    ----------
    root : path-like
        Results folder.
    plan : list of dict
        `rule`; `of`, a method or data set; `files`, patterns below `benchmarks/`; `jobs` that this
        run has; `jobs_full` that all folds have; `gpu`, whether the rule asks for one.
    on_gpu : bool
        Whether jobs that ask for a GPU had one.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`. Those that end in `_full` are the measured ones times `jobs_full` over
        `jobs_measured`, NaN if nothing is measured.
    """
    lines = []
    for entry in plan:
        folder = Path(root) / "benchmarks"
        paths = sorted({path for pattern in entry["files"] for path in folder.glob(pattern)})
        jobs = [(path, job) for path in paths if (job := read(path)) is not None]
        seconds = np.array([max(job[0], _trained(root, path)) for path, job in jobs])
        hours = _sum(seconds) / 3600
        factor = entry["jobs_full"] / len(jobs) if jobs else np.nan
        gpu_hours = hours if entry["gpu"] and on_gpu else 0.0
        lines.append(
            {
                "rule": entry["rule"],
                "of": entry["of"],
                "jobs_planned": entry["jobs"],
                "jobs_measured": len(jobs),
                "hours": hours,
                "cpu_hours": _sum(np.array([job[1] for _, job in jobs])) / 3600,
                "gpu_hours": gpu_hours,
                "memory_gib": _max(np.array([job[2] for _, job in jobs])) / 1024,
                "jobs_full": entry["jobs_full"],
                "hours_full": hours * factor,
                "gpu_hours_full": gpu_hours * factor,
            }
        )
    return pd.DataFrame(lines, columns=COLUMNS)


def by_rule(costs: pd.DataFrame) -> pd.DataFrame:
    """The table with one line per rule, in its order; `of` counts the lines."""
    aggregations = dict.fromkeys([*ADDED, *PROJECTED], lambda column: column.sum(min_count=1))
    aggregations |= {"memory_gib": "max", "of": "size"}
    return costs.groupby("rule", sort=False).agg(aggregations).reset_index()[COLUMNS]


def _trained(root: str | Path, path: Path) -> float:
    """Seconds of all epochs of the training with this benchmark; 0 for other jobs."""
    rule, *run = path.relative_to(Path(root) / "benchmarks").with_suffix("").parts
    history = Path(root, "models", *run, "history.tsv")
    if rule != "train_model" or not history.exists():
        return 0.0
    try:
        return float(tsv.read(history)["seconds"].sum())
    except InputError:  # who reads it for its losses says so
        return 0.0


def _sum(values: np.ndarray) -> float:
    """Sum of what is known, NaN if nothing is."""
    return float(np.nansum(values)) if np.isfinite(values).any() else np.nan


def _max(values: np.ndarray) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else np.nan
