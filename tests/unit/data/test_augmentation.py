"""Slice-wise augmentation against TorchIO's volume transforms with the same drawn parameters."""

import numpy as np
import pytest
import torchio as tio

from uad.data import augmentation
from uad.data.augmentation import Parameters

SHAPE = (20, 24, 16)  # x, y, z


@pytest.fixture
def volume(rng):
    """A volume with some negative values, as the B-spline leaves them."""
    return (rng.random(SHAPE) - 0.05).astype(np.float32)


def by_torchio(volume, drawn):
    """The four volume transforms in the reference's order, 2 mm spacing."""
    affine = np.diag([2.0, 2, 2, 1])
    subject = tio.Subject(image=tio.ScalarImage(tensor=volume[None].copy(), affine=affine))
    if drawn.gamma is not None:
        subject = tio.Gamma(drawn.gamma)(subject)
    if drawn.bias is not None:
        subject = tio.BiasField(list(drawn.bias), 3)(subject)
    if drawn.blur is not None:
        subject = tio.Blur(tuple(2 * drawn.blur))(subject)
    if drawn.ghosts is not None:
        axis, number, intensity = drawn.ghosts
        subject = tio.Ghosting(number, axis, intensity, None)(subject)
    return subject.image.numpy()[0]


def by_slices(volume, drawn):
    """Every slice of the volume by our function, put together again."""
    packed = np.ascontiguousarray(volume.transpose(2, 0, 1))[None]
    n = volume.shape[2]
    out = augmentation.slices(packed, [0] * n, list(range(n)), [drawn] * n)
    return out.numpy().transpose(1, 2, 0)


CASES = {
    "nothing": Parameters(),
    "gamma": Parameters(gamma=1.25),
    "bias": Parameters(bias=np.linspace(-0.5, 0.5, 20)),
    "blur": Parameters(blur=np.array([0.3, 0.9, 0.7])),
    "no blur along x": Parameters(blur=np.array([0.0, 0.9, 0.7])),
    "ghosts along x": Parameters(ghosts=(0, 4, 0.9)),
    "ghosts along y": Parameters(ghosts=(1, 7, 0.6)),
    "ghosts along z": Parameters(ghosts=(2, 5, 1.0)),
    "all": Parameters(0.8, np.linspace(0.4, -0.4, 20), np.array([0.5, 0.2, 1.0]), (2, 4, 0.7)),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_torchio(volume, name):
    expected = by_torchio(volume, CASES[name])
    np.testing.assert_allclose(by_slices(volume, CASES[name]), expected, atol=5e-6)


def test_a_mixed_batch_equals_torchio(volume, rng):
    volumes = np.stack([volume.transpose(2, 0, 1), volume[::-1].transpose(2, 0, 1)])
    rows, z = rng.integers(0, 2, 24), rng.integers(0, SHAPE[2], 24)
    drawn = [augmentation.draw(rng) for _ in rows]
    found = augmentation.slices(volumes, rows, z, drawn).numpy()
    for i, parameters in enumerate(drawn):
        whole = by_torchio(np.ascontiguousarray(volumes[rows[i]].transpose(1, 2, 0)), parameters)
        np.testing.assert_allclose(found[i], whole[:, :, z[i]], atol=5e-6)


def test_probabilities_and_ranges(rng):
    drawn = [augmentation.draw(rng) for _ in range(4000)]
    for name, expected in (("gamma", 0.5), ("bias", 0.25), ("blur", 0.25), ("ghosts", 0.5)):
        share = np.mean([getattr(p, name) is not None for p in drawn])
        assert share == pytest.approx(expected, abs=0.03), name
    gammas = [p.gamma for p in drawn if p.gamma]
    assert np.exp(-0.3) <= min(gammas) and max(gammas) <= np.exp(0.3)
    ghosts = [p.ghosts for p in drawn if p.ghosts]
    assert {g[0] for g in ghosts} == {0, 1, 2}
    assert {g[1] for g in ghosts} == set(range(4, 11))
    assert all(0.5 <= g[2] <= 1 for g in ghosts)
    assert max(p.blur.max() for p in drawn if p.blur is not None) <= 1
