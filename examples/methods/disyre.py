"""DISYRE: a network that restores what synthetic anomalies of many strengths have changed.

After Naval Marimont et al. (2024). As in a diffusion model, a level t between 1 and T says how far
a slice is corrupted; but not by noise: within a shape m it is mixed with a patch from elsewhere,
x_t = (1 - alpha_t m) x_0 + alpha_t m x_fp, and alpha_t rises to one with t. A U-Net that is told t
learns to give x_0 back (mean squared error). At test time the slice is handed to it as it is, at
several levels, and the score is the mean over the levels of the absolute difference between the
slice and what comes back.

Differs from the paper, as far as its authors' code tells: of the shapes there are the square and
the disc, not those drawn from a folder of masks; the foreign patch is from the same axial slice of
another volume, at another place; the network sees the whole slice, not patches; its attention is
in the middle only; it trains as long as the other methods of the table, whose median filter
follows. In the authors' code t counts down with alpha in training and up at test time; here up in
both. The second version of the method has other anomalies (arXiv:2407.06635).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from uad.base import devices
from uad.base.settings import Block, key
from uad.models import median, settings
from uad.models.method import Method
from uad.models.networks.unet import UNet

INFO = {
    "paper": (
        "Naval Marimont et al. 2024, DISYRE: Diffusion-Inspired SYnthetic REstoration for "
        "Unsupervised Anomaly Detection (arXiv:2311.15453)"
    ),
    "code": "https://github.com/snavalm/disyre",
    "licence": "Apache-2.0 in the headers of some of its files; nothing of it is used",
}
BETAS = (1e-3, 0.2)  # first and last of the schedule
SIDE = (10 / 128, 44 / 128)  # of a shape, relative to the shorter side of the slice
BLURRED = 0.7  # share of the shapes
BLUR = 5 / 128  # largest SD, relative as above


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.disyre`."""

    unet: settings.UNet = key("restores")
    steps: int = key("T, levels of corruption", source="DISYRE", ge=1)
    test_steps: int = key(
        "levels at test time, evenly spread and the last one among them",
        source="code", ge=1, test_time=True,
    )  # fmt: skip


def weights(steps: int) -> np.ndarray:
    """alpha_t of t = 1 ... `steps`: how much of the foreign patch a level has, rising.

    The signal that a linear schedule of diffusion leaves, read backwards.
    """
    return np.sqrt(np.cumprod(1 - np.linspace(*BETAS, steps)))[::-1].copy()


def draw_shape(brain: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A square or a disc around a pixel of the brain, mostly with soft edges.

    Parameters
    ----------
    brain : ndarray of bool, shape (H, W)
        Not empty.
    rng : numpy.random.Generator

    Returns
    -------
    shape : ndarray of float, shape (H, W)
        In [0, 1], zero outside the brain.
    centre : ndarray of int, shape (2,)
    """
    short = min(brain.shape)
    half = rng.uniform(*SIDE) * short / 2
    inside = np.argwhere(brain)
    centre = inside[rng.integers(len(inside))]
    away = np.indices(brain.shape) - centre[:, None, None]  # (2, H, W)
    square = rng.random() < 0.5
    far = np.abs(away).max(axis=0) if square else np.sqrt((away**2).sum(axis=0))
    shape = (far <= half).astype(float)
    if rng.random() < BLURRED:
        shape = ndimage.gaussian_filter(shape, rng.uniform(0, BLUR) * short)
    return shape * brain, centre


def corrupt(
    image: np.ndarray, partner: np.ndarray, brain: np.ndarray, alpha: float,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """(1 - alpha m) image + alpha m patch; the patch is a part of the partner, moved to m.

    Parameters
    ----------
    image, partner : ndarray of float32, shape (H, W)
    brain : ndarray of bool, shape (H, W)
        Nothing changes outside.
    alpha : float
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, shape (H, W)
        The image itself if one of both has no brain.
    """
    found = np.argwhere(partner > 0)
    if not (brain.any() and len(found)):
        return image
    shape, centre = draw_shape(brain, rng)
    shift = centre - found[rng.integers(len(found))]
    foreign = ndimage.shift(partner, shift, order=0, mode="constant")
    mixed = (1 - alpha * shape) * image + alpha * shape * foreign
    return mixed.astype(np.float32)


class Disyre(Method):
    """The restoring network and its levels of corruption."""

    needs_partners = True

    def __init__(self, params):
        super().__init__()
        self.params = params
        self.network = UNet(**vars(params.unet))
        self.alphas = weights(params.steps)

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Mean squared error over all pixels; every slice is corrupted."""
        image, partner, brain = (
            part.cpu().numpy()[:, 0] for part in (batch.image, batch.partner, batch.brain)
        )
        strengths = rng.random(len(image))
        levels = np.abs(self.alphas - strengths[:, None]).argmin(axis=1)  # (B,), nearest
        corrupted = np.stack(
            [
                corrupt(*slices, self.alphas[level], rng)
                for *slices, level in zip(image, partner, brain > 0, levels)
            ]
        )[:, None]
        x, t = (devices.send(part, batch.image.device) for part in (corrupted, levels))
        return F.mse_loss(self.network(x, t).float(), batch.image)

    def test_levels(self) -> np.ndarray:
        """Levels that a slice is restored from, counted from 0."""
        n = self.params.steps
        return np.arange(n, 0, -n / self.params.test_steps).round().astype(int) - 1

    def anomaly_map(self, image, brain, reconstruction=None) -> np.ndarray:
        """Mean absolute difference from what comes back, in the brain, filtered."""
        levels = self.test_levels()

        def differences(x):
            parts = (self.network(x, x.new_full((len(x),), t, dtype=torch.int64)) for t in levels)
            return sum((x - part.float()).abs() for part in parts) / len(levels)

        score = self.by_parts(differences, image)[0].cpu().numpy()
        return median.median_filter(score * brain, brain)


def build(params: Params, upstream: Method | None = None) -> Method:
    """The method, untrained."""
    return Disyre(params)
