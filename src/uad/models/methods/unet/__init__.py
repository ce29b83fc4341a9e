"""Unet: segmentation of the input slice alone (rows Unet and SADM of Table 1).

Stage II of SADM (Sec. 3.1) without the residual branch: a U-Net trained with binary cross-entropy
(eq. 2) on synthetic or real lesions. The released code has the network but not this method; the
single-branch form of the same blocks is used.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uad.base.settings import Block, key
from uad.models.settings import Widths

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

INFO = {
    "paper": (
        "Behrendt et al. 2024, Combining Reconstruction-based Unsupervised Anomaly "
        "Detection with Supervised Segmentation for Brain MRIs"
    ),
    "code": "released by the authors",
    "licence": "none stated",
}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.unet`."""

    widths: Widths = key("channels per level", source="code")


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.unet.method import Unet

    return Unet(params)
