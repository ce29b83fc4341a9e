"""RD's own promises: sizes, shapes, the two forms of the cosine, a teacher that never changes."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from test_methods import SMALL

from uad.data.slices import Batch
from uad.models import median, methods
from uad.models.methods.rd.network import Decoder, OneClassBottleneck
from uad.models.networks.resnet import wide_resnet50_2


def count(module):
    return sum(p.numel() for p in module.parameters())


def small(**changes):
    torch.manual_seed(0)
    return methods.build("rd", {**SMALL["rd"], **changes})


def test_the_papers_size(paper_config):
    block = paper_config["methods"]["rd"]
    params = {k: v for k, v in block.items() if k not in methods.FOR_THE_RUN}
    with torch.device("meta"):
        method = methods.build("rd", params)
    assert count(method.network["teacher"]) == 24_862_528
    assert count(method.network["bottleneck"]) == 58_885_120
    assert count(method.network["decoder"]) == 24_917_504
    assert (params["size"], params["blur"]) == (96, 4)
    assert block["training"]["betas"] == [0.5, 0.999]


def test_shapes_at_the_papers_size():
    # Shapes only: the networks hold no numbers.
    with torch.device("meta"):
        taught = [torch.empty(2, 256, 24, 24), torch.empty(2, 512, 12, 12)]
        taught.append(torch.empty(2, 1024, 6, 6))
        bottleneck, decoder = OneClassBottleneck(64), Decoder(64)
        assert bottleneck.from_fine(taught[0]).shape == (2, 1024, 6, 6)
        assert bottleneck.from_middle(taught[1]).shape == (2, 1024, 6, 6)
        narrow = bottleneck(*taught)
        assert narrow.shape == (2, 2048, 3, 3)
        assert [m.shape for m in decoder(narrow)] == [m.shape for m in taught]


def test_student_answers_every_map_of_the_teacher():
    taught, found = small().eval().maps(torch.rand(3, 1, 40, 56))
    assert [m.shape[1:] for m in taught] == [(8, 8, 8), (16, 4, 4), (32, 2, 2)]
    assert [m.shape for m in found] == [m.shape for m in taught]
    assert all((m >= 0).all() for m in [*taught, *found])


@pytest.mark.parametrize("standardise", [True, False])
def test_input_of_the_teacher(standardise):
    method = small(extractor={"width": 2, "standardise": standardise}).eval()
    seen = []
    method.network["teacher"].register_forward_pre_hook(lambda module, x: seen.append(x[0]))
    method.maps(torch.full((1, 1, 32, 32), 0.5))
    expected = [0.015 / 0.229, 0.044 / 0.224, 0.094 / 0.225] if standardise else [0.5] * 3
    np.testing.assert_allclose(seen[0].mean(dim=(0, 2, 3)), expected, atol=1e-6)


def answer(method, monkeypatch, taught, found):
    monkeypatch.setattr(method, "maps", lambda x: (taught, found))


def test_loss_takes_each_map_as_one_vector(monkeypatch, rng):
    # Two locations: equal directions at the long one, orthogonal ones at the short one.
    t = torch.tensor([[3.0, 1.0], [0.0, 0.0]])[None, :, None]  # (1, 2, 1, 2)
    s = torch.tensor([[3.0, 0.0], [0.0, 1.0]])[None, :, None]
    method = small()
    answer(method, monkeypatch, [t, t], [s, t])
    # Flattened: 1 - 9 / 10; by location it would be 1 / 2.
    assert method.loss(Batch(None, None, None), rng).item() == pytest.approx(0.1, abs=1e-5)


def test_map_takes_the_cosine_at_each_location_and_blurs(monkeypatch, rng):
    method = small(blur=1.5)
    t = torch.zeros(3, 2, 8, 8)
    t[:, 0] = 2
    s = t.clone()
    s[1, :, 4, 4] = torch.tensor([0.0, 5.0])  # orthogonal at one place of the middle slice
    answer(method, monkeypatch, [t, t], [s, s])
    monkeypatch.setattr(median, "median_filter", lambda score, brain: score)
    brain = np.zeros((3, 8, 8), bool)
    brain[:, 1:7, 1:7] = True
    found = method.anomaly_map(torch.zeros(3, 8, 8), brain)
    score = np.zeros((8, 8), np.float32)
    score[4, 4] = 2  # summed over the maps
    np.testing.assert_allclose(found[1], ndimage.gaussian_filter(score, 1.5) * brain[1], atol=1e-6)
    assert found[1].max() > 0.1
    np.testing.assert_allclose(found[[0, 2]], 0, atol=1e-6)  # blurred within slices only


def test_map_is_median_filtered(monkeypatch):
    method = small(blur=0)
    t = torch.rand(3, 2, 8, 8) + 0.1
    s = t.clone()
    s[1, :, 4, 4] = torch.tensor([-1.0, -1.0])  # one place is less than half of any window
    answer(method, monkeypatch, [t], [s])
    found = method.anomaly_map(torch.zeros(3, 8, 8), np.ones((3, 8, 8), bool))
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_identical_features_have_no_loss_and_no_map(monkeypatch, rng):
    method, maps = small(), [torch.rand(2, 4, 8, 8) + 0.1, torch.rand(2, 8, 4, 4) + 0.1]
    answer(method, monkeypatch, maps, maps)
    assert method.loss(Batch(None, None, None), rng).item() == pytest.approx(0, abs=1e-6)
    found = method.anomaly_map(torch.zeros(2, 8, 8), np.ones((2, 8, 8), bool))
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_independent_features_are_as_far_apart_as_expected(monkeypatch, rng):
    # Half of a Gaussian each: 1 - 1 / pi, flattened and by location.
    t, s = (torch.from_numpy(rng.normal(size=(1, 512, 8, 8))).relu() for _ in range(2))
    method = small(blur=0)
    answer(method, monkeypatch, [t], [s])
    assert method.loss(Batch(None, None, None), rng).item() == pytest.approx(1 - 1 / math.pi, 0.02)
    found = method.anomaly_map(torch.zeros(1, 8, 8), np.ones((1, 8, 8), bool))
    assert found[0, 2:-2, 2:-2].mean() == pytest.approx(1 - 1 / math.pi, rel=0.02)


def test_pretrained_weights_are_the_teacher_s():
    method, weights = small(), wide_resnet50_2(4, width=2).state_dict()
    method.load_pretrained(weights)
    for name, value in method.network["teacher"].state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_teacher_never_changes(rng):
    method = small()
    before = {k: v.clone() for k, v in method.network["teacher"].state_dict().items()}
    method.network.train()
    assert method.network["decoder"].training and not method.network["teacher"].training
    method.loss(Batch(torch.rand(4, 1, 32, 32), None, None), rng).backward()
    after = method.network["teacher"].state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    learning = {k.split(".")[0] for k, p in method.network.named_parameters() if p.requires_grad}
    assert learning == {"bottleneck", "decoder"}
    assert all(p.grad is not None for p in method.network["bottleneck"].parameters())
    assert all(p.grad is not None for p in method.network["decoder"].parameters())
