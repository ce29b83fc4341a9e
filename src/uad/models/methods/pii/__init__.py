"""PII: find patches that are blended in, and how strongly (Tan et al. 2021; row PII of Table 1).

A patch of another healthy slice is blended into a healthy slice (`poisson`) and a network learns to
give the weight alpha of the foreign image inside it, 0 elsewhere, with binary cross-entropy.

SADM names the method only; its code is not released. Differs from the original: the partner is the
same axial slice of another volume, as in the brain experiments of its predecessor FPI; every
training slice gets one patch; intensities are those of the other methods, not standardised per
image.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from uad.base.settings import Block, key
from uad.models.settings import Widths

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

INFO = {
    "paper": "Tan et al. 2021",
    "code": "https://github.com/jemtan/PII",
    "licence": "none stated",
}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.pii`."""

    stem: int = key("channels of the first convolution", source="original code", ge=1)
    widths: Widths = key(
        "channels per stage of the encoder, which the decoder mirrors",
        source="original code",
    )
    centre: Literal["brain", "anywhere"] = key(
        "where the centre of a blended patch may lie; the original code has `anywhere`",
        source="here",
    )


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.pii.method import PII

    return PII(params)
