"""What each departure from the paper or the released code is worth: `docs/ablation.md`.

    python benchmarks/ablation.py                     (make ablation)
    python benchmarks/ablation.py frozen lesions      only these
    python benchmarks/ablation.py --page              nothing runs; the page is written again

The base is one fold of the demo (`config/ablation.yaml`), from what `make demo` has left, if
anything. Each departure (`benchmarks/ablation.yaml`) starts from hard links to its results, in a
working directory of its own, with one thing turned: Snakemake finds what that reruns. What is
finished is not run again, what was stopped goes on. `ablation_page.py` compares.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import ablation_page
import pandas as pd
import yaml

from uad.base import tsv
from uad.plan.config import check
from uad.plan.overlays import with_defaults
from uad.plan.plan import Plan

HOME = Path(__file__).parents[1]
FOLDER = HOME / "results/ablation"
DEMO = Path("results/demo")  # in HOME, and in the working directory of each run
OVERLAYS = ["config/demo.yaml", "config/ablation.yaml"]
# Beside the single departures: some or all models trained again with other random numbers, a
# yardstick for what is trained anew; all of the released configuration, as `make demo-released`.
BASE, RELEASED = "base", "released"
AGAIN = {"again_unet_res": "unet_res-*", "again": "*"}  # to the models
# Written in place by jobs, or of no use below: not to be linked.
OWN = ("logs", "benchmarks", "figures", "tables", "qc", "bundles", "methods")


def spec():
    """`turned` and `left_out` of `benchmarks/ablation.yaml`."""
    return yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))


def nested(changes):
    """Dotted keys as the blocks of an overlay."""
    overlay = {}
    for key, value in changes.items():
        *blocks, last = key.split(".")
        node = overlay
        for block in blocks:
            node = node.setdefault(block, {})
        node[last] = value
    return overlay


def runs():
    """Every run: its name to the overlays below the demo's, and its own."""
    found = {BASE: ([], {})} | {name: ([], {"seed": 1}) for name in AGAIN}
    found |= {name: ([], nested(changes)) for name, changes in spec()["turned"].items()}
    # Simulated scans are in no list.
    own = {"results": str(DEMO), "splits": {"scheme": "clean"}}
    return found | {RELEASED: (["config/released.yaml"], own)}


def configuration(name):
    """The checked configuration of a run."""
    below, own = runs()[name]
    config = own
    for path in [*reversed([*below, *OVERLAYS]), "config/config.yaml"]:
        with_defaults(config, HOME / path)
    check(config)
    return config


def start(name):
    """The working directory of a run; a new one begins with what the base has, or the demo."""
    folder, source = FOLDER / name, HOME if name == BASE else FOLDER / BASE
    if folder.exists():
        return folder
    part = folder.with_name(f".{name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    if (source / DEMO).exists():
        left_out = {source / DEMO / child for child in OWN}
        left_out |= set((source / DEMO / "models").glob(AGAIN.get(name, "none")))
        # Links are safe, since jobs rename what they have written.
        shutil.copytree(
            source / DEMO,
            part / DEMO,
            copy_function=os.link,
            ignore=lambda at, names: [n for n in names if Path(at) / n in left_out],
        )
        shutil.copytree(source / ".snakemake/metadata", part / ".snakemake/metadata")
    part.rename(folder)
    return folder


def compute(name, cores):
    """Run what a departure reruns, of all rows."""
    folder, (below, own) = start(name), runs()[name]
    (folder / "overlay.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", HOME / "Snakefile"]
    command += ["--directory", folder, "--cores", cores, "--scheduler", "greedy"]
    command += ["--quiet", "rules", "--rerun-incomplete"]
    # All else stays: models that are missing are trained with another seed.
    command += ["--rerun-triggers", "mtime"] if name in AGAIN else []
    command += ["--configfile", *(HOME / path for path in [*below, *OVERLAYS])]
    command += [folder / "overlay.yaml", "--", *targets(configuration(name))]
    if subprocess.run(list(map(str, command)), cwd=HOME).returncode:
        sys.exit(f"ablation: {name} has stopped; run again to go on ({folder})")
    shutil.copy(folder / "overlay.yaml", folder / "finished.yaml")


def metrics(config):
    """Metrics of all rows, below the working directory of a run."""
    return [f"{DEMO}/metrics/{row}/fold-0.tsv" for row in config["rows"]]


def targets(config):
    """What a run ends with: metrics, maps, and models, since Snakemake lets missing ones be."""
    plan = Plan(config, HOME)
    models = [plan.paths.model(name, 0) for name in plan.models]
    maps = dict.fromkeys(
        path
        for row in config["rows"]
        for model in plan.networks_of(row)
        for path in plan.anomaly_maps(model, 0)
    )
    return [*metrics(config), *maps, *models]


def finished(name):
    """Whether a run has all results, of the present overlay."""
    path = FOLDER / name / "finished.yaml"
    return path.exists() and yaml.safe_load(path.read_text()) == runs()[name][1]


def subjects(name):
    """Metrics of all rows of a run, a line per row, test set and subject."""
    paths = (FOLDER / name / path for path in metrics(configuration(name)))
    return pd.concat(map(tsv.read, paths), ignore_index=True)


def trained(name):
    """Models of a run that are not the base's."""
    pattern = f"{DEMO}/models/*/fold-0/model.pt"
    return [
        path.parts[-3]
        for path in sorted((FOLDER / name).glob(pattern))
        if not path.samefile(FOLDER / BASE / path.relative_to(FOLDER / name))
    ]


def minutes(name):
    """Processor minutes of a run's own jobs, of those that are measured."""
    paths = (FOLDER / name / DEMO / "benchmarks").rglob("*.tsv")
    return sum(tsv.read(path)["cpu_time"].sum() for path in paths) / 60


def write_page():
    """Fill in the pages from what is finished."""
    finished_runs = [name for name in runs() if finished(name)]
    if len(finished_runs) < 2:
        sys.exit("ablation: nothing to compare yet")
    ablation_page.write(
        {name: configuration(name) for name in finished_runs},
        {name: subjects(name) for name in finished_runs},
        {name: (len(trained(name)), minutes(name)) for name in finished_runs},
        [name for name in runs() if name not in finished_runs],
        spec()["left_out"],
    )


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="runs; none: all")
    parser.add_argument("--cores", default="all", help="of Snakemake")
    parser.add_argument("--page", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(runs()):
        parser.error(f"{', '.join(sorted(unknown))}: not in benchmarks/ablation.yaml")
    names = [] if arguments.page else [n for n in runs() if n in (arguments.names or runs())]
    if names and BASE not in names and not finished(BASE):
        names.insert(0, BASE)
    for number, name in enumerate(names, start=1):
        print(f"ablation: {name} ({number} of {len(names)})", flush=True)
        compute(name, arguments.cores)
    write_page()


if __name__ == "__main__":
    main()
