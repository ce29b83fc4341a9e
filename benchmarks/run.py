"""Measure, and write the tables of `docs/benchmarks.md`.

python benchmarks/run.py paths plan    (make bench)
python benchmarks/run.py networks      (make bench-paper)
"""

import json
import os
import platform
import subprocess
import sys
from datetime import date
from importlib import metadata
from pathlib import Path

import networks
import paths
import plan
import timing
import torch
import yaml

from uad import config as uad_config
from uad import methods

PAGE = Path("docs/benchmarks.md")
PACKAGES = ("torch", "numpy", "scipy", "torchio", "torchmetrics", "opensimplex", "scikit-learn",
            "snakemake")  # fmt: skip


def measured_on():
    """A sentence about machine, versions and date."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "CPU")
    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    return (
        f"*{date.today()}; {model} ({torch.backends.cpu.get_cpu_capability()}), {os.cpu_count()} "
        f"cores, {ram:.0f} GiB; load when it began {os.getloadavg()[0]:.1f}; Python "
        f"{platform.python_version()}, {versions}.*"
    )


def table(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def of_paths(config):
    """Every hot path, in one thread."""
    torch.set_num_threads(1)
    rows = [_line(path, timing.compare(path)) for path in paths.all_paths(config)]
    torch.set_num_threads(os.cpu_count())
    header = ["Path", "Baseline", "Baseline, ms", "Here, ms", "Ratio", "Target"]
    return table(header, rows)


def _line(path, measured):
    ms = [
        f"{1000 * s:.3g}" if s < 1 else f"{1000 * s:.0f}"
        for s in (measured.baseline, measured.ours)
    ]
    missed = "" if measured.ratio >= path.target else " **target missed**"
    line = [path.name, path.baseline_name, *ms, f"{measured.ratio:.1f}", f"{path.target}{missed}"]
    print(*line, sep="  ", flush=True)
    return line


def of_plan(_):
    """The dry run of the whole paper."""
    jobs, wall, processor, gib = plan.measure()
    missed = "" if wall <= plan.SECONDS and gib <= plan.GIB else " **limit missed**"
    header = ["Jobs", "Wall clock, s", "Processor, s", "Peak memory, GiB", "Limits"]
    limits = f"{plan.SECONDS} s, {plan.GIB} GiB{missed}"
    return table(header, [[jobs["total"], f"{wall:.0f}", f"{processor:.0f}", f"{gib:.2f}", limits]])


def of_networks(config):
    """Training step and inference of every method, and what shared reconstructions save."""
    rows, volume = [], {}
    for name in config["methods"]:
        step = _measure(name, "step")
        line = [name, step["batch"], f"{step['seconds']:.1f}", f"{step['gib']:.1f}"]
        if name in methods.PRETRAINING:
            line += ["–"] * 3
        else:
            volume[name] = _measure(name, "infer")
            made, mapped, gib = (volume[name][key] for key in ("reconstruct", "map", "gib"))
            line += [f"{made:.1f}" if made else "–", f"{mapped:.2f}", f"{gib:.1f}"]
        print(*line, sep="  ", flush=True)
        rows.append(line)
    header = ["Method", "Batch", "Step, s", "Step, GiB", "Reconstruction, s", "Map, s",
              "Inference, GiB"]  # fmt: skip
    both = [_sharing(config, volume, which) for which in ("all rows", "rows with the cDDPM")]
    header_2 = ["A volume of", "Row by row, s", "Shared, s", "Ratio", "Target"]
    return table(header, rows) + "\n\n" + table(header_2, both)


def _measure(name, what):
    """What `networks.py` measures in a process of its own."""
    command = [sys.executable, networks.__file__, name, what]
    return json.loads(subprocess.check_output(command, text=True).splitlines()[-1])


def _sharing(config, volume, which):
    """Seconds of a volume's maps: each row its own, and each model once as in the workflow."""
    by_row, models, sources = 0.0, set(), set()
    for row in config["rows"].values():
        used = [m for m in row["maps"] if m not in methods.CONTROLS]
        from_ = {_source(config, model) for model in used} - {None}
        if which == "all rows" or "cddpm" in from_:
            by_row += sum(volume[uad_config.method(model)]["map"] for model in used)
            by_row += sum(volume[source]["reconstruct"] for source in from_)
            models, sources = models | set(used), sources | from_
    shared = sum(volume[uad_config.method(model)]["map"] for model in models)
    shared += sum(volume[source]["reconstruct"] for source in sources)
    ratio = by_row / shared
    target = "5" if ratio >= 5 else "5 **target missed**"
    return [which, f"{by_row:.0f}", f"{shared:.0f}", f"{ratio:.1f}", target]


def _source(config, model):
    """The method whose reconstructions a model's map is computed from, or None."""
    name = uad_config.method(model)
    block = config["methods"][name]
    return name if block["reconstructs"] else block["upstream"]


if __name__ == "__main__":
    config = yaml.safe_load(Path("config/config.yaml").read_text())
    for part in sys.argv[1:]:
        where = measured_on()
        measured = {"paths": of_paths, "plan": of_plan, "networks": of_networks}[part](config)
        uad_config.fill_in(PAGE, {part: f"{where}\n\n{measured}"})
