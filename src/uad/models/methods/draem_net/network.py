"""The two networks of DRAEM (Zavrtanik et al. 2021).

Both are built from 3x3 convolutions with batch normalisation and ReLU, halve the resolution by max
pooling and double it bilinearly.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn


def unit(c_in: int, c_out: int) -> list[nn.Module]:
    """Convolution, normalisation, activation."""
    return [nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)]


def double(c_in: int, c_between: int, c_out: int) -> nn.Sequential:
    """Two units."""
    return nn.Sequential(*unit(c_in, c_between), *unit(c_between, c_out))


def doubled(x: torch.Tensor) -> torch.Tensor:
    """Bilinear, corners on corners: (B, C, H, W) -> (B, C, 2 H, 2 W)."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def decoder_widths(widths: Sequence[int]) -> list[int]:
    """Channels per level of a decoder, coarse to fine: each as wide as the level after it."""
    return [*reversed(widths[:-2]), widths[0]]


def initialise(network: nn.Module) -> None:
    """Normally distributed weights, deviation 0.02, as in the original."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.02)


class Encoder(nn.ModuleList):
    """(B, `c_in`, H, W) -> feature maps of all levels, finest first.

    Parameters
    ----------
    c_in : int
    widths : sequence of int
        Channels per level; each further level halves the resolution.
    """

    def __init__(self, c_in: int, widths: Sequence[int]):
        super().__init__()
        for width in widths:
            self.append(double(c_in, width, width))
            c_in = width

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        levels = []
        for i, block in enumerate(self):
            x = block(F.max_pool2d(x, 2) if i else x)  # (B, widths[i], H / 2**i, W / 2**i)
            levels.append(x)
        return levels


class Reconstructive(nn.Module):
    """Slices (B, 1, H, W) to slices without anomalies; no skip connections."""

    def __init__(self, widths: Sequence[int]):
        super().__init__()
        self.down = Encoder(1, widths)
        self.up = nn.ModuleList()
        c = widths[-1]
        for width in decoder_widths(widths):
            self.up.append(nn.ModuleList([nn.Sequential(*unit(c, c)), double(c, c, width)]))
            c = width
        self.head = nn.Conv2d(c, 1, 3, padding=1)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.down(x)[-1]  # (B, C, h, w), the coarsest
        for first, others in self.up:
            h = others(first(doubled(h)))  # (B, width, 2 h, 2 w)
        return self.head(h)  # (B, 1, H, W)


class Discriminative(nn.Module):
    """U-Net from slice and reconstruction (B, 2, H, W) to two logits: normal, anomalous."""

    def __init__(self, widths: Sequence[int]):
        super().__init__()
        self.down = Encoder(2, widths)
        self.up = nn.ModuleList()
        c = widths[-1]
        for width, skip in zip(decoder_widths(widths), reversed(widths[:-1])):
            self.up.append(
                nn.ModuleList([nn.Sequential(*unit(c, width)), double(width + skip, width, width)])
            )
            c = width
        self.head = nn.Conv2d(c, 2, 3, padding=1)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        *skips, h = self.down(x)
        for (first, others), skip in zip(self.up, reversed(skips)):
            # (B, C, h, w) -> (B, width + C_skip, 2 h, 2 w) -> (B, width, 2 h, 2 w)
            h = others(torch.cat([first(doubled(h)), skip], dim=1))
        return self.head(h)  # (B, 2, H, W)
