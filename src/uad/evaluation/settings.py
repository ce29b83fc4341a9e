"""Block `evaluation` of the configuration; standard library only."""

from dataclasses import dataclass
from typing import Literal

from uad.base.settings import Block, key

# Methods whose map is the probability of a lesion; that of `pii` is the share of a foreign patch,
# and a sum of maps is no probability at all.
PROBABILITIES = ("unet", "unet_res", "draem_net")


@dataclass(frozen=True)
class Evaluation(Block):
    """Block `evaluation`."""

    threshold: Literal["validation", "released"] = key(
        "subjects that the threshold of `dice_val` is tuned on: `validation`; or `released`, as "
        "the authors' code does, those that were trained on too (not for comparison: it flatters)",
        source="here",
    )
    dice_search: Literal["exact", "interval"] = key(
        "how [DICE], the Dice at a subject's best threshold, is found: `exact`; or `interval`, by "
        "the authors' ten-step search, which may miss the maximum. `dice_best_released` is by "
        "theirs in either way, and compared with the paper",
        default="exact",
        source="here",
    )
    threshold_search: Literal["exact", "interval"] = key(
        "how the threshold of `dice_val` is found, on all voxels pooled: `exact`; or `interval`, "
        "by the authors' ten-step search",
        default="exact",
        source="here",
    )
    empty: Literal["zero", "left_out"] = key(
        "`dice_val` of a subject with neither lesion nor prediction: `zero`; or `left_out` of the "
        "mean, as in the authors' code",
        default="zero",
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
