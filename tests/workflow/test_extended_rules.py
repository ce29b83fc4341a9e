"""Dry runs of the table with rows that are not the paper's."""

import shutil

import yaml
from conftest import ROOT
from plan import job_counts, stand_ins

# Each has a model of its own.
NEW, ROWS = (
    len(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())["rows"])
    for name in ("extended", "config")
)
COUNTS = {"ixi": 6, "brats21": 6, "atlas_v2": 6}


def plan(checkout, *configfiles):
    done = checkout.snakemake("-n", "--quiet", "rules", configfiles=configfiles)
    assert done.returncode == 0, done.stdout + done.stderr
    return job_counts(done.stdout)


def with_examples(checkout):
    """The examples' code, which a checkout of the tests leaves out."""
    shutil.copytree(ROOT / "examples", checkout.folder / "examples")


def test_small_form(checkout):
    with_examples(checkout)
    names = ("demo", "extended", "extended_demo")
    jobs = plan(checkout, *(f"config/{name}.yaml" for name in names))
    without = plan(checkout, "config/demo.yaml")
    assert jobs["pool_patients"] == 1
    # Two folds; some of their models learn nothing by gradient.
    assert jobs["train_model"] == without["train_model"] + NEW * 2
    assert jobs["score"] == without["score"] + NEW * 2
    assert jobs["evaluate"] == without["evaluate"] + NEW * 2
    assert jobs["reconstruct"] == without["reconstruct"]


def test_of_the_paper(checkout, tmp_path):
    with_examples(checkout)
    changes = stand_ins(tmp_path / "raw", COUNTS)
    changes["splits"] = {name: {"train": 4, "val": 1, "test": 1} for name in COUNTS}
    weights = tmp_path / "dinov2.pth"
    changes["methods"]["anomaly_dino"] = {"pretrained": str(weights)}
    overlay = checkout.overlay(**changes)
    done = checkout.snakemake("-n", configfiles=("config/extended.yaml", overlay))
    said = "but methods.anomaly_dino.pretrained names it"
    assert done.returncode != 0 and said in done.stdout + done.stderr
    weights.touch()
    jobs = plan(checkout, "config/extended.yaml", overlay)
    assert jobs["pool_patients"] == 1 and jobs["evaluate"] == (ROWS + NEW) * 5
