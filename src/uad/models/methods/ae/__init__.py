"""AE: autoencoder with a dense bottleneck (Baur et al. 2021; row AE of Table 1).

Healthy slices are pressed through a short vector; what it cannot carry, lesions among it, shows in
the residual.

Differs from the original: the loss is the mean over pixels and not their sum (the reduction of the
only autoencoder loss in the authors' code), and the residual is that of all reconstructions instead
of the bright side of the difference, which suits FLAIR. The authors released no code of this
method; the paper gives a learning rate of 1e-4 and a latent vector of 128 (App. B).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    """Block `methods.ae`, and the shape of the slices."""

    autoencoder: Autoencoder = key("network", source="Baur et al.")
    dropout: float = key(
        "share of the latent values that are zeroed in training",
        source="Baur et al.",
        ge=0,
        lt=1,
    )
    slice_shape: list[int]  # (X, Y) in pixels: from the data, not from the configuration


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.ae.method import AE

    return AE(params)
