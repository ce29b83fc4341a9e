"""The loop on a scripted method: which weights are kept, what epochs draw, how batches weigh."""

import pytest
import torch
from test_training import BLOCK

from uad.base import seeding
from uad.engine import loop
from uad.engine.saved_state import SavedState
from uad.engine.settings import Training


class Scripted(torch.nn.Module):
    """A method whose validation losses are given; its one weight counts the epochs."""

    def __init__(self, losses):
        super().__init__()
        self.network = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.network.weight)
        self.losses = iter(losses)
        self.drawn = []

    def loss(self, batch, rng):
        if self.network.training:
            self.drawn.append(rng.random())
            return -self.network.weight.sum()  # by Adam's first steps: up by the learning rate
        return torch.tensor(next(self.losses))


def fit_scripted(method, folder, **changes):
    """Six epochs of one batch; the seed is 1."""

    class Data:
        device = "cpu"

        def epoch(self, rng, done, drawn):
            return [None]

    settings = {**BLOCK["training"], "learning_rate": 1.0, "save_minutes": 99, **changes}
    saved = SavedState(folder / "state.pt", "", 99, "scripted")
    return loop.fit(method, Data(), [[0]], Training(**settings), 1, saved)


@pytest.mark.parametrize(
    ("losses", "best"),
    [((3.0, 1.0, 2.0), 4), ((1.0, 3.0, 2.0), 2), ((3.0, 2.0, 1.0), 6), ((2.0, 1.0, 1.0), 4)],
)
def test_weights_of_the_best_epoch_are_kept(tmp_path, losses, best):
    """Not the last ones, and of equal losses those of the first; validated every second epoch."""
    method = Scripted(losses)
    state = fit_scripted(method, tmp_path)
    assert state.best_loss == min(losses)
    assert state.best["weight"].item() == pytest.approx(best, rel=1e-4)
    assert method.network.weight.item() == pytest.approx(6, rel=1e-4)
    assert [line["val_loss"] for line in state.history if line["val_loss"]] == list(losses)


def test_every_epoch_has_a_generator_of_its_own(tmp_path):
    method = Scripted((3.0, 2.0, 1.0))
    fit_scripted(method, tmp_path)
    assert method.drawn == [seeding.generator(1, "epoch", epoch).random() for epoch in range(6)]
    assert len(set(method.drawn)) == 6


def test_weight_decay_is_decoupled_from_the_gradient(tmp_path):
    """AdamW: before each step of 1 the weight shrinks by a tenth."""
    method = Scripted((3.0, 2.0, 1.0))
    fit_scripted(method, tmp_path, weight_decay=0.1)
    expected = 0.0
    for _ in range(6):
        expected = 0.9 * expected + 1
    assert method.network.weight.item() == pytest.approx(expected, rel=1e-4)


def test_validation_weighs_batches_by_their_slices():
    seen = []

    class Method(torch.nn.Module):
        network = torch.nn.Linear(1, 1)

        def loss(self, batch, rng):
            assert not self.network.training
            seen.append(rng.random())
            return torch.tensor(len(batch) * 1.0)

    value = loop.validate(Method(), [[1, 2], [1]], seeding.generator(1, "validation"))
    assert value == pytest.approx((2 * 2 + 1 * 1) / 3)
    assert seen == list(seeding.generator(1, "validation").random(2))
