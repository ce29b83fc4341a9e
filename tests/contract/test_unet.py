"""Unet: its loss and its map by hand."""

import numpy as np
import pytest
import torch
from test_methods import SMALL

from uad.data.slices import Batch
from uad.models import methods


@pytest.fixture
def method():
    torch.manual_seed(0)
    return methods.build("unet", SMALL["unet"])


@torch.no_grad()
def test_loss_is_the_mean_cross_entropy(method, rng):
    x, lesion = (torch.from_numpy(rng.random((3, 1, 16, 16), dtype=np.float32)) for _ in range(2))
    batch = Batch(x, torch.ones_like(x), (lesion < 0.2).float())
    p = 1 / (1 + np.exp(-method.network(x).double().numpy()))
    expected = -np.log(np.where(batch.lesion > 0, p, 1 - p)).mean()
    assert method.loss(batch, rng).item() == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_map_is_the_probability_inside_the_brain(method, rng):
    method.eval()
    image = torch.from_numpy(rng.random((13, 16, 16), dtype=np.float32))
    brain = rng.random(image.shape) < 0.5
    p = 1 / (1 + np.exp(-method.network(image[:, None])[:, 0].double().numpy()))
    np.testing.assert_allclose(method.anomaly_map(image, brain), p * brain, atol=1e-6)
