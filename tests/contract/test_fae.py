"""FAE's own promises: sizes, similarity against SciPy, dropout, the extractor's statistics."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from test_methods import SMALL

from uad.base.errors import InputError
from uad.data.slices import Batch
from uad.engine import checkpoints
from uad.models import median, methods
from uad.models.methods.fae.network import FeatureAutoencoder
from uad.models.networks.resnet import resnet18

CHANNELS = [100, 150, 200, 300]


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def small(**changes):
    torch.manual_seed(0)
    return methods.build("fae", {**SMALL["fae"], **changes})


def test_the_papers_size(paper_config):
    block = paper_config["methods"]["fae"]
    params = {k: v for k, v in block.items() if k not in methods.FOR_THE_RUN}
    with torch.device("meta"):
        method = methods.build("fae", params)
    assert count(method.network["extractor"]) == 683_072
    assert count(method.network["autoencoder"]) == 10_285_048
    assert (params["size"], params["window"], params["sigma"]) == (128, 5, 1.5)


@pytest.mark.parametrize(
    ("features", "channels", "expected"),
    [(256, CHANNELS, 10_285_048), (192, CHANNELS, 9_865_848), (256, CHANNELS[:3], 5_374_048)],
)
def test_autoencoder_variants(features, channels, expected):
    with torch.device("meta"):
        assert count(FeatureAutoencoder(features, channels, 0.1)) == expected


def test_shapes_at_the_papers_size():
    method = small(extractor={"width": 64, "batch_norm": "frozen"}, size=128, channels=CHANNELS)
    method.eval()
    seen = []
    for layer in [*method.network["autoencoder"].down, *method.network["autoencoder"].up]:
        layer.register_forward_hook(lambda module, x, y: seen.append(tuple(y.shape[1:3])))
    with torch.no_grad():
        f = method.features(torch.rand(2, 1, 96, 96))
        assert f.shape == (2, 256, 32, 32)
        assert method.network["autoencoder"](f).shape == f.shape
    down, up = [(100, 16), (150, 8), (200, 4), (300, 2)], [(200, 4), (150, 8), (100, 16), (256, 32)]
    assert seen == down + up


def test_features_are_those_of_stem_and_two_stages(monkeypatch):
    method = small().eval()
    seen = []
    extractor = method.network["extractor"]
    extractor.register_forward_hook(lambda module, x, maps: seen.append((x[0], maps)))
    f = method.features(torch.full((1, 1, 64, 64), 0.75))
    ((rgb, (stem, one, two)),) = seen
    assert rgb.shape == (1, 3, 64, 64) and (rgb == 0.5).all()  # (x - 0.5) * 2
    assert torch.equal(f[:, :4], stem) and torch.equal(f[:, 4:8], one)
    # The second stage's map is enlarged with its corners in place.
    assert f.shape == (1, 16, 16, 16) and two.shape == (1, 8, 8, 8)
    torch.testing.assert_close(f[:, 8:, [0, 0, 15], [0, 15, 15]], two[:, :, [0, 0, 7], [0, 7, 7]])


def blurred(x):
    """5 x 5 Gaussian window with sigma 1.5 over the last two axes, zeros outside."""
    kernel = np.array([0.1201, 0.2339, 0.2921, 0.2339, 0.1201])
    exact = np.exp(-(np.array([2, 1, 0, 1, 2]) ** 2) / 4.5)
    np.testing.assert_allclose(exact / exact.sum(), kernel, atol=1e-4)
    for axis in (-2, -1):
        x = ndimage.correlate1d(x, exact / exact.sum(), axis=axis, mode="constant")
    return x


def similarity(x, y):
    """Wang et al. (2004), for a range of 1."""
    mx, my = blurred(x), blurred(y)
    vx, vy, cov = blurred(x * x) - mx**2, blurred(y * y) - my**2, blurred(x * y) - mx * my
    luminance = (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
    return luminance * (2 * cov + 9e-4) / (vx + vy + 9e-4)


def test_similarity_equals_the_formula(rng):
    x, y = (rng.normal(size=(2, 3, 9, 12)) for _ in range(2))
    found = small().similarity(torch.from_numpy(x), torch.from_numpy(y))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, similarity(x, y), atol=1e-4)


@torch.no_grad()
def test_map_is_one_minus_the_mean_similarity_of_the_channels(rng):
    method = small().eval()
    image = torch.from_numpy(rng.random((12, 24, 20), dtype=np.float32))  # two calls
    brain = rng.random(image.shape) < 0.7
    f = method.features(image[:, None]).double().numpy()
    g = method.network["autoencoder"](method.features(image[:, None])).double().numpy()
    score = 1 - similarity(f, g).mean(axis=1)  # (12, 16, 16)
    at = np.meshgrid(np.linspace(0, 15, 24), np.linspace(0, 15, 20), indexing="ij")
    score = np.stack([ndimage.map_coordinates(plane, at, order=1) for plane in score])
    expected = ndimage.median_filter(score * brain, 5) * brain
    np.testing.assert_allclose(method.anomaly_map(image, brain), expected, atol=1e-3)


def test_loss_of_a_perfect_reconstruction_is_minus_one(monkeypatch, rng):
    method = small().eval()
    monkeypatch.setattr(method.network["autoencoder"], "forward", lambda f, kept: f)
    loss = method.loss(Batch(torch.rand(2, 1, 48, 48), None, None), rng)
    assert loss.item() == -1


def test_map_is_on_the_grid_of_the_slices_and_in_range(rng):
    method = small().eval()
    image = torch.from_numpy(rng.random((11, 40, 48), dtype=np.float32))
    brain = np.ones(image.shape, bool)
    with torch.no_grad():
        found = method.anomaly_map(image, brain)
    assert found.shape == image.shape
    assert found.min() >= 0 and found.max() <= 2 and found.mean() > 0.5
    # A map of -SSIM would rank the masked background above the brain.
    brain[:, :20] = False
    with torch.no_grad():
        found = method.anomaly_map(image, brain)
    assert (found[:, :20] == 0).all() and (found[:, 24:] > 0).all()


def test_map_is_median_filtered(monkeypatch, rng):
    method = small().eval()
    image = torch.from_numpy(rng.random((3, 32, 32), dtype=np.float32))
    brain = rng.random(image.shape) < 0.7
    with torch.no_grad():
        found = method.anomaly_map(image, brain)
        monkeypatch.setattr(median, "median_filter", lambda score, brain: score)
        rough = method.anomaly_map(image, brain)
    monkeypatch.undo()
    assert (rough[~brain] == 0).all()
    assert np.array_equal(found, median.median_filter(rough, brain))
    assert not np.array_equal(found, rough)


def test_pretrained_file_is_the_extractor_s(tmp_path):
    method, weights = small(), resnet18(4, width=4).state_dict()
    torch.save(weights, tmp_path / "weights.pth")
    checkpoints.load_pretrained(method, tmp_path / "weights.pth")
    for name, value in method.network["extractor"].state_dict().items():
        assert torch.equal(value, weights[name]), name
    del weights["layer1.0.conv1.weight"]
    torch.save(weights, tmp_path / "cut.pth")
    with pytest.raises(InputError, match="cut.pth: the weights do not fit"):
        checkpoints.load_pretrained(method, tmp_path / "cut.pth")


def test_dropout_takes_whole_channels(rng):
    network = FeatureAutoencoder(6, [4, 8], 0.25)
    kept = network.draw_kept(rng, 2000, "cpu")
    assert [k.shape for k in kept] == [(2000, c, 1, 1) for c in (4, 8, 4, 6)]
    for k in kept:
        assert set(np.unique(k)) == {0, np.float32(4 / 3)}
        assert (k == 0).float().mean() == pytest.approx(0.25, abs=0.03)
    # All channels of the first unit dropped: nothing of the input is left.
    x = torch.rand(2, 6, 8, 8)
    none = [torch.zeros_like(kept[0][:2]), *(torch.ones_like(k[:2]) for k in kept[1:])]
    network.eval()
    assert torch.equal(network(x, none), network(torch.zeros_like(x), none))
    assert not torch.equal(network(x), network(torch.zeros_like(x)))


@pytest.mark.parametrize("batch_norm", ["adapt", "frozen"])
def test_statistics_of_the_extractor(batch_norm, rng):
    method = small(extractor={"width": 4, "batch_norm": batch_norm})
    before = {k: v.clone() for k, v in method.network["extractor"].state_dict().items()}
    method.network.train()
    method.loss(Batch(torch.rand(4, 1, 64, 64), None, None), rng).backward()
    after = method.network["extractor"].state_dict()
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    assert bool(changed) == (batch_norm == "adapt")
    assert not any(k.endswith((".weight", ".bias")) for k in changed)
    learning = {k for k, p in method.network.named_parameters() if p.grad is not None}
    assert learning and all(k.startswith("autoencoder.") for k in learning)
