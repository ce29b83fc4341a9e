"""Modules that are loaded by name: methods, controls, data sets; or from a file that is named."""

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable
from pathlib import Path
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


def load_file(module: str, path: Path, place: str) -> ModuleType:
    """A file, or a folder with an `__init__.py`, as a module; it is run once.

    Parameters
    ----------
    module : str
        Dotted name under which it is known from then on; within a folder, modules import each
        other by relative names.
    path : Path
    place : str
        What names the file, for messages.

    Raises
    ------
    InputError
        If there is no such file, or running it fails.
    """
    if module in sys.modules:
        return sys.modules[module]
    folder = [str(path)] if path.is_dir() else None
    file = path / "__init__.py" if folder else path
    if not file.is_file() or file.suffix != ".py":
        raise InputError(
            f"{place} is {str(path)!r}, but must be a Python file or a folder with an __init__.py"
        )
    spec = importlib.util.spec_from_file_location(module, file, submodule_search_locations=folder)
    found = importlib.util.module_from_spec(spec)
    sys.modules[module] = found
    try:
        spec.loader.exec_module(found)
    except Exception as error:  # whatever a user's file raises
        forget(module)
        raise InputError(
            f"{place}: {file} cannot be imported ({type(error).__name__}: {error})"
        ) from error
    return found


def forget(module: str) -> None:
    """Let a module that came from a file, and those in its folder, be read anew."""
    for name in [n for n in sys.modules if n == module or n.startswith(f"{module}.")]:
        del sys.modules[name]


def names(path: Iterable[str]) -> list[str]:
    """Modules and packages in a package, sorted; `path` is its `__path__`."""
    return sorted(module.name for module in pkgutil.iter_modules(path))
