"""A method of one's own: from nothing to a row of the table, and a fork that has one."""

import subprocess
import sys

import pandas as pd
import pytest
import yaml
from plan import job_counts

TRY = ["config/demo.yaml", "config/try.yaml", "own/mine.yaml"]


@pytest.fixture
def with_method(checkout):
    """A checkout in which somebody has made a method."""
    before = {path.name for path in checkout.folder.glob("own/*")}  # of a fork
    python(checkout, "-m", "uad.contract.new", "mine")
    made = {path.name for path in checkout.folder.glob("own/*")} - before
    assert made == {"mine.py", "mine.yaml"}
    return checkout


def python(checkout, *arguments, timeout=900):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout.folder,
        env={"PYTHONPATH": str(checkout.folder / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_it_is_planned_with_its_overlay(with_method):
    done = with_method.snakemake("table1", "-n", "--quiet", "rules", configfiles=TRY)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = job_counts(done.stdout)
    assert jobs["train_model"] == jobs["score"] == 1 and jobs["evaluate"] == 4
    assert "reconstruct" not in jobs


def test_a_fork_with_one_more_method_is_planned(with_method):
    """The whole table with one more row: as many jobs more as one row has, with its statistics."""
    config = with_method.folder / "config/config.yaml"
    jobs = {}
    for name in ("before", "fork"):
        done = with_method.snakemake("-n", "--quiet", "rules", configfiles=["config/demo.yaml"])
        assert done.returncode == 0, done.stdout + done.stderr
        jobs[name] = job_counts(done.stdout)
        fork(with_method, config)
    more = {rule: n - jobs["before"][rule] for rule, n in jobs["fork"].items() if n}
    more = {rule: n for rule, n in more.items() if n and rule != "total"}
    assert more == {
        "train_model": 2, "score": 2, "evaluate": 2, "collect_cases": 1, "collect_maps": 1,
        "describe_method": 1,
    }  # fmt: skip


def fork(checkout, config):
    """Put the method and its row into the configuration of the project itself."""
    written = yaml.safe_load(config.read_text())
    overlay = yaml.safe_load((checkout.folder / "own/mine.yaml").read_text())
    overlay["methods"]["mine"]["code"] = "own/mine.py"
    for block in ("methods", "rows"):
        written[block] |= overlay[block]
    config.write_text(yaml.safe_dump(written, sort_keys=False))


@pytest.mark.tutorials
def test_it_gets_a_row_of_the_table(with_method):
    checked = python(with_method, "-m", "uad.contract", "own/mine.yaml", timeout=3600)
    assert "passed" in checked and "failed" not in checked
    wanted = ("table1", "results/try/methods/mine.html")
    done = with_method.snakemake(*wanted, configfiles=TRY, timeout=7200)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = with_method.folder / "results/try"
    table = pd.read_csv(results / "tables/table1.csv").set_index("method")
    assert 0 < table.loc["mine", "auprc_mean"] <= 1
    assert table.loc["perfect", "dice_best_mean"] == 1
    assert "a network" in (results / "methods/mine.html").read_text()
    # A remark in it runs nothing again, a change of it what is its own.
    code = with_method.folder / "own/mine.py"
    for change, rules in (("# a remark\n", {}), ("WIDER = 2\n", {"train_model", "score"})):
        code.write_text(code.read_text() + change)
        again = with_method.snakemake("table1", "-n", "--quiet", "rules", configfiles=TRY)
        jobs = job_counts(again.stdout)
        assert set(jobs) - {"total", "table1", "compare", "evaluate"} == set(rules), change
        assert jobs.get("evaluate", 0) == (1 if rules else 0)
