"""The method FAE, see its package."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from uad.models import median
from uad.models.method import Method
from uad.models.methods.fae.network import FeatureAutoencoder
from uad.models.networks.resnet import in_colour, resize, resnet18
from uad.models.ssim import structural_similarity

REDUCTION = 4  # image pixels per feature pixel


class FAE(Method):
    """Frozen feature extractor, and an autoencoder of its feature maps."""

    def __init__(self, params):
        super().__init__()
        self.params = params
        width = params.extractor.width
        adapt = params.extractor.batch_norm == "adapt"
        features = (1 + 1 + 2) * width  # stem and two stages
        self.network = nn.ModuleDict(
            {
                "extractor": resnet18(2, width, adapt),
                "autoencoder": FeatureAutoencoder(features, params.channels, params.dropout),
            }
        )

    def load_pretrained(self, weights: Mapping[str, torch.Tensor]) -> None:
        """ImageNet weights of torchvision's ResNet-18."""
        self.network["extractor"].load_published(weights)

    @torch.no_grad()
    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Slices (B, 1, H, W) in [0, 1] -> feature maps (B, 4 `width`, `size` / 4, `size` / 4)."""
        size = self.params.size
        # To [-1, 1], not by ImageNet's mean and SD, as the official code has it.
        maps = self.network["extractor"](in_colour(x, size, (0.5,) * 3, (0.5,) * 3))
        # (B, width, ...), (B, width, ...), (B, 2 width, ...), one size -> (B, 4 width, ...)
        return torch.cat([resize(m, (size // REDUCTION,) * 2) for m in maps], dim=1)

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Mean of the negative structural similarity, in [-1, 1]."""
        f = self.features(batch.image)
        autoencoder = self.network["autoencoder"]
        kept = autoencoder.draw_kept(rng, len(f), f.device) if autoencoder.training else None
        return -self.similarity(f, autoencoder(f, kept)).mean()

    def similarity(self, f: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """Structural similarity of feature maps (B, C, H, W), channel by channel.

        With a data range of 1, whatever that of the features is, as in the official code.
        """
        return structural_similarity(f, g, self.params.window, self.params.sigma)

    def anomaly_map(
        self, image: torch.Tensor, brain: np.ndarray, reconstruction: torch.Tensor | None = None
    ) -> np.ndarray:
        """One minus the mean similarity over the channels, in [0, 2], after a median filter."""

        def dissimilarity(x):
            f = self.features(x)  # (B, C, h, w)
            # (B, C, h, w) -> (B, 1, h, w)
            score = 1 - self.similarity(f, self.network["autoencoder"](f)).mean(dim=1, keepdim=True)
            return resize(score, x.shape[-2:])  # (B, 1, H, W)

        score = self.by_parts(dissimilarity, image)[0].cpu().numpy()  # (1, Z, X, Y) -> (Z, X, Y)
        return median.median_filter(score * brain, brain)
