"""Synthetic anomalies: one module each, named like the D_unhealthy that is made with it.

A module has `add_anomaly(image, rng)`, which takes a slice, float32 of shape (X, Y), and gives its
anomalous version and the mask of the anomaly, bool.

To add anomalies, add their module here and its name to `SYNTHETIC`.
"""

from collections.abc import Callable

from uad.base import modules

SYNTHETIC = ("draem",)


def load(source: str) -> Callable | None:
    """`add_anomaly` of a D_unhealthy; None for one with real lesions, and for none (empty)."""
    if source not in SYNTHETIC:
        return None
    return modules.load(__name__, source, "anomaly").add_anomaly
