"""FAE: structural feature autoencoder (Meissen et al. 2022), a baseline of block I.

A frozen ImageNet ResNet-18 turns a slice into feature maps, an autoencoder reconstructs them, and
structural similarity per feature channel is both its loss and its anomaly map.

Differs from the paper: Sec. 4.1 has slices of 96 pixels, for which the official network does not
close (24, 12, 6, 3, 2 and back to 32), so they are resized to its 128; the residual's window of
Sec. 4.2 does not fit maps of 32 pixels, so the official one is used. Differs from the official
code: no histogram equalisation, since every method gets the same images.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from uad.base.settings import Block, Positive, key

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

INFO = {
    "paper": "Meissen et al. 2022",
    "code": "https://github.com/FeliMe/feature-autoencoder",
    "licence": "MIT",
}


@dataclass(frozen=True)
class Extractor(Block):
    """Block `methods.fae.extractor`."""

    width: int = key(
        "channels of the stem; 64 in the published network",
        source="Meissen's code",
        ge=1,
    )
    batch_norm: Literal["adapt", "frozen"] = key(
        "`adapt`: normalises by the training batch and tracks its statistics; `frozen`: by those "
        "of the pretrained network",
        source="Meissen's code",
    )


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.fae`."""

    extractor: Extractor = key(
        "frozen ResNet-18 whose feature maps are compared; `pretrained` names its weights",
    )
    size: int = key(
        "to which slices are resized, square",
        unit="pixels",
        source="Meissen's code",
        ge=64,
        multiple_of=64,
    )
    channels: list[Positive] = key(
        "of the autoencoder per level; each level halves the maps of a quarter of the size",
        source="Meissen's code",
        min_length=1,
        max_length=4,
    )
    dropout: float = key(
        "share of channels dropped in training",
        source="Meissen's code",
        ge=0,
        lt=1,
    )
    window: Literal[3, 5, 7, 9, 11] = key(
        "width of the similarity's Gaussian window",
        unit="feature pixels",
        source="Meissen's code",
    )
    sigma: float = key(
        "its standard deviation",
        unit="feature pixels",
        source="Meissen's code",
        gt=0,
    )


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.fae.method import FAE

    return FAE(params)
