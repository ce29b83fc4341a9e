"""The method DAE, see its package."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from uad.models.method import Method
from uad.models.networks.seg_unet import SegUNet


class DAE(Method):
    """Denoiser of coarse noise; it predicts the clean slice, not the noise."""

    levels = 1

    def __init__(self, params):
        super().__init__()
        self.params = params
        self.network = SegUNet(params.widths, branches=1)

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Error of the denoised slices, squared (`l2`) or absolute (`l1`), mean over all pixels."""
        noisy = batch.image + self.draw_noise(rng, batch.brain)
        error = self.network(noisy).float() - batch.image
        return error.square().mean() if self.params.loss == "l2" else error.abs().mean()

    def draw_noise(self, rng: np.random.Generator, brain: torch.Tensor) -> torch.Tensor:
        """Coarse noise inside brain masks (B, 1, H, W), zero outside; other values for each slice.

        Bilinear between the points of the grid, then all of it rolled by one random shift; the
        seam where it wraps around is in the original too.
        """
        grid = self.params.noise_grid
        # (B, 1, grid, grid) -> (B, 1, H, W)
        coarse = rng.standard_normal((len(brain), 1, grid, grid), np.float32)
        noise = F.interpolate(
            torch.from_numpy(coarse).to(brain) * self.params.noise_sd,
            brain.shape[2:],
            mode="bilinear",
            align_corners=True,
        )
        shift = rng.integers(0, brain.shape[2:]).tolist()
        return noise.roll(shift, dims=(2, 3)) * brain

    def reconstruct(self, image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """See `uad.models.method`; nothing is random, since no noise is added."""
        return self.by_parts(self.network, image)
