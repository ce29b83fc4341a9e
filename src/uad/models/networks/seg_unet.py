"""Segmentation U-Net of the supervised branch, adapted from Kascenas et al. (2022).

Weight-standardised 3x3 convolutions with reflection padding, SiLU, then group normalisation. In the
siamese form (SADM Sec. 3.1) the same encoder sees residual and input, and the decoder sees both
feature maps concatenated at every level, which doubles its widths.

Differs from the paper: App. B.1 speaks of three levels (64, 128, 256); the released code has four
(64, 128, 256, 512), the default here.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn


def norm_groups(channels: int) -> int:
    """The middle divisor of `channels`: 64 -> 8, 128 -> 16, 256 -> 16, 512 -> 32."""
    divisors = [d for d in range(1, channels + 1) if channels % d == 0]
    return divisors[len(divisors) // 2]


class StandardisedConv(nn.Conv2d):
    """3x3 convolution whose filters have zero mean and unit (unbiased) deviation."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__(c_in, c_out, 3, padding=1, padding_mode="reflect")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = self.weight  # (C_out, C_in, 3, 3)
        mean = w.mean(dim=(1, 2, 3), keepdim=True)  # (C_out, 1, 1, 1)
        std = w.std(dim=(1, 2, 3), keepdim=True) + 1e-5
        return self._conv_forward(x, (w - mean) / std, self.bias)


def double_conv(c_in: int, c_out: int) -> nn.Sequential:
    """Two units of convolution, SiLU, normalisation, in this order."""
    groups = norm_groups(c_out)
    return nn.Sequential(
        StandardisedConv(c_in, c_out),
        nn.SiLU(),
        nn.GroupNorm(groups, c_out),
        StandardisedConv(c_out, c_out),
        nn.SiLU(),
        nn.GroupNorm(groups, c_out),
    )


class SegUNet(nn.Module):
    """(B, 1, H, W) per branch -> logits (B, 1, H, W).

    Parameters
    ----------
    widths : sequence of int
        Channels per level; each further level halves the resolution.
    branches : int
        1: input only. 2: siamese, called with (residual, input).
    """

    def __init__(self, widths: Sequence[int], branches: int):
        super().__init__()
        self.branches = branches
        self.down = nn.ModuleList()
        c = 1
        for width in widths:
            self.down.append(double_conv(c, width))
            c = width
        self.upsample = nn.ModuleList()
        self.up = nn.ModuleList()
        c *= branches
        for width in reversed(widths[:-1]):
            width *= branches
            self.upsample.append(nn.ConvTranspose2d(c, width, 2, stride=2))
            self.up.append(double_conv(2 * width, width))
            c = width
        self.head = nn.Conv2d(c, 1, 1)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        if len(inputs) != self.branches:
            raise ValueError(f"SegUNet has {self.branches} branch(es), got {len(inputs)} input(s)")
        # One pass over all branches side by side in the batch: (branches B, 1, H, W).
        levels = self.encode(torch.cat(inputs))
        # Each level (branches B, C, h, w) -> one (B, C, h, w) per branch.
        return self.decode(*zip(*(level.chunk(self.branches) for level in levels)))

    def encode(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps of all levels, finest first."""
        levels = []
        for i, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if i else x)  # (B, widths[i], H / 2**i, W / 2**i)
            levels.append(x)
        return levels

    def decode(self, *branches: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits from each branch's feature maps, concatenated at every level in this order.

        Encoding the branches one by one gives the same result; at test time the input's features
        then serve all reconstructions.
        """
        # Per level (B, C, h, w) of each branch -> (B, branches C, h, w).
        levels = [torch.cat(level, dim=1) for level in zip(*branches)]
        h = levels.pop()
        for upsample, up in zip(self.upsample, self.up):
            # (B, c, h, w) -> (B, 2 C, 2 h, 2 w) with the level's maps -> (B, C, 2 h, 2 w)
            h = up(torch.cat([upsample(h), levels.pop()], dim=1))
        return self.head(h)  # (B, 1, H, W)
