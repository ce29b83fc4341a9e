"""The method Unet, see its package."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from uad.models.method import Method
from uad.models.networks.seg_unet import SegUNet


class Unet(Method):
    """Single-branch segmentation network."""

    def __init__(self, params):
        super().__init__()
        self.network = SegUNet(params.widths, branches=1)

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Binary cross-entropy of the logits, mean over all pixels."""
        return F.binary_cross_entropy_with_logits(self.network(batch.image).float(), batch.lesion)

    def anomaly_map(
        self, image: torch.Tensor, brain: np.ndarray, reconstruction: torch.Tensor | None = None
    ) -> np.ndarray:
        """Lesion probability inside the brain."""
        found = self.by_parts(lambda x: torch.sigmoid(self.network(x).float()), image)
        return found[0].cpu().numpy() * brain  # (1, Z, X, Y) -> (Z, X, Y)
