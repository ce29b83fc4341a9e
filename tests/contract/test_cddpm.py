"""The cDDPM's own promises: one shared noise field, levels counted from one, conditioning."""

import numpy as np
import torch
from test_methods import SMALL

from uad.models import methods, noise


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
    monkeypatch.setattr(method, "denoise", lambda x, t, eps: seen.append(t.tolist()) or x)
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
    from uad.data.slices import Batch

    method.loss(Batch(torch.rand(4, 1, 16, 16), None, None), np.random.default_rng(0))
    assert shapes == [(16, 16)]


def test_reconstruction_depends_on_noise_and_condition():
    method, x = trained(), torch.rand(2, 16, 16)
    first, second = (method.reconstruct(x, np.random.default_rng(s)) for s in (1, 2))
    assert not torch.allclose(first, second)


def test_loss_of_the_untrained_network_is_the_mean_absolute_input():
    # Its output is exactly zero on the [-1, 1] scale.
    method = methods.build("cddpm", SMALL["cddpm"])
    from uad.data.slices import Batch

    x = torch.rand(4, 1, 16, 16)
    loss = method.loss(Batch(x, None, None), np.random.default_rng(0))
    torch.testing.assert_close(loss, (2 * x - 1).abs().mean())
