"""What every method must fulfil (`uad.contract.checks`), for those of the project.

They are found by themselves. One without small parameters here has those of the demo.
"""

import dataclasses

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, write_pack
from conftest import SMALL_DIFFUSION as DIFFUSION

from uad.base.errors import InputError
from uad.contract import cases, checks
from uad.contract.checks import *  # noqa: F403
from uad.contract.checks import anomaly_map, learn, only
from uad.data import slices
from uad.evaluation import controls
from uad.models import methods
from uad.plan import config as settings
from uad.plan.overlays import with_defaults

AUTOENCODER = {
    "autoencoder": {"channels": [8, 16], "halvings": 3, "latent": 12, "slope": 0.01},
    "dropout": 0.2,
    "slice_shape": [48, 48],
}
SMALL = {
    "ae": AUTOENCODER,
    "vae": {**AUTOENCODER, "kl_weight": 0.001, "kl_reduction": "mean"},
    "dae": {"widths": [4, 8], "noise_grid": 6, "noise_sd": 0.2, "loss": "l2"},
    "ddpm": DIFFUSION,
    "pddpm": {**DIFFUSION, "patch": 24},
    "fae": {
        "extractor": {"width": 4, "batch_norm": "adapt"}, "size": 64, "channels": [4, 6],
        "dropout": 0.1, "window": 5, "sigma": 1.5,
    },
    "rd": {"extractor": {"width": 2, "standardise": True}, "size": 32, "blur": 1.0},
    "spark": {"encoder": {"width": 4, "blocks": [1, 1], "drop_path": 0.1}, "mask_ratio": 0.65},
    "cddpm": {
        **DIFFUSION,
        "encoder": {"width": 4, "blocks": [1, 1], "features": 8, "drop_path": 0.1},
    },
    "unet": {"widths": [4, 8]},
    "unet_res": {"widths": [4, 8]},
    "pii": {"stem": 4, "widths": [4, 8, 8], "centre": "brain"},
    "draem_net": {"reconstructive": [4, 8], "discriminative": [4, 8, 8], "probability": 0.5},
}  # fmt: skip


def cases_of(names):
    """Cases of methods: with the parameters above, or where there are none, of the demo."""
    config = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    with_defaults(config, ROOT / "config/config.yaml")
    settings.check(config)
    of_demo, found = cases.of_config(config), {}
    for name in names:
        case = of_demo[name]
        if name in SMALL:
            upstream = case.upstream and cases_of([case.upstream.name])[case.upstream.name]
            case = dataclasses.replace(
                case, params=SMALL[name], slice_shape=(48, 48), upstream=upstream
            )
        found[name] = case
    return found


CASES = cases_of(methods.built_in())


def pytest_generate_tests(metafunc):
    checks.generate(metafunc, CASES.values())


def test_every_method_of_the_folder_is_checked():
    assert set(CASES) == {
        path.parent.name for path in (ROOT / "src/uad/models/methods").glob("*/__init__.py")
    }
    assert set(SMALL) <= set(CASES)


def test_a_method_without_small_parameters_is_checked_with_those_of_the_demo(monkeypatch):
    monkeypatch.delitem(SMALL, "unet")
    case = cases_of(["unet"])["unet"]
    assert case.params == {"widths": [8, 16, 32, 64, 64]} and case.slice_shape == (64, 64)


# Not those that look at values (NumPy's anomalies, visible patches) or leave mixed precision.
@only(lambda case: case.name not in {"pii", "draem_net", "spark", "fae"})
def test_everything_is_on_the_device_of_the_batch(case, batch):
    """Torch's device without data refuses what is still on the CPU, as a GPU would."""
    method = case.build().to("meta")
    tensors = {k: v.to("meta") for k, v in vars(batch).items() if isinstance(v, torch.Tensor)}
    there = dataclasses.replace(batch, **tensors)
    method.network.train()
    assert method.loss(there, np.random.default_rng(0)).device.type == "meta"
    if method.levels:
        method.eval()
        made = method.reconstruct(there.image[:, 0], np.random.default_rng(0))
        assert made.device.type == "meta"


@only(checks.has_map)
def test_mixed_precision_is_in_use(case, pack, batch, volume):
    method = learn(case, case.build(), pack, batch, 3)
    exact = anomaly_map(method, volume)
    with torch.autocast("cpu", torch.bfloat16):
        assert not np.array_equal(anomaly_map(method, volume), exact)


def test_the_one_that_stands_on_another_is_among_them():
    assert [case.name for case in CASES.values() if case.upstream] == ["unet_res"]


def test_wrong_channel_count_is_refused(case, batch, rng):
    three, partner = (x.repeat(1, 3, 1, 1) for x in (batch.image, batch.partner))
    three = slices.Batch(three, batch.brain, batch.lesion, partner)
    with pytest.raises(RuntimeError, match="channels"):
        case.build().loss(three, rng)


# Those whose reconstruction is random, among those that reconstruct.
RANDOM = {"ddpm", "pddpm", "cddpm"}


@only(checks.reconstructs)
def test_what_is_random_in_reconstructions(case, pack, batch, volume):
    # An untrained denoiser returns grey whatever the noise.
    method = learn(case, case.build(), pack, batch, 1).eval()
    with torch.no_grad():
        first, other = (method.reconstruct(volume.image, np.random.default_rng(i)) for i in (1, 2))
    assert torch.equal(first, other) != (case.name in RANDOM)


def test_what_reconstructs():
    found = {case.name for case in CASES.values() if case.reconstructs}
    assert found == {"ae", "vae", "dae", *RANDOM}


def test_unknown_method_is_named():
    with pytest.raises(
        InputError, match="unknown method xnet: there is no module uad.models.methods.xnet"
    ):
        methods.load("xnet")


@pytest.mark.parametrize("control", controls.CONTROLS)
def test_controls_give_maps(tmp_path, control, rng):
    pack = write_pack(tmp_path / "pack", 2)
    score = controls.load(control).build([pack.volume("S0")], rng)
    volume = pack.volume("S1")
    found = score(volume)
    assert found.shape == volume.image.shape and found.dtype == np.float32
    assert (found[~volume.brain] == 0).all()
