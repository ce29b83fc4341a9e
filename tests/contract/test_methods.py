"""What every method must fulfil: the same checks for all of them.

A new method needs its file, its block in the configuration, and a small block here.
"""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import SMALL_DIFFUSION as DIFFUSION
from conftest import write_pack

from uad.base.errors import InputError
from uad.data import slices
from uad.engine import checkpoints
from uad.engine.settings import Training
from uad.evaluation import controls
from uad.models import methods, residuals

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

WITH_MAP = [name for name in SMALL if name not in methods.PRETRAINING]


@pytest.fixture(params=list(SMALL))
def name(request):
    """Name of a trained method."""
    return request.param


def build(name, paper_config):
    """A small method with fixed initial weights, on its upstream if it has one."""
    torch.manual_seed(0)
    upstream = paper_config["methods"][name]["upstream"]
    frozen = None
    if upstream:
        frozen = methods.build(upstream, SMALL[upstream]).eval().requires_grad_(False)
    return methods.build(name, SMALL[name], frozen)


@pytest.fixture
def method(name, paper_config):
    return build(name, paper_config)


@pytest.fixture
def batch(tmp_path):
    """Four slices with lesions."""
    pack = write_pack(tmp_path / "pack", 4)
    return slices.fixed(pack, np.arange(4), per_volume=1, batch_size=4, partners=True)[0]


@pytest.fixture
def volume(rng):
    """An image (Z, X, Y), its brain, and reconstructions at two levels."""
    image = torch.from_numpy(rng.random((6, 48, 48), dtype=np.float32))
    brain = rng.random(image.shape) < 0.5
    return SimpleNamespace(
        image=image, brain=brain, reconstruction=torch.stack([image * 0.9, image * 0.8])
    )


def anomaly_map(method, volume):
    method.eval()
    with torch.no_grad():
        if method.levels:
            mean = method.reconstruct(volume.image, np.random.default_rng(0)).mean(dim=0)
            return residuals.anomaly_map(volume.image, mean, volume.brain)
        return method.anomaly_map(volume.image, volume.brain, volume.reconstruction)


def steps(method, batch, n, rate=0.003):
    """Losses of `n` optimiser steps on one batch with the same random numbers each time."""
    optimizer = torch.optim.Adam(method.network.parameters(), lr=rate)
    losses = []
    for _ in range(n):
        method.network.train()
        loss = method.loss(batch, np.random.default_rng(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_loss_falls_on_a_repeated_batch(method, batch):
    losses = steps(method, batch, 8)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_trains_in_mixed_precision(method, batch):
    """The context that `training` puts around the loss; weights and gradients stay in 32 bits."""
    exact = method.loss(batch, np.random.default_rng(0)).item()
    with torch.autocast("cpu", torch.bfloat16):
        loss = method.loss(batch, np.random.default_rng(0))
    loss.backward()
    assert loss.item() == pytest.approx(exact, rel=0.1)
    gradients = [p.grad for p in method.network.parameters() if p.grad is not None]
    assert gradients
    assert all(g.dtype == torch.float32 and g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("name", WITH_MAP)
def test_anomaly_map_in_mixed_precision(method, name, batch, volume):
    """The context that inference puts around it: 32 bits come out, near those without it."""
    steps(method, batch, 3)
    exact = anomaly_map(method, volume)
    with torch.autocast("cpu", torch.bfloat16):
        found = anomaly_map(method, volume)
        made = method.reconstruct(volume.image, np.random.default_rng(0)) if method.levels else None
    assert found.dtype == np.float32 and np.isfinite(found).all()
    assert made is None or made.dtype == torch.float32
    assert not np.array_equal(found, exact)
    assert np.abs(found - exact).max() < 0.1 * np.abs(exact).max()


# Not those that look at values (NumPy's anomalies, visible patches) or leave mixed precision.
@pytest.mark.parametrize("name", sorted(set(SMALL) - {"pii", "draem_net", "spark", "fae"}))
def test_everything_is_on_the_device_of_the_batch(method, batch):
    """Torch's device without data refuses what is still on the CPU, as a GPU would."""
    method.to("meta")
    there = slices.Batch(*(part.to("meta") for part in vars(batch).values()))
    method.network.train()
    assert method.loss(there, np.random.default_rng(0)).device.type == "meta"
    if method.levels:
        method.eval()
        made = method.reconstruct(there.image[:, 0], np.random.default_rng(0))
        assert made.device.type == "meta"


def test_loss_is_a_scalar_and_depends_on_the_network(method, batch, rng):
    loss = method.loss(batch, rng)
    assert loss.shape == ()
    loss.backward()
    gradients = [p.grad for p in method.network.parameters()]
    assert any(g is not None and g.abs().sum() > 0 for g in gradients)


def test_only_the_network_learns(method, batch):
    others = {k: v.clone() for k, v in method.state_dict().items() if not k.startswith("network.")}
    steps(method, batch, 2)
    for key, value in others.items():
        assert torch.equal(method.state_dict()[key], value), key


@pytest.mark.parametrize("name", ["unet_res"])
def test_upstream_stays_in_evaluation_mode(method, name, paper_config, batch):
    assert {n for n in SMALL if paper_config["methods"][n]["upstream"]} == {name}
    steps(method, batch, 1)
    assert not any(module.training for module in method.upstream.modules())


def test_same_seed_same_bytes(name, paper_config, batch):
    first, second = build(name, paper_config), build(name, paper_config)
    for m in (first, second):
        steps(m, batch, 2)
    for key, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[key]), key


def test_randomness_comes_from_the_generator_alone(method, batch):
    method.network.train()
    torch.manual_seed(1)
    np.random.seed(1)
    first = method.loss(batch, np.random.default_rng(5)).item()
    torch.manual_seed(2)
    np.random.seed(2)
    # Normalisations that use batch statistics are the same for the same batch.
    assert method.loss(batch, np.random.default_rng(5)).item() == first


@pytest.mark.parametrize("name", WITH_MAP)
def test_anomaly_map_is_finite_and_zero_outside_the_brain(method, volume):
    found = anomaly_map(method, volume)
    assert isinstance(found, np.ndarray) and found.dtype == np.float32
    assert found.shape == volume.image.shape
    assert np.isfinite(found).all()
    assert (found[~volume.brain] == 0).all()
    assert found[volume.brain].std() > 0


def test_saves_and_loads_to_the_same_weights(method, name, batch, tmp_path):
    steps(method, batch, 2)
    checkpoints.save(tmp_path / "m.pt", name, SMALL[name], method.network.state_dict(), "code")
    again = checkpoints.load(tmp_path / "m.pt").network.state_dict()
    for key, value in method.network.state_dict().items():
        assert torch.equal(value, again[key]), key


@pytest.mark.parametrize("name", WITH_MAP)
def test_saves_and_loads_to_the_same_map(method, name, batch, volume, tmp_path):
    steps(method, batch, 2)
    checkpoints.save(tmp_path / "m.pt", name, SMALL[name], method.network.state_dict(), "code")
    again = checkpoints.load(tmp_path / "m.pt")
    np.testing.assert_allclose(anomaly_map(again, volume), anomaly_map(method, volume), atol=1e-5)
    assert not any(p.requires_grad for p in again.parameters())


def test_works_with_a_single_slice(method, volume, batch, rng):
    one = slices.Batch(*(part[:1] for part in vars(batch).values()))
    method.network.eval()
    assert np.isfinite(method.loss(one, rng).item())


def test_wrong_channel_count_is_refused(method, batch, rng):
    three, partner = (x.repeat(1, 3, 1, 1) for x in (batch.image, batch.partner))
    three = slices.Batch(three, batch.brain, batch.lesion, partner)
    with pytest.raises(RuntimeError, match="channels"):
        method.loss(three, rng)


# Of those that reconstruct, whose reconstruction is random.
RECONSTRUCT = {
    "ae": False, "vae": False, "dae": False, "ddpm": True, "pddpm": True, "cddpm": True,
}  # fmt: skip


def test_what_reconstructs(method, name, paper_config):
    assert bool(method.levels) == paper_config["methods"][name]["reconstructs"]
    assert bool(method.levels) == (name in RECONSTRUCT)


@pytest.mark.parametrize(("name", "random"), RECONSTRUCT.items())
def test_reconstructions(method, name, random, batch, volume):
    steps(method, batch, 1)  # an untrained denoiser returns grey whatever the noise
    method.eval()
    with torch.no_grad():
        found = method.reconstruct(volume.image, np.random.default_rng(1))
        again = method.reconstruct(volume.image, np.random.default_rng(1))
        other = method.reconstruct(volume.image, np.random.default_rng(2))
    assert found.shape == (method.levels, *volume.image.shape)
    assert found.dtype == torch.float32
    assert torch.equal(found, again)
    assert found.isfinite().all()
    assert torch.equal(found, other) != random


def test_unknown_and_missing_keys_are_named(name):
    params = copy.deepcopy(SMALL[name])
    with pytest.raises(InputError, match=f"methods.{name}: unknown key extra"):
        methods.build(name, {**params, "extra": 1})
    key = sorted(set(params) - set(methods.test_params(name, params)))[0]
    del params[key]
    with pytest.raises(InputError, match=f"methods.{name}: missing key {key}"):
        methods.build(name, params)


def test_trains_without_what_only_matters_later(name, paper_config, batch):
    """Then the same numbers come out, and the model may be one that another stands on."""
    later = methods.test_params(name, SMALL[name])
    params = {k: v for k, v in SMALL[name].items() if k not in later}
    torch.manual_seed(0)
    upstream = paper_config["methods"][name]["upstream"]
    frozen = None
    if upstream:
        told = methods.test_params(upstream, SMALL[upstream])
        untold = {k: v for k, v in SMALL[upstream].items() if k not in told}
        assert told and untold
        frozen = methods.build(upstream, untold).eval().requires_grad_(False)
    without = methods.build(name, params, frozen)
    assert steps(without, batch, 2) == steps(build(name, paper_config), batch, 2)


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


def test_training_settings_of_every_method_fit_the_loop(name, paper_config):
    Training(**{**paper_config["training"], **paper_config["methods"][name]["training"]})
