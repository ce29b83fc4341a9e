"""Controls: rows with a known answer, which need no training.

A control's module has `build(validation, rng)`: a function from a volume with ground truth to its
anomaly map, (Z, X, Y) float32. `validation` holds validation volumes.
"""

from types import ModuleType

from uad.base import modules

CONTROLS = ("perfect", "chance", "intensity")


def load(name: str) -> ModuleType:
    """The module of a control; `InputError` if there is none of that name."""
    return modules.load(__name__, name, "control")
