"""The workflow away from its usual place: a module, other folders, odd and closed ones.

Plans are compared with the usual one; two quick jobs are run.
"""

import os
import shutil
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT, Checkout
from plan import job_counts

# Small and quick: by scripts with xlwt and Jinja2, for which no scan has to be simulated.
TARGETS = ("results/demo/raw/ixi/IXI.xls", "results/demo/tables/departures.html")
ODD = "Köhlers Läufe & mehr (2. Versuch)"
PLAN = ("-n", "--quiet", "rules")
DEMO = ROOT / "config/demo.yaml"

MODULE = """
configfile: "mine.yaml"


module sadm:
    snakefile: {snakefile!r}
    config: config


use rule * from sadm as {names}
"""


def run(folder, *arguments, before=()):
    """Run Snakemake in a folder; returns its output."""
    command = [*before, sys.executable, "-m", "snakemake", "--cores", "1", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


def make(folder):
    """A copy of the repository in a folder that is made for it."""
    folder.mkdir(parents=True)
    return Checkout(folder).folder


def expect_targets(folder):
    """Fail unless a folder has both targets, whole, and the log of the one that writes one."""
    spreadsheet, page = (folder / name for name in TARGETS)
    assert spreadsheet.read_bytes().startswith(bytes.fromhex("d0cf11e0a1b11ae1"))  # of Excel 97
    assert "</html>" in page.read_text(encoding="utf-8")
    assert (folder / "results/demo/logs/tabulate_deviations.log").exists()


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Jobs of the demo in its usual place, where nothing is done yet."""
    home = make(tmp_path_factory.mktemp("usual") / "sadm")
    jobs = planned(run(home, *PLAN, "--configfile", "config/demo.yaml"))
    assert jobs["train_model"] > 0
    return jobs


def planned(output):
    """Number of jobs by rule."""
    return {rule: n for rule, n in job_counts(output).items() if rule != "total"}


@pytest.mark.parametrize("names", ["*", "sadm_*"])
def test_as_a_module_with_a_configuration_of_its_own(tmp_path, expected, names):
    home, folder = make(tmp_path / "sadm"), tmp_path / "study"
    folder.mkdir()
    (folder / "Snakefile").write_text(MODULE.format(snakefile=f"{home}/Snakefile", names=names))
    (folder / "mine.yaml").write_bytes(DEMO.read_bytes())
    jobs = planned(run(folder, *PLAN))
    assert jobs == {names.replace("*", rule): n for rule, n in expected.items()}

    run(folder, *TARGETS)
    expect_targets(folder)
    assert not (home / "results").exists()


def test_a_module_takes_the_values_of_its_user(tmp_path):
    home, folder = make(tmp_path / "sadm"), tmp_path / "study"
    folder.mkdir()
    (folder / "Snakefile").write_text(MODULE.format(snakefile=f"{home}/Snakefile", names="*"))
    mine = yaml.safe_load(DEMO.read_text()) | {"results": "here"}
    (folder / "mine.yaml").write_text(yaml.safe_dump(mine))
    run(folder, "here/tables/departures.html")
    page = (folder / "here/tables/departures.html").read_text(encoding="utf-8")
    assert "</html>" in page and not (folder / "results").exists()


def test_snakefile_of_another_folder(tmp_path, expected):
    home, folder = make(tmp_path / "sadm"), tmp_path / "study"
    folder.mkdir()
    arguments = ("-s", home / "Snakefile", "--configfile", home / "config/demo.yaml")
    output = run(folder, *arguments, *PLAN)
    assert planned(output) == expected
    assert f"profile {home}/profiles/default" in output  # no rerun for the time of a script
    run(folder, *arguments, "--", *TARGETS)
    expect_targets(folder)
    assert not (home / "results").exists()


def test_results_in_another_folder(tmp_path):
    home, folder = make(tmp_path / "sadm"), tmp_path / "study"
    run(home, "-d", folder, "--configfile", "config/demo.yaml", "--", *TARGETS)
    expect_targets(folder)
    assert not (home / "results").exists()


def test_blanks_and_umlauts_in_the_path(tmp_path):
    home = make(tmp_path / ODD / "sadm")
    run(home, "--configfile", "config/demo.yaml", "--", *TARGETS)
    expect_targets(home)


def test_rules_without_the_library_are_refused(checkout):
    # As Snakemake fetches them for a module that is given by an address.
    shutil.rmtree(checkout.folder / "src")
    done = checkout.snakemake("-n", configfiles=["config/demo.yaml"])
    assert done.returncode != 0
    assert "not of an address" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def states(folder):
    """Paths below a folder with their times of change."""
    return {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


@pytest.fixture
def closed(tmp_path):
    """A checkout that nobody may write to, and what starts a program that has to obey this."""
    home = make(tmp_path / "sadm")
    before = []
    if os.geteuid() == 0:  # may write anywhere, but for this
        if not shutil.which("setpriv"):
            pytest.skip("root without setpriv can write anywhere")
        before = ["setpriv", "--bounding-set=-dac_override"]
    subprocess.run(["chmod", "-R", "a-w", home], check=True)
    yield home, before
    subprocess.run(["chmod", "-R", "u+w", home], check=True)


def test_read_only_checkout(closed, tmp_path):
    home, before = closed
    attempt = subprocess.run([*before, "touch", home / "config/new"], capture_output=True)
    assert attempt.returncode != 0
    folder, was = tmp_path / "study", states(home)
    arguments = ("-d", folder, "--configfile", "config/demo.yaml")
    run(home, *arguments, "--", *TARGETS, before=before)
    expect_targets(folder)
    assert states(home) == was
