"""Seconds of jobs, by rule, from the logs of finished runs.

python benchmarks/jobs.py [--write] RESULTS ...

prints how long the work of each rule's jobs took (median), and what Snakemake measured beyond that,
where it measured: the start of Python and imports. `--write` writes what `snakemake estimate` takes
for rules that run no network, `workflow/resources/seconds.tsv`; of a rule that several runs have,
the first counts.
"""

import argparse
import re
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import run

from uad.base import tsv
from uad.plan.estimate import NETWORKS, VOXELS

SHIPPED = Path("workflow/resources/seconds.tsv")
PER_VOLUME = ("evaluate",)  # rules whose jobs take as long as they have voxels


def measured(root):
    """Rule, seconds of its work, and until it ended if Snakemake measured that, of each job."""
    for path in sorted((root / "logs").rglob("*.log")):
        name = path.relative_to(root / "logs").with_suffix("")
        rule, *rest = name.parts
        if rule == "simulate":
            rule = f"simulate_{rest[0]}"
        text = path.read_text(encoding="utf-8")
        work = re.search(r"finished after ([\d.]+) s$", text, flags=re.M)
        if not work:
            continue
        benchmark = root / "benchmarks" / name.with_suffix(".tsv")
        whole = float(tsv.read(benchmark)["s"].iloc[0]) if benchmark.exists() else None
        yield rule, float(work[1]), whole


def units(root):
    """The paper's volumes, by voxels, that a job evaluates."""
    shape = np.load(next((root / "packed").glob("*/image.npy")), mmap_mode="r").shape
    voxels = 0
    for path in (root / "splits").glob("*.tsv"):
        split = tsv.read(path)
        if "role" not in split:  # the audit
            continue
        evaluated = split[
            (split["fold"] == split["fold"].min()) & split["role"].isin(["val", "test"])
        ]
        voxels += len(evaluated) * np.prod(shape[1:])
    return voxels / VOXELS


def lines(roots):
    """Rule, jobs, seconds of work, seconds beyond it, and of how many volumes a job is."""
    found = {}
    for root in roots:
        table = pd.DataFrame(measured(root), columns=["rule", "work", "whole"])
        for rule, jobs in table.groupby("rule", sort=False):
            beyond = (jobs["whole"] - jobs["work"]).dropna()
            per = units(root) if rule in PER_VOLUME else 1
            found.setdefault(
                rule,
                [
                    rule,
                    len(jobs),
                    median(jobs["work"]),
                    median(beyond) if len(beyond) else None,
                    per,
                ],
            )
    return list(found.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("results", nargs="+", type=Path)
    arguments = parser.parse_args()
    rows = lines(arguments.results)
    shown = [[r, n, f"{w:.1f}", "–" if b is None else f"{b:.1f}"] for r, n, w, b, _ in rows]
    print(run.table(["Rule", "Jobs", "Work, s", "Beyond it, s"], shown))
    if arguments.write:
        others = [row for row in rows if row[0] not in (*NETWORKS, "estimate")]
        shipped = [
            {"rule": r, "seconds": f"{w / per:.3g}", "per": "volume" if r in PER_VOLUME else "job"}
            for r, _, w, _, per in others
        ]
        tsv.write(pd.DataFrame(shipped), SHIPPED)
