"""A fork with one more method and one more data set: planned here, tested by `make test-fork`."""

import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from plan import job_counts

CHEAP = re.search(r'^CHEAP = "(.*)"', (ROOT / "Makefile").read_text(), re.M)[1]
DATA_SET = """\
  forked:                   # a cohort of the fork
    layout: table
    table: data/forked/scans.tsv
    brain_mask: hd_bet
"""
METHOD = """\
  forked:                   # a method of the fork
    code: own/forked.py
    width: 8
    training: {learning_rate: 0.003}
"""
ADDED = {
    "datasets": DATA_SET,
    "splits": "  forked: {train: 0, val: 2, test: null}\n",
    "lesion_sources": "  forked: forked\n",
    "methods": METHOD,
    "rows": "  forked: {block: I, label: Forked, healthy: true, maps: [forked]}\n",
}


@pytest.fixture
def fork(tmp_path):
    """A copy of the repository, to whose own configuration a method and a data set were added."""
    folder = tmp_path / "fork"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if (ROOT / name).is_file():  # else deleted, and not yet committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    run(folder, "-m", "uad.contract.new", "forked")
    path = folder / "config/config.yaml"
    text = path.read_text()
    for block, lines in ADDED.items():
        text, n = re.subn(rf"^({block}:.*\n(?:\s+#.*\n)*)", rf"\g<1>{lines}", text, flags=re.M)
        assert n == 1, block
    path.write_text(text)
    run(folder, "-m", "uad.plan.docs")
    return folder


def run(folder, *arguments, timeout=900):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(folder / "src"), "PATH": f"{sys.prefix}/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


def test_a_fork_is_planned(fork):
    demo = ["--configfile", "config/demo.yaml"]
    with_mine = [*demo, "--config", "table={rows: [forked, intensity]}"]
    jobs = {}
    for name, options in (("demo", demo), ("mine", with_mine)):
        planned = ["-m", "snakemake", "--cores", "2", "table1", "-n", "--quiet", "rules"]
        jobs[name] = job_counts(run(fork, *planned, *options))
    assert jobs["mine"]["train_model"] == 2 and jobs["mine"]["evaluate"] == 4
    # The paper's rows and one more, in two folds; its data set is not asked for.
    rows = len(re.findall(r"^  [a-z_]+(?:-[a-z]+)?: +\{block", text_of(fork), re.M))
    assert jobs["demo"]["evaluate"] == 2 * rows
    assert "rows: null" in text_of(fork) and jobs["demo"]["pack"] == 3


def text_of(fork):
    return (fork / "config/config.yaml").read_text()


@pytest.mark.fork
def test_the_cheap_tests_of_a_fork_pass(fork):
    """No test of it is edited."""
    # Some ask git what belongs to the repository.
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=fork, check=True)
    # One thing is not tested there: that it can be forked again, under the same names.
    again = "--deselect=tests/workflow/test_fork.py"
    found = run(fork, "-m", "pytest", "-q", "-n", "2", "-m", CHEAP, again, timeout=5400)
    assert " passed" in found
