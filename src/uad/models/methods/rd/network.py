"""Student of reverse distillation: one-class bottleneck and decoder (Deng & Li 2022, Sec. 3).

The mirror image of WideResNet-50-2: it sees the teacher's three feature maps condensed into one and
regenerates them from coarse to fine. The official code defines one more 1x1 convolution that it
never calls; it is left out.
"""

import torch
from torch import nn

from uad.models.networks.resnet import WideBottleneck, initialise

BLOCKS = (3, 4, 6)  # per map, coarse to fine


class UpBottleneck(WideBottleneck):
    """Wide bottleneck that doubles the size by 2x2 transposed convolutions."""

    def __init__(self, c_in: int, width: int):
        super().__init__(c_in, width)
        c_out = self.expansion * width
        self.conv2 = nn.ConvTranspose2d(2 * width, 2 * width, 2, stride=2, bias=False)
        # The shortcut, by the name that it has in every block.
        self.downsample = nn.Sequential(
            nn.ConvTranspose2d(c_in, c_out, 2, stride=2, bias=False), nn.BatchNorm2d(c_out)
        )


class OneClassBottleneck(nn.Module):
    """Maps of 1/4, 1/8 and 1/16 of the size -> one of 1/32 with 32 `width` channels."""

    def __init__(self, width: int):
        super().__init__()
        c = 16 * width  # of the coarsest map
        self.from_fine = nn.Sequential(halving(c // 4, c // 2), halving(c // 2, c))
        self.from_middle = halving(c // 2, c)
        self.blocks = nn.Sequential(
            WideBottleneck(3 * c, c // 2, stride=2),
            WideBottleneck(2 * c, c // 2),
            WideBottleneck(2 * c, c // 2),
        )
        initialise(self)

    def forward(
        self, fine: torch.Tensor, middle: torch.Tensor, coarse: torch.Tensor
    ) -> torch.Tensor:
        # All three (B, C, h, w), as the coarsest map.
        condensed = [self.from_fine(fine), self.from_middle(middle), coarse]
        return self.blocks(torch.cat(condensed, dim=1))  # (B, 3 C, h, w) -> (B, 2 C, h / 2, w / 2)


class Decoder(nn.Module):
    """One map of 1/32 of the size -> maps of 1/4, 1/8 and 1/16, in this order."""

    def __init__(self, width: int):
        super().__init__()
        self.stages = nn.ModuleList()
        c = 32 * width
        for n in BLOCKS:
            stage = nn.Sequential(UpBottleneck(c, c // 8))
            c //= 2
            stage.extend(WideBottleneck(c, c // 4) for _ in range(n - 1))
            self.stages.append(stage)
        initialise(self)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)  # (B, C, h, w) -> (B, C / 2, 2 h, 2 w)
            maps.append(x)
        return maps[::-1]


def halving(c_in: int, c_out: int) -> nn.Sequential:
    """3x3 convolution of stride 2, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(inplace=True),
    )
