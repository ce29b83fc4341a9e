"""The page of the first run, docs/first_run.md, command by command."""

import shlex

import pandas as pd
import pytest
from conftest import ROOT
from plan import job_counts

PAGE = ROOT / "docs/first_run.md"
RESULTS = "results/first"


def commands():
    """Arguments of each `snakemake` of the page, without the number of cores."""
    blocks = PAGE.read_text().split("```\n")[1::2]
    for block in blocks:
        words = shlex.split(block.replace("\\\n", " "))
        if words[0] == "snakemake":
            at = words.index("--cores")
            yield words[1:at] + words[at + 2 :]


def run(checkout, words):
    done = checkout.snakemake(*words, timeout=7200)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def table_of(checkout):
    return pd.read_csv(checkout.folder / RESULTS / "tables/table1.csv").set_index("method")


def test_the_page_is_planned(checkout):
    """Cheap: what the commands would do, from nothing."""
    table, change, folds, model, report = commands()
    jobs = [
        job_counts(run(checkout, [*words, *([] if "-n" in words else ["-n", "--quiet", "rules"])]))
        for words in (table, change, folds, model, report)
    ]
    assert [found.get("train_model") for found in jobs] == [1, 1, 2, 1, 2]
    assert [found.get("evaluate", 0) for found in jobs] == [4, 4, 8, 0, 8]
    assert jobs[0]["register_to_sri24"] == jobs[0]["simulate_ixi"] + jobs[0]["simulate_brats21"]
    assert "simulate_atlas_v2" not in jobs[4]


@pytest.mark.tutorials
def test_every_command_of_the_page(checkout):
    table, change, folds, model, report = commands()
    run(checkout, table)
    found = table_of(checkout)
    assert list(found.index) == ["ae", "intensity", "perfect", "chance"]
    assert found.loc["perfect", "dice_best_mean"] == 1 and set(found["n_folds"]) == {1}
    assert "Nothing to be done" in run(checkout, table)
    jobs = job_counts(run(checkout, change))
    assert {rule: n for rule, n in jobs.items() if rule not in ("total", "compare", "table1")} == {
        "train_model": 1, "reconstruct": 2, "evaluate": 1,
    }  # fmt: skip
    first = (checkout.folder / RESULTS / "models/ae/fold-0/model.pt").read_bytes()
    run(checkout, folds)
    assert set(table_of(checkout)["n_folds"]) == {2}
    assert "Nothing to be done" in run(checkout, model)
    assert (checkout.folder / RESULTS / "models/ae/fold-0/model.pt").read_bytes() == first
    run(checkout, report)
    results = checkout.folder / RESULTS
    front = (results / "index.html").read_text()
    assert 'href="rows/ae.html"' in front and (results / "rows/ae.html").exists()
    assert "cddpm" not in front
