"""Costs: sums by hand, what is not measured, what is projected."""

import numpy as np
import pandas as pd
import pytest

from uad.report import costs

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmean_load\tcpu_time\n"


def benchmark(root, name, seconds, memory, cpu):
    path = root / f"benchmarks/{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEAD}{seconds}\t0:00:00\t{memory}\t-\t-\t{cpu}\n")


def line(rule, of, files, jobs, jobs_full, gpu=False):
    return {
        "rule": rule,
        "of": of,
        "files": files,
        "jobs": jobs,
        "jobs_full": jobs_full,
        "gpu": gpu,
    }


PLAN = [
    line("register", "ixi", ["register/ixi/*.tsv"], 3, 3),
    line("train_model", "unet", [f"train_model/unet/fold-{k}.tsv" for k in (0, 1)], 2, 5, True),
    line("score", "unet", ["score/unet/fold-0.tsv", "score/unet/fold-1.tsv"], 2, 5, True),
]


@pytest.fixture
def results(tmp_path):
    benchmark(tmp_path, "register/ixi/a", 1800, 1024, 900)
    benchmark(tmp_path, "register/ixi/b", 5400, 2048, 2700)
    benchmark(tmp_path, "register/ixi/c", 0.1, "-", "-")
    benchmark(tmp_path, "register/other/a", 99999, 99999, 1)  # of nothing that is planned
    benchmark(tmp_path, "train_model/unet/fold-0", 3600, 4096, 7200)
    # Interrupted: Snakemake has measured the last half hour, the epochs took two hours.
    benchmark(tmp_path, "train_model/unet/fold-1", 1800, 512, 1800)
    for fold, seconds in ((0, 3000), (1, 7200)):
        history = tmp_path / f"models/unet/fold-{fold}/history.tsv"
        history.parent.mkdir(parents=True)
        history.write_text(f"epoch\tseconds\n1\t{seconds / 2}\n2\t{seconds / 2}\n")
    return tmp_path


def test_sums_by_hand(results):
    register, training, score = (found for _, found in costs.table(results, PLAN, True).iterrows())
    assert (register["jobs_planned"], register["jobs_measured"]) == (3, 3)
    assert register["hours"] == pytest.approx(2 + 0.1 / 3600)
    assert register["cpu_hours"] == 1 and register["gpu_hours"] == 0
    assert register["memory_gib"] == 2
    assert register["hours_full"] == pytest.approx(register["hours"])  # does not grow with folds
    assert training["hours"] == training["gpu_hours"] == 1 + 2
    assert training["cpu_hours"] == 2.5 and training["memory_gib"] == 4
    assert training["hours_full"] == training["gpu_hours_full"] == 3 * 5 / 2
    # Nothing measured: nothing invented.
    assert score["jobs_measured"] == 0 and score["jobs_planned"] == 2
    assert score[["hours", "cpu_hours", "gpu_hours", "memory_gib", "hours_full"]].isna().all()


def test_without_a_gpu_there_are_no_gpu_hours(results):
    assert costs.table(results, PLAN, False)["gpu_hours"].max() == 0


def test_by_rule(results):
    more = [*PLAN, line("register", "atlas", ["register/other/*.tsv"], 1, 1)]
    table = costs.by_rule(costs.table(results, more, True)).set_index("rule")
    assert list(table.index) == ["register", "train_model", "score"]
    assert table.loc["register", "jobs_measured"] == 4
    assert table.loc["register", "hours"] == pytest.approx(2 + (0.1 + 99999) / 3600)
    assert table.loc["register", "memory_gib"] == pytest.approx(99999 / 1024)
    assert np.isnan(table.loc["score", "hours"])


@pytest.mark.parametrize("content", ["", "s\n3\n", "\n", HEAD])
def test_a_damaged_benchmark_is_a_missing_one(tmp_path, content):
    path = tmp_path / "benchmark.tsv"
    path.write_text(content)
    assert costs.read(path) is None
    assert costs.read(tmp_path / "none.tsv") is None
    assert np.isnan(costs.measured([path])).all()


def test_no_results_folder(tmp_path):
    table = costs.table(tmp_path / "none", PLAN, True)
    assert list(table["jobs_measured"]) == [0, 0, 0] and table["hours"].isna().all()
    assert isinstance(costs.by_rule(table), pd.DataFrame)
