"""The loop on a scripted method: which weights are kept, what epochs draw, how batches weigh."""

import numpy as np
import pytest
import torch
from test_training import BLOCK

from uad.base import seeding
from uad.base.errors import InputError
from uad.data import slices
from uad.data.slices import Batch
from uad.engine import loop
from uad.engine.saved_state import SavedState, State
from uad.engine.settings import Training
from uad.models.method import Method
from uad.models.segmentation import Segmentation


class Scripted(Method):
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


def fit_scripted(method, folder, validation=([0],), **changes):
    """Six epochs of one batch; the seed is 1."""

    class Data:
        device = "cpu"

        def epoch(self, rng, done, drawn):
            return [None]

    settings = {**BLOCK["training"], "learning_rate": 1.0, "save_minutes": 99, **changes}
    saved = SavedState(folder / "state.pt", "", 99, "scripted")
    return loop.fit(method, Data(), validation, Training(**settings), 1, saved)


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
    assert [(line["steps"], line["val_dice"]) for line in state.history] == [(1, None)] * 6


class Overflowing(Scripted):
    """One whose training loss is undefined in some steps, and its gradient with it."""

    def __init__(self, losses, at):
        super().__init__(losses)
        self.at = at

    def loss(self, batch, rng):
        loss = super().loss(batch, rng)
        undefined = self.network.training and len(self.drawn) - 1 in self.at
        return loss * float("nan") if undefined else loss


def test_a_step_without_a_finite_loss_changes_nothing(tmp_path):
    method = Overflowing((3.0, 2.0, 1.0), at=(1, 4))
    state = fit_scripted(method, tmp_path)
    assert method.network.weight.item() == pytest.approx(4, rel=1e-4)  # of six steps
    assert [line["skipped"] for line in state.history] == [0, 1, 0, 0, 1, 0]
    assert [line["train_loss"] is None for line in state.history] == [s in (1, 4) for s in range(6)]


class Steep(Scripted):
    """One whose loss is finite in all steps, and whose gradient is infinite in some."""

    def __init__(self, losses, at):
        super().__init__(losses)
        self.at = at

    def loss(self, batch, rng):
        loss = super().loss(batch, rng)
        if self.network.training and len(self.drawn) - 1 in self.at:
            loss = loss + self.network.weight.sum().sub(self.network.weight.sum().detach()).sqrt()
        return loss


def test_a_step_without_a_finite_gradient_changes_nothing(tmp_path):
    method = Steep((3.0, 2.0, 1.0), at=(0, 1, 4))
    state = fit_scripted(method, tmp_path)
    assert method.network.weight.item() == pytest.approx(3, rel=1e-4)  # of six steps
    assert [line["skipped"] for line in state.history] == [1, 1, 0, 0, 1, 0]


@pytest.mark.parametrize("kind", [Overflowing, Steep])
def test_many_such_steps_in_a_row_end_the_training(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(loop, "SKIPPED_AT_MOST", 3)
    fit_scripted(kind((3.0, 2.0, 1.0), at=(0, 1, 3, 4)), tmp_path)
    with pytest.raises(InputError, match="3 steps in a row, the last in epoch 5, .*state.pt to"):
        fit_scripted(kind((3.0, 2.0), at=(2, 3, 4)), tmp_path)


def test_steps_left_out_do_not_shrink_the_gradients_of_later_ones(tmp_path, monkeypatch):
    """Outside half precision, where nothing would let the scale grow again."""
    scales, update = [], torch.amp.GradScaler.update

    def noted(self, new_scale=None):
        update(self, new_scale)
        scales.append(self.get_scale())

    monkeypatch.setattr(torch.amp.GradScaler, "update", noted)
    fit_scripted(Overflowing((3.0, 2.0, 1.0), at=(1, 3, 4)), tmp_path)
    assert scales == [1.0] * 6


def test_the_optimiser_is_that_of_the_device_that_resumes(tmp_path):
    """A state from a GPU says `fused`, that of a CPU does not; neither fits the other."""
    network = Scripted(()).network
    optimizer = torch.optim.AdamW(network.parameters())
    optimizer.param_groups[0]["fused"] = True
    saved = SavedState(tmp_path / "state.pt", "", 99, "scripted")
    saved.save(State(), {"network": network, "optimizer": optimizer})
    groups, init = [], torch.optim.AdamW.__init__

    def noted(self, *arguments, **settings):
        init(self, *arguments, **settings)
        groups.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "__init__", noted)
        fit_scripted(Scripted((3.0, 2.0, 1.0)), tmp_path)
    assert [group["fused"] for group in groups[0].param_groups] == [False]


def test_a_validation_that_is_never_finite_gives_no_model(tmp_path):
    nan = float("nan")
    with pytest.raises(InputError, match="scripted: no validation loss was finite"):
        fit_scripted(Scripted((nan, nan, nan)), tmp_path)
    state = fit_scripted(Scripted((nan, 2.0, nan)), tmp_path)
    assert state.best_loss == 2
    assert [line["val_loss"] for line in state.history] == [None] * 3 + [2.0, None, None]


@pytest.mark.parametrize(("first", "then"), [(True, False), (False, True)])
def test_the_scale_of_half_precision_is_not_needed_to_resume(tmp_path, first, then):
    """As between a CPU, where there is none, and a GPU."""
    scalers = [torch.amp.GradScaler("cpu", init_scale=s) for s in (8.0, 4.0)]
    network = torch.nn.Linear(1, 1)
    parts = [
        {"network": network} | ({"scaler": scaler} if half else {})
        for half, scaler in zip((first, then), scalers)
    ]
    saved = SavedState(tmp_path / "state.pt", "x", 99, "scripted")
    saved.save(State(best_loss=2.0), parts[0])
    assert saved.resume(parts[1], "cpu").best_loss == 2
    assert scalers[1].get_scale() == 4


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

    class Drawing(Method):
        def loss(self, batch, rng):
            assert not self.network.training
            seen.append(rng.random())
            return torch.tensor(len(batch) * 1.0)

    value, dice = loop.validate(Drawing(), [[1, 2], [1]], seeding.generator(1, "validation"))
    assert value == pytest.approx((2 * 2 + 1 * 1) / 3) and dice is None
    assert seen == list(seeding.generator(1, "validation").random(2))


class Masks(Segmentation):
    """One that finds what is bright, and one random number per batch."""

    def __init__(self):
        super().__init__()
        self.drawn = []

    def logits(self, batch, rng):
        self.drawn.append(rng.random())
        return batch.image - 0.5


def mask_batch(image, lesion):
    image, lesion = (torch.tensor(x)[None, None, None] for x in (image, lesion))
    return Batch(image, torch.ones_like(image), lesion)


def test_dice_of_masks_is_that_of_all_pixels_and_changes_no_loss():
    batches = [
        mask_batch([0.9, 0.8, 0.1], [1.0, 0.0, 0.0]),
        mask_batch([0.7, 0.2, 0.1], [1.0, 1, 0]),
    ]
    method = Masks()
    value, dice = loop.validate(method, batches, seeding.generator(1, "validation"))
    assert dice == 2 * 2 / (3 + 3)  # the mean of both batches is the same: 2 / 3
    assert method.drawn == list(seeding.generator(1, "validation").random(2))
    rng = seeding.generator(1, "validation")
    losses = torch.stack([method.loss(batch, rng).double() for batch in batches])
    assert value == losses.mean().item()


def test_dice_is_pooled_and_undefined_without_a_lesion():
    large = mask_batch([0.9] * 6, [1.0] * 6)
    missed = mask_batch([0.1] * 6, [1.0, 1.0] + [0.0] * 4)
    nothing = mask_batch([0.1] * 6, [0.0] * 6)
    rng = seeding.generator(1)
    assert loop.validate(Masks(), [large, missed, nothing], rng)[1] == pytest.approx(12 / 14)
    assert loop.validate(Masks(), [missed], rng)[1] == 0
    assert loop.validate(Masks(), [nothing], rng)[1] is None


def test_random_validation_sees_other_slices_every_time(tmp_path, pack):
    """One per volume, the same in a second run; fixed ones are the same at every validation."""
    seen = []

    class Watching(Scripted):
        def loss(self, batch, rng):
            if not self.network.training:
                seen.append(batch.image.sum().item())
            return super().loss(batch, rng)

    validation = slices.TrainingSlices(pack, np.arange(4), 32, 1, False, False, None, False)
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        fit_scripted(Watching((3.0, 2.0, 1.0)), tmp_path / run, validation=validation)
    assert seen[:3] == seen[3:] and len(set(seen)) == 3
