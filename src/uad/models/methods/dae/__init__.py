"""DAE: denoising autoencoder with coarse noise (Kascenas et al. 2022; row DAE of Table 1).

A U-Net learns to take smooth noise, drawn on a coarse grid, off healthy slices. At test time it
sees the slice as it is and treats lesions as noise.

Differs from the original:

- one channel, and plain Adam with a constant learning rate (App. B of SADM; there AMSGrad with a
  cosine schedule);
- noise everywhere in the brain. The original leaves out what is darker than 0.01 in all of its four
  channels. Here the darkest hundredth of a brain is 0 (percentiles), so that a dark lesion would
  pass for noiseless;
- the loss covers the background too. There the network's output would be left to chance, which
  structural similarity, the residual of all reconstructions here, sees from the rim of the brain.

The grid of 16 points is that of the original, whose slices have 128 pixels; 12 points are as coarse
in mm.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from uad.base.settings import Block, key
from uad.models.settings import Widths

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

INFO = {
    "paper": "Kascenas et al. 2022",
    "code": "https://github.com/AntanasKascenas/DenoisingAE",
    "licence": "GPL-2.0",
}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.dae`."""

    widths: Widths = key("channels per level", source="Kascenas et al.; code")
    noise_grid: int = key(
        "points of the coarse noise along each side of a slice; 12 would be as coarse in mm",
        source="Kascenas et al.",
        ge=2,
    )
    noise_sd: float = key(
        "standard deviation of the noise at these points; intensities are in [0, 1]",
        source="Kascenas et al.",
        gt=0,
    )
    loss: Literal["l2", "l1"] = key(
        "error of the denoised slices, squared (`l2`) or absolute (`l1`)",
        source="Kascenas et al.",
    )


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.dae.method import DAE

    return DAE(params)
