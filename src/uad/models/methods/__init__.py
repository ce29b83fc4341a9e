"""Methods: one folder each, named like its block of the configuration and its models.

A method's package has

`INFO`
    paper, original code and its licence,

`Params`
    `settings.Block`, the method's block of the configuration without the keys `FOR_THE_RUN`; it may
    have `slice_shape`, (X, Y) in pixels, which comes from the data,
`build(params, upstream=None)`
    the method, a `uad.models.method.Method`; `upstream` is a method it stands on, of the same fold,
    already trained and frozen.

Its docstring is the method's page in the report. Runs are planned where torch is not installed, so
what needs torch is in the package's `method.py`, which `build` imports.

To add a method, add its folder here and its block to the configuration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import ModuleType
from typing import TYPE_CHECKING

from uad.base import modules, settings
from uad.base.settings import is_test_time
from uad.models import anomalies

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

# Trained methods that have no anomaly map: others start from their weights (`pretrained`).
PRETRAINING = ("spark",)

# Keys of a method's block that say how it is run; the others describe the method itself.
FOR_THE_RUN = ("training", "upstream", "pretrained", "reconstructs")
# Keys of its `training` that leave the weights as they are.
WITHOUT_EFFECT = ("save_minutes",)


def load(name: str) -> ModuleType:
    """The module of a method; `InputError` if there is none of that name."""
    return modules.load(__name__, name, "method")


def training_params(name: str, block: dict) -> dict:
    """What of a method's block decides the weights: a change of it trains again, of others not."""
    training = {k: v for k, v in block["training"].items() if k not in WITHOUT_EFFECT}
    later = _test_time_keys(name)
    return {k: v for k, v in block.items() if k not in later} | {"training": training}


def test_params(name: str, block: dict) -> dict:
    """The keys of a method's block that only matter after training, such as test levels."""
    return {key: block[key] for key in _test_time_keys(name)}


def sources(name: str, upstream: str | None = None, source: str = "") -> tuple[str, ...]:
    """Modules that a job of a method imports by name, for `uad.base.digests.code_digest`.

    Parameters
    ----------
    name : str
    upstream : str or None
        The method it stands on; for training only, which runs both.
    source : str
        What it learns anomalies from, also for training only.
    """
    made = [f"{anomalies.__name__}.{source}"] if source in anomalies.SYNTHETIC else []
    return (*(f"{__name__}.{method}" for method in (name, upstream) if method), *made)


def params_of(name: str, block: Mapping, slice_shape: Sequence[int]) -> dict:
    """What `build` takes: a block of the configuration without what concerns the run alone.

    A method whose `Params` has `slice_shape` (X, Y), since its layers depend on it, gets that of
    the data.
    """
    params = {key: value for key, value in block.items() if key not in FOR_THE_RUN}
    if "slice_shape" in (field.name for field in fields(load(name).Params)):
        params["slice_shape"] = list(slice_shape)
    return params


def build(name: str, params: dict, upstream: "Method | None" = None) -> "Method":
    """Build a trained method from its parameters (a dict, see `params_of`).

    Keys that only matter after training may be missing: they are None for a method that is trained,
    or that another stands on.

    Raises
    ------
    InputError
        If a key is missing from the block or unknown to the method.
    """
    module = load(name)
    params = dict.fromkeys(_test_time_keys(name)) | params
    return module.build(settings.build(module.Params, params, f"methods.{name}"), upstream)


def _test_time_keys(name):
    return [field.name for field in fields(load(name).Params) if is_test_time(field)]
