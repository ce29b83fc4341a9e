"""Control `perfect`: the ground truth itself. Dice and average precision must be exactly 1."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from uad.data.packed import PackedVolume


def build(
    validation: "Iterable[PackedVolume]", rng: np.random.Generator
) -> "Callable[[PackedVolume], np.ndarray]":
    """See `uad.evaluation.controls`."""
    return lambda volume: volume.lesion.astype(np.float32)
