"""Runs Snakemake while killing its jobs and Snakemake itself, again and again, with SIGKILL.

A job killed is one attempt of several (`--retries`). When Snakemake is killed, its lock is taken
away and the same command given at once, while the jobs that it left may still be running.
"""

import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

import psutil

# A job's script, as Snakemake calls the copy that it runs.
SCRIPT = re.compile(r"\.snakemake/scripts/tmp[^.]*\.(\w+)\.py$")
# One of so many kills is of Snakemake itself.
ORCHESTRATOR_SHARE = 4


@dataclass
class Report:
    """What was killed, as (seconds since the start, name of a script or `snakemake`)."""

    kills: list = field(default_factory=list)
    starts: int = 0
    seconds: float = 0.0

    def __str__(self):
        lines = [f"{at:7.1f} s  {what}" for at, what in self.kills]
        of_snakemake = sum(what == "snakemake" for _, what in self.kills)
        lines.append(
            f"{len(self.kills)} kills, {of_snakemake} of them of Snakemake itself; "
            f"{self.starts} starts, {self.seconds:.0f} s"
        )
        return "\n".join(lines)


def run(folder, arguments, pause, rng, log, limit=3600):
    """Run Snakemake in a folder to its end, through kills.

    Parameters
    ----------
    folder : path-like
    arguments : list of str
        Of Snakemake; the same at every start.
    pause : tuple of float
        Seconds between two kills, drawn uniformly between these.
    rng : numpy.random.Generator
    log : path-like
        Gets what Snakemake printed.
    limit : float
        Seconds after which this gives up.

    Returns
    -------
    Report
    """
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *map(str, arguments)]
    report, began = Report(), time.monotonic()
    while True:
        unlock = subprocess.run([*command, "--unlock"], cwd=folder, capture_output=True, text=True)
        assert unlock.returncode == 0, unlock.stderr
        with open(log, "a") as output:
            process = subprocess.Popen(
                [*command, "--retries", "30", "--rerun-incomplete", "--scheduler", "greedy"],
                cwd=folder, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        report.starts += 1
        _torment(process, pause, rng, report, began)
        report.seconds = time.monotonic() - began
        if process.returncode == 0:
            return report
        assert process.returncode == -signal.SIGKILL, f"Snakemake gave up, see {log}"
        assert report.seconds < limit, f"not finished after {limit} s\n{report}"


def _torment(process, pause, rng, report, began):
    """Kill jobs of a Snakemake until it ends, by itself or by a kill."""
    due = time.monotonic() + rng.uniform(*pause)
    while process.poll() is None:
        time.sleep(0.05)
        if time.monotonic() < due:
            continue
        victim, name = process, "snakemake"
        if rng.integers(ORCHESTRATOR_SHARE):
            jobs = _jobs(process.pid)
            if not jobs:
                continue  # until there is one
            victim, name = jobs[rng.integers(len(jobs))]
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            continue
        report.kills.append((time.monotonic() - began, name))
        due = time.monotonic() + rng.uniform(*pause)
        if victim is process:
            process.wait()


def _jobs(pid):
    """The running scripts of a Snakemake: pairs of process and name."""
    found = []
    try:
        for child in psutil.Process(pid).children(recursive=True):
            match = SCRIPT.search(" ".join(child.cmdline()))
            if match:
                found.append((child, match[1]))
    except psutil.NoSuchProcess:
        return []
    return found
