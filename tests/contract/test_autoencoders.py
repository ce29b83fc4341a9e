"""AE, VAE and DAE: their losses by hand, the divergence, and the coarse noise."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from test_methods import SMALL

from uad.data.slices import Batch
from uad.models import methods
from uad.models.methods.vae.method import kl


def build(name, **changes):
    torch.manual_seed(0)
    return methods.build(name, {**SMALL[name], **changes}).eval()


class NoNoise:
    """In the place of a generator: every normal number is zero."""

    @staticmethod
    def standard_normal(shape, dtype):
        return np.zeros(shape, dtype)


def images(n=3):
    x = torch.rand(n, 1, 48, 48, generator=torch.Generator().manual_seed(1))
    return Batch(x, torch.ones_like(x), torch.zeros_like(x))


def test_loss_of_the_ae_is_the_mean_absolute_error(rng):
    method, batch = build("ae"), images()
    expected = (method.network(batch.image) - batch.image).abs().mean()
    torch.testing.assert_close(method.loss(batch, rng), expected)


@pytest.mark.parametrize("name", ["ae", "vae"])
def test_dropout_acts_in_training_only(name, rng):
    method, batch = build(name, dropout=0.9), images()
    kept = build(name, dropout=0.0)
    assert method.loss(batch, np.random.default_rng(0)) == kept.loss(
        batch, np.random.default_rng(0)
    )
    method.network.train()
    kept.network.train()
    assert method.loss(batch, np.random.default_rng(0)) != kept.loss(
        batch, np.random.default_rng(0)
    )


def test_vae_without_noise_and_divergence_is_the_ae(rng):
    ae, vae, batch = build("ae"), build("vae", kl_weight=0.0), images()
    missing = vae.network.load_state_dict(ae.network.state_dict(), strict=False)
    assert missing.missing_keys == ["heads.1.weight", "heads.1.bias"]
    torch.testing.assert_close(vae.loss(batch, NoNoise), ae.loss(batch, rng))
    volume = batch.image[:, 0]
    torch.testing.assert_close(vae.reconstruct(volume, rng), ae.reconstruct(volume, rng))
    assert vae.loss(batch, rng) != ae.loss(batch, rng)


def test_vae_decodes_a_draw_from_the_encoded_normal_distribution(monkeypatch):
    vae, batch, seen = build("vae"), images(), []
    mean, log_sd = vae.network.encode(batch.image)
    decode = vae.network.decode
    monkeypatch.setattr(vae.network, "decode", lambda z: seen.append(z) or decode(z))
    vae.loss(batch, np.random.default_rng(3))
    eps = torch.from_numpy(np.random.default_rng(3).standard_normal((3, 12), np.float32))
    torch.testing.assert_close(seen[0], mean + eps * torch.exp(log_sd))


@pytest.mark.parametrize(
    ("mean", "sd", "expected"), [(0, 1, 0), (1, 1, 64), (0, 2, 103.277), (-1, 2, 167.277)]
)
def test_divergence_of_128_dimensions(mean, sd, expected):
    mean, sd = torch.full((128,), float(mean)), torch.full((128,), float(sd))
    found = kl(mean, sd.log()).sum().item()
    assert found == pytest.approx(expected, abs=1e-3)
    normal = torch.distributions.Normal
    oracle = torch.distributions.kl_divergence(normal(mean, sd), normal(0.0, 1.0)).sum().item()
    assert found == pytest.approx(oracle, abs=1e-3)


def test_gradient_of_the_divergence_is_the_mean():
    mean = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    kl(mean, torch.tensor([0.0, 1.0, -1.0])).sum().backward()
    assert mean.grad.tolist() == [-2, 0, 3]


def test_reduction_and_weight_of_the_divergence():
    batch = images()
    plain, mean, summed = (
        build("vae", kl_weight=weight, kl_reduction=reduction).loss(batch, NoNoise).item()
        for weight, reduction in ((0.0, "mean"), (0.5, "mean"), (0.5, "sum"))
    )
    mean_vector, log_sd = build("vae").network.encode(batch.image)
    divergence = kl(mean_vector, log_sd)
    assert divergence.shape == (3, 12)
    assert mean - plain == pytest.approx(0.5 * divergence.mean().item(), rel=1e-3)
    assert summed - plain == pytest.approx(12 * (mean - plain), rel=1e-3)


PAPER_NOISE = {"noise_grid": 16, "noise_sd": 0.2}


def test_coarse_noise_has_the_specified_deviation(rng):
    # Bilinear weights take a third off the deviation, on average over pixels.
    noise = build("dae", **PAPER_NOISE).draw_noise(rng, torch.ones(300, 1, 96, 96))
    assert noise.std().item() == pytest.approx(0.134, abs=0.003)
    assert noise.mean().item() == pytest.approx(0, abs=0.003)


def test_coarse_noise_is_interpolated_rolled_and_masked():
    brain = (torch.rand(3, 1, 96, 64) < 0.7).float()
    found = build("dae", **PAPER_NOISE).draw_noise(np.random.default_rng(4), brain)
    rng = np.random.default_rng(4)
    coarse = 0.2 * rng.standard_normal((3, 1, 16, 16), np.float32)[:, 0]
    shift = rng.integers(0, (96, 64))  # one for all slices
    assert (shift > 0).all()
    points = np.meshgrid(np.linspace(0, 15, 96), np.linspace(0, 15, 64), indexing="ij")
    expected = np.stack(
        [np.roll(ndimage.map_coordinates(c, points, order=1), shift, (0, 1)) for c in coarse]
    )
    np.testing.assert_allclose(found[:, 0], expected * brain[:, 0].numpy(), atol=1e-5)
    assert (found[brain == 0] == 0).all()
    assert not np.allclose(expected[0], expected[1])


@pytest.mark.parametrize(("loss", "power"), [("l2", 2), ("l1", 1)])
def test_loss_of_the_dae(monkeypatch, loss, power):
    method, batch = build("dae", loss=loss), images()
    noise = method.draw_noise(np.random.default_rng(6), batch.brain)
    monkeypatch.setattr(method.network, "forward", lambda x: x)  # leaves all noise in
    found = method.loss(batch, np.random.default_rng(6))
    torch.testing.assert_close(found, (noise.abs() ** power).mean())


def test_dae_sees_the_slice_without_noise_at_test_time(monkeypatch, rng):
    method, batch = build("dae"), images()
    monkeypatch.setattr(method.network, "forward", lambda x: x)
    volume = batch.image[:, 0]
    assert torch.equal(method.reconstruct(volume, rng), volume[None])
