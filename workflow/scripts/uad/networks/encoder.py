"""ResNet encoder that condenses a slice into the conditioning vector of the cDDPM.

The bottleneck ResNet of He et al. (2016) with the stride in the 3x3 convolution ("v1.5"), one input
channel, trained from scratch, and stochastic depth that grows linearly over the blocks. Parameter
names follow torchvision's, so that pretrained state dicts map one to one.
"""

import numpy as np
import torch
from torch import nn

EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1 with a residual connection that is dropped per sample."""

    def __init__(self, c_in, width, stride, drop_path):
        super().__init__()
        c_out = EXPANSION * width
        self.drop_path = drop_path
        self.conv1 = nn.Conv2d(c_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, c_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False), nn.BatchNorm2d(c_out)
            )

    def forward(self, x, kept=None):
        h = self.relu(self.bn1(self.conv1(x)))
        h = self.relu(self.bn2(self.conv2(h)))
        h = self.bn3(self.conv3(h))
        if kept is not None:
            h = h * (kept[:, None, None, None] / (1 - self.drop_path))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(h + shortcut)


class Encoder(nn.Module):
    """ResNet: (B, 1, H, W) in [0, 1] -> (B, `features`).

    Parameters
    ----------
    width : int
        Channels of the stem; 64 in ResNet-50.
    blocks : sequence of int
        Bottlenecks per stage; (3, 4, 6, 3) in ResNet-50.
    features : int
        Length of the output vector.
    drop_path : float
        Drop probability of the last block; earlier blocks get a linear share.
    """

    def __init__(self, width, blocks, features, drop_path):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        rates = iter(torch.linspace(0, drop_path, sum(blocks)).tolist())
        c = width
        for stage, n in enumerate(blocks):
            layer = nn.ModuleList()
            for i in range(n):
                stride = 2 if stage > 0 and i == 0 else 1
                layer.append(Bottleneck(c, width * 2**stage, stride, next(rates)))
                c = EXPANSION * width * 2**stage
            self.add_module(f"layer{stage + 1}", layer)
        self.fc = nn.Linear(c, features)
        self._initialise()

    def _initialise(self):
        """Kaiming-normal convolutions; the last normalisation of each block starts at zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)

    @property
    def bottlenecks(self):
        """All residual blocks in order."""
        return [module for module in self.modules() if isinstance(module, Bottleneck)]

    def draw_kept(self, rng, n, device):
        """Which samples keep which block: stochastic depth, 0 or 1 per (block, sample)."""
        rates = np.array([block.drop_path for block in self.bottlenecks])
        kept = rng.random((len(rates), n)) >= rates[:, None]
        return torch.from_numpy(kept.astype(np.float32)).to(device)

    def forward(self, x, kept=None):
        """`kept` from `draw_kept` in training; None keeps every block."""
        h = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for i, block in enumerate(self.bottlenecks):
            h = block(h, None if kept is None else kept[i])
        return self.fc(h.mean(dim=(2, 3)))
