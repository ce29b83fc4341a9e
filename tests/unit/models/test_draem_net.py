"""DRAEM-Net: its three losses by hand values and oracles, and what the networks are given."""

import numpy as np
import pytest
import torch

from uad.data import slices
from uad.models import methods
from uad.models.anomalies import draem
from uad.models.methods.draem_net import method as draem_net


def logits_of(p):
    """Logits (1, 2, 1, 1) with probability `p` of class 1."""
    return torch.tensor([np.log(1 - p), np.log(p)], dtype=torch.float64).view(1, 2, 1, 1)


@pytest.mark.parametrize(("p", "expected"), [(0.5, 0.17329), (0.9, 0.0010536), (0.1, 1.8651)])
def test_focal_loss_by_hand(p, expected):
    found = draem_net.focal_loss(logits_of(p), torch.ones(1, 1, 1, dtype=torch.int64))
    assert found.item() == pytest.approx(expected, rel=1e-4)
    mirrored = draem_net.focal_loss(logits_of(1 - p), torch.zeros(1, 1, 1, dtype=torch.int64))
    assert mirrored.item() == pytest.approx(expected, rel=1e-4)


def test_focal_loss_is_finite_for_extreme_logits():
    logits = torch.tensor([200.0, -200.0]).view(1, 2, 1, 1).requires_grad_()
    loss = draem_net.focal_loss(logits, torch.ones(1, 1, 1, dtype=torch.int64))
    loss.backward()
    assert loss.item() == pytest.approx(400)
    assert logits.grad.isfinite().all()


class Perfect(torch.nn.Module):
    """Restores the clean slice, is certain of the right answer; remembers what it saw."""

    def __init__(self, clean, lesion):
        super().__init__()
        self.clean, self.lesion = clean, lesion

    def forward(self, x):
        self.seen = x
        if x.shape[1] == 1:
            return self.clean
        return torch.stack([1 - self.lesion, self.lesion], dim=1) * 100


def build(probability=0.5, **changes):
    torch.manual_seed(0)
    params = {"reconstructive": [4, 8], "discriminative": [4, 8, 8], "probability": probability}
    return methods.build("draem_net", {**params, **changes})


@pytest.fixture
def batch(pack):
    return slices.fixed(pack, np.arange(4), 3, 12)[0]


def test_perfect_networks_have_no_loss(batch):
    clean = batch.image.clone()
    rng, images, lesions = np.random.default_rng(4), [], []
    for x in clean[:, 0].numpy():
        changed, lesion = (x, np.zeros(x.shape, bool)) if rng.random() >= 0.5 else (
            draem.add_anomaly(x, rng)
        )  # fmt: skip
        images.append(changed)
        lesions.append(lesion)
    lesions = torch.from_numpy(np.stack(lesions)).float()
    method = build()
    method.network = torch.nn.ModuleDict(
        {name: Perfect(clean, lesions) for name in ("reconstructive", "discriminative")}
    )
    assert method.loss(batch, np.random.default_rng(4)).item() == pytest.approx(0, abs=1e-5)
    # The first network saw the anomalies, the second one slice and reconstruction, in this order.
    images = torch.from_numpy(np.stack(images))[:, None]
    assert torch.equal(method.network["reconstructive"].seen, images)
    assert torch.equal(method.network["discriminative"].seen, torch.cat([images, clean], dim=1))
    assert torch.equal(batch.image, clean)


@pytest.mark.parametrize(("probability", "low", "high"), [(1.0, 40, 48), (0.5, 14, 34)])
def test_share_of_slices_with_an_anomaly(pack, monkeypatch, probability, low, high):
    calls = []
    original = draem.add_anomaly
    monkeypatch.setattr(
        draem, "add_anomaly", lambda *a, **k: calls.append(original(*a, **k)) or calls[-1]
    )
    batch = slices.fixed(pack, np.arange(4), 12, 48)[0]
    build(probability).loss(batch, np.random.default_rng(0))
    assert low <= len(calls) <= high
    assert len(calls) == 48 or probability < 1


def test_map_is_the_second_class(pack):
    method = build().eval()
    volume = pack.volume("S0")
    image = torch.from_numpy(volume.image)
    with torch.no_grad():
        found = method.anomaly_map(image, volume.brain)
        _, logits = method.run(image[:, None])
    both = logits.softmax(dim=1).numpy()
    np.testing.assert_allclose(found, both[:, 1] * volume.brain, atol=1e-6)
    np.testing.assert_allclose(both.sum(axis=1), 1, atol=1e-6)


def test_border_of_the_similarity(batch):
    """Ones restored as ones are alike, but for the border: beyond it are zeros, or ones again.

    With a restored slice of constant 0.5 the similarity of two constants, a = 1 and b = 0.5, is
    (2ab + C1) / (a^2 + b^2 + C1) everywhere where what lies beyond is the same again.
    """
    from types import SimpleNamespace

    ones = torch.ones_like(batch.image)
    inside = (2 * 0.5 + 1e-4) / (1 + 0.25 + 1e-4)
    found = {}
    for border in ("zeros", "mirrored"):
        method = build(probability=1e-9, border=border)
        method.run = lambda x: (
            ones / 2,
            torch.tensor([50.0, -50.0])[:, None, None].expand(len(x), 2, *x.shape[2:]),
        )
        loss = method.loss(SimpleNamespace(image=ones), np.random.default_rng(0)).item()
        found[border] = 1 + 0.25 - loss  # of the squared error and one minus the similarity
    assert found["mirrored"] == pytest.approx(inside, abs=1e-5)
    assert found["zeros"] < inside - 0.01


def test_its_anomalies_may_differ_from_the_common_ones(batch, monkeypatch):
    seen = []
    original = draem.add_anomaly
    monkeypatch.setattr(
        draem, "add_anomaly", lambda *a, **k: seen.append(k["settings"]) or original(*a, **k)
    )
    anomalies = {"threshold": "uniform", "operators": "seven", "texture": "binary"}
    build(probability=1, anomalies=anomalies).loss(batch, np.random.default_rng(0))
    assert {tuple(vars(of).values()) for of in seen} == {tuple(anomalies.values())}
