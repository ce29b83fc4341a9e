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

A method need not be here. Its block of the configuration may name a file or folder (`code`), which
is known to this package once it is told so (`use`); or an installed package has an entry point of
the group `GROUP`, whose name is the method's and whose object is such a module.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from uad.base import digests, modules, settings
from uad.base.errors import InputError
from uad.base.settings import is_test_time
from uad.models import anomalies

if TYPE_CHECKING:  # needs torch
    from uad.models.method import Method

# Trained methods that have no anomaly map: others start from their weights (`pretrained`).
PRETRAINING = ("spark",)

# Keys of a method's block that say how it is run; the others describe the method itself.
FOR_THE_RUN = ("training", "upstream", "pretrained", "reconstructs", "code", "env")
# Keys of its `training` that leave the weights as they are.
WITHOUT_EFFECT = ("save_minutes",)
# Entry points of installed packages that are methods.
GROUP = "uad.methods"

# Methods that the configuration names the code of, to its file or folder.
_outside: dict[str, Path] = {}


def use(outside: Mapping[str, Path | str]) -> None:
    """Tell where methods outside the project are; those told before are forgotten.

    Parameters
    ----------
    outside : dict of str to path-like
        Name to a Python file, or to a folder with an `__init__.py`.
    """
    for name in _outside:
        modules.forget(f"{__name__}.{name}")
    _outside.clear()
    _outside.update({name: Path(path) for name, path in outside.items()})


def outside(*names: str | None) -> dict[str, str]:
    """Those of some methods that `use` was told of, to tell it in another process."""
    return {name: str(_outside[name]) for name in names if name in _outside}


def built_in() -> list[str]:
    """Names of the methods in this folder."""
    return modules.names(__path__)


def known() -> list[str]:
    """Names of all methods that can be loaded."""
    return [*built_in(), *sorted(metadata.entry_points(group=GROUP).names), *_outside]


def load(name: str) -> ModuleType:
    """The module of a method.

    Raises
    ------
    InputError
        If there is none of that name, or it is no method's module.
    """
    if name in _outside:
        found = modules.load_file(f"{__name__}.{name}", _outside[name], f"methods.{name}.code")
    elif entry := _entry_point(name):
        found = entry.load()
    else:
        return modules.load(__name__, name, "method")
    params = getattr(found, "Params", None)
    if not (is_dataclass(params) and issubclass(params, settings.Block)):
        raise InputError(
            f"{_file(name)}: a method needs a frozen dataclass Params on top of "
            "uad.base.settings.Block, its keys of the configuration"
        )
    if not callable(getattr(found, "build", None)):
        raise InputError(f"{_file(name)}: a method needs a function build(params, upstream)")
    return found


def docstring(name: str) -> str:
    """What a method's module says of it, read without running it."""
    return digests.docstring(_file(name) or f"{__name__}.{name}")


def training_params(name: str, block: dict) -> dict:
    """What of a method's block decides the weights: a change of it trains again, of others not.

    Of `training` not what is switched off (None), so that a new switch changes nothing.
    """
    training = {
        k: v for k, v in block["training"].items() if k not in WITHOUT_EFFECT and v is not None
    }
    left_out = [*_test_time_keys(name), "code"]
    return {k: v for k, v in block.items() if k not in left_out} | {"training": training}


def test_params(name: str, block: dict) -> dict:
    """The keys of a method's block that only matter after training, such as test levels."""
    return {key: block[key] for key in _test_time_keys(name)}


def sources(name: str, upstream: str | None = None, source: str = "") -> tuple[str | Path, ...]:
    """Code that a job of a method imports by name, for `uad.base.digests.code_digest`.

    Of a folder outside the project all Python files count, of an installed package too.

    Parameters
    ----------
    name : str
    upstream : str or None
        The method it stands on; for training only, which runs both.
    source : str
        What it learns anomalies from, also for training only.
    """
    made = [f"{anomalies.__name__}.{source}"] if source in anomalies.SYNTHETIC else []
    used = [part for method in (name, upstream) if method for part in _code(method)]
    return (*used, *made)


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


def _entry_point(name):
    """The entry point of a method of an installed package; None if it is none of those."""
    if name in built_in():
        return None
    return next(iter(metadata.entry_points(group=GROUP, name=name)), None)


def _file(name):
    """File of the module of a method that is outside the project; None for others."""
    if name in _outside:
        path = _outside[name]
        return path / "__init__.py" if path.is_dir() else path
    entry = _entry_point(name)
    return entry and Path(importlib.util.find_spec(entry.module).origin)


def _code(name):
    """All code of a method: its module here, or files."""
    if name in _outside:
        folder = file = _outside[name]
    elif entry := _entry_point(name):
        # The whole distribution's package: the module may import anything in it.
        file = Path(importlib.util.find_spec(entry.module.partition(".")[0]).origin)
        folder = file.parent if file.name == "__init__.py" else file
    else:
        return [f"{__name__}.{name}"]
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [file]
