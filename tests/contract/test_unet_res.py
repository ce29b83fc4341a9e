"""Unet_res and SADM: the residual's sign, the order of the branches, levels, and the fusion."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import write_pack
from test_methods import SMALL

from uad.base import tsv
from uad.data.slices import Batch
from uad.evaluation.scores import Cohort, RowScore, Stored
from uad.models import methods, residuals


class Upstream(torch.nn.Module):
    """In the place of the cDDPM: every reconstruction is `share` times the slice."""

    def __init__(self, share=0.25):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(share))
        self.generators = []

    def reconstruct_once(self, x, rng, training=False):
        assert not training
        self.generators.append(rng)
        return self.weight * x


def build(upstream=None):
    torch.manual_seed(0)
    return methods.build("unet_res", SMALL["unet_res"], upstream)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    image, other = (torch.rand(3, 1, 16, 16, generator=generator) for _ in range(2))
    return Batch(image, torch.ones_like(image), (other < 0.2).float())


def cross_entropy(logits, target):
    """Mean over all pixels, in double precision (eq. 2)."""
    p = 1 / (1 + np.exp(-logits.detach().double().numpy()))
    y = target.double().numpy()
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()


def test_training_sees_input_minus_reconstruction_and_input(batch, monkeypatch, rng):
    upstream = Upstream()
    method, seen = build(upstream), []
    weights = torch.linspace(-2, 2, batch.image.numel()).view_as(batch.image).requires_grad_()
    monkeypatch.setattr(method.network, "forward", lambda *x: seen.append(x) or weights * x[0])
    loss = method.loss(batch, rng)
    ((residual, image),) = seen
    torch.testing.assert_close(residual, 0.75 * batch.image)
    assert torch.equal(image, batch.image)
    assert loss.item() == pytest.approx(cross_entropy(weights * residual, batch.lesion), rel=1e-5)
    assert upstream.generators == [rng]  # nothing else is random


def test_loss_is_the_cross_entropy_of_the_network(batch, rng):
    method = build(Upstream())
    logits = method.network(0.75 * batch.image, batch.image)
    expected = cross_entropy(logits, batch.lesion)
    assert method.loss(batch, rng).item() == pytest.approx(expected, rel=1e-5)


def test_the_upstream_model_does_not_learn(batch, rng):
    upstream = Upstream()
    build(upstream).loss(batch, rng).backward()
    assert upstream.weight.grad is None


@torch.no_grad()
def test_map_is_the_mean_probability_over_the_levels(rng):
    method = build().eval()
    torch.nn.init.normal_(method.network.head.weight, std=3)  # so that probabilities spread
    image = torch.from_numpy(rng.random((13, 16, 16), dtype=np.float32))  # two calls
    levels = torch.stack([0.9 * image, 0.5 * image**2, 0 * image + 0.3])
    brain = rng.random(image.shape) < 0.7
    found = method.anomaly_map(image, brain, levels)
    each = [
        torch.sigmoid(method.network((image - level)[:, None], image[:, None]).double())[:, 0]
        for level in levels
    ]
    expected = np.mean([p.numpy() for p in each], axis=0) * brain
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # Every level counts, and probabilities are averaged, not logits.
    for part in [each[:1], each[:2], each[1:]]:
        assert not np.allclose(found, np.mean([p.numpy() for p in part], axis=0) * brain, atol=1e-3)
    of_mean_logit = torch.sigmoid(torch.stack(each).logit().mean(dim=0)).numpy() * brain
    assert not np.allclose(found, of_mean_logit, atol=1e-3)


@torch.no_grad()
def test_map_of_a_slice_is_what_training_learned_of_it(batch, monkeypatch, rng):
    """The same reconstruction gives the same logits in training and at test time."""
    method, logits = build(Upstream()).eval(), []
    method.network.register_forward_hook(lambda module, inputs, output: logits.append(output))
    method.loss(batch, rng)
    image = batch.image[:, 0]
    found = method.anomaly_map(image, np.ones(image.shape, bool), 0.25 * image[None])
    np.testing.assert_allclose(found, torch.sigmoid(logits[0])[:, 0], atol=1e-6)


@torch.no_grad()
def test_reconstruction_in_training_is_the_cddpm_s(batch):
    """At a random level each, on the scale of the slices."""
    torch.manual_seed(0)
    cddpm = methods.build("cddpm", SMALL["cddpm"]).eval()
    unet = cddpm.network["unet"]
    torch.nn.init.normal_(unet.conv_out.weight, std=0.3)
    method, seen = build(cddpm), []
    method.network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    method.loss(batch, np.random.default_rng(8))
    rng = np.random.default_rng(8)
    t = torch.from_numpy(rng.integers(0, 1000, 3))
    assert len(set(t.tolist())) == 3
    eps = cddpm.draw_noise(rng, batch.image)
    predicted = cddpm.denoise(batch.image, t, eps)
    ((residual, _),) = seen
    torch.testing.assert_close(residual, batch.image - (predicted + 1) / 2)


def test_sadm_adds_residual_map_and_prediction(tmp_path, rng):
    """SADM_res (eq. 3): the score of a row is the plain sum of its two maps."""
    pack = write_pack(tmp_path / "pack", 2)
    split = tmp_path / "split.tsv"
    roles = pd.DataFrame({"subject": ["S0", "S1"], "fold": 0, "role": ["val", "test"]})
    tsv.write(roles, split)
    levels = rng.random((2, 3, *pack.image.shape[1:]), dtype=np.float32)
    predictions = rng.random(pack.image.shape, dtype=np.float32)
    np.save(tmp_path / "levels.npy", levels)
    np.save(tmp_path / "maps.npy", predictions)
    files = [tmp_path / "pack" / name for name in ("image.npy", "subjects.tsv")]
    stored = Stored(
        "brats21", files, split,
        maps={"unet_res-brats": tmp_path / "maps.npy"},
        reconstructions={"cddpm": tmp_path / "levels.npy"},
    )  # fmt: skip
    residual = {"kind": "ssim", "erosion": 0}
    score = RowScore(["cddpm", "unet_res-brats"], Cohort(stored, 0), residual, seed=1)
    volume = pack.volume("S1")
    mean = torch.from_numpy(levels[1].mean(axis=0))
    residual_map = residuals.anomaly_map(torch.from_numpy(volume.image), mean, volume.brain)
    expected = residual_map + predictions[1] * volume.brain
    np.testing.assert_allclose(score(volume), expected, atol=1e-5)
    assert residual_map[volume.brain].std() > 0.01


def drifting():
    """A frozen cDDPM and a method that lets its encoder drift; zero layers have values."""
    torch.manual_seed(0)
    cddpm = methods.build("cddpm", SMALL["cddpm"])
    for parameter in cddpm.parameters():
        if (parameter == 0).all():
            torch.nn.init.normal_(parameter, std=0.1)
    cddpm.eval().requires_grad_(False)
    params = {**SMALL["unet_res"], "frozen": "drifting"}
    return cddpm, methods.build("unet_res", params, cddpm)


def running(encoder):
    return torch.cat([v for k, v in encoder.state_dict().items() if "running" in k])


def test_a_drifting_encoder_is_in_training_mode_and_keeps_its_weights(batch, rng):
    """As the released code leaves it: batch statistics, stochastic depth, a drifting average."""
    cddpm, method = drifting()
    encoder, unet = cddpm.network["encoder"], cddpm.network["unet"]
    weights = [p.clone() for p in cddpm.parameters()]
    before, kept = running(encoder), []
    encoder.register_forward_pre_hook(lambda m, x: kept.append(x[1]))
    method.network.train()
    assert encoder.training and not unet.training
    # One step of the stem's average, by hand: momentum 0.1 towards the batch's mean.
    stem = encoder.conv1(batch.image).mean(dim=(0, 2, 3))
    expected = 0.9 * encoder.bn1.running_mean + 0.1 * stem
    method.loss(batch, rng).backward()
    torch.testing.assert_close(encoder.bn1.running_mean, expected)
    assert kept[0] is not None and not torch.equal(running(encoder), before)
    assert all(torch.equal(p, w) for p, w in zip(cddpm.parameters(), weights))
    # At validation and test time it is as it has become, and nothing moves.
    method.network.eval()
    before = running(encoder)
    method.loss(batch, rng)
    assert kept[1] is None and torch.equal(running(encoder), before)


def test_what_has_drifted_is_stored_apart(batch, rng):
    cddpm, method = drifting()
    method.network.train()
    method.loss(batch, rng)
    network, drifted = method.split(method.network.state_dict())
    plain = methods.build("unet_res", SMALL["unet_res"])
    plain.network.load_state_dict(network)  # what is missing, or left over, is an error
    assert drifted.keys() == {k for k in cddpm.network.state_dict() if k.startswith("encoder.")}
    for name, value in drifted.items():
        assert torch.equal(value, cddpm.network.state_dict()[name])


def test_an_encoder_in_evaluation_mode_does_not_drift(batch, rng):
    cddpm, _ = drifting()
    method = methods.build("unet_res", SMALL["unet_res"], cddpm)
    before = running(cddpm.network["encoder"])
    method.network.train()
    method.loss(batch, rng).backward()
    assert torch.equal(running(cddpm.network["encoder"]), before)
