"""DAE: denoising autoencoder with coarse noise (Kascenas et al. 2022; row DAE of Table 1).

A U-Net learns to take smooth noise, drawn on a coarse grid, off healthy slices. At test time it
sees the slice as it is and treats lesions as noise.

Differs from the original:

- one channel, and plain Adam with a constant learning rate (App. B of SADM; there AMSGrad with a
  cosine schedule);
- noise everywhere in the brain. The original leaves out what is darker than 0.01 in all of its four
  channels. Here the darkest hundredth of a brain is 0 (percentiles), so that a dark lesion would
  pass for noiseless;
- the loss covers the background too. There the network's output would be left to chance, which
  structural similarity, the residual of all reconstructions here, sees from the rim of the brain.

The grid of 16 points is that of the original, whose slices have 128 pixels; 12 points are as coarse
in mm.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from uad.models.method import Method
from uad.models.networks.seg_unet import SegUNet


@dataclass(frozen=True)
class Params:
    """Block `methods.dae`."""

    widths: list
    noise_grid: int
    noise_sd: float
    loss: str


class DAE(Method):
    """Denoiser of coarse noise; it predicts the clean slice, not the noise."""

    levels = 1

    def __init__(self, params):
        super().__init__()
        self.params = params
        self.network = SegUNet(params.widths, branches=1)

    def loss(self, batch, rng):
        """Error of the denoised slices, squared (`l2`) or absolute (`l1`), mean over all pixels."""
        noisy = batch.image + self.draw_noise(rng, batch.brain)
        error = self.network(noisy).float() - batch.image
        return error.square().mean() if self.params.loss == "l2" else error.abs().mean()

    def draw_noise(self, rng, brain):
        """Coarse noise inside brain masks (B, 1, H, W), zero outside; other values for each slice.

        Bilinear between the points of the grid, then all of it rolled by one random shift; the
        seam where it wraps around is in the original too.
        """
        grid = self.params.noise_grid
        coarse = rng.standard_normal((len(brain), 1, grid, grid), np.float32)
        noise = F.interpolate(
            torch.from_numpy(coarse).to(brain) * self.params.noise_sd,
            brain.shape[2:],
            mode="bilinear",
            align_corners=True,
        )
        shift = rng.integers(0, brain.shape[2:]).tolist()
        return noise.roll(shift, dims=(2, 3)) * brain

    def reconstruct(self, image, rng):
        """See `uad.models.method`; nothing is random, since no noise is added."""
        return self.by_parts(self.network, image)


def build(params, upstream=None):
    """See `uad.models.methods`."""
    return DAE(params)
