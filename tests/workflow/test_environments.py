"""Conda environments: each is there, pinned like the constraints, and holds what its rules import.

There is no conda where this is tested. All packages of rules come from pip also in these files, so
`make test-envs` makes an environment of each by pip, and imports there what the rules import.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from functools import cache
from importlib import metadata

import pandas as pd
import pip_conda
import pytest
import yaml
from conftest import ROOT, rule_texts, write_pack
from imports import LIBRARY, PACKAGES, SOURCE, closure, distributions
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from uad.base import tsv
from uad.contract import new

SCRIPTS, DEMO = ROOT / "workflow/scripts", ROOT / "config/demo.yaml"
FILES = sorted((ROOT / "envs").glob("*.yaml"))
WORKFLOW = "workflow.yaml"  # of Snakemake itself, named by no rule
CONDA_NAMES = {"snakemake-minimal": "snakemake"}  # the others are called as on PyPI
# What scripts load by name, which imports do not show: packages, by the rules' parameter `code`.
BY_NAME = {
    "training_code": ["uad.models.methods", "uad.models.anomalies"],
    "model_code": ["uad.models.methods"],
    "methods_code": ["uad.models.methods"],
    "reconstructing_code": ["uad.models.methods"],
    "importing_code": ["uad.models.methods"],
    "dataset_code": ["uad.data.datasets"],
    "row_code": ["uad.evaluation.controls"],
}


# What files say, and what rules need.


def pins(text):
    """Exact version of each package of an environment file; fails where it is not one.

    Returns
    -------
    dict of str to str
        By name as `canonicalize_name` has it, in the file's order; without Python and pip.
    """
    content = yaml.safe_load(text)
    assert set(content) == {"channels", "dependencies"}
    found = {}
    for line in content["dependencies"]:
        for pin in line["pip"] if isinstance(line, dict) else [line]:
            name, sign, version = re.fullmatch(r"([\w.-]+?)(?:(==?)([\w.]+))?", pin).groups()
            if name == "python":
                assert version == "3.11"
            elif name != "pip":
                assert sign == ("==" if isinstance(line, dict) else "="), f"{pin} is not exact"
                found[canonicalize_name(CONDA_NAMES.get(name, name))] = version
    return found


def constraints(*names):
    """Versions in constraint files."""
    text = "".join((ROOT / name).read_text() for name in names)
    found = re.findall(r"^([\w.-]+)==(\S+)$", text, re.M)
    return {canonicalize_name(name): version for name, version in found}


def environment(text):
    """File that a rule names; every rule that does work names one."""
    (path,) = re.findall(r'conda:\n        (?:plan\.environment\()?"([^"]+)"', text)
    return (ROOT / "workflow/rules" / path).resolve()


def code_of(text):
    """A rule's script, and the modules that it loads by name."""
    (script,) = re.findall(r'"\.\./scripts/(\w+\.py)"|code\("(strip_skull_\w+\.py)"\)', text)
    packages = [package for name in code_functions(text) for package in BY_NAME.get(name, [])]
    modules = [n for n in LIBRARY for package in packages if n.startswith(f"{package}.")]
    return [SCRIPTS / "".join(script), *(LIBRARY[name] for name in modules)]


def code_functions(text):
    """Functions of the plan behind a rule's parameter `code`."""
    return re.findall(r"\bplan\.(\w*code)\b", text)


@cache
def needs():
    """Modules that the rules of each environment import: file to (library, others)."""
    found = defaultdict(lambda: (set(), set()))
    for _, text in rule_texts():
        for known, more in zip(found[environment(text)], closure(code_of(text))):
            known |= more
    return found


def lacking(modules, text):
    """Packages that modules are of and an environment file does not hold."""
    return distributions(modules) - set(pins(text))


def unused(modules, text):
    """Packages in an environment file that no module is of and no comment gives a reason for."""
    explained = {canonicalize_name(name) for name in re.findall(r"- ([\w-]+)==\S+ +# \w", text)}
    return set(pins(text)) - distributions(modules) - explained


# On paper.


def test_all_that_is_loaded_by_name_is_known():
    called = {name for _, text in rule_texts() for name in code_functions(text)}
    assert set(BY_NAME) <= called <= {*BY_NAME, "code", "page_code"}
    loading = {n for n, path in LIBRARY.items() if "modules.load(__name__" in path.read_text()}
    assert loading <= {package for packages in BY_NAME.values() for package in packages}


def test_every_file_is_used_and_there():
    # Snakemake notices one that is missing only after the job has run.
    named = {environment(text) for _, text in rule_texts()}
    assert named == set(FILES) - {ROOT / "envs" / WORKFLOW}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_pins_are_those_of_the_constraints(path):
    own = {"skullstrip.yaml": "constraints-hdbet.txt", "deepbet.yaml": "constraints-deepbet.txt"}
    known = constraints("constraints.txt", *filter(None, [own.get(path.name)]))
    found = pins(path.read_text())
    assert found == {name: known[name] for name in found}


def test_constraints_name_a_package_once():
    common = constraints("constraints.txt")
    for own in map(constraints, ("constraints-hdbet.txt", "constraints-deepbet.txt")):
        assert common and own and not set(common) & set(own)


@pytest.mark.parametrize("name", [name for name, _ in rule_texts()])
def test_environment_holds_what_its_rule_imports(name):
    text = dict(rule_texts())[name]
    _, modules = closure(code_of(text))
    assert lacking(modules, environment(text).read_text()) == set()


@pytest.mark.parametrize("path", needs(), ids=lambda path: path.name)
def test_environment_holds_no_more(path):
    assert unused(needs()[path][1], path.read_text()) == set()


def test_what_is_wrong_with_an_environment_is_noticed():
    path = ROOT / "envs/report.yaml"
    text, (_, modules) = path.read_text(), needs()[path]
    assert lacking(modules, re.sub(r" +- matplotlib.*\n", "", text)) == {"matplotlib"}
    assert unused(modules, text + "      - xlrd==2.0.2\n") == {"xlrd"}
    assert not unused(modules, text + "      - xlrd==2.0.2  # spreadsheets\n")
    with pytest.raises(AssertionError, match="numpy is not exact"):
        pins(re.sub(r"numpy==.*", "numpy", text))
    with pytest.raises(AttributeError):
        pins(re.sub(r"numpy==", "numpy>=", text))
    with pytest.raises(yaml.YAMLError):
        pins(text.replace("- pip:", "- pip: ["))


def test_imports_are_found_wherever_they_are():
    rules = dict(rule_texts())
    library, _ = closure(code_of(rules["train_model"]))
    # Imported; loaded by name; imported by what is loaded by name.
    assert {
        "uad.engine.training",
        "uad.models.methods.cddpm",
        "uad.models.networks.unet",
    } <= library
    library, _ = closure(code_of(rules["evaluate"]))
    assert "uad.evaluation.controls.chance" in library and "uad.models.methods.cddpm" not in library
    _, others = closure(code_of(rules["fetch"]))
    assert others == {"pooch", "requests", "tqdm", "yaml"}  # three of them in functions


PLANNING = """
import sys


class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


BLOCKED = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Blocked())
from snakemake.cli import main

main(sys.argv[1:])
"""


def required(names):
    """Distributions that some require, directly or not, with these themselves."""
    found, pending = set(), [*names]
    while pending:
        name = canonicalize_name(pending.pop())
        if name not in found:
            found.add(name)
            lines = map(Requirement, metadata.requires(name) or [])
            pending += [r.name for r in lines if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


def plan_with(packages, folder):
    """A dry run of the demo where nothing can be imported but some distributions."""
    there = required(packages)
    blocked = [module for module, names in PACKAGES.items()
               if not {*map(canonicalize_name, names)} & there]  # fmt: skip
    command = [sys.executable, "-c", PLANNING, ",".join(blocked), "-n", "--configfile", DEMO]
    return subprocess.run(
        [*command, "--snakefile", ROOT / "Snakefile"],
        cwd=folder, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def test_planning_needs_no_more_than_its_environment(tmp_path):
    packages = pins((ROOT / "envs" / WORKFLOW).read_text())
    written = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    if any("code" in block for block in written["methods"].values()):
        # Methods of a fork may import what trains them when their keys are asked for.
        packages |= pins((ROOT / "envs/torch.yaml").read_text())
    done = plan_with(packages, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "train_model" in done.stdout
    done = plan_with(set(packages) - {"snakemake"}, tmp_path)
    assert done.returncode != 0 and "No module named 'snakemake" in done.stderr


# For real.

IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def make(folder, text):
    """A virtual environment with an environment file's packages, torch first; its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    python = folder / "bin/python"
    wanted = [f"{name}=={version}" for name, version in pins(text).items()]
    first = [pin for pin in wanted if pin.startswith("torch==")]
    for step in filter(None, (first, wanted)):
        command = [python, "-m", "pip", "install", "--quiet", *step]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
        assert done.returncode == 0, done.stderr
    return python


@pytest.fixture
def folder(tmp_path):
    """Of an environment; gone after the test, since one takes up to two gigabytes."""
    yield tmp_path / "env"
    shutil.rmtree(tmp_path / "env", ignore_errors=True)


@pytest.mark.envs
@pytest.mark.parametrize("path", needs(), ids=lambda path: path.name)
def test_modules_can_be_imported_in_their_environment(path, folder):
    python = make(folder, path.read_text())
    library, others = needs()[path]
    command = [python, "-c", IMPORT, *sorted(others), *sorted(library)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.envs
def test_the_workflow_is_planned_where_only_snakemake_is(folder, checkout):
    python = make(folder, (ROOT / "envs" / WORKFLOW).read_text())
    command = [python, "-m", "snakemake", "-n", "--cores", "1", "--configfile", "config/demo.yaml"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, cwd=checkout.folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "train_model" in done.stdout


@pytest.mark.envs
def test_a_method_runs_in_its_own_environment(checkout):
    """As `--sdm conda` does it, with a `conda` that asks pip instead of channels."""
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version("toolz")  # else nothing is shown
    folder = checkout.folder
    code, _ = new.write("mine", folder / "own")
    text, made = code.read_text(), "return Mine(params)"
    assert text.count(made) == 1
    code.write_text(text.replace(made, "import toolz\n\n    return toolz.identity(Mine(params))"))
    usual = (ROOT / "envs/torch.yaml").read_text()
    (folder / "own/environment.yaml").write_text(f"{usual}      - toolz==1.1.0\n")
    # In the place of simulated scans.
    write_pack(folder / "results/try/packed/ixi", 5)
    roles = ["train", "train", "train", "val", "test"]
    split = pd.DataFrame({"subject": [f"S{i}" for i in range(5)], "fold": 0, "role": roles})
    tsv.write(split, folder / "results/try/splits/ixi.tsv")
    commands = pip_conda.write(folder / "conda")

    def train(configfile):
        command = [
            sys.executable, "-m", "snakemake", "results/try/models/mine/fold-0/model.pt",
            "--cores", "1", "--sdm", "conda", "--rerun-triggers", "mtime",
            "--allowed-rules", "train_model",
            "--configfile", "config/demo.yaml", "config/try.yaml", "own/mine.yaml", configfile,
        ]  # fmt: skip
        path = f"{commands}:{os.environ['PATH']}"
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=1800, cwd=folder,
            env={**os.environ, "PATH": path},
        )  # fmt: skip
        logs = folder / "results/try/logs/train_model/mine/fold-0.log"
        return done, (logs.read_text() if logs.exists() else "") + done.stdout + done.stderr

    done, said = train(checkout.overlay())
    assert done.returncode != 0 and "No module named 'toolz'" in said, said[-3000:]
    assert "Creating conda environment" in said and "torch.yaml" in said
    done, said = train(checkout.overlay(methods={"mine": {"env": "own/environment.yaml"}}))
    assert done.returncode == 0, said[-3000:]
    assert "environment.yaml" in said
    assert (folder / "results/try/models/mine/fold-0/model.pt").exists()
