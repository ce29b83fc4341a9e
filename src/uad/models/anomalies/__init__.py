"""Synthetic anomalies: one module each, named like the D_unhealthy that is made with it.

A module has `add_anomaly(image, rng, settings=...)`, which takes a slice, float32 of shape (X, Y),
and gives its anomalous version and the mask of the anomaly, bool; and `settings_of(block)`, which
makes its settings of the block `synthetic`.

To add anomalies, add their module here and its name to `SYNTHETIC`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from uad.base import modules

SYNTHETIC = ("draem",)


def load(source: str, block: Mapping[str, Any] | None = None) -> Callable | None:
    """`add_anomaly` of a D_unhealthy, with the settings of a block if there is one.

    None for one with real lesions, and for none (empty).
    """
    if source not in SYNTHETIC:
        return None
    module = modules.load(__name__, source, "anomaly")
    if block is None:
        return module.add_anomaly
    return partial(module.add_anomaly, settings=module.settings_of(block))
