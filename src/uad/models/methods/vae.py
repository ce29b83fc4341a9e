"""VAE: autoencoder with a Gaussian latent vector (Baur et al. 2021; row VAE of Table 1).

As AE, but the encoder gives mean and logarithmic deviation of the latent vector, and their
divergence from the standard normal distribution is added to the loss. At test time the mean is
decoded.

Differs from the original: it adds the sums over pixels and dimensions and samples at test time too.
The paper weighs the divergence with 0.001 (App. B) and says nothing of sums or means; with means
(`kl_reduction: mean`) it is weak, as AE and VAE scoring alike in Table 1 suggests.
"""

from dataclasses import dataclass

import numpy as np

from uad.base import devices
from uad.models.method import Method
from uad.models.networks.autoencoder import Autoencoder, dropout


@dataclass(frozen=True)
class Params:
    """Block `methods.vae`, and the shape of the slices."""

    autoencoder: dict
    dropout: float
    kl_weight: float
    kl_reduction: str
    slice_shape: list


class VAE(Method):
    """Variational autoencoder."""

    levels = 1

    def __init__(self, params):
        super().__init__()
        self.params = params
        self.network = Autoencoder(params.slice_shape, **params.autoencoder, heads=2)

    def loss(self, batch, rng):
        """Mean absolute error over all pixels, plus the weighted divergence.

        In training mean and log deviation are themselves subject to dropout, as in the original.
        """
        mean, log_sd = (h.float() for h in self.network.encode(batch.image))
        if self.network.training:
            mean, log_sd = (dropout(h, self.params.dropout, rng) for h in (mean, log_sd))
        eps = devices.send(rng.standard_normal(mean.shape, np.float32), mean.device)
        decoded = self.network.decode(mean + eps * log_sd.exp()).float()
        divergence = kl(mean, log_sd).mean(dim=0)  # over the batch; (latent,)
        penalty = divergence.sum() if self.params.kl_reduction == "sum" else divergence.mean()
        return (decoded - batch.image).abs().mean() + self.params.kl_weight * penalty

    def reconstruct(self, image, rng):
        """See `uad.models.method`; from the mean, so nothing is random."""
        return self.by_parts(self.network, image)


def kl(mean, log_sd):
    """Divergence of each N(mean, exp(log_sd)^2) from N(0, 1); all tensors of the same shape."""
    return (mean**2 + (2 * log_sd).exp() - 2 * log_sd - 1) / 2


def build(params, upstream=None):
    """See `uad.models.methods`."""
    return VAE(params)
