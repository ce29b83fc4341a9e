"""PII: what its network is given to learn."""

import numpy as np
import pytest
import torch

from uad.data import slices
from uad.models import methods
from uad.models.methods.pii import poisson


@pytest.fixture
def pii():
    torch.manual_seed(0)
    return methods.build("pii", {"stem": 4, "widths": [4, 8, 8], "centre": "brain"})


@pytest.fixture
def batch(pack):
    return slices.fixed(pack, np.arange(4), 1, 4, partners=True)[0]


def test_loss_is_cross_entropy_with_alpha(pii, batch, monkeypatch):
    image, partner = batch.image.clone(), batch.partner.clone()
    seen = {}
    monkeypatch.setattr(pii, "network", torch.nn.Identity())
    pii.network.register_forward_hook(lambda m, i, o: seen.update(x=i[0]))
    found = pii.loss(batch, np.random.default_rng(4)).item()
    rng, expected = np.random.default_rng(4), []
    for i in range(4):
        blended, label = poisson.interpolate(
            image[i, 0].numpy(), partner[i, 0].numpy(), batch.brain[i, 0].numpy() > 0, "brain", rng
        )
        np.testing.assert_array_equal(seen["x"][i, 0], blended)
        p = 1 / (1 + np.exp(-blended.astype(float)))
        expected.append(-(label * np.log(p) + (1 - label) * np.log(1 - p)).mean())
    assert found == pytest.approx(np.mean(expected), rel=1e-5)
    # Fixed validation batches are used again: they must not be changed.
    assert torch.equal(batch.image, image) and torch.equal(batch.partner, partner)


def test_untrained_output_is_near_one_half(pii, pack):
    pii.eval()
    volume = pack.volume("S0")
    with torch.no_grad():
        found = pii.anomaly_map(torch.from_numpy(volume.image), volume.brain)
    assert found[volume.brain].mean() == pytest.approx(0.5, abs=0.25)
