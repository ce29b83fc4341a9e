"""Frozen feature extractors: the first stages of ResNet-18 and of WideResNet-50-2.

He et al. (2016) and Zagoruyko & Komodakis (2016), with the names and shapes of torchvision's state
dicts, so that its ImageNet weights load by their own keys. Only the stages that are used are built.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

# ImageNet, red, green, blue.
MEAN = (0.485, 0.456, 0.406)
SD = (0.229, 0.224, 0.225)
STAGES = 4  # of the complete networks


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, the first with the stride, and a residual connection."""

    expansion = 1  # channels behind the block per `width`

    def __init__(self, c_in: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(c_in, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.relu(self.bn1(self.conv1(x)))  # (B, width, H / stride, W / stride)
        h = self.bn2(self.conv2(h))
        return self.relu(h + (x if self.downsample is None else self.downsample(x)))


class WideBottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1 with a residual connection: 2, 2 and 4 `width` channels.

    WideResNet-50-2 has 3x3 convolutions of twice ResNet-50's width. The cDDPM's encoder has
    bottlenecks of its own, which stochastic depth can drop.
    """

    expansion = 4

    def __init__(self, c_in: int, width: int, stride: int = 1):
        super().__init__()
        c_out = self.expansion * width
        self.conv1 = nn.Conv2d(c_in, 2 * width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(2 * width)
        self.conv2 = nn.Conv2d(2 * width, 2 * width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.conv3 = nn.Conv2d(2 * width, c_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(c_in, c_out, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.relu(self.bn1(self.conv1(x)))  # (B, 2 width, H, W)
        h = self.relu(self.bn2(self.conv2(h)))  # (B, 2 width, H / stride, W / stride)
        h = self.bn3(self.conv3(h))  # (B, 4 width, H / stride, W / stride)
        return self.relu(h + (x if self.downsample is None else self.downsample(x)))


def shortcut(c_in: int, c_out: int, stride: int) -> nn.Sequential | None:
    """1x1 convolution where a block changes size or channels, else None."""
    if stride == 1 and c_in == c_out:
        return None
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False), nn.BatchNorm2d(c_out)
    )


class ResNet(nn.Module):
    """(B, 3, H, W) -> feature maps of the stem (1/4 of the size) and of each stage, as a list.

    Parameters
    ----------
    block : type
        `BasicBlock` or `WideBottleneck`.
    blocks : sequence of int
        Blocks per stage; each stage but the first halves the size.
    width : int
        Channels of the stem; 64 in the published networks.
    adapt : bool
        Whether its batch normalisations follow the training mode, so that they use and track the
        batch's statistics. The parameters are frozen in any case.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[WideBottleneck],
        blocks: Sequence[int],
        width: int,
        adapt: bool = False,
    ):
        super().__init__()
        self.adapt = adapt
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages = len(blocks)
        c = width
        for stage, n in enumerate(blocks):
            layer = nn.Sequential()
            for i in range(n):
                stride = 2 if stage > 0 and i == 0 else 1
                layer.append(block(c, width * 2**stage, stride))
                c = block.expansion * width * 2**stage
            self.add_module(f"layer{stage + 1}", layer)
        initialise(self)
        self.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> "ResNet":
        """Without `adapt` it stays in evaluation mode whatever is around it."""
        return super().train(mode and self.adapt)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        # The stem: (B, 3, H, W) -> (B, width, H / 4, W / 4).
        maps = [self.maxpool(self.relu(self.bn1(self.conv1(x))))]
        for stage in range(self.stages):
            # (B, C_i, H / 2**(i + 2), W / 2**(i + 2)) of stage i
            maps.append(self.get_submodule(f"layer{stage + 1}")(maps[-1]))
        return maps

    def load_published(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take a state dict of the complete network; stages that are not built are passed over.

        Raises
        ------
        RuntimeError
            If anything is missing, too much or of another shape in the stages that are built.
        """
        unused = ("fc.", *(f"layer{k}." for k in range(self.stages + 1, STAGES + 1)))
        # A plain dict: files from before batches were counted lack `num_batches_tracked`, which
        # PyTorch forgives only without the version that an OrderedDict of weights carries.
        self.load_state_dict({k: v for k, v in weights.items() if not k.startswith(unused)})


def resnet18(stages: int, width: int = 64, adapt: bool = False) -> ResNet:
    """The first stages of ResNet-18: `width`, `width`, 2 `width`, ... channels."""
    return ResNet(BasicBlock, (2, 2, 2, 2)[:stages], width, adapt)


def wide_resnet50_2(stages: int, width: int = 64, adapt: bool = False) -> ResNet:
    """The first stages of WideResNet-50-2: `width`, 4 `width`, 8 `width`, ... channels."""
    return ResNet(WideBottleneck, (3, 4, 6, 3)[:stages], width, adapt)


def initialise(network: nn.Module) -> None:
    """Kaiming-normal convolutions, as torchvision; transposed ones keep PyTorch's default."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def in_colour(
    x: torch.Tensor, size: int, mean: Sequence[float], sd: Sequence[float]
) -> torch.Tensor:
    """Grey slices as input of an ImageNet network: resized, repeated, standardised per colour.

    Parameters
    ----------
    x : Tensor, shape (B, 1, H, W)
    size : int
        Pixels.
    mean, sd : sequence of three floats

    Returns
    -------
    Tensor, shape (B, 3, `size`, `size`)
    """
    if x.shape[1] != 1:
        raise RuntimeError(f"slices have {x.shape[1]} channels, expected 1")
    mean, sd = (x.new_tensor(values)[:, None, None] for values in (mean, sd))  # (3, 1, 1)
    return (resize(x, (size, size)) - mean) / sd  # (B, 1, size, size) -> (B, 3, size, size)


def resize(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear, corner pixels on corner pixels: (B, C, H, W) -> (B, C, *`size`)."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)
