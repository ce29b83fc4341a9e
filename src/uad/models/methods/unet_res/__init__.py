"""Unet_res: segmentation from input and residual (rows Unet_res and SADM_res of Table 1).

Stage II of SADM (Sec. 3.1): the frozen cDDPM of the same fold reconstructs the slice, and a siamese
U-Net sees the residual (input minus reconstruction) and the input. It is trained at random noise
levels and averages its probabilities over the test levels.

Differs from the released code, unless `frozen` is `drifting`: the cDDPM is entirely in evaluation
mode. There, batch statistics and stochastic depth of its encoder stay active in stage II, its
running statistics drift, and the drifted ones are used at test time, for the residual map of
SADM_res too.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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
    """Block `methods.unet_res`."""

    widths: Widths = key("channels per level", source="code")
    frozen: Literal["evaluation", "drifting"] = key(
        "encoder of the frozen upstream model: `evaluation`, as it was trained (Sec. 3.1); or "
        "`drifting`, as the authors' code leaves it: batch statistics and stochastic depth in "
        "training, and running statistics that drift, which the row's reconstructions then have",
        default="evaluation",
        source="here",
    )


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.unet_res.method import UnetRes

    return UnetRes(params, upstream)
