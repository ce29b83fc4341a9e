"""The method VAE, see its package."""

from typing import Any

import numpy as np
import torch

from uad.base import devices
from uad.models.method import Method
from uad.models.networks.autoencoder import Autoencoder, dropout


class VAE(Method):
    """Variational autoencoder."""

    levels = 1

    def __init__(self, params):
        super().__init__()
        self.params = params
        self.network = Autoencoder(params.slice_shape, **vars(params.autoencoder), heads=2)

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Mean absolute error over all pixels, plus the weighted divergence.

        In training mean and log deviation are themselves subject to dropout, as in the original.
        """
        # Both (B, latent).
        mean, log_sd = (h.float() for h in self.network.encode(batch.image))
        if self.network.training:
            mean, log_sd = (dropout(h, self.params.dropout, rng) for h in (mean, log_sd))
        eps = devices.send(rng.standard_normal(mean.shape, np.float32), mean.device)
        decoded = self.network.decode(mean + eps * log_sd.exp()).float()  # (B, 1, H, W)
        divergence = kl(mean, log_sd).mean(dim=0)  # over the batch; (latent,)
        penalty = divergence.sum() if self.params.kl_reduction == "sum" else divergence.mean()
        return (decoded - batch.image).abs().mean() + self.params.kl_weight * penalty

    def reconstruct(self, image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """See `uad.models.method`; from the mean, so nothing is random."""
        return self.by_parts(self.network, image)


def kl(mean: torch.Tensor, log_sd: torch.Tensor) -> torch.Tensor:
    """Divergence of each N(mean, exp(log_sd)^2) from N(0, 1); all tensors of the same shape."""
    return (mean**2 + (2 * log_sd).exp() - 2 * log_sd - 1) / 2
