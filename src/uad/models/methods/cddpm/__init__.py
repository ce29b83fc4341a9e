"""cDDPM: a diffusion model guided by features of the input (Behrendt et al. 2023b).

Stage I of SADM (Sec. 3.1). A slice is noised once and predicted clean in one call of a U-Net that
also sees a feature vector of the clean slice; encoder and U-Net are trained together on healthy
slices with an L1 loss (eq. 1). At test time the reconstructions from several noise levels are
averaged and compared with the input by structural similarity. Noising, loss and reconstruction are
those of `ddpm`.

Differs from the paper: App. B names two learning rates (1e-4 in B.1, 1e-5 in B.2); 1e-4 is used, as
in every released configuration.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uad.base.settings import key
from uad.models.methods import ddpm
from uad.models.settings import ConditionEncoder

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

INFO = {
    "paper": (
        "Behrendt et al. 2023b, Guided Reconstruction with Conditioned Diffusion Models "
        "for Unsupervised Anomaly Detection in Brain MRIs"
    ),
    "code": "released by the authors",
    "licence": "none stated",
}


@dataclass(frozen=True)
class Params(ddpm.Params):
    """Block `methods.cddpm`."""

    encoder: ConditionEncoder = key("gives the condition; a ResNet-50")


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from torch import nn

    from uad.models.methods.cddpm.method import CDDPM
    from uad.models.networks import encoder, unet

    networks = {
        "unet": unet.UNet(**vars(params.unet), condition=params.encoder.features),
        "encoder": encoder.Encoder(**vars(params.encoder)),
    }
    return CDDPM(params, nn.ModuleDict(networks))
