"""Measure, and write the tables of `docs/benchmarks.md`.

python benchmarks/run.py paths plan        (make bench)
python benchmarks/run.py networks limit    (make bench-paper)
python benchmarks/run.py gpu               from `benchmarks/measured/` (make bench-gpu)
"""

import json
import os
import platform
import subprocess
import sys
from datetime import date
from functools import partial
from importlib import metadata
from pathlib import Path

import limit
import networks
import paths
import plan
import timing
import torch
import yaml

from uad.base import devices
from uad.data import slices
from uad.evaluation import controls
from uad.models import methods
from uad.plan import docs, needs

PAGE = Path("docs/benchmarks.md")
MISSED = "missed**"  # behind a number in a table
MEASURED = Path("benchmarks/measured")
PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "torchio",
    "torchmetrics",
    "scikit-image",
    "scikit-learn",
    "snakemake",
)


def measured_on():
    """A sentence about machine, versions and date."""
    lines = (
        Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if Path("/proc/cpuinfo").exists()
        else []
    )
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "CPU")
    if torch.cuda.is_available():
        model = f"{torch.cuda.get_device_name()}; {model}"
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
    """Every hot path."""
    rows = [_line(path, timing.compare(path)) for path in paths.all_paths(config)]
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
    """Training step and inference of every method, what sharing saves, and the table's hours."""
    on_gpu = devices.choose("auto").type == "cuda"
    exact, reduced = "32-true", "16-mixed" if on_gpu else "bf16-mixed"
    rows, steps, volume = [], {}, {"usual": {}, exact: {}, reduced: {}}
    for name, block in config["methods"].items():
        precision = {**config["training"], **block["training"]}["precision"] if on_gpu else exact
        step = steps[name] = _measure(name, "step", precision)
        line = [name, step["batch"], f"{step['seconds']:.3g}", f"{step['gib']:.1f}"]
        if name in methods.PRETRAINING:
            line += ["–"] * 7
        else:
            for how, measured in volume.items():
                measured[name] = _measure(name, "infer", how)
                made = measured[name]["reconstruct"]
                line += [f"{made:.3g}" if made else "–", f"{measured[name]['map']:.2g}"]
            line.append(f"{volume[exact][name]['gib']:.1f}")
        print(*line, sep="  ", flush=True)
        rows.append(line)
    header = [
        "Method",
        "Batch",
        "Step, s",
        "Step, GiB",
        "Usual: reconstruction, s",
        "map, s",
        "Here: reconstruction, s",
        "map, s",
        "16 bits: reconstruction, s",
        "map, s",
        "Inference, GiB",
    ]
    sharing = [_sharing(config, volume, which) for which in ("all rows", "rows with the cDDPM")]
    header_2 = [
        "A volume of",
        "Usual, row by row, s",
        "Usual, shared, s",
        "Ratio",
        "Here, shared, s",
        "Ratio",
        "Here, shared, 16 bits, s",
        "Ratio",
        "Target",
    ]
    header_3 = ["Whole table", "Training, h", "Inference, h", "Inference in 16 bits, h"]
    hours = [f"{h:,.0f}" for h in _hours(config, steps, volume[exact], volume[reduced])]
    return "\n\n".join(
        [
            table(header, rows),
            table(header_2, sharing),
            table(header_3, [["projected", *hours]]),
        ]
    )


def of_limit(config):
    """Training steps and maps on this processor, beside the most that it can do."""
    rows = []
    for found in limit.measure(config):
        of_limit, of_reference = found["of the limit"], found["of the reference"]
        lines = [
            *(f"{found[label]:.3g}" for label in limit.WAYS), f"{found['limit']:.3g}",
            f"{found['gflops']:.0f}", _at_most(of_limit, limit.OF_LIMIT),
            _at_most(of_reference, limit.OF_REFERENCE),
            f"{found['error']:.0e}", f"{found['error, 16 bits']:.0e}",
        ]  # fmt: skip
        rows.append([found["method"], found["what"], *lines])
        print(*rows[-1], sep="  ", flush=True)
    header = [
        "Method", "Work", *(f"{label[0].upper()}{label[1:]}, s" for label in limit.WAYS),
        "Limit, s", "at GFLOP/s", "Here / limit", "16 bits / reference", "Error here",
        "Error in 16 bits",
    ]  # fmt: skip
    return table(header, rows)


def _at_most(ratio, target):
    """A ratio, and whether it is too large."""
    missed = "" if ratio <= target else f" **target {target} missed**"
    return f"{ratio:.2f}{missed}"


def of_gpus(config):
    """What `gpu.py` measured, one section per card."""
    return "\n\n".join(_card(config, path) for path in sorted(MEASURED.glob("*.jsonl")))


def _card(config, path):
    """Machine, methods, ways and hours of one file of measurements."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if "failed" not in line]
    machine = next(line for line in lines if line["part"] == "machine")
    title = "*{date}; {device}, {cores} cores; Python {python}, torch {torch}.*".format(**machine)
    steps = _by_method(lines, "steps", "way")
    errors = _by_method(lines, "correct", "precision")
    for line in lines:
        if line["part"] == "correct" and line.get("tf32") is False:
            errors[line["method"]]["exact"] = line
    header = [
        "Method", "Batch", "Usual step, ms", "Step, ms", "Ratio", "Step, GiB", "Volume, ms",
        "Error of the map, 32 bits", "16 bits", "bf16",
    ]  # fmt: skip
    rows, seconds, volume = [], {}, {}
    for name, measured in steps.items():
        usual, here = measured["usual"], measured["here"]
        seconds[name] = {"seconds": here["seconds"], "batch": here["batch"]}
        of_volume = measured.get("volume", {"seconds": 0})["seconds"]
        reconstructs = config["methods"][name]["reconstructs"]
        volume[name] = {
            "reconstruct": of_volume if reconstructs else 0,
            "map": 0 if reconstructs else of_volume,
        }
        found = [errors[name][key].get("map") for key in ("exact", "16-mixed", "bf16-mixed")]
        rows.append(
            [
                name, here["batch"], f"{1000 * usual['seconds']:.1f}",
                f"{1000 * here['seconds']:.1f}", f"{usual['seconds'] / here['seconds']:.2f}",
                f"{here['gib']:.1f}", f"{1000 * of_volume:.0f}" if of_volume else "–",
                *("–" if error is None else f"{error:.0e}" for error in found),
            ]
        )  # fmt: skip
    ways = [
        [line.get("method", "–"), line["label"], f"{1000 * line['seconds']:.3g}",
         f"{line['gib']:.1f}" if "gib" in line else "–",
         f"{line['first']:.0f}" if line.get("compiled") else "–"]
        for line in lines
        if line["part"] == "variants" and "seconds" in line
    ]  # fmt: skip
    training, inference = _hours(config, seconds, volume)
    return "\n\n".join(
        [
            title,
            table(header, rows),
            table(["Method", "Way", "Time, ms", "GiB", "Compiling, s"], ways),
            table(
                ["Whole table", "Training, GPU-hours", "Inference, GPU-hours"],
                [["projected", f"{training:.1f}", f"{inference:.1f}"]],
            ),
        ]
    )


def _by_method(lines, part, key):
    """Lines of a part by method and a second key."""
    found = {}
    for line in lines:
        if line["part"] == part and "method" in line:
            found.setdefault(line["method"], {})[line[key]] = line
    return found


def _measure(name, what, precision):
    """What `networks.py` measures in a process of its own."""
    command = [sys.executable, networks.__file__, name, what, precision]
    return json.loads(subprocess.check_output(command, text=True).splitlines()[-1])


def _sharing(config, volume, which):
    """Seconds of a volume's maps: each row its own, and each model once as in the workflow."""
    by_row, models, sources = 0.0, set(), set()
    for row in config["rows"].values():
        used = [m for m in row["maps"] if m not in controls.CONTROLS]
        from_ = {_source(config, model) for model in used} - {None}
        if which == "all rows" or "cddpm" in from_:
            by_row += _once(volume["usual"], used, from_)
            models, sources = models | set(used), sources | from_
    line = [which, f"{by_row:.0f}"]
    for measured in volume.values():
        shared = _once(measured, models, sources)
        line += [f"{shared:.0f}", f"{by_row / shared:.1f}"]
    return [*line, "5" if by_row / shared >= 5 else "5 **target missed**"]


def _once(volume, models, sources):
    """Seconds of a volume's maps by models, and of the reconstructions they are computed from."""
    maps = sum(volume[needs.method(model)]["map"] for model in models)
    return maps + sum(volume[source]["reconstruct"] for source in sources)


def _hours(config, steps, *volumes):
    """Hours of all trainings, and of inference on all validation and test subjects, all folds.

    Without the passes over validation slices during training, and with the paper's batch in
    proportion to the one measured.
    """
    training = 0.0
    models = needs.models(config)
    for model in models:
        name = needs.method(model)
        block = {**config["training"], **config["methods"][name]["training"]}
        train = config["splits"][needs.training_datasets(model, config)[0]]["train"]
        epoch = slices.TrainingSlices(
            None,
            range(train),
            block["batch_size"],
            block["slices_per_volume"],
            block["drop_last"],
            augment=True,
            corrupt=None,
            partners=False,
        )
        scale = block["batch_size"] / steps[name]["batch"]
        training += block["epochs"] * epoch.batches * scale * steps[name]["seconds"]
    mapped = [model for model in models if needs.method(model) not in methods.PRETRAINING]
    sources = {_source(config, model) for model in mapped} - {None}
    subjects = sum(map(partial(_tested, config), needs.test_sets(config).values()))
    inference = [subjects * _once(volume, mapped, sources) for volume in volumes]
    return [seconds * len(config["folds"]) / 3600 for seconds in (training, *inference)]


def _tested(config, dataset):
    """Validation and test subjects of a fold; synthetic ones are those of IXI."""
    dataset = "ixi" if dataset == "draem" else dataset
    numbers = config["splits"][dataset]
    if numbers["test"] is None:
        return plan.COUNTS[dataset] - numbers["train"]
    return numbers["val"] + numbers["test"]


def _source(config, model):
    """The method whose reconstructions a model's map is computed from, or None."""
    name = needs.method(model)
    block = config["methods"][name]
    return name if block["reconstructs"] else block["upstream"]


def main(parts):
    """Measure parts, write their tables, and say whether all targets were met."""
    config = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    tables = {
        "paths": of_paths, "plan": of_plan, "networks": of_networks, "limit": of_limit,
        "gpu": of_gpus,
    }  # fmt: skip
    missed = 0
    for part in parts:
        # A GPU's numbers were measured before, perhaps elsewhere, and say where.
        where = "" if part == "gpu" else f"{measured_on()}\n\n"
        measured = tables[part](config)
        docs.fill_in(PAGE, {part: where + measured})
        missed += measured.count(MISSED)
    print("all targets met" if not missed else f"{missed} missed, see {PAGE}")
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
