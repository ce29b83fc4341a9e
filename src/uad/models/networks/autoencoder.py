"""Convolutional autoencoder with a dense bottleneck (Baur et al. 2021), for AE and VAE.

Strided 5x5 convolutions, a 1x1 convolution to an eighth of the channels, dense layers to the latent
vector and back, and the mirrored decoder. Without normalisation, as in the published results.

Differs from the original: it halves slices of 128 pixels four times, to 8x8; those of this workflow
have 96 and are halved three times, to 12x12. Padding is symmetric.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn


class Autoencoder(nn.Module):
    """(B, 1, H, W) -> (B, 1, H, W) through a vector of length `latent`.

    Parameters
    ----------
    slice_shape : sequence of int
        (H, W), multiples of 2^`halvings`; the dense layers depend on it.
    channels : sequence of int
        Fewest and most; doubled from level to level on the way down, halved on the way up.
    halvings : int
        Levels; each halves the resolution.
    latent : int
    slope : float
        Of the leaky ReLU below zero.
    heads : int
        Latent vectors that `encode` returns; 2 for the mean and log deviation of a VAE.
    """

    def __init__(
        self,
        slice_shape: Sequence[int],
        channels: Sequence[int],
        halvings: int,
        latent: int,
        slope: float,
        heads: int = 1,
    ):
        super().__init__()
        fewest, most = channels
        down = [min(most, fewest * 2**i) for i in range(halvings)]
        up = [max(fewest, most // 2**i) for i in range(halvings)]
        bottom = down[-1]
        grid = (bottom // 8, *(n // 2**halvings for n in slice_shape))  # of the bottleneck

        layers, c = [], 1
        for width in down:
            layers += [nn.Conv2d(c, width, 5, stride=2, padding=2), nn.LeakyReLU(slope)]
            c = width
        self.down = nn.Sequential(*layers, nn.Conv2d(c, grid[0], 1), nn.Flatten())
        self.heads = nn.ModuleList(nn.Linear(math.prod(grid), latent) for _ in range(heads))

        self.from_latent = nn.Sequential(nn.Linear(latent, math.prod(grid)), nn.Unflatten(1, grid))
        layers, c = [nn.Conv2d(grid[0], bottom, 1), nn.ReLU()], bottom
        for width in up:
            layers += [
                nn.ConvTranspose2d(c, width, 5, stride=2, padding=2, output_padding=1),
                nn.LeakyReLU(slope),
            ]
            c = width
        self.up = nn.Sequential(*layers, nn.Conv2d(c, 1, 1))

    def encode(self, x: torch.Tensor) -> list[torch.Tensor]:
        """One (B, `latent`) per head, as a list."""
        h = self.down(x)  # (B, 1, H, W) -> (B, c h w), the grid of the bottleneck
        return [head(h) for head in self.heads]

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """(B, `latent`) -> (B, 1, H, W)."""
        return self.up(self.from_latent(z))  # by way of (B, c, h, w)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The reconstruction from the first head: of a VAE that from the mean."""
        return self.decode(self.encode(x)[0])


def dropout(z: torch.Tensor, rate: float, rng: np.random.Generator) -> torch.Tensor:
    """Zero a share `rate` of the values and scale up the others; the mask is drawn from `rng`."""
    kept = (rng.random(z.shape) >= rate).astype(np.float32) / (1 - rate)
    return z * torch.from_numpy(kept).to(z)
