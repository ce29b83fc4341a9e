"""The dry run of the paper's workflow on empty files with the native names of the data sets."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from timing import seconds

from uad.simulation import names

COUNTS = {"ixi": 562, "brats21": 1251, "atlas_v2": 655}
SECONDS, GIB = 60, 2  # limits


def overlay(folder):
    """Write the empty files into a folder, and a configuration that points at them."""
    blocks = {}
    for dataset, n in COUNTS.items():
        for scan in names.scans(dataset, n, seed=1):
            for file in names.files(dataset, scan):
                path = folder / dataset / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        blocks[dataset] = {"folder": str(folder / dataset), "demographics": None}
    files = {name: folder / name for name in ("head", "brain", "fae", "rd")}
    for path in files.values():
        path.touch()
    config = {
        "results": str(folder / "results"),
        "datasets": blocks,
        "atlas": {name: str(files[name]) for name in ("head", "brain")},
        "methods": {name: {"pretrained": str(files[name])} for name in ("fae", "rd")},
    }
    path = folder / "overlay.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def measure():
    """Jobs planned, wall and processor seconds, peak memory in GiB, and Snakemake's job table."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "-n", "--quiet", "rules",
                   "--configfile", str(overlay(Path(folder)))]  # fmt: skip
        output = []
        wall = seconds(lambda: output.append(subprocess.check_output(command, text=True)))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    table = output[0].split("Job stats:")[-1].split("\n\n")[0].strip()
    jobs = int(table.split()[-1])
    return jobs, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, table


if __name__ == "__main__":
    print(measure()[-1])
