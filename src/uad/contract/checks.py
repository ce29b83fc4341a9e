"""The checks, as tests of pytest; each takes a `case`, see `uad.contract.cases`."""

import dataclasses
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from uad.base.errors import InputError
from uad.contract.cases import Case
from uad.contract.phantoms import write_pack
from uad.data import slices
from uad.data.packed import Pack, Volumes
from uad.engine import checkpoints, gradient_free, training
from uad.engine.settings import Training
from uad.models import methods, residuals
from uad.models.method import Method

DEPTH = 8  # slices of a volume


def only(choose: Callable[[Case], bool]) -> Callable:
    """Marks a check that concerns some cases."""

    def mark(function: Callable) -> Callable:
        function.concerns = choose
        return function

    return mark


def generate(metafunc: pytest.Metafunc, cases: Iterable[Case]) -> None:
    """Call each check that takes a case with those it concerns."""
    if "case" in metafunc.fixturenames:
        concerns = getattr(metafunc.function, "concerns", lambda case: True)
        chosen = [case for case in cases if concerns(case)]
        metafunc.parametrize("case", chosen, ids=[case.name for case in chosen])


@pytest.fixture(autouse=True)
def where_code_is(request):
    """Code outside the project is known while its method is checked."""
    if "case" in request.fixturenames:
        methods.use(request.getfixturevalue("case").outside)


@pytest.fixture
def pack(case, tmp_path) -> Pack:
    """Four phantoms with lesions."""
    return write_pack(tmp_path / "pack", 4, shape=(DEPTH, *case.slice_shape))


@pytest.fixture
def batch(pack) -> slices.Batch:
    """A slice of each."""
    return slices.fixed(pack, np.arange(4), per_volume=1, batch_size=4, partners=True)[0]


@pytest.fixture
def volume(case) -> SimpleNamespace:
    """An image (Z, X, Y), its brain, and reconstructions at two levels."""
    rng = np.random.default_rng(3141)
    image = torch.from_numpy(rng.random((DEPTH, *case.slice_shape), dtype=np.float32))
    brain = rng.random(image.shape) < 0.5
    return SimpleNamespace(
        image=image, brain=brain, reconstruction=torch.stack([image * 0.9, image * 0.8])
    )


def anomaly_map(method: Method, volume: SimpleNamespace) -> np.ndarray:
    """The map of a volume, as the workflow makes it."""
    method.eval()
    with torch.no_grad():
        if method.levels:
            mean = method.reconstruct(volume.image, np.random.default_rng(0)).mean(dim=0)
            return residuals.anomaly_map(volume.image, mean, volume.brain)
        return method.anomaly_map(volume.image, volume.brain, volume.reconstruction)


def steps(method: Method, batch: slices.Batch, n: int, rate: float = 0.003) -> list[float]:
    """Losses of `n` optimiser steps on one batch with the same random numbers each time."""
    optimizer = torch.optim.Adam(method.network.parameters(), lr=rate)
    losses = []
    for _ in range(n):
        method.network.train()
        loss = method.loss(batch, np.random.default_rng(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def learn(case: Case, method: Method, pack: Pack, batch: slices.Batch, n: int = 2) -> Method:
    """The method after a few steps and its fit, if it has them."""
    if case.learns:
        steps(method, batch, n)
    if method.fits:
        weights, volumes = method.network.state_dict(), Volumes(pack, np.arange(len(pack)))
        gradient_free.fit(method, weights, volumes, 0, torch.device("cpu"))
    return method


def learns(case):
    return case.learns


def has_map(case):
    return case.has_map


def reconstructs(case):
    return case.reconstructs


@only(learns)
def test_loss_falls_on_a_repeated_batch(case, batch):
    losses = steps(case.build(), batch, 8)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


@only(learns)
def test_trains_in_mixed_precision(case, batch):
    """The context that `training` puts around the loss; weights and gradients stay in 32 bits."""
    method = case.build()
    exact = method.loss(batch, np.random.default_rng(0)).item()
    with torch.autocast("cpu", torch.bfloat16):
        loss = method.loss(batch, np.random.default_rng(0))
    loss.backward()
    assert loss.item() == pytest.approx(exact, rel=0.1)
    gradients = [p.grad for p in method.network.parameters() if p.grad is not None]
    assert gradients
    assert all(g.dtype == torch.float32 and g.isfinite().all() for g in gradients)


@only(has_map)
def test_anomaly_map_in_mixed_precision(case, pack, batch, volume):
    """The context that inference puts around it: 32 bits come out, near those without it."""
    method = learn(case, case.build(), pack, batch, 3)
    exact = anomaly_map(method, volume)
    with torch.autocast("cpu", torch.bfloat16):
        found = anomaly_map(method, volume)
        made = method.reconstruct(volume.image, np.random.default_rng(0)) if method.levels else None
    assert found.dtype == np.float32 and np.isfinite(found).all()
    assert made is None or made.dtype == torch.float32
    assert np.abs(found - exact).max() < 0.1 * np.abs(exact).max()


@only(learns)
def test_loss_is_a_scalar_and_depends_on_the_network(case, batch):
    method = case.build()
    loss = method.loss(batch, np.random.default_rng(3141))
    assert loss.shape == ()
    loss.backward()
    gradients = [p.grad for p in method.network.parameters()]
    assert any(g is not None and g.abs().sum() > 0 for g in gradients)


def test_only_the_network_learns(case, pack, batch):
    method = case.build()
    others = {k: v.clone() for k, v in method.state_dict().items() if not k.startswith("network.")}
    learn(case, method, pack, batch)
    for key, value in others.items():
        assert torch.equal(method.state_dict()[key], value), key


@only(lambda case: case.upstream is not None)
def test_upstream_stays_in_evaluation_mode(case, pack, batch):
    method = case.build()
    before = {n: m for n, m in method.named_modules() if n.startswith("upstream")}
    learn(case, method, pack, batch, 1)
    assert not any(module.training for module in before.values())


def test_same_seed_same_bytes(case, pack, batch):
    first, second = (learn(case, case.build(), pack, batch) for _ in range(2))
    for key, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[key]), key


@only(learns)
def test_randomness_comes_from_the_generator_alone(case, batch):
    method = case.build()
    method.network.train()
    torch.manual_seed(1)
    np.random.seed(1)
    first = method.loss(batch, np.random.default_rng(5)).item()
    torch.manual_seed(2)
    np.random.seed(2)
    # Normalisations that use batch statistics are the same for the same batch.
    assert method.loss(batch, np.random.default_rng(5)).item() == first


def test_fit_draws_from_the_generator_alone(case, pack, batch):
    if not case.build().fits:
        pytest.skip("it has no fit")
    found = []
    for seed in (1, 2):
        method = case.build()
        torch.manual_seed(seed)
        np.random.seed(seed)
        method.eval()
        with torch.no_grad():
            method.fit(Volumes(pack, np.arange(len(pack))), np.random.default_rng(5))
        found.append(method.network.state_dict())
    assert found[0] and all(torch.equal(value, found[1][key]) for key, value in found[0].items())


@only(has_map)
def test_anomaly_map_is_finite_and_zero_outside_the_brain(case, pack, batch, volume):
    method = learn(case, case.build(), pack, batch)
    image, brain = volume.image.clone(), volume.brain.copy()
    found = anomaly_map(method, volume)
    kind = f"{type(found).__name__} of {getattr(found, 'dtype', 'no dtype')}"
    told = f"anomaly_map must return a NumPy array of float32, not a {kind}"
    assert isinstance(found, np.ndarray) and found.dtype == np.float32, told
    told = f"anomaly_map must return a score for each voxel, {tuple(volume.image.shape)}"
    assert found.shape == tuple(volume.image.shape), f"{told}, not {found.shape}"
    assert np.isfinite(found).all(), "anomaly_map must return finite scores, not NaN or infinity"
    assert (found[~volume.brain] == 0).all(), "anomaly_map must return 0 outside the brain"
    assert found[volume.brain].std() > 0, "anomaly_map returns one score for the whole brain"
    # What it was given is as it was.
    assert torch.equal(volume.image, image) and np.array_equal(volume.brain, brain)


@only(has_map)
def test_anomaly_map_of_a_volume_without_brain_is_zero(case, pack, batch, volume):
    method = learn(case, case.build(), pack, batch)
    volume.brain = np.zeros_like(volume.brain)
    assert not anomaly_map(method, volume).any()


def test_saves_and_loads_to_the_same_weights(case, pack, batch, tmp_path):
    method, path = learn(case, case.build(), pack, batch), tmp_path / "m.pt"
    checkpoints.save(path, case.name, case.params, method.network.state_dict(), "code")
    again = checkpoints.load(path).network.state_dict()
    for key, value in method.network.state_dict().items():
        assert torch.equal(value, again[key]), key


@only(has_map)
def test_saves_and_loads_to_the_same_map(case, pack, batch, volume, tmp_path):
    method, path = learn(case, case.build(), pack, batch), tmp_path / "m.pt"
    checkpoints.save(path, case.name, case.params, method.network.state_dict(), "code")
    again = checkpoints.load(path)
    np.testing.assert_allclose(anomaly_map(again, volume), anomaly_map(method, volume), atol=1e-5)
    assert not any(p.requires_grad for p in again.parameters())


@only(learns)
def test_works_with_a_single_slice(case, batch):
    one = slices.Batch(*(getattr(batch, f.name)[:1] for f in dataclasses.fields(batch)))
    method = case.build()
    method.network.eval()
    assert np.isfinite(method.loss(one, np.random.default_rng(3141)).item())


def test_what_reconstructs_says_so(case):
    assert bool(case.build().levels) == case.reconstructs


@only(reconstructs)
def test_reconstructions(case, pack, batch, volume):
    method = learn(case, case.build(), pack, batch, 1).eval()
    with torch.no_grad():
        found = method.reconstruct(volume.image, np.random.default_rng(1))
        again = method.reconstruct(volume.image, np.random.default_rng(1))
    assert found.shape == (method.levels, *volume.image.shape)
    assert found.dtype == torch.float32
    assert torch.equal(found, again)
    assert found.isfinite().all()


def test_unknown_and_missing_keys_are_named(case):
    with pytest.raises(InputError, match=f"methods.{case.name}: unknown key extra"):
        methods.build(case.name, {**case.params, "extra": 1})
    required = [
        key.name
        for key in dataclasses.fields(methods.load(case.name).Params)
        if key.default is dataclasses.MISSING and key.default_factory is dataclasses.MISSING
    ]
    for key in set(required) & set(case.without_later()):
        params = {name: value for name, value in case.params.items() if name != key}
        with pytest.raises(InputError, match=f"methods.{case.name}: missing key {key}"):
            methods.build(case.name, params)


@only(learns)
def test_trains_without_what_only_matters_later(case, batch):
    """Then the same numbers come out, and the model may be one that another stands on."""
    upstream = case.upstream and case.upstream.without_later()
    without = case.build(case.without_later(), upstream)
    assert steps(without, batch, 2) == steps(case.build(), batch, 2)


def test_training_settings_fit(case):
    settings = Training(**case.training)
    training.check_epochs(case.name, case.build(), settings.epochs)
