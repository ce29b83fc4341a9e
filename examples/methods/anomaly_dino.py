"""Memory bank of DINOv2 features (after AnomalyDINO, Damm et al. 2024).

A vision transformer trained on natural images without labels (DINOv2, Oquab et al. 2023), frozen,
turns a slice into one vector per patch. Vectors of patches inside the brain of healthy slices are
the bank; the score of a patch is its cosine distance to the nearest of them, brought to the size of
the slice and blurred. Schulthess and Konukoglu (2025, arXiv:2509.19997) evaluate such banks on
medical images, brain MRI among them.

Differs from AnomalyDINO: the bank is a greedy coreset of patches drawn from many slices, where the
paper keeps all patches of a few images; patches are chosen by the brain mask, not by a principal
component of their features; reference slices are not rotated; slices are stretched to whole
patches, not cropped; positions are interpolated as in timm, whose result is not quite DINOv2's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from uad.base.settings import Block, Positive, key
from uad.models import memory_bank
from uad.models.method import Method
from uad.models.networks.resnet import MEAN, SD
from uad.models.networks.vit import VisionTransformer

INFO = {
    "paper": (
        "Damm et al. 2024, AnomalyDINO: Boosting Patch-based Few-shot Anomaly Detection with "
        "DINOv2 (arXiv:2405.14529)"
    ),
    "code": "https://github.com/dammsi/AnomalyDINO",
    "licence": "none stated; nothing of it is used. Weights of DINOv2: Apache-2.0",
}


@dataclass(frozen=True)
class Transformer(Block):
    """Arguments of `uad.models.networks.vit.VisionTransformer`."""

    width: Positive = key("of a token", source="DINOv2, ViT-S")
    depth: Positive = key("blocks", source="DINOv2, ViT-S")
    heads: Positive = key("of the attention; divides the width", source="DINOv2, ViT-S")
    patch: Positive = key("side of a patch", unit="pixels", source="DINOv2")
    grid: Positive = key("patches along a side of the training images", source="DINOv2")


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.anomaly_dino`."""

    transformer: Transformer = key("frozen; `pretrained` names its weights")
    size: int = key(
        "shorter side of a slice as the transformer sees it; rounded to whole patches",
        unit="pixels", source="AnomalyDINO", ge=1,
    )  # fmt: skip
    slices: int = key("drawn from each training volume", unit="slices", source="here", ge=1)
    candidates: int = key("patches that the bank is chosen from, drawn", source="here", ge=1)
    entries: int = key("of the bank", source="here", ge=1)
    blur: float = key(
        "SD of the Gaussian in each slice", unit="voxels", source="here", ge=0, test_time=True
    )


class AnomalyDino(memory_bank.MemoryBank):
    """The bank of a vision transformer's features."""

    def __init__(self, params):
        super().__init__(params, VisionTransformer(**vars(params.transformer)))

    def load_pretrained(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take DINOv2's weights."""
        self.network["encoder"].load_published(weights)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Slices (B, 1, X, Y) -> vectors of length 1 / sqrt(2), (B, C, x, y).

        The squared distance of two of these is the cosine distance of the vectors.
        """
        patch = self.params.transformer.patch
        scale = self.params.size / min(x.shape[-2:])
        size = [max(round(n * scale / patch), 1) * patch for n in x.shape[-2:]]
        x = F.interpolate(x, size, mode="bicubic", antialias=True).expand(-1, 3, -1, -1)
        mean, sd = (x.new_tensor(of)[:, None, None] for of in (MEAN, SD))
        return F.normalize(self.network["encoder"]((x - mean) / sd).float(), dim=1) / 2**0.5

    def score(self, distance: torch.Tensor) -> torch.Tensor:
        """Cosine distance."""
        return distance.square()


def build(params: Params, upstream: Method | None = None) -> Method:
    """The method, its bank empty."""
    return AnomalyDino(params)
