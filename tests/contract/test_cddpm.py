"""The cDDPM's own promises: one shared noise field, levels counted from one, conditioning."""

import numpy as np
import pytest
import torch
from test_methods import SMALL

from uad.data.slices import Batch
from uad.models import methods, noise
from uad.models.diffusion import cosine_alphas_cumprod


def trained():
    """A small cDDPM whose zero-initialised layers have been given values."""
    torch.manual_seed(0)
    method = methods.build("cddpm", SMALL["cddpm"])
    for p in method.parameters():
        if (p == 0).all():
            torch.nn.init.normal_(p, std=0.1)
    return method.eval().requires_grad_(False)


def test_levels_are_indices_minus_one(monkeypatch):
    method = trained()
    seen = []
    monkeypatch.setattr(
        method, "denoise_given", lambda features, x, t, eps: seen.append(t.tolist()) or x
    )
    method.reconstruct(torch.rand(3, 16, 16), np.random.default_rng(0))
    assert seen == [[249] * 3, [499] * 3]


def test_one_noise_field_per_level_shared_by_all_slices(monkeypatch):
    method, drawn = trained(), []
    original = noise.draw
    monkeypatch.setattr(noise, "draw", lambda *a, **k: drawn.append(original(*a, **k)) or drawn[-1])
    volume = torch.rand(1, 16, 16).repeat(23, 1, 1)  # equal slices, three network calls per level
    found = method.reconstruct(volume, np.random.default_rng(0))
    assert len(drawn) == 2 and not torch.equal(*drawn)
    torch.testing.assert_close(found[:, :1].expand_as(found), found, atol=1e-5, rtol=0)


def test_training_noise_is_shared_by_the_batch(monkeypatch):
    method, shapes = trained(), []
    original = method.diffusion.q_sample
    monkeypatch.setattr(
        method.diffusion,
        "q_sample",
        lambda x, t, eps: shapes.append(eps.shape) or original(x, t, eps),
    )
    method.loss(Batch(torch.rand(4, 1, 16, 16), None, None), np.random.default_rng(0))
    assert shapes == [(16, 16)]


def test_reconstruction_depends_on_noise_and_condition(monkeypatch):
    method, x = trained(), torch.rand(2, 16, 16)
    first, second = (method.reconstruct(x, np.random.default_rng(s)) for s in (1, 2))
    assert not torch.allclose(first, second)
    encoder = method.network["encoder"]
    monkeypatch.setattr(encoder, "forward", lambda x, kept=None: encoder.fc.bias.expand(len(x), -1))
    assert not torch.allclose(method.reconstruct(x, np.random.default_rng(1)), first)


def watched(method):
    """What the networks are given, by name, in order."""
    seen = {"encoder": [], "unet": []}
    for name, inputs in seen.items():
        method.network[name].register_forward_pre_hook(lambda m, x, to=inputs: to.append(x))
    return seen


@pytest.mark.parametrize("training", [True, False])
def test_denoiser_sees_the_noised_slice_and_features_of_the_clean_one(training):
    """SADM Sec. 3.1: the condition is of the slice itself, in [0, 1], without noise."""
    method = trained()
    method.network.train(training)
    seen = watched(method)
    x = torch.rand(4, 1, 16, 16)
    loss = method.loss(Batch(x, None, None), np.random.default_rng(3))
    rng = np.random.default_rng(3)
    t = torch.from_numpy(rng.integers(0, 1000, 4))
    eps = method.draw_noise(rng, x)
    ((clean, kept),), ((noised, times, condition),) = seen["encoder"], seen["unet"]
    assert torch.equal(clean, x)
    assert (kept is not None) == training  # stochastic depth
    assert torch.equal(times, t)
    share = torch.from_numpy(cosine_alphas_cumprod(1000))[t][:, None, None, None]
    expected = share.sqrt() * (2 * x - 1) + (1 - share).sqrt() * eps
    torch.testing.assert_close(noised, expected.float())
    # Batch statistics are those of the same slices again.
    torch.testing.assert_close(condition, method.network["encoder"](clean, kept))
    predicted = method.network["unet"](noised, times, condition)
    torch.testing.assert_close(loss, (predicted - (2 * x - 1)).abs().mean())


def test_test_levels_see_the_clean_slice_too():
    method = trained()
    seen = watched(method)
    volume = torch.rand(3, 16, 16)
    found = method.reconstruct(volume, np.random.default_rng(4))
    assert len(seen["unet"]) == len(found) == 2
    ((clean,),) = seen["encoder"]
    assert torch.equal(clean, volume[:, None])
    for (noised, times, condition), level in zip(seen["unet"], found):
        assert torch.equal(condition, method.network["encoder"](clean))
        predicted = method.network["unet"](noised, times, condition)
        torch.testing.assert_close(level, (predicted[:, 0] + 1) / 2)


def test_encoder_runs_once_per_slice_whatever_the_levels():
    """The values are those of a run per level, with fewer runs."""
    method = trained()
    volume = torch.rand(23, 16, 16)  # three network calls
    rng = np.random.default_rng(5)
    fields = [method.draw_noise(rng, volume) for _ in method.params.test_levels]
    per_level = [
        torch.cat(
            [
                method.denoise(x, torch.full((len(x),), level - 1), eps)
                for x in volume[:, None].split(10)
            ]
        )
        for level, eps in zip(method.params.test_levels, fields)
    ]
    calls = []
    method.network["encoder"].register_forward_pre_hook(lambda m, x: calls.append(len(x[0])))
    found = method.reconstruct(volume, np.random.default_rng(5))
    assert calls == [10, 10, 3]
    assert torch.equal(found, (torch.stack(per_level)[:, :, 0] + 1) / 2)


def test_loss_of_the_untrained_network_is_the_mean_absolute_input():
    # Its output is exactly zero on the [-1, 1] scale.
    method = methods.build("cddpm", SMALL["cddpm"])
    x = torch.rand(4, 1, 16, 16)
    loss = method.loss(Batch(x, None, None), np.random.default_rng(0))
    torch.testing.assert_close(loss, (2 * x - 1).abs().mean())
