"""SparK: pretraining of the cDDPM's encoder by painting in hidden patches (Tian et al. 2023).

SADM conditions its diffusion model on a pretrained ResNet-50 (App. B.1); how it was pretrained is
in the cDDPM's released code. Healthy slices are cut into patches as large as the encoder's stride,
most of them are hidden, and the network paints them in. The encoder's weights and batch statistics
then go to the cDDPM of the same fold (`CDDPM.load_pretrained`). There is no anomaly map.

Differs from the reference: the best checkpoint is chosen on fixed slices with fixed patches.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from uad.base.settings import Block, key
from uad.models import settings

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

INFO = {
    "paper": "Tian et al. 2023, Designing BERT for Convolutional Networks",
    "code": "with the cDDPM's, released by its authors",
    "licence": "none stated",
}


@dataclass(frozen=True)
class Encoder(settings.Encoder):
    """Block `methods.spark.encoder`: `width` and `blocks` as of the encoder that starts from it."""

    # The decoder's channels are quarters of the encoder's.
    width: int = key("channels of the stem", source="cDDPM code", ge=4, multiple_of=4)


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.spark`."""

    encoder: Encoder = key("that of the cDDPM, without its head")
    mask_ratio: float = key(
        "share of the patches that are hidden; one at least is seen",
        source="cDDPM code",
        gt=0,
        lt=1,
    )
    decoder_weights: Literal["reference", "torch"] = key(
        "initial weights of the decoder: `reference`, as in the authors' code, Kaiming-normal "
        "transposed and truncated-normal (0.02) other convolutions; or `torch`, as torch draws "
        "them",
        default="reference",
        source="cDDPM code",
    )


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.spark.method import Pretraining

    return Pretraining(params)
