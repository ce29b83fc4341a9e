"""Schedule, clipping and moving average: by hand, in the loop, after an interruption, and off."""

import numpy as np
import pytest
import torch
from test_loop import Scripted
from test_training import BLOCK, assert_same_weights, data, train

from uad.data import slices
from uad.engine import extras, loop
from uad.engine.saved_state import SavedState
from uad.engine.settings import Training
from uad.models import methods

SETTINGS = {**BLOCK["training"], "learning_rate": 1.0, "save_minutes": 99}


def rates(**changes):
    """Learning rates of 2 epochs of 4 steps."""
    settings = Training(**SETTINGS | changes)
    return [extras.rate(settings, step, 8, 4) for step in range(8)]


def test_rates_by_hand():
    assert rates(schedule="linear") == pytest.approx([1 - k / 8 for k in range(8)])
    cosine = rates(schedule="cosine")
    assert cosine[0] == 1 and cosine[4] == pytest.approx(0.5) and cosine[7] < 0.04
    assert cosine[2] == pytest.approx((1 + np.sqrt(0.5)) / 2)
    assert rates(warm_up=0.5) == pytest.approx([0.5, 1, 1, 1, 1, 1, 1, 1])
    both = rates(warm_up=1.0, schedule="linear")
    assert both[:4] == pytest.approx([0.25, 0.5 * 7 / 8, 0.75 * 6 / 8, 5 / 8])


def fit(folder, method, **changes):
    """Six epochs of one batch."""

    class Data:
        device = "cpu"
        batches = 1

        def epoch(self, rng, done, drawn):
            return [None]

    saved = SavedState(folder / "state.pt", "", 99, "scripted")
    return loop.fit(method, Data(), [[0]], Training(**SETTINGS | changes), 1, saved)


def test_the_schedule_is_that_of_the_steps(tmp_path):
    """Adam's first steps are as long as the learning rate: 1 + 5/6 + ... + 1/6."""
    method = Scripted((3.0, 2.0, 1.0))
    fit(tmp_path, method, schedule="linear")
    assert method.network.weight.item() == pytest.approx(3.5, rel=1e-4)


class Steep(Scripted):
    """One whose first gradient is a thousand times the others."""

    def loss(self, batch, rng):
        loss = super().loss(batch, rng)
        return loss * 1000 if len(self.drawn) == 1 and self.network.training else loss


def test_a_long_gradient_is_cut(tmp_path):
    whole, cut = Steep((3.0, 2.0, 1.0)), Steep((3.0, 2.0, 1.0))
    fit(tmp_path, whole)
    fit(tmp_path, cut, clip=1.0)
    # Adam divides by the memory of the steepest: later steps hardly move.
    assert cut.network.weight.item() == pytest.approx(6, rel=1e-4)
    assert whole.network.weight.item() < 4


def test_the_average_is_validated_and_stored(tmp_path):
    method = Scripted((3.0, 2.0, 1.0))
    network = method.network
    state = fit(tmp_path, method, ema=0.5)
    # The weight is 1, 2, ... 6; its average 1, 1.5, 2.25, ...
    assert state.best["weight"].item() == pytest.approx(5.03125, rel=1e-4)
    assert method.network is network and network.weight.item() == pytest.approx(6, rel=1e-4)


EXTRAS = {"ema": 0.9, "schedule": "cosine", "warm_up": 1.0, "clip": 0.5}


def test_an_interrupted_training_goes_on_with_the_same_numbers(tmp_path, monkeypatch):
    inputs, block = data(tmp_path), {**BLOCK, "training": {**BLOCK["training"], **EXTRAS}}
    whole = train(tmp_path / "whole", inputs, block)
    original, calls = slices.TrainingSlices._batch, []

    def batch(*arguments):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(slices.TrainingSlices, "_batch", batch)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "cut", inputs, block)
    resumed = train(tmp_path / "cut", inputs, block)
    assert len(calls) == 8
    assert_same_weights(whole, resumed)


def test_each_changes_the_weights(tmp_path):
    inputs = data(tmp_path)
    plain = train(tmp_path / "plain", inputs)["network"]
    for name, value in EXTRAS.items():
        block = {**BLOCK, "training": {**BLOCK["training"], name: value}}
        found = train(tmp_path / name, inputs, block)["network"]
        assert any(not torch.equal(found[key], plain[key]) for key in plain), name


def test_what_is_off_is_no_part_of_what_decides_the_weights():
    off = {**BLOCK["training"], **dict.fromkeys(EXTRAS)}
    told = methods.training_params("unet", {**BLOCK, "training": off})
    assert told == methods.training_params("unet", BLOCK)
    on = methods.training_params("unet", {**BLOCK, "training": {**off, "ema": 0.9}})
    assert on["training"]["ema"] == 0.9
