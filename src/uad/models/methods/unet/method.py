"""The method Unet, see its package."""

from typing import Any

import numpy as np
import torch

from uad.models.networks.seg_unet import SegUNet
from uad.models.segmentation import Segmentation


class Unet(Segmentation):
    """Single-branch segmentation network."""

    def __init__(self, params):
        super().__init__()
        self.network = SegUNet(params.widths, branches=1)

    def logits(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Of the slices alone."""
        return self.network(batch.image)

    def anomaly_map(
        self, image: torch.Tensor, brain: np.ndarray, reconstruction: torch.Tensor | None = None
    ) -> np.ndarray:
        """Lesion probability inside the brain."""
        found = self.by_parts(lambda x: torch.sigmoid(self.network(x).float()), image)
        return found[0].cpu().numpy() * brain  # (1, Z, X, Y) -> (Z, X, Y)
