"""RD: reverse distillation (Deng & Li 2022), a baseline of block I.

A frozen ImageNet WideResNet-50-2, the teacher, sees a slice; a student behind a narrow passage
regenerates the teacher's feature maps of healthy slices. Where they point elsewhere is an anomaly.

Differs from the method's paper, as does its official code: the loss takes the cosine of whole
feature maps, not of single locations. Differs from the official code: slices are not enlarged, and
the learning rate is that of SADM App. B. The official blur of 4 pixels is of slices of 256; of 96
pixels 1.5 are as much. Which is better can be told on validation subjects: a change of `blur`
trains nothing again, and `dice_tuned` in the pooled metrics is of them alone.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uad.base.settings import Block, key

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

INFO = {
    "paper": "Deng & Li 2022",
    "code": "https://github.com/hq-deng/RD4AD",
    "licence": "MIT",
}


@dataclass(frozen=True)
class Extractor(Block):
    """Block `methods.rd.extractor`."""

    width: int = key(
        "channels of the stem, of which all others are multiples; 64 in the published network",
        source="Deng's code",
        ge=1,
    )
    standardise: bool = key(
        "by mean and SD of ImageNet; `false`: slices enter as they are",
        source="Deng's code",
    )


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.rd`."""

    extractor: Extractor = key(
        "frozen WideResNet-50-2, the teacher; `pretrained` names its weights",
    )
    size: int = key(
        "to which slices are resized, square; 256 in Deng's code",
        unit="pixels",
        source="Sec. 4.1",
        ge=32,
        multiple_of=32,
    )
    blur: float = key(
        "sigma of the Gaussian that smooths each slice of the map; 0 switches it off, 1.5 is as "
        "much of 96 pixels as 4 of the official 256",
        unit="voxels",
        source="Deng's code",
        ge=0,
        test_time=True,
    )


def build(params: Params, upstream: "Method | None" = None) -> "Method":
    """See `uad.models.methods`."""
    from uad.models.methods.rd.method import RD

    return RD(params)
