"""Planted lesions in dry runs, and on the finished demo: closed form, and what rises."""

import math
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from plan import job_counts

from uad.base import tsv
from uad.data import packed

TARGET = "tables/detection_limits.html"
SMALL = ["config/demo.yaml", "config/planted_demo.yaml"]


def plan(checkout, configfiles, *targets):
    done = checkout.snakemake(*targets, "-n", "--quiet", "rules", configfiles=configfiles)
    assert done.returncode == 0, done.stdout + done.stderr
    return job_counts(done.stdout)


def test_of_all_rows(checkout):
    jobs = plan(checkout, ["config/demo.yaml", "config/planted.yaml"])
    usual = plan(checkout, ["config/demo.yaml"])
    assert jobs["plant_lesions"] == jobs["detection_limits"] == 1
    assert jobs["find_planted"] == usual["evaluate"] == jobs["evaluate"] >= 25 * 2
    # Once per model and fold, whatever the rows that use it.
    # Scans are reconstructed by a job for each of three test sets, and the healthy ones.
    assert jobs["reconstruct_planted"] == usual["reconstruct"] / 4 >= 6 * 2
    assert jobs["score_planted"] == usual["score"] >= 10 * 2


def test_of_few_rows_only_their_models_are_run(checkout):
    jobs = plan(checkout, SMALL, f"results/demo/{TARGET}")
    assert jobs["find_planted"] == 6 * 2
    assert jobs["reconstruct_planted"] == 2 * 2  # AE and cDDPM
    assert jobs["score_planted"] == 2 * 2  # Unet and Unet_res


def test_nothing_is_planted_without_it(checkout):
    jobs = plan(checkout, ["config/demo.yaml"])
    assert not {"plant_lesions", "find_planted", "detection_limits"} & set(jobs)


@pytest.fixture(scope="module")
def found(repository):
    """What the rows of the demo see."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", f"results/demo/{TARGET}"]
    done = subprocess.run(
        [*command, "--configfile", *SMALL], cwd=ROOT, capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    paths = (repository / "planted").glob("*/fold-*.tsv")
    yield repository, pd.concat(map(tsv.read, paths), ignore_index=True)
    # The demo is as it was, for those that compare it with another.
    for name in ("planted", "packed/planted"):
        shutil.rmtree(repository / name)
    (repository / "splits/planted.tsv").unlink()


@pytest.mark.demo
def test_intensity_sees_what_its_closed_form_says(found):
    demo, seen = found
    check_closed_form(demo, seen)


def check_closed_form(demo, seen):
    """The score of `intensity` is 1.2 - x, at least 0.001, of a scan x (dark is abnormal)."""
    healthy, scans = (packed.Pack(demo / "packed" / name) for name in ("ixi", "planted"))
    for fold, part in seen[seen["row"] == "intensity"].groupby("fold"):
        pooled = tsv.read(demo / f"metrics/intensity/fold-{fold}_pooled.tsv")
        threshold = pooled.set_index("test_set").loc["brats", "threshold_fpr5"]
        assert threshold > 0.5  # dark: of the inverted signal
        some = []
        for _, line in part.iterrows():
            (row,) = scans.rows([line["subject"]])
            mask = scans.lesion[row] == line["number"]
            volume = healthy.volume(line["source"])
            x = volume.image[mask].astype(float)
            ends = volume.image[volume.brain].min().clip(max=0), volume.image[volume.brain].max()
            changed = (x * (1 + line["contrast"] / 100)).clip(*ends)
            above = [np.count_nonzero(1.2 - values > threshold) for values in (x, changed)]
            some.append(above[1] - above[0] >= max(1, math.ceil(len(x) / 10)))
            assert line["detected"] == some[-1]
        assert any(some) and not all(some)


@pytest.mark.demo
def test_what_is_seen_rises_with_contrast(found):
    check_rise(*found)


def check_rise(demo, seen):
    """Darker lesions are not seen less often by any row, beyond the intervals; and more, by all."""
    curves = tsv.read(demo / "tables/detection.tsv")
    curves = curves[(curves["place"] == "all") & (curves["contrast"] < 0)]
    keys = ["row", "volume_ml"]
    weak, strong = (curves[curves["contrast"] == c].set_index(keys) for c in (-30, -60))
    assert (strong["high"] >= weak["low"]).all()
    trained = ["ae", "cddpm", "unet-draem", "sadm_res-draem"]
    assert strong.loc[trained, "detected"].mean() > weak.loc[trained, "detected"].mean()
    # The control is monotone lesion by lesion.
    control = seen[seen["row"] == "intensity"]
    wide = control.pivot_table(
        index=["fold", "source", "place", "volume_ml"], columns="contrast", values="newly_above"
    )
    assert (wide[-60] >= wide[-30]).all() and (wide[30] <= 0).all()
    # And a row that learned something sees large dark lesions.
    large = strong.xs(20, level="volume_ml")["detected"]
    assert large["sadm_res-draem"] > 0.5 > large["chance"]


@pytest.mark.demo
def test_nothing_large_is_left(found):
    demo, _ = found
    assert not list((demo / "scores").rglob("*.npy"))
    assert not list((demo / "reconstructions").glob("*/*/planted/*.npy"))
