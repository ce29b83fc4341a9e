"""Memory bank: distance to the nearest healthy patch (after PatchCore, Roth et al. 2022).

A frozen encoder turns slices into feature maps of two of its stages, each averaged over 3 x 3
positions and brought to the finer one's size. The vectors at positions inside the brain of all
training slices are thinned to `entries`, each time by the one that is farthest from those already
chosen (a greedy coreset). The score of a position is the distance to the nearest of them, brought
to the size of the slice and blurred.

Differs from PatchCore: the encoder is the cDDPM's ResNet (`pretrained: spark`, or random weights),
not one of natural images; slices whose patches are candidates are drawn, not all; the nearest
distance is not weighted by the neighbourhood in the bank.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from uad.base.settings import Block, Positive, key
from uad.models import memory_bank, settings
from uad.models.method import Method
from uad.models.networks.encoder import Encoder

INFO = {
    "paper": "Roth et al. 2022, Towards Total Recall in Industrial Anomaly Detection",
    "code": "https://github.com/amazon-science/patchcore-inspection",
    "licence": "Apache-2.0",
}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.memory_bank`."""

    encoder: settings.Encoder = key("frozen; `pretrained: spark` names its weights")
    stages: list[Positive] = key(
        "of the encoder whose maps are used, from 1", min_length=1, max_length=4
    )
    slices: int = key("drawn from each training volume", unit="slices", ge=1)
    candidates: int = key("patches that the bank is chosen from, drawn", ge=1)
    entries: int = key("of the bank", ge=1)
    blur: float = key("SD of the Gaussian in each slice", unit="voxels", ge=0, test_time=True)


class MemoryBank(memory_bank.MemoryBank):
    """The bank of a ResNet's features."""

    def __init__(self, params):
        super().__init__(params, Encoder(**vars(params.encoder), features=None))

    def load_pretrained(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take the encoder of a SparK model."""
        prefix = "encoder."
        taken = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        self.network["encoder"].load_state_dict(taken)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Slices (B, 1, X, Y) -> (B, C, x, y), at the resolution of the first of the stages."""
        pyramid = self.network["encoder"].pyramid(x)
        maps = [
            F.avg_pool2d(pyramid[stage - 1].float(), 3, 1, 1, count_include_pad=False)
            for stage in self.params.stages
        ]
        size = maps[0].shape[-2:]
        return torch.cat([F.interpolate(m, size, mode="bilinear") for m in maps], dim=1)


def build(params: Params, upstream: Method | None = None) -> Method:
    """The method, its bank empty."""
    return MemoryBank(params)
