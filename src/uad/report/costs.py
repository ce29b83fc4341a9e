"""What a run cost, from Snakemake's benchmark files, and what all its folds would.

A benchmark file holds the last run of a job: a training that was interrupted counts from where it
went on. Its hours are therefore those of its epochs (`history.tsv`) where these are more. Hours are
of single jobs, added up; jobs that ran at the same time took less of the day.
"""

from pathlib import Path

import numpy as np
import pandas as pd

DASH = "–"
ADDED = ["jobs_planned", "jobs_measured", "hours", "cpu_hours", "gpu_hours"]
PROJECTED = ["jobs_full", "hours_full", "gpu_hours_full"]
COLUMNS = ["rule", "of", *ADDED, "memory_gib", *PROJECTED]


def read(path):
    """Seconds, CPU seconds and highest memory in MiB of a job.

    Returns
    -------
    tuple of float or None
        NaN where not measured (very short jobs have a hyphen); None without a readable file.
    """
    try:
        line = pd.read_csv(path, sep="\t").iloc[0]
    except (FileNotFoundError, pd.errors.EmptyDataError, IndexError):
        return None
    if not {"s", "max_rss"} <= set(line.index):
        return None
    numbers = pd.to_numeric(line.reindex(["s", "cpu_time", "max_rss"]), errors="coerce")
    return tuple(map(float, numbers))


def measured(paths):
    """Sum of seconds and highest memory in MiB of several jobs, NaN where none is measured."""
    jobs = [job for job in map(read, paths) if job is not None]
    seconds, _, memory = pd.DataFrame(jobs, columns=["s", "cpu", "memory"]).T.to_numpy(float)
    return _sum(seconds), _max(memory)


def table(root, plan, on_gpu):
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


def by_rule(costs):
    """The table with one line per rule, in its order; `of` counts the lines."""
    how = dict.fromkeys([*ADDED, *PROJECTED], lambda column: column.sum(min_count=1))
    how |= {"memory_gib": "max", "of": "size"}
    return costs.groupby("rule", sort=False).agg(how).reset_index()[COLUMNS]


def duration(seconds):
    """`43 s`, `12 min 5 s`, `31 h 12 min`."""
    if not np.isfinite(seconds):
        return DASH
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _trained(root, path):
    """Seconds of all epochs of the training with this benchmark; 0 for other jobs."""
    rule, *run = path.relative_to(Path(root) / "benchmarks").with_suffix("").parts
    history = Path(root, "models", *run, "history.tsv")
    if rule != "train_model" or not history.exists():
        return 0.0
    return float(pd.read_csv(history, sep="\t")["seconds"].sum())


def _sum(values):
    """Sum of what is known, NaN if nothing is."""
    return float(np.nansum(values)) if np.isfinite(values).any() else np.nan


def _max(values):
    return float(np.nanmax(values)) if np.isfinite(values).any() else np.nan
