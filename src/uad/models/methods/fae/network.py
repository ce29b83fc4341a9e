"""Convolutional autoencoder of feature maps (Meissen et al. 2022, official code)."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from uad.base import devices


class FeatureAutoencoder(nn.Module):
    """(B, `features`, H, W) -> the same; H and W are multiples of 2 ** len(`channels`).

    5x5 convolutions of stride 2, each with batch normalisation, leaky ReLU and dropout of whole
    channels; a 5x5 convolution at the smallest size; 6x6 transposed convolutions back, and a 1x1
    convolution at the end. Nothing has a bias.

    Parameters
    ----------
    features : int
    channels : sequence of int
        Per level.
    dropout : float
        Share of channels that are set to zero in training.
    """

    def __init__(self, features: int, channels: Sequence[int], dropout: float):
        super().__init__()
        self.dropout = dropout
        widths = [features, *channels]
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(
            unit(nn.Conv2d(c_in, c_out, 5, stride=2, padding=2, bias=False))
            for c_in, c_out in pairs
        )
        self.middle = nn.Conv2d(widths[-1], widths[-1], 5, padding=2, bias=False)
        self.up = nn.ModuleList(
            unit(nn.ConvTranspose2d(c_in, c_out, 6, stride=2, padding=2, bias=False))
            for c_out, c_in in reversed(pairs)
        )
        self.head = nn.Conv2d(features, features, 1, bias=False)

    def draw_kept(
        self, rng: np.random.Generator, n: int, device: torch.device | str
    ) -> list[torch.Tensor]:
        """Dropout: for each unit factors (n, C, 1, 1), 0 or 1 / (1 - `dropout`)."""
        kept = []
        for layer in [*self.down, *self.up]:
            draw = rng.random((n, layer[0].out_channels, 1, 1)) >= self.dropout
            kept.append(devices.send((draw / (1 - self.dropout)).astype(np.float32), device))
        return kept

    def forward(self, x: torch.Tensor, kept: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
        """`kept` from `draw_kept` in training; None keeps every channel."""
        kept = iter(kept or [1.0] * (len(self.down) + len(self.up)))
        for layer in self.down:
            x = layer(x) * next(kept)  # (B, C, h, w) -> (B, C_next, h / 2, w / 2)
        x = self.middle(x)
        for layer in self.up:
            x = layer(x) * next(kept)  # (B, C, h, w) -> (B, C_next, 2 h, 2 w)
        return self.head(x)  # (B, features, H, W)


def unit(conv: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """A convolution with what follows it."""
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.LeakyReLU(0.01))
