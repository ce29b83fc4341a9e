"""Wide residual encoder and decoder of PII (Tan et al. 2021), one block per stage, no biases.

Blocks normalise and activate before each convolution. The decoder mirrors the encoder down to one
channel; there are no skip connections between the two.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """Two 3x3 convolutions with a residual connection.

    Parameters
    ----------
    c_in, c_out : int
    scale : float
        0.5 halves the resolution, at the first convolution; 2 doubles it, before the second.
    """

    def __init__(self, c_in: int, c_out: int, scale: float):
        super().__init__()
        stride = 2 if scale == 0.5 else 1
        self.up = nn.Upsample(scale_factor=2) if scale == 2 else nn.Identity()
        self.stride = stride
        self.norm1 = nn.BatchNorm2d(c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.shortcut = None
        if c_in != c_out:
            self.shortcut = nn.Conv2d(c_in, c_out, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # (B, C_in, H, W) -> (B, C_out, scale H, scale W)
        active = F.relu(self.norm1(x))
        h = self.up(self.conv1(active))
        h = self.conv2(F.relu(self.norm2(h)))
        if self.shortcut is not None:
            # Not a convolution with a stride: for 1x1 ones with few channels its gradient overruns
            # its memory on some CPUs (torch 2.13, channels last).
            x = self.shortcut(active[:, :, :: self.stride, :: self.stride])
        elif self.stride == 2:
            x = F.avg_pool2d(x, 2)
        return h + self.up(x)


class WideResNet(nn.Module):
    """(B, 1, H, W) -> logits (B, 1, H, W).

    Parameters
    ----------
    stem : int
        Channels of the first convolution; 16 in the original.
    widths : sequence of int
        Channels per stage, each but the first at half the resolution of the one before; 64, 128,
        256, 256, 256 in the original.
    """

    def __init__(self, stem: int, widths: Sequence[int]):
        super().__init__()
        layers = [nn.Conv2d(1, stem, 3, padding=1, bias=False)]
        c = stem
        for i, width in enumerate(widths):
            layers.append(Block(c, width, scale=0.5 if i else 1))
            c = width
        for width in reversed([1, stem, *widths][: len(widths) - 1]):
            layers.append(Block(c, width, scale=2))
            c = width
        self.layers = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)
