"""DDPM: a diffusion model that predicts the clean slice in one step (row DDPM of Table 1).

A healthy slice is noised once, to a random level, with simplex noise (Wyatt et al. 2022), and a
U-Net predicts it clean, with an L1 loss. At test time the reconstructions from several noise levels
are averaged. `pddpm` and `cddpm` build on this module.

Differs from Wyatt et al. as the authors' code does: that model predicts the noise, has a linear
schedule and walks all steps back. Of the authors' two networks it is the later one, where time
scales and shifts the features; in the first pDDPM code it is added to them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uad.base.settings import Block, Positive, key
from uad.models.settings import Noise, UNet

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

INFO = {
    "paper": "Wyatt et al. 2022",
    "code": "https://github.com/Julian-Wyatt/AnoDDPM",
    "licence": "MIT",
}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.ddpm`."""

    unet: UNet = key("denoiser")
    steps: int = key("T, noise levels of the schedule", source="code", ge=1)
    test_levels: list[Positive] = key(
        "noise levels of the test reconstructions, counted from 1",
        source="App. B",
        min_length=1,
        test_time=True,
    )
    noise: Noise = key("simplex noise")


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.ddpm.method import DDPM
    from uad.models.networks import unet

    return DDPM(params, unet.UNet(**vars(params.unet)))
