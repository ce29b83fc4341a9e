"""ResNet encoder that condenses a slice into the conditioning vector of the cDDPM.

The bottleneck ResNet of He et al. (2016) with the stride in the 3x3 convolution ("v1.5"), one input
channel and stochastic depth that grows linearly over the blocks. Parameter names follow
torchvision's, so that pretrained state dicts map one to one.

For SparK it can be run as a sparse network: with a map of visible patches, every activation is zero
elsewhere. A normalisation follows every convolution, so it is enough that normalisations see
visible positions only.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from uad.base import devices

EXPANSION = 4


def enlarge(visible: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Repeat the entries of a map (B, h, w) so that it covers `x`, (B, C, H, W): (B, H, W)."""
    return visible.repeat_interleave(x.shape[2] // visible.shape[1], 1).repeat_interleave(
        x.shape[3] // visible.shape[2], 2
    )


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that can keep to visible positions."""

    def forward(self, x: torch.Tensor, visible: torch.Tensor | None = None) -> torch.Tensor:
        """With `visible`, bool of shape (B, h, w), statistics are taken there; zero elsewhere."""
        if visible is None:
            return super().forward(x)
        visible = enlarge(visible, x)  # (B, H, W)
        seen = super().forward(x.permute(0, 2, 3, 1)[visible][:, :, None, None])  # (N, C, 1, 1)
        n, c, h, w = x.shape
        out = torch.zeros(n, h, w, c, dtype=seen.dtype, device=x.device)  # (B, H, W, C)
        out[visible] = seen[:, :, 0, 0]
        return out.permute(0, 3, 1, 2)  # (B, C, H, W)


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1 with a residual connection that is dropped per sample."""

    def __init__(self, c_in: int, width: int, stride: int, drop_path: float):
        super().__init__()
        c_out = EXPANSION * width
        self.drop_path = drop_path
        self.conv1 = nn.Conv2d(c_in, width, 1, bias=False)
        self.bn1 = BatchNorm(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = BatchNorm(width)
        self.conv3 = nn.Conv2d(width, c_out, 1, bias=False)
        self.bn3 = BatchNorm(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False), BatchNorm(c_out)
            )

    def forward(
        self, x: torch.Tensor, kept: torch.Tensor | None = None, visible: torch.Tensor | None = None
    ) -> torch.Tensor:
        # (B, C_in, H, W) -> (B, 4 width, H / stride, W / stride)
        h = self.relu(self.bn1(self.conv1(x), visible))  # (B, width, H, W)
        h = self.relu(self.bn2(self.conv2(h), visible))  # (B, width, H / stride, W / stride)
        h = self.bn3(self.conv3(h), visible)  # (B, 4 width, H / stride, W / stride)
        if kept is not None:
            h = h * (kept[:, None, None, None] / (1 - self.drop_path))  # (B,) -> (B, 1, 1, 1)
        shortcut = x
        if self.downsample is not None:
            conv, bn = self.downsample
            shortcut = bn(conv(x), visible)
        return self.relu(h + shortcut)


class Encoder(nn.Module):
    """ResNet: (B, 1, H, W) in [0, 1] -> (B, `features`).

    Parameters
    ----------
    width : int
        Channels of the stem; 64 in ResNet-50.
    blocks : sequence of int
        Bottlenecks per stage; (3, 4, 6, 3) in ResNet-50.
    features : int or None
        Length of the output vector; None for a network without a head, of which only `pyramid` is
        used.
    drop_path : float
        Drop probability of the last block; earlier blocks get a linear share.

    Attributes
    ----------
    widths : list of int
        Channels of the stages' outputs.
    stride : int
        By which the last stage's output is smaller than the slice; 32 in ResNet-50.
    """

    def __init__(self, width: int, blocks: Sequence[int], features: int | None, drop_path: float):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = BatchNorm(width)
        self.relu = nn.ReLU(inplace=True)
        self.widths = [EXPANSION * width * 2**stage for stage in range(len(blocks))]
        self.stride = 2 ** (len(blocks) + 1)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        rates = iter(torch.linspace(0, drop_path, sum(blocks)).tolist())
        c = width
        for stage, n in enumerate(blocks):
            layer = nn.ModuleList()
            for i in range(n):
                stride = 2 if stage > 0 and i == 0 else 1
                layer.append(Bottleneck(c, width * 2**stage, stride, next(rates)))
                c = self.widths[stage]
            self.add_module(f"layer{stage + 1}", layer)
        self.fc = None if features is None else nn.Linear(c, features)
        self._initialise()

    def _initialise(self):
        """Kaiming-normal convolutions; the last normalisation of each block starts at zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)

    @property
    def stages(self) -> list[nn.ModuleList]:
        """Lists of residual blocks."""
        return [getattr(self, f"layer{stage + 1}") for stage in range(len(self.widths))]

    @property
    def bottlenecks(self) -> list[Bottleneck]:
        """All residual blocks in order."""
        return [block for stage in self.stages for block in stage]

    def draw_kept(
        self, rng: np.random.Generator, n: int, device: torch.device | str
    ) -> torch.Tensor:
        """Which samples keep which block: stochastic depth, 0 or 1 per (block, sample)."""
        rates = np.array([block.drop_path for block in self.bottlenecks])
        kept = rng.random((len(rates), n)) >= rates[:, None]  # (blocks, n)
        return devices.send(kept.astype(np.float32), device)

    def pyramid(
        self, x: torch.Tensor, kept: torch.Tensor | None = None, visible: torch.Tensor | None = None
    ) -> list[torch.Tensor]:
        """The outputs of all stages, from fine to coarse.

        Parameters
        ----------
        x : Tensor, shape (B, 1, H, W)
            Zero where it is not visible.
        kept : Tensor, optional
            From `draw_kept` in training; None keeps every block.
        visible : Tensor of bool, shape (B, H / stride, W / stride), optional
            Patches that are seen; None sees all.

        Returns
        -------
        list of Tensor, shapes (B, widths[i], H / 2**(i + 2), W / 2**(i + 2))
        """
        h = self.maxpool(self.relu(self.bn1(self.conv1(x), visible)))  # (B, width, H / 4, W / 4)
        if visible is not None:
            h = h * enlarge(visible, h)[:, None]  # (B, H / 4, W / 4) -> (B, 1, H / 4, W / 4)
        kept = iter([None] * len(self.bottlenecks) if kept is None else kept)
        outputs = []
        for stage in self.stages:
            for block in stage:
                h = block(h, next(kept), visible)
            outputs.append(h)  # (B, widths[i], H / 2**(i + 2), W / 2**(i + 2))
        return outputs

    def forward(self, x: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
        """The conditioning vector; `kept` as for `pyramid`."""
        # Mean over positions: (B, C, h, w) -> (B, C) -> (B, features).
        return self.fc(self.pyramid(x, kept)[-1].mean(dim=(2, 3)))
