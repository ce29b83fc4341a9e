"""The method RD, see its package."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import nn

from uad.models import median
from uad.models.method import Method
from uad.models.methods.rd.network import Decoder, OneClassBottleneck
from uad.models.networks import resnet


class RD(Method):
    """Frozen teacher, and its student."""

    def __init__(self, params):
        super().__init__()
        self.params = params
        width = params.extractor.width
        self.network = nn.ModuleDict(
            {
                "teacher": resnet.wide_resnet50_2(3, width),
                "bottleneck": OneClassBottleneck(width),
                "decoder": Decoder(width),
            }
        )

    def load_pretrained(self, weights: Mapping[str, torch.Tensor]) -> None:
        """ImageNet weights of torchvision's WideResNet-50-2 (the first version)."""
        self.network["teacher"].load_published(weights)

    def maps(self, x: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Feature maps of teacher and student, two lists from fine to coarse.

        Slices (B, 1, H, W) in [0, 1] -> maps of 4, 8 and 16 `width` channels at 1/4, 1/8 and 1/16
        of `size`.
        """
        scale = (resnet.MEAN, resnet.SD)
        if not self.params.extractor.standardise:
            scale = ((0, 0, 0), (1, 1, 1))
        colour = resnet.in_colour(x, self.params.size, *scale)  # (B, 3, size, size)
        with torch.no_grad():
            _, *taught = self.network["teacher"](colour)  # without the stem
        return taught, self.network["decoder"](self.network["bottleneck"](*taught))

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """One minus the cosine of whole feature maps, mean over the slices, sum over the maps."""
        # Whole maps as vectors: (B, C, h, w) -> (B, C h w) -> cosines (B,).
        return sum(
            (1 - F.cosine_similarity(t.flatten(1).float(), s.flatten(1).float())).mean()
            for t, s in zip(*self.maps(batch.image))
        )

    def anomaly_map(
        self, image: torch.Tensor, brain: np.ndarray, reconstruction: torch.Tensor | None = None
    ) -> np.ndarray:
        """One minus the cosine at each location, summed over the maps, in [0, 3].

        Blurred within each slice, then median-filtered.
        """

        def distance(x):
            return sum(  # (B, 1, H, W)
                resnet.resize(1 - F.cosine_similarity(t.float(), s.float())[:, None], x.shape[-2:])
                for t, s in zip(*self.maps(x))
            )

        score = self.by_parts(distance, image)[0].cpu().numpy()  # (1, Z, X, Y) -> (Z, X, Y)
        score = ndimage.gaussian_filter(score, (0, self.params.blur, self.params.blur))
        return median.median_filter(score * brain, brain)
