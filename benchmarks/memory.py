"""Highest memory of every rule's jobs, beside what the rule asks for.

python benchmarks/memory.py    (make bench-memory; minutes, after `make demo`)

Preprocessing is run on one simulated scan of each data set with the paper's settings, since the
demo's are coarser; networks are those of `bench-paper`; the other rules are the demo's.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import run
import yaml

from uad.plan import docs

DEMO = Path("results/demo")
SCANS = {"ixi": "IXI001", "brats21": "BraTS00002", "atlas_v2": "r001s001"}
NETWORKS = {
    "train_model": "step",
    "reconstruct": "infer",
    "score": "infer",
}


def asked():
    """Megabytes that each rule asks for at its first attempt, on a GPU and on the CPU."""
    found = {}
    for path in sorted(Path("workflow/rules").glob("*.smk")):
        rules = path.read_text(encoding="utf-8")
        for text in re.split(r"^(?=(?:use )?rule )", rules, flags=re.M)[1:]:
            name = re.match(r"(?:use rule \w+ as|rule) (\w+)", text)[1]
            memory = re.search(r"growing\(mem_mb=\(?(\d+)(?:, (\d+)\))?", text)
            if memory:
                found[name] = int(memory[1]), int(memory[2] or memory[1])
    return found


def peaks(root):
    """Highest memory in MiB of each rule's jobs, from their logs."""
    found = {}
    for path in (Path(root) / "logs").rglob("*.log"):
        rule, *rest = path.relative_to(Path(root) / "logs").with_suffix("").parts
        if rule == "simulate":
            rule = f"simulate_{rest[0]}"
        for peak in re.findall(
            r"at most (\d+) MiB of memory$", path.read_text(encoding="utf-8"), flags=re.M
        ):
            found[rule] = max(found.get(rule, 0), int(peak))
    return found


def preprocess(folder):
    """Peaks of preprocessing with the paper's settings."""
    demo = yaml.safe_load(Path("config/demo.yaml").read_text(encoding="utf-8"))
    overlay = {
        "results": f"{folder}/results",
        "accelerator": "cpu",
        **{key: demo[key] for key in ("simulation", "datasets", "folds", "splits")},
    }
    path = Path(folder) / "overlay.yaml"
    path.write_text(yaml.safe_dump(overlay), encoding="utf-8")
    wanted = [
        f"{folder}/results/preprocessed/{dataset}/sub-{subject}/sub-{subject}_{what}"
        for dataset, subject in SCANS.items()
        for what in ("space-SRI24_res-2mm_desc-preproc_T1w.nii.gz", "desc-quality_qc.json")
    ]
    command = [sys.executable, "-m", "snakemake", "--cores", "all", "--quiet", "all"]
    subprocess.run([*command, "--configfile", path, "--", *wanted], check=True)
    return peaks(f"{folder}/results")


def of_networks(page):
    """The largest of `bench-paper`'s peaks in MiB, for training and for inference."""
    table = page.read_text(encoding="utf-8").partition("<!-- networks: begin -->")[2]
    lines = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| ")]
    header = [cell.strip() for cell in lines[0]]
    found = {}
    for what, column in (("step", "Step, GiB"), ("infer", "Inference, GiB")):
        at = header.index(column)
        cells = [line[at].strip() for line in lines[1:] if len(line) == len(header)]
        found[what] = max(1024 * float(cell) for cell in cells if re.fullmatch(r"[\d.]+", cell))
    return found


def lines():
    """Rule, its peak in GiB, what was measured, and what it asks for in GB."""
    with tempfile.TemporaryDirectory() as folder:
        scans = preprocess(folder)
    networks, demo = of_networks(run.PAGE), peaks(DEMO)
    for rule, (on_gpu, on_cpu) in asked().items():
        if rule in NETWORKS:
            peak, what = networks[NETWORKS[rule]], "the paper's networks, on the CPU"
        elif rule in scans:
            peak, what = scans[rule], "the paper's settings, simulated scans"
        elif rule in demo:
            peak, what = demo[rule], "demo"
        else:
            peak, what = None, "not measured"
        amount = f"{on_gpu / 1000:g}" + (f", {on_cpu / 1000:g} on a CPU" if on_cpu > on_gpu else "")
        tight = " **too little**" if peak and peak * 2**20 > on_cpu * 1e6 else ""
        yield [f"`{rule}`", f"{peak / 1024:.2f}" if peak else "–", what, amount + tight]


if __name__ == "__main__":
    header = ["Rule", "Highest memory, GiB", "Of", "Asks for, GB"]
    result = run.table(header, list(lines()))
    print(result)
    docs.fill_in(run.PAGE, {"memory": f"{run.measured_on()}\n\n{result}"})
