"""Voxel atlas: how far each voxel is from healthy brains at the same place, no network.

All scans are registered to one template, so that the mean and the deviation of the smoothed
intensity at every voxel describe healthy brains there. A voxel's score is its distance from the
mean in deviations. Where few training brains reach, mean and variance are drawn towards those of
all brain voxels, as if `prior` more brains had them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from uad.base.settings import Block, key
from uad.models import median
from uad.models.method import Fitted, Method

INFO = {"paper": "a classical normative model, no paper", "code": "none", "licence": "none"}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.voxel_atlas`."""

    smooth: float = key("SD of the Gaussian that smooths all volumes first", unit="voxels", ge=0)
    prior: float = key("weight of all brain voxels at each voxel", unit="volumes", gt=0)


class VoxelAtlas(Method):
    """Mean and standard deviation per voxel, both (Z, X, Y)."""

    def __init__(self, params):
        super().__init__()
        self.params = params
        self.network = Fitted("mean", "sd")

    def smoothed(self, image: np.ndarray) -> np.ndarray:
        """A volume (Z, X, Y), smoothed."""
        return ndimage.gaussian_filter(image, self.params.smooth)

    def fit(self, data, rng: np.random.Generator) -> None:
        """Statistics of the brain voxels of all training volumes."""
        n = total = squares = 0.0
        for volume in data:
            x = np.where(volume.brain, self.smoothed(volume.image).astype(np.float64), 0)
            n, total, squares = n + volume.brain, total + x, squares + x**2
        everywhere = total.sum() / n.sum()
        variance = squares.sum() / n.sum() - everywhere**2
        weight = n + self.params.prior
        mean = (total + self.params.prior * everywhere) / weight
        # Of a value at the voxel about `mean`, n observed ones and `prior` of the others.
        spread = squares + self.params.prior * (variance + everywhere**2)
        sd = np.sqrt(spread / weight - mean**2)
        self.network.mean, self.network.sd = (torch.from_numpy(a).float() for a in (mean, sd))

    def anomaly_map(self, image, brain, reconstruction=None) -> np.ndarray:
        """Distance from the mean in standard deviations, after a median filter."""
        mean, sd = self.network.mean.cpu().numpy(), self.network.sd.cpu().numpy()
        score = np.abs(self.smoothed(image.cpu().numpy()) - mean) / sd
        return median.median_filter((score * brain).astype(np.float32), brain)


def build(params: Params, upstream: Method | None = None) -> Method:
    """The method, without statistics yet."""
    return VoxelAtlas(params)
