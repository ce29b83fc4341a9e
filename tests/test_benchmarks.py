"""What the benchmarks reckon from their measurements, and that the one for GPUs runs."""

import json
import os
import subprocess
import sys

import brain_masks
import limit
import nibabel as nib
import numpy as np
import paper
import predict_calibration
import predict_geometry
import pytest
import run
import torch
from conftest import ROOT
from torch import nn

from uad.simulation import phantom

CONFIG = {
    "folds": [0, 1],
    "healthy": ["ixi"],
    "external": {},
    "checkpoints": {},
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


def test_the_benchmark_of_gpus_runs(tmp_path):
    command = [sys.executable, "benchmarks/gpu.py", "--tiny", "--out", tmp_path]
    command += ["--methods", "cddpm", "--parts", "steps", "busy", "correct"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "gpu.jsonl").read_text().splitlines()]
    assert not [line for line in lines if "failed" in line]
    assert {line["way"] for line in lines if line["part"] == "steps"} == {"usual", "here", "volume"}
    # On the CPU the same is computed twice.
    exact = [line for line in lines if line.get("tf32") is False]
    assert [line["gradient"] for line in exact] == [0]
    assert [line["weights"] for line in lines if "resume" in line] == [0, 0, 0]


def test_a_missed_target_is_told(monkeypatch, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- plan: begin -->\n<!-- plan: end -->\n")
    monkeypatch.setattr(run, "PAGE", page)
    for seconds, code, said in ((run.plan.SECONDS, 0, "all targets met"), (1e3, 1, "1 missed")):
        monkeypatch.setattr(run.plan, "measure", lambda s=seconds: ({"total": 5}, s, 1.0, 0.1))
        assert run.main(["plan"]) == code
        assert said in capsys.readouterr().out.splitlines()[-1]
    assert "**limit missed**" in page.read_text()


def test_tables_of_a_card():
    config = paper.read("config/config.yaml")
    # Methods of a fork were not measured.
    own = {name for name, block in config["methods"].items() if "code" in block}
    config["methods"] = {name: b for name, b in config["methods"].items() if name not in own}
    config["rows"] = {name: b for name, b in config["rows"].items() if not own & {*b["maps"]}}
    page = run.of_gpus(config)
    assert page.count("| Whole table |") == len(list(run.MEASURED.glob("*.jsonl")))
    for name in config["methods"]:
        assert f"| {name} | 32 |" in page


def test_configurations_are_merged(tmp_path):
    (tmp_path / "a.json").write_text('{"x": {"y": 1, "z": 2}}')
    (tmp_path / "b.yaml").write_text("x: {y: 3}\n")
    assert paper.read(tmp_path / "a.json", tmp_path / "b.yaml") == {"x": {"y": 3, "z": 2}}


def test_masks_are_compared_as_by_hand():
    # Slabs of 4 x 6 x 6 voxels, the one a voxel further.
    first, second = np.zeros((2, 12, 10, 10), bool)
    first[3:7, 2:8, 2:8] = second[4:8, 2:8, 2:8] = True
    assert brain_masks.dice(first, second) == 0.75
    assert brain_masks.surface_distance(first, first) == 0
    # Of the 112 voxels of either surface the outer face (36), and of the inner one the 16 that are
    # inside the other mask, are 1 voxel away; all others are on the other surface.
    assert brain_masks.surface_distance(first, second) == pytest.approx((36 + 16) / 112)


def shown(kind, index, values, **about):
    """A scan as `predict_calibration.py` stores it, of two folds."""
    folds = {str(fold): {"above_val_ml": value} for fold, value in enumerate(values)}
    return {"kind": kind, "index": index, "shown": folds, **about}


def test_rates_of_new_scans():
    rng = np.random.default_rng(0)
    records = [shown("reference", i, [rng.normal()] * 2) for i in range(99)]
    sites = ("A", "B")
    for i in range(400):
        extra = 1.5 if sites[i % 2] == "B" else 0  # those of B show more
        values = [rng.normal() + extra] * 2  # the folds agree
        records.append(shown("new", i, values, site=sites[i % 2], age=20 + i % 60))
    records.append({"kind": "new", "index": 400, "refused": "SCAN: no head"})
    new, n = predict_calibration.compared(records)
    assert (len(new), n) == (400, 99)
    lines = predict_calibration.rates(new, n)
    assert len(lines) == 3 * (1 + 2 + 6)
    kept = {(line["group"], line["rate"]): line["holm"] > 0.05 for line in lines}
    assert kept["site A", 0.1] and kept["site A", 0.05] and not kept["site B", 0.1]
    (line,) = (x for x in lines if (x["group"], x["rate"]) == ("site B", 0.1))
    assert line["scans"] == 200 and 100 * line["exceeding"] / 200 > line["high"]
    # By hand: the first scan against those of the reference, each by its fold.
    values = [record["shown"][str(i % 2)]["above_val_ml"] for i, record in enumerate(records[:99])]
    own = [new[0]["shown"][str(fold)]["above_val_ml"] for fold in (0, 1)]
    as_much = sum(value >= own[i % 2] for i, value in enumerate(values))
    assert new[0]["p"] == (1 + as_much) / 100


def test_holm():
    np.testing.assert_allclose(
        predict_calibration.holm([0.01, 0.04, 0.03, 0.5]), [0.04, 0.09, 0.09, 0.5]
    )


def test_misfits_are_made_again_alike(monkeypatch):
    def coarse(rng):
        affine = np.diag([8.0, 8, 8, 1])
        affine[:3, 3] = -8 * 12 - rng.uniform(0, 1)
        return [8 * axis + affine[0, 3] for axis in np.indices((25, 25, 25))], affine

    monkeypatch.setattr(predict_calibration, "_grid", coarse)
    for kind in ("phantom", "knee", "noise"):
        one, other = (predict_calibration.misfit(kind, 3, None).get_fdata() for _ in range(2))
        assert np.array_equal(one, other) and one.std() > 0
        assert not np.array_equal(one, predict_calibration.misfit(kind, 4, None).get_fdata())


@pytest.fixture(scope="module")
def head():
    return phantom.build()


@pytest.mark.parametrize("kind", predict_calibration.MISFITS)
def test_misfits_are_scans_and_no_two_are_alike(kind, head):
    one, other = (predict_calibration.misfit(kind, i, head) for i in (0, 1))
    for image in (one, other):
        array = np.asarray(image.dataobj)
        assert array.ndim == 3 and array.std() > 0
    same = one.shape == other.shape and np.array_equal(one.dataobj, other.dataobj)
    assert not same


def test_a_head_is_the_same_however_it_is_stored(head, tmp_path):
    case = {**predict_geometry.PLAIN, "resolution": "2 mm", "neck": "no neck"}
    image = predict_geometry.simulate(case, head)
    turned = case | {"orientation": "PSL", "file": ".nii.gz", "numbers": "scl_slope"}
    found = []
    for one in (case, turned):
        stored = nib.load(predict_geometry.store(image, one, tmp_path))
        found.append(nib.as_closest_canonical(stored))
    assert nib.aff2axcodes(stored.affine) == tuple("PSL")
    np.testing.assert_allclose(found[1].affine, found[0].affine)
    off = np.abs(found[1].get_fdata() - found[0].get_fdata())
    assert 0 < off.max() <= predict_geometry.STEPS["scl_slope"] / 2 + 1e-3


def test_the_limit_is_of_all_convolutions_and_products(monkeypatch):
    conv, linear = nn.Conv2d(2, 3, 3, padding=1), nn.Linear(8, 5)
    image = torch.rand(4, 2, 8, 8)

    def step():
        linear(conv(image) + conv(image)).sum().backward()

    with limit.Operations() as seen:
        step()
    # Of a convolution the gradient of the weights costs as much; the image's is not asked for.
    one, product = 2 * 4 * 3 * 8 * 8 * 2 * 9, 2 * 4 * 3 * 8 * 8 * 5
    assert seen.total() == 2 * 2 * one + 3 * product
    monkeypatch.setattr(limit, "LARGE", 0)
    least, rate = limit.limit(step)
    assert least * rate == pytest.approx(seen.total())
