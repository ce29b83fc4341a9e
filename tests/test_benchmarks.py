"""What the benchmarks reckon from their measurements, and that the one for GPUs runs."""

import os
import subprocess
import sys

import pytest
import run
from conftest import ROOT

CONFIG = {
    "folds": [0, 1],
    "training": {"epochs": 10, "batch_size": 4, "slices_per_volume": 1, "drop_last": True},
    "splits": {
        "ixi": {"train": 9, "val": 1, "test": 2},
        "brats21": {"train": 4, "val": 2, "test": None},  # of 1251
    },
    "lesion_sources": {"brats": "brats21", "draem": "draem"},
    "table": {"test_sets": ["brats", "draem"]},
    "methods": {
        "spark": {"upstream": None, "pretrained": None, "reconstructs": False, "training": {}},
        "cddpm": {"upstream": None, "pretrained": "spark", "reconstructs": True, "training": {}},
        "unet": {
            "upstream": None, "pretrained": None, "reconstructs": False,
            "training": {"epochs": 20},
        },
        "unet_res": {
            "upstream": "cddpm", "pretrained": None, "reconstructs": False, "training": {},
        },
    },
    "rows": {
        "cddpm": {"maps": ["cddpm"]},
        "unet": {"maps": ["unet-brats"]},
        "sadm": {"maps": ["cddpm", "unet-brats"]},
        "sadm_res": {"maps": ["cddpm", "unet_res-brats"]},
        "perfect": {"maps": ["perfect"]},
    },
}  # fmt: skip
VOLUME = {
    "cddpm": {"reconstruct": 100, "map": 1},
    "unet": {"reconstruct": 0, "map": 10},
    "unet_res": {"reconstruct": 0, "map": 20},
}
HALF = {k: {what: s / 2 for what, s in v.items()} for k, v in VOLUME.items()}


def test_what_sharing_saves():
    # Rows on their own: 101, 10, 111 and 121 (one cDDPM for both of its maps); each once: 131.
    found = run._sharing(CONFIG, {"usual": VOLUME, "reduced": HALF}, "all rows")
    assert found == ["all rows", "343", "131", "2.6", "66", "5.2", "5"]
    found = run._sharing(CONFIG, {"usual": VOLUME}, "rows with the cDDPM")
    assert found == ["rows with the cDDPM", "333", "131", "2.5", "5 **target missed**"]


def test_hours_of_the_whole_table():
    steps = {name: {"seconds": 3.0, "batch": 2} for name in CONFIG["methods"]}
    training, exact, half = run._hours(CONFIG, steps, VOLUME, HALF)
    # Batches of 4, measured at 2: 6 s. SparK and cDDPM 10 epochs of 2, Unet 20 of 1, Unet_res 10.
    assert training == pytest.approx(2 * 6 * (20 + 20 + 20 + 10) / 3600)
    # 1247 of BraTS validate or test, and 3 synthetic ones.
    assert exact == pytest.approx(2 * 131 * (1247 + 3) / 3600)
    assert half == pytest.approx(exact / 2)


def test_the_training_loops_benchmark_runs():
    command = [sys.executable, "benchmarks/loop.py", "--tiny"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
    assert done.returncode == 0, done.stderr
    lines = [line.split("|")[1].strip() for line in done.stdout.splitlines()]
    assert lines[2:] == ["usual loop", "this workflow", "… without reading and augmenting"]
