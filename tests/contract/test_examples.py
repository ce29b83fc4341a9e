"""The examples of methods outside the project: what every method must fulfil, and what each is."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import ROOT

from uad.base.errors import InputError
from uad.contract import cases, checks
from uad.contract.checks import *  # noqa: F403
from uad.contract.phantoms import write_pack
from uad.data.packed import Volumes
from uad.evaluation import metrics
from uad.models import memory_bank, methods, residuals
from uad.models.diffusion import cosine_alphas_cumprod

FOLDER = ROOT / "examples/methods"
SMALL = {
    "memory_bank": {
        "encoder": {"width": 4, "blocks": [1, 1, 1], "drop_path": 0},
        "stages": [1, 2], "slices": 4, "candidates": 200, "entries": 30, "blur": 1.0,
    },
    "anomaly_dino": {
        "transformer": {"width": 12, "depth": 1, "heads": 2, "patch": 4, "grid": 6},
        "size": 64, "slices": 4, "candidates": 400, "entries": 100, "blur": 1.0,
    },
    "disyre": {
        "unet": {
            "channels": 8, "multipliers": [1, 1, 1, 1], "res_blocks": 1, "head_channels": 8,
            "norm_groups": 4,
        },
        "steps": 100, "test_steps": 5,
    },
}  # fmt: skip


def cases_of_examples():
    """As their overlays have them; those with large networks with small ones."""
    found = cases.of_overlays(*sorted(FOLDER.glob("*.yaml")))
    return {
        name: dataclasses.replace(case, params=SMALL.get(name, case.params))
        for name, case in found.items()
    }


CASES = cases_of_examples()


def pytest_generate_tests(metafunc):
    checks.generate(metafunc, CASES.values())


def test_every_example_is_checked():
    assert set(CASES) == {path.stem for path in FOLDER.glob("*.py")}


@pytest.fixture
def example(request):
    """The module of an example; the test's parameter."""
    methods.use({request.param: FOLDER / f"{request.param}.py"})
    return methods.load(request.param)


def of(name):
    return pytest.mark.parametrize("example", [name], indirect=True)


# Voxel atlas.


@of("voxel_atlas")
def test_statistics_of_the_atlas_by_hand(example):
    """One voxel, in the brain of two of three volumes; all others are never in one."""
    values, brains = [0.2, 0.6, 0.9], [True, True, False]
    volumes = []
    for value, brain in zip(values, brains):
        image = np.zeros((1, 2, 2), np.float32)
        image[0, 0, 0] = value
        inside = np.zeros(image.shape, bool)
        inside[0, 0, 0] = brain
        volumes.append(type("Volume", (), {"image": image, "brain": inside}))
    method = example.build(example.Params(smooth=0.0, prior=2.0))
    method.fit(volumes, np.random.default_rng(0))
    # All brain voxels: mean 0.4, variance 0.04; at the voxel the same, with two more brains.
    assert method.network.mean[0, 0, 0].item() == pytest.approx(0.4)
    assert method.network.sd[0, 0, 0].item() == pytest.approx(0.2)
    # Where there was no brain, the mean and deviation of all.
    assert method.network.mean[0, 1, 1].item() == pytest.approx(0.4)
    assert method.network.sd[0, 1, 1].item() == pytest.approx(0.2)


@of("voxel_atlas")
def test_without_a_prior_to_speak_of_it_is_mean_and_deviation(example, rng):
    stack = rng.random((6, 2, 8, 8)).astype(np.float32)
    brain = np.ones(stack.shape[1:], bool)
    volumes = [type("Volume", (), {"image": image, "brain": brain}) for image in stack]
    method = example.build(example.Params(smooth=0.0, prior=1e-9))
    method.fit(volumes, rng)
    np.testing.assert_allclose(method.network.mean, stack.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(method.network.sd, stack.std(axis=0), rtol=1e-4)


def bright_spot(pack, row=0):
    """A volume with a bright cube in its brain, and the cube."""
    volume = pack.volume_at(row)
    spot = np.zeros(volume.brain.shape, bool)
    spot[4:8, 20:28, 20:28] = True
    spot &= volume.brain
    image = np.where(spot, 1.6, volume.image).astype(np.float32)
    return torch.from_numpy(image), volume.brain, spot


@pytest.mark.parametrize("example", ["voxel_atlas", "memory_bank", "anomaly_dino"], indirect=True)
def test_what_is_fitted_finds_what_no_healthy_volume_has(example, tmp_path):
    name = example.__name__.rpartition(".")[2]
    pack = write_pack(tmp_path / "pack", 6)
    torch.manual_seed(0)
    method = methods.build(name, dict(CASES[name].params)).eval()
    with torch.no_grad():
        method.fit(Volumes(pack, np.arange(1, 6)), np.random.default_rng(0))
        image, brain, spot = bright_spot(pack)
        score = method.anomaly_map(image, brain)
    auprc = metrics.average_precision(metrics.count(score[brain], spot[brain]))
    assert auprc > 3 * spot.sum() / brain.sum()  # chance


# Mahalanobis.


@of("mahalanobis")
def test_distance_is_that_of_the_inverse_of_the_covariance(example, rng):
    x, samples = torch.from_numpy(rng.random(30)), torch.from_numpy(rng.random((5, 30)))
    covariance = np.cov(samples.numpy(), rowvar=False) + 0.01 * np.eye(30)
    difference = (x - samples.mean(dim=0)).numpy()
    shares = difference * (np.linalg.inv(covariance) @ difference)
    found = example.distance(x, samples, 0.01).numpy()
    np.testing.assert_allclose(found, np.sqrt(np.maximum(shares, 0)), rtol=1e-9, atol=1e-12)
    assert (shares < 0).any() and (shares > 0).any()


@of("mahalanobis")
@pytest.mark.parametrize("residual", ["ssim", "l1", "none"])
def test_the_distance_is_scaled_blurred_and_multiplied(example, residual, rng):
    from scipy import ndimage

    image = torch.from_numpy(rng.random((3, 20, 20), dtype=np.float32))
    made = torch.from_numpy(rng.random((4, 3, 20, 20), dtype=np.float32))
    brain = rng.random(image.shape) < 0.6
    brain[2] = False
    method = example.build(example.Params(regularisation=0.01, blur=1.0, residual=residual))
    expected = np.zeros(image.shape)
    for z in range(2):
        inside = torch.from_numpy(brain[z])
        x, samples = image[z].double(), made[:, z].double()
        expected[z][brain[z]] = example.distance(x[inside], samples[:, inside], 0.01)
    expected = ndimage.gaussian_filter(expected / expected.max(), 1.0)
    mean = made.mean(dim=0)
    if residual == "ssim":
        expected = expected * (1 - residuals.ssim(image, mean)).numpy()
    if residual == "l1":
        expected = expected * (image - mean).abs().numpy()
    found = method.anomaly_map(image, brain, made)
    np.testing.assert_allclose(found, expected * brain, rtol=1e-5, atol=1e-7)


@of("mahalanobis")
def test_a_single_reconstruction_is_refused(example):
    method = example.build(example.Params(regularisation=0.01, blur=1.0, residual="ssim"))
    one = torch.rand(1, 2, 8, 8)
    with pytest.raises(InputError, match="needs two reconstructions at least"):
        method.anomaly_map(one[0], np.ones((2, 8, 8), bool), one)


# SSIM ensemble.


@of("ssim_ensemble")
def test_one_width_is_the_residual_of_the_other_methods(example, rng):
    x, y = (torch.from_numpy(rng.random((8, 20, 20), dtype=np.float32)) for _ in range(2))
    torch.testing.assert_close(example.ensemble(x, y, [1.0]), residuals.ssim(x, y))


@of("ssim_ensemble")
def test_the_least_similar_width_counts_most(example, rng):
    x, y = (torch.from_numpy(rng.random((8, 20, 20), dtype=np.float32)) for _ in range(2))
    sigmas = [0.5, 1.5]
    each = np.stack([example.ensemble(x, y, [sigma]).numpy() for sigma in sigmas])
    weights = np.exp(-each) / np.exp(-each).sum(axis=0)
    found = example.ensemble(x, y, sigmas).numpy()
    np.testing.assert_allclose(found, (weights * each).sum(axis=0), rtol=1e-9)
    assert (found < each.mean(axis=0)).all()


# ANDi.


@of("andi")
def test_differences_are_those_of_the_steps_back_up_to_a_factor(example, rng):
    """Of eq. 6 and 7 of Ho et al. 2020: means of the true and of the predicted step."""
    levels = np.array([75, 100, 200]) - 1
    kept = cosine_alphas_cumprod(1000)
    x = torch.from_numpy(rng.random((2, 6, 6)))
    made = torch.from_numpy(rng.random((3, 2, 6, 6)))
    noised = torch.from_numpy(rng.random((3, 2, 6, 6)))

    def mean(t, clean, at):
        alpha = kept[t] / kept[t - 1]
        of_clean = np.sqrt(kept[t - 1]) * (1 - alpha) / (1 - kept[t])
        return of_clean * clean + np.sqrt(alpha) * (1 - kept[t - 1]) / (1 - kept[t]) * at

    steps = torch.stack(
        [(mean(t, x, at) - mean(t, y, at)) ** 2 for t, y, at in zip(levels, made, noised)]
    )
    expected = steps.prod(dim=0) ** (1 / 3)
    found = example.aggregated(x, made, 1e-12)
    ratio = found / expected
    torch.testing.assert_close(ratio, ratio[0, 0, 0].expand_as(ratio))


@of("andi")
def test_one_level_that_shows_nothing_does_not_hide_the_others(example):
    x = torch.zeros(1, 1, 2)
    made = torch.tensor([[[[0.5, 0.5]]], [[[0.0, 0.5]]]])
    found = example.aggregated(x, made, 0.01)
    torch.testing.assert_close(found, torch.tensor([[[0.5 * 0.01, 0.25]]]).double())


@of("andi")
def test_a_single_level_is_refused(example):
    one = torch.rand(1, 2, 8, 8)
    with pytest.raises(InputError, match="two noise levels at least"):
        example.build(example.Params(floor=0.01)).anomaly_map(one[0], np.ones((2, 8, 8)), one)


# Memory bank.


def test_the_coreset_takes_the_farthest():
    vectors = torch.tensor([[0.0], [1.0], [10.0], [4.0]])
    assert memory_bank.coreset(vectors, 3, 0).tolist() == [0, 2, 3]
    assert memory_bank.coreset(vectors, 9, 0).tolist() == [0, 2, 3, 1]


@of("memory_bank")
def test_an_image_of_the_bank_has_no_distance(example, tmp_path):
    pack = write_pack(tmp_path / "pack", 1)
    params = SMALL["memory_bank"] | {"entries": 10**5, "candidates": 10**5, "slices": 99}
    method = methods.build("memory_bank", params | {"blur": 0.0}).eval()
    volumes = Volumes(pack, [0])
    with torch.no_grad():
        method.fit(volumes, np.random.default_rng(0))
        maps = method.features(torch.from_numpy(volumes[0].image)[5:6, None])[0].movedim(0, -1)
        inner = maps[5:7, 5:7].reshape(-1, maps.shape[-1])  # inside the brain
        exactly = "donot_use_mm_for_euclid_dist"
        distance = torch.cdist(inner, method.network["bank"].vectors, compute_mode=exactly)
        assert distance.amin(dim=1).max() == 0


@of("memory_bank")
def test_it_starts_from_spark(example):
    spark = methods.build(
        "spark", {"encoder": {"width": 4, "blocks": [1, 1, 1], "drop_path": 0}, "mask_ratio": 0.5}
    )
    method = methods.build("memory_bank", SMALL["memory_bank"])
    method.load_pretrained(spark.network.state_dict())
    weight = method.network["encoder"].conv1.weight
    assert torch.equal(weight, spark.network.encoder.conv1.weight)


# AnomalyDINO.


@of("anomaly_dino")
def test_the_score_is_the_cosine_distance(example, rng):
    """Of the transformer's own vectors, from slices as DINOv2 wants them."""
    method = methods.build("anomaly_dino", SMALL["anomaly_dino"]).eval()
    x = torch.from_numpy(rng.random((2, 1, 32, 24), dtype=np.float32))
    with torch.no_grad():
        seen = torch.nn.functional.interpolate(x, (84, 64), mode="bicubic", antialias=True)
        rgb = [(seen - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
        raw = method.network["encoder"](torch.cat(rgb, dim=1))
        one, other = raw[0].flatten(1), raw[1].flatten(1)  # (C, positions)
        found = method.features(x)
        assert found.shape == (2, 12, 21, 16)
        distance = torch.cdist(found[0].flatten(1).T, found[1].flatten(1).T)
    expected = 1 - torch.nn.functional.cosine_similarity(one[:, :, None], other[:, None], dim=0)
    assert expected.max() > 0.01
    torch.testing.assert_close(method.score(distance), expected, rtol=1e-3, atol=1e-5)


@of("anomaly_dino")
def test_it_starts_from_the_published_weights(example):
    method = methods.build("anomaly_dino", SMALL["anomaly_dino"])
    weights = {k: torch.rand_like(v) for k, v in method.network["encoder"].state_dict().items()}
    method.load_pretrained(weights | {"mask_token": torch.zeros(1, 12)})
    assert torch.equal(method.network["encoder"].cls_token, weights["cls_token"])


# DISYRE.


@of("disyre")
def test_levels_rise_to_a_whole_foreign_patch(example):
    alphas = example.weights(100)
    assert len(alphas) == 100 and (np.diff(alphas) > 0).all()
    assert alphas[0] < 0.01 and alphas[-1] == pytest.approx(np.sqrt(1 - 1e-3))
    # Two steps back from the end: the signal that two steps of diffusion leave.
    betas = np.linspace(1e-3, 0.2, 100)
    assert alphas[-2] == pytest.approx(np.sqrt((1 - betas[0]) * (1 - betas[1])))


@of("disyre")
def test_levels_at_test_time_are_spread_and_end_with_the_last(example):
    params = SMALL["disyre"]
    assert methods.build("disyre", params).test_levels().tolist() == [99, 79, 59, 39, 19]
    one = methods.build("disyre", params | {"test_steps": 1})
    assert one.test_levels().tolist() == [99]


@of("disyre")
def test_a_shape_is_mixed_in_by_the_weight_and_the_rest_stays(example):
    image = np.full((64, 48), 0.25, np.float32)
    partner = np.full((64, 48), 0.75, np.float32)
    brain = np.zeros(image.shape, bool)
    brain[20:44, 10:30] = True
    hard = soft = 0
    for seed in range(40):
        shape, centre = example.draw_shape(brain, np.random.default_rng(seed))
        assert brain[tuple(centre)] and not shape[~brain].any()
        assert shape.min() >= 0 and shape.max() <= 1 + 1e-9
        edges = ((shape > 0.01) & (shape < 0.99)).any()
        hard, soft = hard + (not edges), soft + edges
        mixed = example.corrupt(image, partner, brain, 0.6, np.random.default_rng(seed))
        # The patch lies where its part of the partner reaches; elsewhere it is background.
        inside = shape > 0
        np.testing.assert_array_equal(mixed[~inside], image[~inside])
        high, low = 0.25 + 0.6 * shape * 0.5, 0.25 * (1 - 0.6 * shape)
        gap = np.minimum(np.abs(mixed - high), np.abs(mixed - low))
        assert gap.max() < 1e-6
        assert mixed[tuple(centre)] == pytest.approx(high[tuple(centre)], abs=1e-6)
    assert hard and soft > hard


@of("disyre")
def test_without_a_brain_or_a_partner_nothing_changes(example, rng):
    image = rng.random((32, 32), dtype=np.float32)
    nothing, brain = np.zeros_like(image), np.ones(image.shape, bool)
    assert example.corrupt(image, image, ~brain, 0.5, rng) is image
    assert example.corrupt(image, nothing, brain, 0.5, rng) is image


@of("disyre")
def test_the_loss_is_that_of_restoring_and_the_score_the_mean_over_levels(example, rng):
    """Of networks that give back a constant, or what they are told of the level."""
    from types import SimpleNamespace

    method = methods.build("disyre", SMALL["disyre"])
    image, partner = (torch.from_numpy(rng.random((3, 1, 32, 32), dtype=np.float32)) for _ in "ab")
    batch = SimpleNamespace(image=image, partner=partner, brain=torch.ones_like(image))
    seen = []

    class Constant(torch.nn.Module):
        def forward(self, x, t):
            seen.append((x, t))
            return torch.full_like(x, 0.5)

    method.network = Constant()
    assert method.loss(batch, np.random.default_rng(0)) == ((image - 0.5) ** 2).mean()
    [(x, t)] = seen
    assert (x != image).flatten(1).any(dim=1).all() and t.shape == (3,)

    class OfTheLevel(torch.nn.Module):
        def forward(self, x, t):
            return x + t[:, None, None, None] / 100

    method.network = OfTheLevel()
    score = method.anomaly_map(image[:, 0], np.ones((3, 32, 32), bool))
    np.testing.assert_allclose(score, np.mean([0.99, 0.79, 0.59, 0.39, 0.19]), atol=1e-6)
