"""Modules that are loaded by name: methods, controls, data sets."""

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType

from uad.base.errors import InputError


def load(package: str, name: str, what: str) -> ModuleType:
    """The module `name` of a package.

    Parameters
    ----------
    package : str
        Dotted name.
    name : str
    what : str
        What such a module is, for the message.

    Raises
    ------
    InputError
        If there is no module of that name.
    """
    module = f"{package}.{name}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:  # something that the module itself imports
            raise
        raise InputError(f"unknown {what} {name}: there is no module {module}") from error


def names(path: Iterable[str]) -> list[str]:
    """Modules and packages in a package, sorted; `path` is its `__path__`."""
    return sorted(module.name for module in pkgutil.iter_modules(path))
