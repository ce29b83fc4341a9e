"""DRAEM-Net: inpaint synthetic anomalies and find them (Zavrtanik et al. 2021; row DRAEM-Net of
Table 1).

A network without skip connections restores the healthy slice; a second one sees the slice and the
restored slice and segments the anomaly. Both are trained together on healthy slices, some of which
get a synthetic anomaly (`uad.models.anomalies.draem`).

Differs from the original: no texture images (the noise itself is the texture, as in SADM's released
code), no rotation of the images, a constant learning rate.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from uad.base.settings import Block, key
from uad.models.settings import AS_RELEASED, Anomalies, Widths

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

INFO = {
    "paper": "Zavrtanik et al. 2021",
    "code": "https://github.com/VitjanZ/DRAEM",
    "licence": "MIT",
}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.draem_net`."""

    reconstructive: Widths = key(
        "channels per level of the network that restores the healthy slice",
        source="original code",
    )
    discriminative: Widths = key(
        "channels per level of the network that finds the anomaly",
        source="original code",
    )
    probability: float = key(
        "share of the training slices that get an anomaly",
        source="original code",
        gt=0,
        le=1,
    )
    border: Literal["zeros", "mirrored"] = key(
        "what the structural similarity of the loss sees beyond the slice: `zeros`; or its "
        "`mirrored` values, as in SADM's code",
        default="zeros",
        source="original code",
    )
    anomalies: Anomalies = key("what differs from `synthetic`", default=AS_RELEASED)


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.draem_net.method import DraemNet

    return DraemNet(params)
