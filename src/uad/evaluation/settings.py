"""Block `evaluation` of the configuration; standard library only."""

from dataclasses import dataclass
from typing import Literal

from uad.base.settings import Block, key


@dataclass(frozen=True)
class Evaluation(Block):
    """Block `evaluation`."""

    threshold: Literal["validation", "released"] = key(
        "subjects that the threshold of `dice_val` is tuned on: `validation`; or `released`, as "
        "the authors' code does, those that were trained on too (not for comparison: it flatters)",
        source="here",
    )
    min_component: int = key(
        "smaller 26-connected components of a thresholded map are removed before `dice_val`; 0 "
        "keeps all, 8 is in the cDDPM's code",
        default=0,
        unit="voxels",
        source="here",
        ge=0,
        le=26,
    )
