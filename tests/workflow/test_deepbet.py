"""Rule strip_skull_deepbet: what it says when deepbet is missing, and real runs of it.

The networks come with the package and take seconds. The head is the simulated atlas, whose brain is
known.
"""

import json
import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
from conftest import ROOT

import phantoms
from uad.base import exclusion
from uad.data import datasets
from uad.imaging import volumes
from uad.simulation import names, phantom, scans

PYTHON = ROOT / ".venv-deepbet/bin/python"
SCRIPT = ROOT / "workflow/scripts/strip_skull_deepbet.py"

# The package's own program.
DEEPBET = """
import sys
import torch
from deepbet import run_bet
torch.set_num_threads(1)
run_bet(sys.argv[1:2], mask_paths=sys.argv[2:3], no_gpu=True)
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


def with_deepbet(test):
    """Marks a test that runs deepbet."""
    reason = "deepbet is not installed here; make setup-deepbet installs it into .venv-deepbet"
    return pytest.mark.deepbet(pytest.mark.skipif(not PYTHON.exists(), reason=reason)(test))


def run(*words):
    """Run a command, with the workflow's library for Python."""
    return subprocess.run(
        [*map(str, words)], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip


def arguments(folder, head):
    """Arguments of the script for a head, and its mask's path."""
    mask = folder / "mask.nii.gz"
    return ["--image", head, "--mask", mask, "--threads", 1, "--log", folder / "log"], mask


def test_interpreter_without_deepbet(tmp_path):
    head = phantoms.save(np.ones((8, 8, 8), np.float32), tmp_path / "head.nii")
    words, mask = arguments(tmp_path, head)
    done = run(sys.executable, SCRIPT, *words)
    assert done.returncode == 1 and not mask.exists()
    assert done.stderr.startswith(f"Error: deepbet is not installed for {sys.executable}; run make")
    assert done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """Files of the simulated atlas: a head on the atlas grid, and its brain."""
    folder = tmp_path_factory.mktemp("atlas")
    files = {}
    for name, image in scans.atlas(phantom.build()).items():
        files[name] = folder / f"{name}.nii.gz"
        nib.save(image, files[name])
    return files


@with_deepbet
def test_mask_is_that_of_deepbet_and_has_the_brain(templates, tmp_path):
    words, mask = arguments(tmp_path, templates["T1"])
    done = run(PYTHON, "-c", GUARDED, SCRIPT, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    # Neither the network, nor processes, nor more threads than one.
    assert set(json.loads(done.stdout.splitlines()[-1])) == {1}
    assert nib.load(mask).get_data_dtype() == np.uint8
    found = volumes.read(mask, bool)
    head, brain = (volumes.read(templates[name]) for name in ("T1", "T1_brain"))
    volumes.check_same_grid(head, found)
    inside = brain.array > 0
    assert 2 * (found.array & inside).sum() / (found.array.sum() + inside.sum()) > 0.9
    # Again, by the package itself.
    done = run(PYTHON, "-c", DEEPBET, templates["T1"], tmp_path / "theirs.nii.gz")
    assert done.returncode == 0, done.stderr
    theirs = volumes.read(tmp_path / "theirs.nii.gz", bool)
    volumes.check_same_grid(found, theirs)
    np.testing.assert_array_equal(found.array, theirs.array)


@with_deepbet
def test_head_without_a_brain_is_excluded(tmp_path):
    head = phantoms.save(np.ones((40, 40, 40), np.float32), tmp_path / "blank.nii")
    words, mask = arguments(tmp_path, head)
    done = run(PYTHON, SCRIPT, *words)
    assert done.returncode == 0, done.stderr
    assert exclusion.reason(mask).startswith(f"{head}: deepbet finds no brain in this head")


@with_deepbet
def test_rule(checkout, templates):
    results = "results/it's $(touch ran); touch ran # a"  # one word of the command all the same
    files = [file for scan in names.scans("ixi", 9, 2024) for file in names.files("ixi", scan)]
    label = next(iter(datasets.find("ixi", files, "").subjects))
    stem = checkout.folder / results / f"preprocessed/ixi/sub-{label}/sub-{label}_space-SRI24"
    stem.parent.mkdir(parents=True)
    nib.save(nib.load(templates["T1"]), f"{stem}_desc-registered_T1w.nii")
    mask = stem.with_name(f"{stem.name}_desc-brain_mask.nii.gz")

    def strip(*options):
        overlay = checkout.overlay(results=results, datasets={"ixi": {"brain_mask": "deepbet"}})
        done = checkout.snakemake(
            mask.relative_to(checkout.folder), "--allowed-rules", "strip_skull_deepbet", *options,
            configfiles=["config/demo.yaml", overlay],
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    status, text = strip()  # the copy of the repository has no .venv-deepbet
    assert status != 0 and "Error: deepbet is not installed for " in text
    assert "Traceback" not in text and not mask.exists()
    (checkout.folder / ".venv-deepbet").symlink_to(ROOT / ".venv-deepbet")
    status, text = strip()
    assert status == 0, text
    assert 1000 < volumes.read(mask).array.sum() / 1000 < 2000  # ml
    assert not list(checkout.folder.rglob("ran"))
    # Where deepbet is installed decides no result.
    (checkout.folder / ".venv-deepbet").unlink()
    status, text = strip("-n")
    assert status == 0 and "Nothing to be done" in text, text
