"""VAE: autoencoder with a Gaussian latent vector (Baur et al. 2021; row VAE of Table 1).

As AE, but the encoder gives mean and logarithmic deviation of the latent vector, and their
divergence from the standard normal distribution is added to the loss. At test time the mean is
decoded.

Differs from the original: it adds the sums over pixels and dimensions and samples at test time too.
The paper weighs the divergence with 0.001 (App. B) and says nothing of sums or means; with means
(`kl_reduction: mean`) it is weak, as AE and VAE scoring alike in Table 1 suggests.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from uad.base.settings import Block, key
from uad.models.settings import Autoencoder

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

INFO = {
    "paper": "Baur et al. 2021",
    "code": "https://github.com/StefanDenn3r/Unsupervised_Anomaly_Detection_Brain_MRI",
    "licence": "GPL-3.0",
}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.vae`, and the shape of the slices."""

    autoencoder: Autoencoder = key("network", source="Baur et al.")
    dropout: float = key(
        "share of the latent values that are zeroed in training",
        source="Baur et al.",
        ge=0,
        lt=1,
    )
    kl_weight: float = key(
        "of the divergence from the standard normal distribution, beside the mean L1 error",
        source="App. B",
        ge=0,
    )
    kl_reduction: Literal["mean", "sum"] = key(
        "over the latent dimensions; with `sum` the divergence weighs `latent` times more; the "
        "paper does not say which",
        source="here",
    )
    slice_shape: list[int]  # (X, Y) in pixels: from the data, not from the configuration


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.vae.method import VAE

    return VAE(params)
