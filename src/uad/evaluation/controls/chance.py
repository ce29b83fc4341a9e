"""Control `chance`: uniform noise in the brain. Average precision must be near the prevalence."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from uad.data.packed import PackedVolume


def build(
    validation: "Iterable[PackedVolume]", rng: np.random.Generator
) -> "Callable[[PackedVolume], np.ndarray]":
    """See `uad.evaluation.controls`."""
    return lambda volume: rng.random(volume.image.shape, dtype=np.float32) * volume.brain
