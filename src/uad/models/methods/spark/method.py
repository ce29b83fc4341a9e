"""The method SparK, see its package."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from uad.base import devices
from uad.models.method import Method
from uad.models.methods.spark.network import SparK
from uad.models.networks.encoder import enlarge


class Pretraining(Method):
    """Encoder and decoder."""

    def __init__(self, params):
        super().__init__()
        self.mask_ratio = params.mask_ratio
        self.network = SparK(**vars(params.encoder), decoder_weights=params.decoder_weights)

    def draw_visible(self, rng: np.random.Generator, x: torch.Tensor) -> torch.Tensor:
        """Which patches of slices (B, 1, H, W) are seen, bool of shape (B, H / stride, W / stride).

        The same number in every slice, at least one, and never all.
        """
        n, _, height, width = x.shape
        rows, columns = (side // self.network.encoder.stride for side in (height, width))
        patches = rows * columns
        seen = min(max(round(patches * (1 - self.mask_ratio)), 1), patches - 1)
        ranks = rng.random((n, patches)).argsort(axis=1).argsort(axis=1)  # (B, patches)
        return devices.send((ranks < seen).reshape(n, rows, columns), x.device)

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Mean squared error over the hidden patches."""
        x, encoder = batch.image, self.network.encoder
        visible = self.draw_visible(rng, x)  # (B, h, w), patches
        kept = encoder.draw_kept(rng, len(x), x.device) if self.network.training else None
        hidden = ~enlarge(visible, x)[:, None]  # (B, 1, H, W)
        return F.mse_loss(self.network(x, visible, kept).float()[hidden], x[hidden])
