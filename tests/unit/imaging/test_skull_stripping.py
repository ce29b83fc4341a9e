"""Without nnU-Net and deepbet: weights, orientation, settings.

See also tests/workflow/test_hd_bet.py and test_deepbet.py.
"""

import hashlib
import json
import os
import pickle
import runpy
import sys
import types
import zipfile

import nibabel as nib
import numpy as np
import pytest
import torch
from conftest import ROOT

import phantoms
from uad.base import devices, exclusion
from uad.base.errors import InputError
from uad.imaging import deepbet, hd_bet, hd_bet_weights, volumes


@pytest.fixture
def weights(tmp_path):
    """A folder with the files of HD-BET's weights; their content is of no use."""
    folder = tmp_path / "release_2.0.0"
    (folder / "fold_all").mkdir(parents=True)
    for name in ("dataset.json", "plans.json"):
        (folder / name).write_text(json.dumps({"name": name}))
    torch.save({"weights": torch.arange(1000)}, folder / hd_bet_weights.CHECKPOINT)
    return folder


def test_good_weights_are_digested(weights):
    digests = hd_bet_weights.check(weights)
    assert list(digests) == list(hd_bet_weights.FILES)
    content = (weights / hd_bet_weights.CHECKPOINT).read_bytes()
    assert digests[hd_bet_weights.CHECKPOINT] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", hd_bet_weights.FILES)
def test_missing_weights(weights, name):
    (weights / name).unlink()
    with pytest.raises(
        InputError, match=f"{weights / name}: no such file; .*hd_bet.weights.*all d"
    ):
        hd_bet_weights.check(weights)


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match="snakemake --cores all download puts them there"):
        hd_bet_weights.check(tmp_path / "nowhere")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-200])


def one_byte_changed(path):
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        (item,) = [i for i in file.infolist() if i.filename.endswith("data/0")]
    content[item.header_offset + 4000] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (hd_bet_weights.CHECKPOINT, truncated),
        (hd_bet_weights.CHECKPOINT, one_byte_changed),
        (hd_bet_weights.CHECKPOINT, lambda path: path.write_text("<html>not found</html>")),
        ("plans.json", lambda path: path.write_text('{"plans_name": ')),
        ("dataset.json", lambda path: path.write_bytes(b"\xff\xfe\x00")),
    ],
)
def test_damaged_weights(weights, name, damage):
    damage(weights / name)
    with pytest.raises(InputError, match=f"{name}: this file .* is damaged .* delete") as error:
        hd_bet_weights.check(weights)
    assert "\n" not in str(error.value)


class Predictor:
    """Stands in for nnU-Net's: whatever is brighter than 800 is brain."""

    def __init__(self, **settings):
        Predictor.settings = settings

    def initialize_from_trained_model_folder(self, folder, fold):
        print("a remark")
        Predictor.loaded = folder, fold

    def predict_single_npy_array(self, image, properties):
        Predictor.image, Predictor.properties = image, properties
        return (image[0] > 800).astype(np.uint8)


@pytest.fixture
def nnunet(monkeypatch):
    """nnU-Net's module with the stand-in, where `load` imports it from."""
    name = "nnunetv2.inference.predict_from_raw_data"
    for package in ("nnunetv2", "nnunetv2.inference"):
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
    module = types.ModuleType(name)
    module.nnUNetPredictor = Predictor
    monkeypatch.setitem(sys.modules, name, module)


def test_mask_is_on_the_grid_of_the_head(rng, nnunet, capsys):
    affine = np.diag([-1.0, -2.0, 3.0, 1.0])  # LPS order
    head = volumes.Volume(rng.uniform(0, 1000, (6, 7, 8)).astype(np.float32), affine, "head.nii")
    mask = hd_bet.find_brain(head, hd_bet.load("weights", torch.device("cpu")))
    np.testing.assert_array_equal(mask.array, head.array > 800)
    assert mask.array.dtype == np.uint8
    volumes.check_same_grid(head, mask)
    # nnU-Net saw what SimpleITK reads from a file in the orientation of MNI152, LAS.
    assert Predictor.image.shape == (1, 8, 7, 6)
    assert Predictor.image[0, 2, 0, 1] == head.array[1, -1, 2]
    assert Predictor.properties == {"spacing": [3, 2, 1]}
    assert Predictor.loaded == ("weights", "all")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("device", "mirrored"), [("cpu", False), ("cuda", True)])
def test_mirrored_copies_on_a_gpu_only(nnunet, device, mirrored):
    hd_bet.load("weights", torch.device(device))
    assert Predictor.settings["use_mirroring"] is mirrored


def test_weights_of_another_release(nnunet, monkeypatch):
    def refuse(self, folder, fold):
        raise RuntimeError("size mismatch for encoder:\n torch.Size([3])")

    monkeypatch.setattr(Predictor, "initialize_from_trained_model_folder", refuse)
    with pytest.raises(InputError, match=r"old: .* \(size mismatch for encoder:\)") as error:
        hd_bet.load("old", torch.device("cpu"))
    assert "\n" not in str(error.value)


def test_weights_with_python_objects(nnunet, monkeypatch):
    def refuse(self, folder, fold):
        raise pickle.UnpicklingError("Weights only load failed.\n Do this:")

    monkeypatch.setattr(Predictor, "initialize_from_trained_model_folder", refuse)
    with pytest.raises(InputError, match="odd: .* could run any program; hd_bet.we") as error:
        hd_bet.load("odd", torch.device("cpu"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("numpy", ["numpy._core", "numpy.core"])  # 2 and 1
def test_numbers_that_nnunet_logs_can_be_loaded(tmp_path, monkeypatch, numpy):
    logged = {"losses": [np.float32(2), np.float64(3)], "dice": np.arange(3.0), "best": np.int64(7)}
    torch.save({"logging": logged, "device": torch.device("cuda")}, tmp_path / "now")
    with zipfile.ZipFile(tmp_path / "now") as now, zipfile.ZipFile(tmp_path / "x", "w") as other:
        for name in now.namelist():
            content = now.read(name)
            if name.endswith("data.pkl"):
                content = content.replace(b"numpy._core.multiarray", f"{numpy}.multiarray".encode())
            other.writestr(name, content)
    with torch.serialization.safe_globals(hd_bet._numpy_values()):
        found = torch.load(tmp_path / "x", weights_only=True)["logging"]
    assert found["losses"] == [2, 3] and found["best"] == 7
    np.testing.assert_array_equal(found["dice"], logged["dice"])


def test_interpreter_without_hd_bet(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=f"not installed for {sys.executable}; run make setup-hdb"):
        hd_bet.set_up(1)


def test_threads_are_limited(nnunet, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setitem(sys.modules, hd_bet.PRIMUS, None)
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    hd_bet.set_up(3)
    assert asked == [3] and os.environ[hd_bet.WEIGHTS_ONLY] == "1"
    assert {os.environ[name] for name in hd_bet.THREAD_VARIABLES} == {"3"}


def run_program(monkeypatch, head, weights, mask):
    monkeypatch.setattr(hd_bet, "set_up", lambda threads: None)
    monkeypatch.setattr(sys, "argv", arguments(head, weights, mask))
    runpy.run_path(str(ROOT / "workflow/scripts/strip_skull_hd_bet.py"), run_name="__main__")


def test_empty_mask_excludes_the_subject(weights, tmp_path, rng, monkeypatch):
    head = phantoms.save(phantoms.head(rng)[0], tmp_path / "head.nii")
    mask = tmp_path / "mask.nii.gz"
    monkeypatch.setattr(hd_bet, "load", lambda *_: None)
    monkeypatch.setattr(hd_bet, "find_brain", lambda head, *_: head.empty_mask())
    run_program(monkeypatch, head, weights, mask)
    assert exclusion.reason(mask) == f"{head}: the brain mask is empty"


def test_weights_that_cannot_be_loaded_exclude_nobody(weights, tmp_path, rng, monkeypatch, capsys):
    head = phantoms.save(phantoms.head(rng)[0], tmp_path / "head.nii")
    mask = tmp_path / "mask.nii.gz"

    def refuse(*_):
        raise InputError("these weights are of another release")

    monkeypatch.setattr(hd_bet, "load", refuse)
    with pytest.raises(SystemExit, match="1"):
        run_program(monkeypatch, head, weights, mask)
    assert capsys.readouterr().err == "Error: these weights are of another release\n"
    assert not mask.exists()


# deepbet.


class BrainExtraction:
    """Stands in for deepbet's: whatever is brighter than 800 is brain, on the image's grid."""

    def __init__(self, no_gpu):
        assert no_gpu

    def run(self, image):
        found = np.asarray(image.dataobj) > 800
        if not found.any():
            raise ValueError("attempt to get argmax of an empty sequence")
        return image, nib.Nifti1Image(found.astype(np.uint8), image.affine), 0.0


@pytest.fixture
def package(monkeypatch):
    """The package deepbet with the stand-in, where `load` imports it from."""
    module = types.ModuleType("deepbet")
    module.BrainExtraction = BrainExtraction
    monkeypatch.setitem(sys.modules, "deepbet", module)


def test_mask_of_deepbet_is_on_the_grid_of_the_head(rng, package):
    affine = np.diag([-1.0, -2.0, 3.0, 1.0])  # LPS order
    head = volumes.Volume(rng.uniform(0, 1000, (6, 7, 8)).astype(np.float32), affine, "head.nii")
    mask = deepbet.find_brain(head, deepbet.load())
    np.testing.assert_array_equal(mask.array, head.array > 800)
    assert mask.array.dtype == np.uint8
    volumes.check_same_grid(head, mask)


def test_deepbet_finds_no_brain(package):
    head = volumes.Volume(np.ones((4, 4, 4), np.float32), np.eye(4), "blank.nii")
    with pytest.raises(InputError, match="^blank.nii: deepbet finds no brain in this head"):
        deepbet.find_brain(head, deepbet.load())


@pytest.fixture
def networks(tmp_path, monkeypatch):
    """A folder with files in the place of deepbet's networks, and their checksums as expected."""
    digests = {}
    for name in deepbet.WEIGHTS:
        (tmp_path / name).write_bytes(name.encode())
        digests[name] = hashlib.sha256(name.encode()).hexdigest()
    monkeypatch.setattr(deepbet, "WEIGHTS", digests)
    return tmp_path


@pytest.mark.parametrize("name", ["model.pt", "bbox_model.pt"])
def test_networks_of_deepbet_are_those_that_are_known(networks, name):
    deepbet.check_weights(networks)
    (networks / name).write_bytes(b"another")
    digest = hashlib.sha256(b"another").hexdigest()
    with pytest.raises(InputError, match=f"{name}: not the network of .*SHA-256 is {digest}.*run"):
        deepbet.check_weights(networks)
    (networks / name).unlink()
    with pytest.raises(InputError, match=f"{name}: not the network of deepbet 1.0.2 .no such fil"):
        deepbet.check_weights(networks)


def test_interpreter_without_deepbet(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=f"not installed for {sys.executable}; run make setup-dee"):
        deepbet.set_up(1)


def test_threads_of_deepbet_are_limited_once_its_networks_are_checked(networks, monkeypatch):
    # As a wheel lays it out: `deepbet` and `data` side by side.
    folder = networks / "data/models"
    folder.mkdir(parents=True)
    for name in deepbet.WEIGHTS:
        (networks / name).rename(folder / name)
    spec = types.SimpleNamespace(origin=str(networks / "deepbet/__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    asked = []
    monkeypatch.setattr(devices, "set_up_cpu", asked.append)
    deepbet.set_up(3)
    assert asked == [3] and os.environ["OMP_NUM_THREADS"] == "3"
    (folder / "model.pt").unlink()
    with pytest.raises(InputError, match="data/models/model.pt: not the network of deepbet"):
        deepbet.set_up(3)
    assert asked == [3]


def arguments(head, weights, mask):
    named = {
        "image": head, "weights": weights, "mask": mask, "accelerator": "cpu", "local-gpus": 1,
        "threads": 1, "log": mask.with_name("log"),
    }  # fmt: skip
    return ["program", *(word for k, v in named.items() for word in (f"--{k}", str(v)))]
