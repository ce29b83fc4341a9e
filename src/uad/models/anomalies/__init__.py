"""Synthetic anomalies: one module each, named like the D_unhealthy that is made with it.

A module has `add_anomaly(image, rng, settings=...)`, which takes a slice, float32 of shape (X, Y),
and gives its anomalous version and the mask of the anomaly, bool. `settings` is a
`uad.models.settings.Anomalies`.

To add anomalies, add their module here and its name to `SYNTHETIC`.
"""

from collections.abc import Callable
from functools import partial

from uad.base import modules
from uad.models.settings import AS_RELEASED, Anomalies

SYNTHETIC = ("draem",)


def load(source: str, settings: Anomalies = AS_RELEASED) -> Callable | None:
    """`add_anomaly` of a D_unhealthy, with its settings.

    None for one with real lesions, and for none (empty).
    """
    if source not in SYNTHETIC:
        return None
    return partial(modules.load(__name__, source, "anomaly").add_anomaly, settings=settings)
