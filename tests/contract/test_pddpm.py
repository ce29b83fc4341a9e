"""The pDDPM's own promises: one noised patch in a clean slice, patches put together in place."""

import pytest
import torch
from test_methods import SMALL

from uad.data.slices import Batch
from uad.models import methods

SIDE, PATCH = 48, 24
QUARTERS = [(slice(i, i + PATCH), slice(j, j + PATCH)) for i in (0, PATCH) for j in (0, PATCH)]


@pytest.fixture
def method():
    torch.manual_seed(0)
    return methods.build("pddpm", SMALL["pddpm"]).eval().requires_grad_(False)


def slices(n):
    return torch.rand(n, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(("name", "share"), [("ddpm", 1), ("pddpm", 1 / 4)])
def test_loss_of_the_untrained_network(name, share, rng):
    # Its output is zero, so the error is 1 everywhere that is predicted.
    method = methods.build(name, SMALL[name])
    white = torch.ones(5, 1, SIDE, SIDE)
    assert method.loss(Batch(white, None, None), rng).item() == pytest.approx(share)


def test_training_noises_and_scores_one_patch_per_slice(method, monkeypatch, rng):
    x, seen = slices(12), []
    monkeypatch.setattr(method.network, "forward", lambda x_t, t: seen.append(x_t) or 0 * x_t)
    loss = method.loss(Batch(x, None, None), rng)
    (x_t,) = seen
    clean = 2 * x - 1
    changed = (x_t != clean)[:, 0]
    errors, chosen = [], []
    for i, slice_changed in enumerate(changed):
        (q,) = [k for k, at in enumerate(QUARTERS) if slice_changed[at].any()]
        assert slice_changed[QUARTERS[q]].float().mean() > 0.99  # noise is zero at pixel (0, 0)
        chosen.append(q)
        errors.append(clean[i, 0][QUARTERS[q]].abs().mean())
    assert len(set(chosen)) > 1
    torch.testing.assert_close(loss, torch.stack(errors).mean() / 4)


def test_patches_are_put_together_in_place(method, monkeypatch):
    x, seen = slices(2), []

    def network(x_t, t):
        seen.append(x_t)
        return torch.full_like(x_t, len(seen))

    monkeypatch.setattr(method.network, "forward", network)
    eps = torch.rand(SIDE, SIDE)
    t = torch.tensor([100, 900])
    found = method.denoise(x, t, eps)
    assert len(seen) == 4
    clean = 2 * x - 1
    noised = method.diffusion.q_sample(clean, t, eps)  # the same noise image for all patches
    for k, at in enumerate(QUARTERS):
        assert (found[(..., *at)] == k + 1).all()
        for other in QUARTERS:
            expected = noised if other == at else clean
            assert torch.equal(seen[k][(..., *other)], expected[(..., *other)])


def test_network_that_knows_the_answer_restores_the_slice(method, monkeypatch, rng):
    volume = slices(3)[:, 0]
    monkeypatch.setattr(method.network, "forward", lambda x_t, t: 2 * volume[:, None] - 1)
    found = method.reconstruct(volume, rng)
    torch.testing.assert_close(found, volume.expand(2, -1, -1, -1))
    assert method.loss(Batch(volume[:, None], None, None), rng).item() == pytest.approx(0)
