"""The dry run of the paper's workflow on empty files with the native names of the data sets.

python benchmarks/plan.py           (make plan)
python benchmarks/plan.py 10000     the same run with so many BraTS scans

prints its jobs, and how many submissions they are on a cluster; or time and memory of planning.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import yaml
from timing import seconds

from uad.simulation import names

COUNTS = {"ixi": 562, "brats21": 1251, "atlas_v2": 655}
SECONDS, GIB = 60, 2  # limits

# Runs a command and then prints what it used. From a small process, since the peak memory of a
# process begins with that of the one that started it.
MEASURED = """
import json, resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20]))
"""


def stand_ins(folder, counts, seed=1):
    """Write empty files with the native names of real data sets; the overlay that names them."""
    blocks = {}
    for dataset, n in counts.items():
        root = folder / dataset
        for scan in names.scans(dataset, n, seed):
            for file in names.files(dataset, scan):
                path = root / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        blocks[dataset] = {"folder": str(root), "demographics": None}
    weights = {name: str(folder / f"{name}.pth") for name in ("fae", "rd")}
    for path in (folder / "T1.nii", folder / "T1_brain.nii", *map(Path, weights.values())):
        path.touch()
    atlas = {"head": str(folder / "T1.nii"), "brain": str(folder / "T1_brain.nii")}
    methods = {name: {"pretrained": path} for name, path in weights.items()}
    return {"datasets": blocks, "atlas": atlas, "methods": methods}


def job_counts(output):
    """Jobs per rule from a dry run's table."""
    table = output.split("Job stats:")[-1]
    return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", table, flags=re.M)}


def submissions(output):
    """SLURM jobs per rule or group from a dry run with the profile."""
    found = re.findall(r"^\[.*\] Group job (\w+) |^rule (\w+):", output, flags=re.M)
    return Counter(group or rule for group, rule in found if rule != "all")


def dry_run(folder, *arguments, counts=COUNTS):
    """What Snakemake prints about the whole paper, and a last line from `MEASURED`."""
    overlay = Path(folder) / "overlay.yaml"
    changes = stand_ins(Path(folder), counts) | {"results": f"{folder}/results"}
    overlay.write_text(yaml.safe_dump(changes), encoding="utf-8")
    python = sys.executable
    command = [python, "-m", "snakemake", "-n", *arguments, "--configfile", str(overlay)]
    return subprocess.check_output([python, "-c", MEASURED, *command], text=True)


def measure(counts=COUNTS):
    """Jobs per rule, wall and processor seconds and peak memory in GiB of the dry run."""
    words = ("--cores", "2", "--quiet", "rules")
    with tempfile.TemporaryDirectory() as folder:
        output = []
        wall = seconds(lambda: output.append(dry_run(folder, *words, counts=counts)))
    processor, gib = json.loads(output[0].splitlines()[-1])
    return job_counts(output[0]), wall, processor, gib


def main(scans=None):
    """Print the paper's jobs, or time and memory of planning with so many BraTS scans."""
    if scans:
        jobs, _, processor, gib = measure(COUNTS | {"brats21": scans})
        print(f"{jobs['total']} jobs, planned in {processor:.0f} s of a processor, {gib:.2f} GiB")
        return
    jobs, wall, _, gib = measure()
    with tempfile.TemporaryDirectory() as folder:
        submitted = submissions(dry_run(folder, "--profile", "slurm"))
    width = max(map(len, jobs))
    for rule, n in jobs.items():
        print(f"{rule:{width}}  {n:6}")
    print(
        f"The paper: {jobs['total']} jobs, planned in {wall:.0f} s with {gib:.1f} GiB; with "
        f"--profile slurm {submitted.total()} submissions"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
