"""What each departure from the paper or the released code is worth: `docs/ablation.md`.

    python benchmarks/ablation.py                     (make ablation)
    python benchmarks/ablation.py frozen lesions      only these
    python benchmarks/ablation.py --study             (make ablation-study)
    python benchmarks/ablation.py --page              nothing runs; the page is written again

Departures (`benchmarks/ablation.yaml`) are turned in one fold of the demo, and those that only
score again in the study, too (`config/ablation.yaml`, `config/ablation_study.yaml`). A base starts
from what `make demo` or `make study` has left, if anything. Each departure starts from hard links
to the base's results, in a working directory of its own, with one thing turned: Snakemake finds
what that reruns. What is finished is not run again, what was stopped goes on. `ablation_page.py`
compares.
"""

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import ablation_page
import pandas as pd
import yaml

from uad.base import tsv
from uad.plan.config import check
from uad.plan.overlays import with_defaults
from uad.plan.plan import Plan

HOME = Path(__file__).parents[1]
# Beside the single departures: some or all models trained again with other random numbers, a
# yardstick for what is trained anew; all of the released configuration, as `make demo-released`.
BASE, RELEASED = "base", "released"
AGAIN = {"again_unet_res": "unet_res-*", "again": "*"}  # to the models
# Written in place by jobs, or of no use below: not to be linked.
OWN = ("logs", "benchmarks", "figures", "tables", "qc", "bundles", "methods")


def spec():
    """`turned`, `rescored` and `left_out` of `benchmarks/ablation.yaml`."""
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


@dataclass(frozen=True)
class Ablation:
    """Departures turned in one run of the workflow.

    Attributes
    ----------
    results : Path
        Results of the run, in `HOME` and in the working directory of each departure.
    overlays : tuple of str
        The run's, in order, the ablation's own last.
    turned : tuple of str
        Runs beside the base.
    folder : Path
        Of the working directories.
    """

    results: Path
    overlays: tuple
    turned: tuple
    folder: Path

    def runs(self):
        """Every run: its name to the overlays below the base's, and its own."""
        # Simulated scans are in no list.
        released = {"results": str(self.results), "splits": {"scheme": "clean"}}
        found = {name: ([], {"seed": 1}) for name in AGAIN}
        found |= {name: ([], nested(changes)) for name, changes in spec()["turned"].items()}
        found |= {RELEASED: (["config/released.yaml"], released)}
        return {BASE: ([], {})} | {name: found[name] for name in self.turned}

    def configuration(self, name):
        """The checked configuration of a run."""
        below, own = self.runs()[name]
        config = own
        for path in [*reversed([*below, *self.overlays]), "config/config.yaml"]:
            with_defaults(config, HOME / path)
        check(config)
        return config

    def start(self, name):
        """The working directory of a run; a new one begins with what the base, or its run, has."""
        folder, source = self.folder / name, HOME if name == BASE else self.folder / BASE
        if folder.exists():
            return folder
        part = folder.with_name(f".{name}")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        results = source / self.results
        if results.exists():
            left_out = {results / child for child in OWN}
            left_out |= set((results / "models").glob(AGAIN.get(name, "none")))
            # Links are safe, since jobs rename what they have written.
            shutil.copytree(
                results,
                part / self.results,
                copy_function=os.link,
                ignore=lambda at, names: [n for n in names if Path(at) / n in left_out],
            )
            shutil.copytree(source / ".snakemake/metadata", part / ".snakemake/metadata")
        part.rename(folder)
        return folder

    def compute(self, name, cores):
        """Run what a departure reruns, of all rows."""
        folder, (below, own) = self.start(name), self.runs()[name]
        (folder / "overlay.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--snakefile", HOME / "Snakefile"]
        command += ["--directory", folder, "--cores", cores, "--scheduler", "greedy"]
        command += ["--quiet", "rules", "--rerun-incomplete"]
        # All else stays: models that are missing are trained with another seed.
        command += ["--rerun-triggers", "mtime"] if name in AGAIN else []
        command += ["--configfile", *(HOME / path for path in [*below, *self.overlays])]
        command += [folder / "overlay.yaml", "--", *self.targets(self.configuration(name))]
        if subprocess.run(list(map(str, command)), cwd=HOME).returncode:
            sys.exit(f"ablation: {name} has stopped; run again to go on ({folder})")
        shutil.copy(folder / "overlay.yaml", folder / "finished.yaml")

    def metrics(self, config):
        """Metrics of all rows and folds, below the working directory of a run."""
        return [
            f"{self.results}/metrics/{row}/fold-{fold}.tsv"
            for row in config["rows"]
            for fold in config["folds"]
        ]

    def targets(self, config):
        """What a run ends with: metrics, maps, and models, since Snakemake lets missing ones be."""
        plan = Plan(config, HOME)
        folds = config["folds"]
        models = [plan.paths.model(name, fold) for name in plan.models for fold in folds]
        maps = dict.fromkeys(
            path
            for row in config["rows"]
            for model in plan.networks_of(row)
            for fold in folds
            for path in plan.anomaly_maps(model, fold)
        )
        return [*self.metrics(config), *maps, *models]

    def finished(self, name):
        """Whether a run has all results, of the present overlay."""
        path = self.folder / name / "finished.yaml"
        return (
            path.exists()
            and yaml.safe_load(path.read_text(encoding="utf-8")) == self.runs()[name][1]
        )

    def subjects(self, name):
        """Metrics of all rows of a run, a line per row, fold, test set and subject."""
        paths = (self.folder / name / path for path in self.metrics(self.configuration(name)))
        return pd.concat(map(tsv.read, paths), ignore_index=True)

    def trained(self, name):
        """Models of a run that are not the base's."""
        pattern = f"{self.results}/models/*/fold-*/model.pt"
        return [
            path.parts[-3]
            for path in sorted((self.folder / name).glob(pattern))
            if not path.samefile(self.folder / BASE / path.relative_to(self.folder / name))
        ]

    def minutes(self, name):
        """Processor minutes of a run's own jobs, of those that are measured."""
        paths = (self.folder / name / self.results / "benchmarks").rglob("*.tsv")
        return sum(tsv.read(path)["cpu_time"].sum() for path in paths) / 60

    def found(self):
        """What the finished runs have, by name, the base first: configuration, metrics, costs."""
        names = [name for name in self.runs() if self.finished(name)]
        return {
            name: ablation_page.Run(
                self.configuration(name),
                self.subjects(name),
                len(self.trained(name)),
                self.minutes(name),
            )
            for name in names
        }


DEMO = Ablation(
    Path("results/demo"),
    ("config/demo.yaml", "config/ablation.yaml"),
    (*AGAIN, *spec()["turned"], RELEASED),
    HOME / "results/ablation",
)
STUDY = Ablation(
    Path("results/study"),
    ("config/demo.yaml", "config/study.yaml", "config/ablation_study.yaml"),
    tuple(spec()["rescored"]),
    HOME / "results/ablation-study",
)


def write_page():
    """Fill in the pages from what is finished."""
    demo, study = DEMO.found(), STUDY.found()
    if max(len(demo), len(study)) < 2:
        sys.exit("ablation: nothing to compare yet")
    not_yet = [name for name in DEMO.runs() if name not in demo]
    ablation_page.write(demo, study, not_yet, spec()["left_out"])


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="runs; none: all")
    parser.add_argument("--study", action="store_true", help="in the study instead of the demo")
    parser.add_argument("--cores", default="all", help="of Snakemake")
    parser.add_argument("--page", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    ablation = STUDY if arguments.study else DEMO
    if unknown := set(arguments.names) - set(ablation.runs()):
        parser.error(f"{', '.join(sorted(unknown))}: not in benchmarks/ablation.yaml")
    names = [n for n in ablation.runs() if n in (arguments.names or ablation.runs())]
    names = [] if arguments.page else names
    if names and BASE not in names and not ablation.finished(BASE):
        names.insert(0, BASE)
    for number, name in enumerate(names, start=1):
        print(f"ablation: {name} ({number} of {len(names)})", flush=True)
        ablation.compute(name, arguments.cores)
    write_page()


if __name__ == "__main__":
    main()
