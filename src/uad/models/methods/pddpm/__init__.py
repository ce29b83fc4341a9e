"""pDDPM: a diffusion model that restores one patch at a time (Behrendt et al. 2023a).

As DDPM, but only a patch is noised and predicted, from its clean surroundings. In training one
patch of a fixed grid is drawn per slice; at test time every patch is restored in turn, all with the
same noise image, and the patches are put together (row pDDPM of Table 1).

Differs from the released code: it tests at one noise level (500); the paper's table averages over
three, as for the other diffusion models (App. B).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uad.base.settings import key
from uad.models.methods import ddpm

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

INFO = {
    "paper": "Behrendt et al. 2023a",
    "code": "released by the authors",
    "licence": "none stated",
}


@dataclass(frozen=True)
class Params(ddpm.Params):
    """Block `methods.pddpm`."""

    patch: int = key(
        "along a side of a patch; must divide both sides of a slice",
        unit="pixels",
        source="code",
        ge=1,
    )


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.pddpm.method import PDDPM
    from uad.models.networks import unet

    return PDDPM(params, unet.UNet(**vars(params.unet)))
