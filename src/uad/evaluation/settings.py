"""Block `evaluation` of the configuration; standard library only."""

from dataclasses import dataclass
from typing import Literal

from uad.base.settings import Block, Count, key

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


Measure = Literal[
    "dice_best", "dice_best_released", "dice_val", "dice_fpr1", "dice_fpr5", "dice_fpr10", "auprc"
]


@dataclass(frozen=True)
class Multiverse(Block):
    """Block `table.multiverse`: choices of the evaluation, of which all combinations are tried."""

    residual: list[Literal["ssim", "l1"]] = key(
        "`residual.kind`", default=["ssim", "l1"], source="here", min_length=1
    )
    erosion: list[Count] = key(
        "`residual.erosion`", default=[0, 3], unit="voxels", source="here", min_length=1
    )
    median: list[Literal["residual", "none", "all"]] = key(
        "what the median filter is applied to: `residual` maps, as everywhere else; `none`; or "
        "`all`, maps of networks too",
        default=["residual", "none", "all"],
        source="here",
        min_length=1,
    )
    box: list[Literal["whole", "released"]] = key(
        "what is evaluated: the `whole` volume; or, as the `released` code's box, the brain's "
        "bounding box without its last planes",
        default=["whole", "released"],
        source="here",
        min_length=1,
    )
    min_component: list[Count] = key(
        "`evaluation.min_component`, for `dice_val`",
        default=[0, 8],
        unit="voxels",
        source="here",
        min_length=1,
    )
    measure: list[Measure] = key(
        "Dice at each subject's best threshold (`dice_best`, `dice_best_released`: by the authors' "
        "search), at one from validation subjects (`dice_val`) or of a false-positive rate "
        "(`dice_fpr1`, `dice_fpr5`, `dice_fpr10`); or `auprc`",
        default=["dice_best", "dice_best_released", "dice_val", "dice_fpr5", "auprc"],
        source="here",
        min_length=1,
    )
    headline: str | None = key(
        "name of a claim out of the file of `table.claims` that the page begins with; `null` for "
        "the first",
        default=None,
        source="here",
    )
