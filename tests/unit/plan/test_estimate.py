"""Estimates: what is read from a dry run, and hours that follow from known seconds."""

import math
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import ROOT
from test_plan import plan_of

from uad.engine import calibration
from uad.engine.calibration import Cost
from uad.plan import config as settings
from uad.plan import estimate, needs
from uad.plan.estimate import Planned
from uad.plan.overlays import with_defaults

OUTPUT = """\
[Fri Nov 27 00:07:18 2026] Group job register (jobs in lexicogr. order):

    [Fri Nov 27 00:07:18 2026]
    rule register_to_sri24:
        input: a.nii
        log: results/logs/register_to_sri24/ixi/IXI001.log
        wildcards: dataset=ixi, subject=IXI001
        resources: tmpdir=/tmp, runtime=15, mem_mb=3000, mem=3 GB, mem_mib=2862

[Fri Nov 27 00:07:19 2026]
rule train_model:
    input: packed/ixi/image.npy
    log: results/logs/train_model/cddpm/fold-0.log
    wildcards: model=cddpm, fold=0
    threads: 8
    resources: tmpdir=/tmp, runtime=720, gpu=1, mem_mb=16000, mem=16 GB
[Fri Nov 27 00:07:19 2026]
rule all:
    input: results/index.html
    jobid: 0
Job stats:
job       count
"""
SHIPPED = pd.DataFrame(
    [("register_to_sri24", 8.0, "job"), ("evaluate", 0.5, "volume"), ("front_page", 2.0, "job")],
    columns=["rule", "seconds", "per"],
)


COUNTS = {
    "ixi": {"train": 358, "val": 44, "test": 160},
    "brats21": {"train": 90, "val": 10, "test": 1151},
    "atlas_v2": {"train": 60, "val": 6, "test": 589},
}
COUNTS["draem"] = COUNTS["ixi"]  # made in them
HEALTHY = dict.fromkeys(["ae", "cddpm"], ("ixi", "ixi"))
TESTED = ["brats21", "atlas_v2", "draem", "ixi"]


def work(config, cost_of=None, **costs):
    return estimate.Work(
        config["methods"], COUNTS, HEALTHY, TESTED, cost_of or costs.__getitem__, SHIPPED, 1.0,
        2.0, estimate.VOXELS,
    )  # fmt: skip


def job(rule, threads=1, gpus=0, **wildcards):
    log = f"results/logs/{rule}/{'/'.join(wildcards.values())}.log"
    return Planned(rule, wildcards, log, threads, gpus, 1000)


def test_jobs_of_a_dry_run():
    first, second = estimate.jobs(OUTPUT)
    assert first == Planned(
        "register_to_sri24", {"dataset": "ixi", "subject": "IXI001"},
        "results/logs/register_to_sri24/ixi/IXI001.log", 1, 0, 3000,
    )  # fmt: skip
    assert (second.rule, second.threads, second.gpus, second.memory_mb) == (
        "train_model",
        8,
        1,
        16000,
    )


@pytest.fixture
def config():
    """The paper's, complete."""
    config = {}
    with_defaults(config, ROOT / "config/config.yaml")
    settings.check(config)
    return config


def test_seconds_of_a_training_are_its_steps_and_validations(config):
    config["methods"]["cddpm"]["training"] |= {
        "epochs": 10, "batch_size": 32, "slices_per_volume": 1, "drop_last": True,
        "validate_every": 2, "validation": "fixed", "validation_slices": 5,
    }  # fmt: skip
    seconds, source = work(config, cddpm=Cost(2.0, 0.1)).seconds(job("train_model", model="cddpm"))
    # 358 healthy volumes are 11 whole batches, 44 validate with 5 slices every second epoch.
    assert seconds == pytest.approx(10 * (11 * 2.0 + 44 * 5 / 2 * 0.1) + 2)
    assert source == "here"


def test_seconds_of_inference_are_those_of_its_volumes(config):
    costs = work(config, cddpm=Cost(reconstruct=3.0))
    made = costs.seconds(job("reconstruct", model="cddpm", fold="0", dataset="brats21"))[0]
    assert made == pytest.approx(3.0 * (10 + 1151) + 2)
    healthy = costs.seconds(job("reconstruct", model="cddpm", fold="0", dataset="draem"))[0]
    assert healthy == pytest.approx(3.0 * (44 + 160) + 2)  # made of healthy scans


def test_other_seconds_are_those_that_were_measured_elsewhere(config):
    costs = work(config)
    assert costs.seconds(job("register_to_sri24", dataset="ixi")) == (9.0, "shipped")
    assert costs.seconds(job("front_page"))[0] == 3.0
    volumes = sum(map(costs.evaluated, costs.test_datasets))
    assert costs.seconds(job("evaluate", row="cddpm"))[0] == pytest.approx(0.5 * volumes + 1)


def test_what_this_run_has_done_counts_before_all_else(config, tmp_path):
    def log(name, seconds):
        path = tmp_path / "logs/train_model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"... finished after {seconds} s\n", encoding="utf-8")

    log("cddpm/fold-0.log", 100.0)
    log("cddpm/fold-1.log", 120.0)
    log("ae/fold-0.log", 1.0)
    (tmp_path / "logs/train_model/cddpm/fold-2.log").write_text("killed\n", encoding="utf-8")
    planned = Planned(
        "train_model", {"model": "cddpm", "fold": "3"},
        str(tmp_path / "logs/train_model/cddpm/fold-3.log"), 8, 1, 1000,
    )  # fmt: skip

    def measured(model):
        raise AssertionError("is measured, though the run has done such jobs")

    costs = work(config, measured)
    assert costs.seconds(planned) == (112.0, "this run")


def test_other_rows_and_data_sets_are_better_than_another_machine(config, tmp_path):
    path = tmp_path / "logs/register_to_sri24/brats21/a.log"
    path.parent.mkdir(parents=True)
    path.write_text("... finished after 3.0 s\n", encoding="utf-8")
    planned = Planned(
        "register_to_sri24", {"dataset": "ixi", "subject": "b"},
        str(tmp_path / "logs/register_to_sri24/ixi/b.log"), 1, 0, 1000,
    )  # fmt: skip
    assert work(config).seconds(planned) == (4.0, "this run")


def test_a_reconstruction_takes_as_long_as_one_of_as_many_volumes(config, tmp_path):
    folder = tmp_path / "logs/reconstruct/cddpm"
    (folder / "fold-0").mkdir(parents=True)
    (folder / "fold-0/ixi.log").write_text("... finished after 100 s\n", encoding="utf-8")
    costs = work(config, cddpm=Cost(reconstruct=1.0))
    found = {}
    for dataset in ("ixi", "brats21"):
        wildcards = {"model": "cddpm", "fold": "1", "dataset": dataset}
        log = str(folder / f"fold-1/{dataset}.log")
        found[dataset] = costs.seconds(Planned("reconstruct", wildcards, log, 1, 0, 1))
    assert found == {"ixi": (102.0, "this run"), "brats21": (1163.0, "here")}


def demo_jobs(folder, times):
    """Jobs of the demo as Snakemake would plan them, with their logs in a folder."""
    wildcards = {
        "train_model": "model fold", "score": "model fold", "evaluate": "row fold",
        "reconstruct": "model fold dataset", "collect_cases": "row", "weigh_maps": "row fold",
    }  # fmt: skip
    for name in times["job"]:
        rule, *rest = name.split("/")
        if rule == "simulate":
            rule, rest = f"simulate_{rest[0]}", rest[1:]
        names = wildcards.get(rule, "dataset subject").split()
        found = dict(zip(names, (part.removeprefix("fold-") for part in rest)))
        yield Planned(rule, found, str(folder / "logs" / f"{name}.log"), 1, 0, 1000)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_time_left_of_a_recorded_demo(tmp_path, share):
    """From a tenth of the run on it is right to 20 %.

    Seconds of work and times of each job's end, of a demo that two idle cores ran in 805 s; a step
    of each network in its first epoch, and its seconds per volume. Python took 0.4 s to start, and
    1.3 s with torch.
    """
    here = Path(__file__).parent
    times = pd.read_csv(here / "demo_times.tsv", sep="\t")
    costs = pd.read_csv(here / "demo_costs.tsv", sep="\t").set_index("model")
    plan = plan_of()
    now = share * times["ended"].max()
    left = []
    for line, job in zip(times.itertuples(), demo_jobs(tmp_path, times), strict=True):
        if line.ended > now:
            left.append(job)
            continue
        Path(job.log).parent.mkdir(parents=True, exist_ok=True)
        Path(job.log).write_text(f"... finished after {line.seconds} s\n", encoding="utf-8")
    work = estimate.Work(
        plan.config["methods"],
        counts=plan.role_counts(),
        learned_from={m: needs.training_datasets(m, plan.config) for m in plan.models},
        test_datasets=plan.test_datasets,
        cost_of=lambda model: Cost(**costs.loc[model]),
        shipped=pd.read_csv(ROOT / "workflow/resources/seconds.tsv", sep="\t"),
        start=0.4,
        start_of_network=1.3,
        voxels=math.prod(plan.volume_shape),
    )
    told = estimate.table(left, work)
    assert told["hours"].notna().all()
    hours = estimate.wall_hours(told, cores=2, gpus=0)
    assert 3600 * hours == pytest.approx(times["ended"].max() - now, rel=0.2)


def test_hours_are_of_cores_and_of_gpus(config):
    planned = [job("front_page"), *(job("register_to_sri24", dataset="ixi") for _ in range(400))]
    planned.append(job("train_model", threads=8, gpus=1, model="ae"))
    config["methods"]["ae"]["training"] |= {
        "epochs": 1, "batch_size": 358, "slices_per_volume": 1, "drop_last": "healthy",
    }  # fmt: skip
    costs = work(config, ae=Cost(step=3598.0))
    table = estimate.table(planned, costs).set_index("rule")
    assert list(table.index) == ["train_model", "register_to_sri24", "front_page"]
    assert table.loc["train_model", ["hours", "gpu_hours"]].tolist() == pytest.approx([8, 1])
    assert table.loc["register_to_sri24", "hours"] == pytest.approx(400 * 9 / 3600)
    hours = estimate.wall_hours(table.reset_index(), cores=4, gpus=1)
    assert hours == pytest.approx((8 + 1 + 3 / 3600) / 4)
    text = estimate.text(table.reset_index(), 4, 1)
    assert text[1].split() == ["train_model", "1", "8.0", "h", "1.0", "h", "1.0", "here"]
    assert text[-1] == "With 4 cores and 1 GPUs about 2.3 h, if they are busy all the time."


def test_what_is_not_known_is_not_counted_and_said(config):
    planned = [job("strip_skull_hd_bet", dataset="ixi"), job("front_page")]
    table = estimate.table(planned, work(config))
    assert table["hours"].tolist()[0] == pytest.approx(3 / 3600)
    assert table["hours"].isna().tolist() == [False, True]
    *_, whole, hours, unknown = estimate.text(table, 4, 1)
    assert whole.split() == ["all", "2", "3", "s", "–"]
    assert hours.startswith("With 4 cores about 1 s")
    assert unknown.endswith("their time: strip_skull_hd_bet.")


def test_nothing_to_do():
    assert estimate.text(estimate.table([], None), 4, 1) == ["Nothing is left to do."]


@pytest.mark.parametrize("model", ["ae", "cddpm", "unet_res-brats", "pii", "spark"])
def test_costs_of_a_model_are_measured(model):
    config = {}
    for name in ("demo", "config"):
        with_defaults(config, ROOT / f"config/{name}.yaml")
    settings.check(config)
    shape = (4, 64, 64)
    cost = calibration.measure(
        model, config["methods"], shape, torch.device("cpu"), 1, config["synthetic"], 1
    )
    assert cost.step > 0
    makes = {"ae": (True, False), "cddpm": (True, False), "spark": (False, False)}
    assert (cost.reconstruct > 0, cost.score > 0) == makes.get(model, (False, True))
