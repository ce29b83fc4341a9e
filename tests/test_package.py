"""The package: what an installation brings, and the command that it adds."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT
from imports import LIBRARY, closure, distributions
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from plan import job_counts

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
OVERLAY = ROOT / "config/demo.yaml"
# Imported by Snakemake, and by pandas to read `.xls`; of nilearn a file is read.
NOT_IMPORTED_HERE = {
    "snakemake-executor-plugin-slurm", "snakemake-logger-plugin-rich", "xlrd", "nilearn",
}  # fmt: skip
# In .venv-hdbet, with HD-BET, and in .venv-deepbet.
OF_STRIPPERS = {"nnunetv2", "deepbet"}
# For those who check a method of their own (`uad.contract`); in the extra `test`.
OF_CONTRACT = {"pytest"}


def run(command, folder, **environment):
    """Run a command; returns the finished process with its output as text."""
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip


def in_checkout(folder, *arguments):
    """Run `python -m uad` of the checkout in a folder."""
    source = str(ROOT / "src")
    return run([sys.executable, "-m", "uad", *arguments], folder, PYTHONPATH=source)


def test_dependencies_are_what_is_imported():
    paths = [*LIBRARY.values(), *(ROOT / "workflow/scripts").glob("*.py")]
    needed = distributions(closure(paths)[1]) - OF_STRIPPERS - OF_CONTRACT
    assert set(PROJECT["optional-dependencies"]["test"]) >= OF_CONTRACT
    named = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert needed - named == set()
    assert named - needed == NOT_IMPORTED_HERE


def test_make_alone_lists_what_there_is():
    said = run(["make"], ROOT).stdout
    targets = re.findall(r"^make (\S+) ", said, re.M)
    rules = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert {"demo", "test"} < set(targets) <= set(rules)


def test_minimum_version_of_snakemake_is_that_of_the_snakefile():
    (snakefile,) = re.findall(r'^min_version\("(\S+)"\)', (ROOT / "Snakefile").read_text(), re.M)
    (line,) = [line for line in PROJECT["dependencies"] if line.startswith("snakemake[")]
    assert {str(version) for version in Requirement(line).specifier} == {f">={snakefile}"}


def test_command_plans_in_the_current_folder(tmp_path):
    done = in_checkout(tmp_path, "-n", "--quiet", "rules", "--configfile", OVERLAY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert job_counts(done.stdout)["train_model"] > 0
    assert {path.name for path in tmp_path.iterdir()} <= {".snakemake"}


def test_help_says_where_overlays_are(tmp_path):
    done = in_checkout(tmp_path, "--help")
    assert done.returncode == 0
    assert str(ROOT / "config") in done.stdout and "--dry-run" in done.stdout


def test_exit_status_is_that_of_snakemake(tmp_path):
    done = in_checkout(tmp_path, "-n", "nothing_of_that_name", "--configfile", OVERLAY)
    assert done.returncode == 1
    assert "nothing_of_that_name" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder `bin` of an environment with the wheel, and with the packages of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    wheels, venv = folder / "wheels", folder / "venv"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", wheels, ROOT]
    done = run(build, folder)
    assert done.returncode == 0, done.stderr
    (wheel,) = wheels.iterdir()
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)
    (packages,) = venv.glob("lib/python*/site-packages")
    (shared,) = Path(sys.prefix).glob("lib/python*/site-packages")
    (packages / "shared.pth").write_text(f"{shared}\n")
    install = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    done = run([*install, wheel], folder)
    assert done.returncode == 0, done.stderr
    return venv / "bin"


def files(folder):
    """Files below a folder, but what Python compiles."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in paths if path.suffix != ".pyc"}


@pytest.mark.envs
def test_wheel_holds_what_the_checkout_does(installed):
    (home,) = installed.parent.glob("lib/python*/site-packages/sadm_workflow")
    names = ["Snakefile", "config", "envs", "profiles", "slurm", "src/uad", "workflow"]
    listed = run(["git", "ls-files", "-z", *names], ROOT).stdout.split("\0")[:-1]
    assert files(home) == set(listed)


@pytest.mark.envs
def test_installed_command_plans_as_the_checkout_and_runs_jobs(installed, tmp_path):
    alike = in_checkout(tmp_path, "-n", "--quiet", "rules", "--configfile", OVERLAY)
    expected = job_counts(alike.stdout)
    overlay = tmp_path / "demo.yaml"
    overlay.write_bytes(OVERLAY.read_bytes())
    command = [installed / "sadm", "--configfile", overlay, "--cores", "1"]
    done = run([*command, "-n", "--quiet", "rules"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert job_counts(done.stdout) == expected and expected["train_model"] > 0

    done = run([*command, "results/demo/tables/departures.html"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "<table" in (tmp_path / "results/demo/tables/departures.html").read_text()
    # Nothing that ran is of the checkout, and the profile that comes with it was found.
    assert str(ROOT) not in done.stdout + done.stderr
    assert "sadm_workflow/profiles/default" in done.stderr


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_a_python_that_the_pins_are_not_for_is_refused_in_a_sentence(version, tmp_path):
    python = tmp_path / "python"
    pretend = f"import sys; sys.version_info = {version}; exec(sys.argv[1])"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{pretend}" "$2"\n', encoding="utf-8")
    python.chmod(0o755)
    command = ["make", "setup", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"Python 3.{version[1]} will not do: the pinned packages are for 3.11 to" in done.stderr
    assert not (tmp_path / "venv").exists()
