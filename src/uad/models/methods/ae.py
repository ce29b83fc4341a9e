"""AE: autoencoder with a dense bottleneck (Baur et al. 2021; row AE of Table 1).

Healthy slices are pressed through a short vector; what it cannot carry, lesions among it, shows in
the residual.

Differs from the original: the loss is the mean over pixels and not their sum (the reduction of the
only autoencoder loss in the authors' code), and the residual is that of all reconstructions instead
of the bright side of the difference, which suits FLAIR. The authors released no code of this
method; the paper gives a learning rate of 1e-4 and a latent vector of 128 (App. B).
"""

from dataclasses import dataclass

from uad.models.method import Method
from uad.models.networks.autoencoder import Autoencoder, dropout


@dataclass(frozen=True)
class Params:
    """Block `methods.ae`, and the shape of the slices."""

    autoencoder: dict
    dropout: float
    slice_shape: list


class AE(Method):
    """Autoencoder."""

    levels = 1

    def __init__(self, params):
        super().__init__()
        self.params = params
        self.network = Autoencoder(params.slice_shape, **params.autoencoder)

    def loss(self, batch, rng):
        """Mean absolute error over all pixels; dropout of the latent vector in training."""
        (z,) = self.network.encode(batch.image)
        if self.network.training:
            z = dropout(z, self.params.dropout, rng)
        return (self.network.decode(z).float() - batch.image).abs().mean()

    def reconstruct(self, image, rng):
        """See `uad.models.method`; nothing is random."""
        return self.by_parts(self.network, image)


def build(params, upstream=None):
    """See `uad.models.methods`."""
    return AE(params)
