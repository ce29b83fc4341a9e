"""A results folder of the version before (git revision 8a2c50c), of which a model is kept here."""

import json
import shutil

import pytest
import torch
from conftest import ROOT

from uad.base.errors import InputError
from uad.base.paths import FORMAT
from uad.engine import checkpoints
from uad.plan import host

BEFORE = ROOT / "tests/data/results-8a2c50c"


def test_results_of_the_version_before_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"models/ddpm, git revision 8a2c50c269ad\+.*set `results`"
    ):
        host.check_results(BEFORE)
    host.check_results(tmp_path / "nothing there yet")


def test_results_of_this_version_pass(tmp_path):
    folder = tmp_path / "models/ddpm/fold-0"
    shutil.copytree(BEFORE / "models/ddpm/fold-0", folder)
    about = json.loads((folder / "about.json").read_text())
    (folder / "about.json").write_text(json.dumps({**about, "format": FORMAT}))
    host.check_results(tmp_path)


def test_its_models_are_read_all_the_same(rng):
    path = BEFORE / "models/ddpm/fold-0/model.pt"
    image = torch.from_numpy(rng.random((2, 16, 16)).astype("float32"))
    # Levels were stored with the model; those of the configuration win.
    assert checkpoints.load(path).reconstruct(image, rng).shape == (1, 2, 16, 16)
    model = checkpoints.load(path, test={"test_levels": [250, 500, 750]})
    assert model.reconstruct(image, rng).shape == (3, 2, 16, 16)
