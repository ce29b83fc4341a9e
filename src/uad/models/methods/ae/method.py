"""The method AE, see its package."""

from typing import Any

import numpy as np
import torch

from uad.models.method import Method
from uad.models.networks.autoencoder import Autoencoder, dropout


class AE(Method):
    """Autoencoder."""

    levels = 1

    def __init__(self, params):
        super().__init__()
        self.params = params
        self.network = Autoencoder(params.slice_shape, **vars(params.autoencoder))

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Mean absolute error over all pixels; dropout of the latent vector in training."""
        (z,) = self.network.encode(batch.image)  # (B, 1, H, W) -> (B, latent)
        if self.network.training:
            z = dropout(z, self.params.dropout, rng)
        return (self.network.decode(z).float() - batch.image).abs().mean()

    def reconstruct(self, image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """See `uad.models.method`; nothing is random."""
        return self.by_parts(self.network, image)
