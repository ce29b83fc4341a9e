"""Rule strip_skull_hd_bet: the plan, what it says when something is missing, and a real run.

The published weights are too large for a test. The real run has a small network with random weights
in the same layout, so its masks mean nothing, but they must be those that HD-BET itself makes.
"""

import json
import os
import subprocess

import nibabel as nib
import numpy as np
import pytest
import torch
from conftest import ROOT

import phantoms
from uad.data import datasets
from uad.imaging import hd_bet_weights, volumes
from uad.simulation import names

PYTHON = ROOT / ".venv-hdbet/bin/python"
SCRIPTS = ROOT / "workflow/scripts"

EMPTY = -100  # bias of the brain's logit that no head overcomes


def with_hd_bet(test):
    """Marks a test that runs nnU-Net."""
    reason = "HD-BET is not installed here; make setup-hdbet installs it into .venv-hdbet"
    return pytest.mark.hdbet(pytest.mark.skipif(not PYTHON.exists(), reason=reason)(test))


def run(code, *arguments):
    """Run a program text on HD-BET's interpreter, with the workflow's library."""
    command = [str(PYTHON), "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    return done


MAKE_WEIGHTS = """
import json, sys
from pathlib import Path
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

folder, trainer, bias = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
network = dict(
    n_stages=2, features_per_stage=[4, 8], conv_op="torch.nn.modules.conv.Conv3d",
    kernel_sizes=[[3, 3, 3]] * 2, strides=[[1, 1, 1], [2, 2, 2]], n_conv_per_stage=[1, 1],
    n_conv_per_stage_decoder=[1], conv_bias=True,
    norm_op="torch.nn.modules.instancenorm.InstanceNorm3d",
    norm_op_kwargs={"eps": 1e-5, "affine": True}, dropout_op=None, dropout_op_kwargs=None,
    nonlin="torch.nn.LeakyReLU", nonlin_kwargs={"inplace": True},
)
name = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
imports = ["conv_op", "norm_op", "dropout_op", "nonlin"]
resampling = "resample_data_or_seg_to_shape"
settings = {"order": 1, "order_z": 0, "force_separate_z": None}
configuration = {
    "data_identifier": "x", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2,
    "patch_size": [32, 32, 32], "spacing": [5.0, 4.5, 4.0],
    "normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [False],
    "resampling_fn_data": resampling, "resampling_fn_data_kwargs": {"is_seg": False, **settings},
    "resampling_fn_seg": resampling, "resampling_fn_seg_kwargs": {"is_seg": True, **settings},
    "resampling_fn_probabilities": resampling,
    "resampling_fn_probabilities_kwargs": {"is_seg": False, **settings},
    "architecture": {"network_class_name": name, "arch_kwargs": network,
                     "_kw_requires_import": imports},
    "batch_dice": False,
}
plans = {
    "dataset_name": "Dataset001_Head", "plans_name": "nnUNetPlans",
    "transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2],
    "image_reader_writer": "SimpleITKIO", "label_manager": "LabelManager",
    "foreground_intensity_properties_per_channel": {"0": {}},
    "configurations": {"3d_fullres": configuration},
}
dataset = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "brain": 1},
           "file_ending": ".nii.gz", "numTraining": 1}
torch.manual_seed(0)
network = get_network_from_plans(name, network, imports, 1, 2, deep_supervision=False)
network.decoder.seg_layers[-1].bias.data[1] += bias
(folder / "fold_all").mkdir(parents=True)
(folder / "plans.json").write_text(json.dumps(plans))
(folder / "dataset.json").write_text(json.dumps(dataset))
torch.save(
    {"network_weights": network.state_dict(), "trainer_name": trainer,
     "init_args": {"configuration": "3d_fullres"}, "inference_allowed_mirroring_axes": (0, 1, 2)},
    folder / "fold_all/checkpoint_final.pth",
)
"""

# HD-BET's own program, less its pools of processes.
HD_BET = """
import sys
import torch
from HD_BET import hd_bet_prediction
hd_bet_prediction.folder_with_parameter_files = sys.argv[1]
predictor = hd_bet_prediction.get_hdbet_predictor(use_tta=False, device=torch.device("cpu"))
predictor.predict_from_files_sequential([[sys.argv[2]]], [sys.argv[3]])
"""

# The rule's script where the network, new processes and more threads are refused or noticed.
GUARDED = """
import json, multiprocessing.process, runpy, socket, sys
def refuse(*_, **__):
    raise AssertionError("refused")
socket.socket.connect = socket.getaddrinfo = refuse
multiprocessing.process.BaseProcess.start = refuse
import torch
asked, really = [], torch.set_num_threads
torch.set_num_threads = lambda n: (asked.append(n), really(n))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print(json.dumps([*asked, torch.get_num_threads()]))
"""


def make_weights(folder, trainer="nnUNetTrainer", bias=0.0):
    """A small network with random weights in the layout of HD-BET's."""
    done = run(MAKE_WEIGHTS, folder, trainer, bias)
    assert done.returncode == 0, done.stderr
    return folder


class Case:
    """A checkout with one registered phantom head of IXI, and the overlay that strips it."""

    def __init__(self, checkout, results="results/demo"):
        scans = names.scans("ixi", 9, 2024)
        files = [file for scan in scans for file in names.files("ixi", scan)]
        label = next(iter(datasets.find("ixi", files, "").subjects))
        folder = checkout.folder / results / f"preprocessed/ixi/sub-{label}"
        self.checkout, self.results = checkout, results
        self.head = folder / f"sub-{label}_space-SRI24_desc-registered_T1w.nii"
        self.mask = folder / f"sub-{label}_space-SRI24_desc-brain_mask.nii.gz"
        self.log = checkout.folder / results / f"logs/strip_skull_hd_bet/ixi/{label}.log"
        array = phantoms.head(np.random.default_rng(5))[0]
        array[:, :20] *= 0.5  # front and back, left and right, and top and bottom differ
        array[:25] *= 0.7
        array[:, :, 30:] *= 0.6
        phantoms.save(array, self.head)

    def strip(self, weights, *options):
        """Run the rule; returns its exit status and all it printed."""
        overlay = self.checkout.overlay(
            results=self.results,
            datasets={"ixi": {"brain_mask": "hd_bet"}},
            hd_bet={"weights": str(weights)},
        )
        done = self.checkout.snakemake(
            self.mask.relative_to(self.checkout.folder), "--allowed-rules", "strip_skull_hd_bet",
            *options, configfiles=["config/demo.yaml", overlay],
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def fails(self, weights, sentence):
        """The rule must end with a sentence and without a mask."""
        status, text = self.strip(weights)
        assert status != 0, text
        assert [line for line in text.splitlines() if sentence in line], text
        assert "Traceback" not in text
        assert not self.mask.exists()


@pytest.fixture
def case(checkout):
    """See `Case`."""
    return Case(checkout)


def test_missing_weights(case):
    case.fails("data/nowhere", "Error: data/nowhere/dataset.json: no such file; HD-BET's weights")


def test_a_file_name_is_one_word_of_the_command_whatever_is_in_it(checkout):
    odd = 'it\'s $(touch ran) `touch ran`; touch ran # & "a" * | > ran'
    case = Case(checkout, f"results/{odd}")
    case.fails(f"data/{odd}", f"Error: data/{odd}/dataset.json: no such file; HD-BET's weights")
    assert case.log.exists() and not list(checkout.folder.rglob("ran"))


def test_damaged_weights(case, tmp_path):
    for name in hd_bet_weights.FILES:
        path = tmp_path / "weights" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    case.fails(
        tmp_path / "weights", f"{hd_bet_weights.CHECKPOINT}: this file of HD-BET's weights is damag"
    )


def test_interpreter_without_hd_bet(case, tmp_path):
    # The copy of the repository has no .venv-hdbet.
    folder = tmp_path / "weights"
    (folder / "fold_all").mkdir(parents=True)
    for name in hd_bet_weights.FILES[:2]:
        (folder / name).write_text("{}")
    torch.save({}, folder / hd_bet_weights.CHECKPOINT)
    case.fails(folder, "Error: HD-BET is not installed for ")


@with_hd_bet
def test_mask_is_that_of_hd_bet(case, tmp_path):
    (case.checkout.folder / ".venv-hdbet").symlink_to(ROOT / ".venv-hdbet")
    weights = make_weights(tmp_path / "weights")
    status, text = case.strip(weights)
    assert status == 0, text
    head, mask = volumes.read(case.head), volumes.read(case.mask, "uint8")
    assert nib.load(case.mask).get_data_dtype() == np.uint8
    assert set(np.unique(mask.array)) == {0, 1}
    volumes.check_same_grid(head, mask)
    log = case.log.read_text()
    assert "on cpu, 1 threads" in log
    for name, digest in hd_bet_weights.check(weights).items():
        assert f"weights {name}: sha256 {digest}" in log

    # Where HD-BET is installed decides no result.
    (case.checkout.folder / ".venv-hdbet").unlink()
    status, text = case.strip(weights, "-n")
    assert status == 0 and "Nothing to be done" in text, text

    # HD-BET itself, on the same head in the orientation of MNI152.
    upright = tmp_path / "head.nii.gz"
    image = nib.load(case.head)
    affine = image.affine @ np.diag([1, -1, 1, 1.0])
    affine[:3, 3] = (image.affine @ [0, image.shape[1] - 1, 0, 1])[:3]
    phantoms.save(np.asarray(image.dataobj)[:, ::-1], upright, affine)
    assert nib.aff2axcodes(affine) == ("L", "A", "S")
    done = run(HD_BET, weights, upright, tmp_path / "theirs.nii.gz")
    assert done.returncode == 0, done.stderr
    theirs = volumes.read(tmp_path / "theirs.nii.gz", "uint8")
    volumes.check_same_grid(mask, theirs)
    np.testing.assert_array_equal(mask.array, theirs.array)
    assert 0.02 < mask.array.mean() < 0.98
    for axis in range(3):
        assert (mask.array != np.flip(mask.array, axis)).any()


@with_hd_bet
def test_neither_network_nor_processes_nor_more_threads(case, tmp_path):
    # A trainer that nnU-Net finds only after it has looked into all others.
    weights = make_weights(tmp_path / "weights", "nnUNetTrainer_250epochs_NoMirroring")
    arguments = {
        "image": case.head, "weights": weights, "mask": case.mask, "accelerator": "cpu",
        "local-gpus": 1, "threads": 1, "log": case.log,
    }  # fmt: skip
    words = [word for k, v in arguments.items() for word in (f"--{k}", v)]
    done = run(GUARDED, SCRIPTS / "strip_skull_hd_bet.py", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert volumes.read(case.mask, "uint8").array.any()
    assert set(json.loads(done.stdout)) == {1}


@with_hd_bet
def test_weights_that_would_run_a_program(case, tmp_path):
    (case.checkout.folder / ".venv-hdbet").symlink_to(ROOT / ".venv-hdbet")
    weights = make_weights(tmp_path / "weights")
    path = weights / hd_bet_weights.CHECKPOINT
    content = torch.load(path, weights_only=True)

    class Malicious:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "it-ran"),)

    torch.save({**content, "logging": Malicious()}, path)
    case.fails(weights, "holds Python objects, which are not loaded")
    assert not (tmp_path / "it-ran").exists()
    # What nnU-Net itself stores beside weights is no program.
    logged = {"losses": [np.float32(1)], "device": torch.device("cuda")}
    torch.save({**content, "_best_ema": np.float64(1), "logging": logged}, path)
    status, text = case.strip(weights)
    assert status == 0, text


@with_hd_bet
def test_empty_mask(case, tmp_path):
    (case.checkout.folder / ".venv-hdbet").symlink_to(ROOT / ".venv-hdbet")
    weights = make_weights(tmp_path / "weights", bias=EMPTY)
    case.fails(weights, f"{case.head.name}: the brain mask is empty")
