"""Control `intensity`: the normalised T1 signal, bright or dark, whichever validates better.

The trivial baseline that comparisons of anomaly detection are criticised for leaving out. On T1
most lesions are dark, so the inverted signal usually wins; it is taken where no validation subject
has a lesion.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from uad.evaluation import metrics

if TYPE_CHECKING:
    from uad.data.packed import PackedVolume


def build(
    validation: "Iterable[PackedVolume]", rng: np.random.Generator
) -> "Callable[[PackedVolume], np.ndarray]":
    """See `uad.evaluation.controls`; the sign with the higher mean average precision is taken."""
    validation = list(validation)

    def mean_precision(score: "Callable[[PackedVolume], np.ndarray]") -> float:
        values = [
            metrics.average_precision(metrics.count(score(volume), volume.lesion))
            for volume in validation
            if volume.lesion.any()
        ]
        return np.mean(values) if values else 0.0

    return max((_dark, _bright), key=mean_precision)


def _bright(volume):
    return np.clip(volume.image, 1e-3, None) * volume.brain


def _dark(volume):
    return np.clip(1.2 - volume.image, 1e-3, None) * volume.brain
