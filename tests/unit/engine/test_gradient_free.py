"""What is learnt without gradients: trained, stored and scored as any other method."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT
from test_training import BLOCK, data, train

from uad.base.errors import InputError
from uad.engine import checkpoints, gradient_free, scoring
from uad.engine.jobs import Evaluated, Job
from uad.models import methods

FOLDER = ROOT / "examples/methods"
SMALL = {
    "encoder": {"width": 4, "blocks": [1, 1, 1], "drop_path": 0},
    "stages": [1, 2], "slices": 4, "candidates": 200, "entries": 30,
}  # fmt: skip


@pytest.fixture(autouse=True)
def example_methods():
    """Those that have a fit."""
    methods.use({name: FOLDER / f"{name}.py" for name in ("voxel_atlas", "memory_bank")})
    yield
    methods.use({})


def block_of(name, **training):
    """The block of an example, as the workflow hands it to its training."""
    written = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())["methods"][name]
    params = {**written, **(SMALL if name == "memory_bank" else {})}
    common = {"upstream": None, "pretrained": None, "reconstructs": False}
    settings = {**BLOCK["training"], "epochs": 0, **training}
    return {**common, **params, "pretrained": None, "upstream": None, "training": settings}


@pytest.mark.parametrize("name", ["voxel_atlas", "memory_bank"])
def test_a_fit_is_trained_stored_and_scored(name, tmp_path):
    inputs, block = data(tmp_path), block_of(name)
    stored = train(tmp_path / "out", inputs, block, model=name)
    assert stored["val_loss"] is None and stored["parameters"]["trained"] == 0
    assert (tmp_path / "out/history.tsv").read_text().split() == [
        "epoch", "steps", "train_loss", "val_loss", "val_dice", "skipped", "seconds",
    ]  # fmt: skip
    again = train(tmp_path / "again", inputs, block, model=name)
    for key, value in stored["network"].items():
        assert torch.equal(value, again["network"][key])
    evaluated = Evaluated(inputs["train"], inputs["train_split"], False)
    job = Job(fold=0, device=torch.device("cpu"), threads=1, params={"code": "code"})
    test = methods.test_params(name, block)
    scoring.score(evaluated, tmp_path / "out/model.pt", test, None, job, tmp_path / "maps.npy")
    maps = np.load(tmp_path / "maps.npy")
    assert len(maps) == 2 and maps.any(axis=(1, 2, 3)).all()


def test_epochs_must_fit_what_there_is_to_train(tmp_path):
    inputs = data(tmp_path)
    with pytest.raises(InputError, match="voxel_atlas.training.epochs is 3, but its network has"):
        train(tmp_path / "a", inputs, block_of("voxel_atlas", epochs=3), model="voxel_atlas")
    block = {**BLOCK, "training": {**BLOCK["training"], "epochs": 0}}
    with pytest.raises(InputError, match="unet.training.epochs is 0, but its network has weights"):
        train(tmp_path / "b", inputs, block, model="unet")


def test_a_fit_that_is_not_finite_is_refused(tmp_path, monkeypatch):
    module = methods.load("voxel_atlas")

    def fit(self, volumes, rng):
        self.network.mean = torch.tensor([float("nan")])

    monkeypatch.setattr(module.VoxelAtlas, "fit", fit)
    with pytest.raises(InputError, match="after its fit, mean is not finite"):
        train(tmp_path / "a", data(tmp_path), block_of("voxel_atlas"), model="voxel_atlas")


def test_what_is_fitted_after_epochs_sees_the_best_weights(tmp_path, monkeypatch):
    """A file with both: its fit stores what the trained weights say of the volumes."""
    path = Path(tmp_path / "both.py")
    path.write_text(
        '"""Both."""\n'
        "from dataclasses import dataclass\nimport torch\nfrom torch import nn\n"
        "from uad.base.settings import Block\nfrom uad.models.method import Fitted, Method\n\n\n"
        "@dataclass(frozen=True)\nclass Params(Block):\n    pass\n\n\n"
        "class Both(Method):\n    def __init__(self):\n        super().__init__()\n"
        "        parts = {'scale': nn.Linear(1, 1), 'found': Fitted('value')}\n"
        "        self.network = nn.ModuleDict(parts)\n\n"
        "    def loss(self, batch, rng):\n"
        "        assert len(batch.z) == len(batch.volumes) == len(batch)\n"
        "        for i, volume in enumerate(batch.volumes):\n"
        "            assert volume.image.shape == (12, 48, 48)\n"
        "            assert 0 <= batch.z[i] < 12\n"
        "        scaled = self.network['scale'](batch.image[..., None])[..., 0]\n"
        "        return (scaled - 0.5).abs().mean()\n\n"
        "    def fit(self, data, rng):\n"
        "        assert not self.training and len(data) == 2\n"
        "        self.network['found'].value = self.network['scale'].weight.clone()\n\n\n"
        "def build(params, upstream=None):\n    return Both()\n"
    )
    methods.use({"both": path})
    block = {key: BLOCK[key] for key in ("upstream", "pretrained", "reconstructs", "training")}
    original = gradient_free.fit

    def fit(method, weights, *others):
        """As if another epoch than the last had been the best."""
        return original(method, {**weights, "scale.weight": torch.full((1, 1), 7.0)}, *others)

    monkeypatch.setattr(gradient_free, "fit", fit)
    stored = train(tmp_path / "out", data(tmp_path), block, model="both")["network"]
    assert stored["found.value"].item() == stored["scale.weight"].item() == 7
    assert checkpoints.load(tmp_path / "out/model.pt").network["found"].value.shape == (1, 1)
