"""Model files: weights, configuration and provenance in one file, written whole or not at all."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from uad.base import devices, digests
from uad.base.errors import InputError
from uad.base.files import replacing
from uad.base.paths import FORMAT
from uad.models import methods
from uad.models.method import Method


def save(
    path: Path | str, name: str, params: dict, network: dict, code: str, **extra: Any
) -> dict[str, Any]:
    """Store a trained method.

    Parameters
    ----------
    path : path-like
    name : str
        Method.
    params : dict
        See `methods.params_of`; keys that only matter after training are given to `load` instead.
    network : dict
        State of `method.network`.
    code : str
        Digest of the code that trained it.
    **extra
        Anything else worth knowing: fold, seed, epoch, ...

    Returns
    -------
    dict
        What was stored, without the weights.
    """
    about = {
        "format": FORMAT,
        "method": name,
        "params": params,
        "code": code,
        "versions": digests.versions(),
        "revision": digests.revision(),
        **extra,
    }
    write({**about, "network": network}, path)
    return about


def load(
    path: Path | str,
    device: torch.device | str = "cpu",
    upstream: Method | None = None,
    test: dict | None = None,
) -> Method:
    """Rebuild a trained method, frozen and in evaluation mode, in the precision of its training.

    Parameters
    ----------
    path : path-like
    device : torch.device or str
    upstream : Method, optional
    test : dict, optional
        What only matters after training (`methods.test_params`); needed for reconstructions and
        maps. It has precedence over what a model file of an older version holds.

    Raises
    ------
    InputError
        If the file is missing, damaged, or does not fit the code.
    """
    content = read(path, device)
    if not {"method", "params", "network"} <= set(content):
        raise InputError(f"{path}: holds no model of this workflow")
    method = methods.build(content["method"], content["params"] | (test or {}), upstream)
    try:
        method.network.load_state_dict(content["network"])
    except RuntimeError as error:
        raise InputError(f"{path}: the weights do not fit the network ({error})") from error
    devices.lay_out(method, torch.device(device))
    method.precision = content.get("training", {}).get("precision", method.precision)
    return method.eval().requires_grad_(False)


def load_pretrained(method: Method, path: Path | str) -> None:
    """Give a method the weights of a published file, or of a model of this workflow.

    Raises
    ------
    InputError
        If the file is missing or damaged, or its weights do not fit.
    """
    content = read(path)
    try:
        method.load_pretrained(content.get("network", content))
    except (KeyError, RuntimeError) as error:
        raise InputError(f"{path}: the weights do not fit the network ({error})") from error


def write(content: dict, path: Path | str) -> None:
    """`torch.save` to a temporary name, then rename."""
    # Into an open file, since torch would store the name.
    with replacing(path) as temporary, open(temporary, "wb") as file:
        torch.save(content, file)


def read(path: Path | str, device: torch.device | str = "cpu") -> dict:
    """Load a file of named tensors and plain values; anything executable is refused.

    Raises
    ------
    InputError
        If the file is missing, damaged, or holds something else.
    """
    if not Path(path).exists():
        raise InputError(f"{path}: no such file")
    _check_sums(path)
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        # Not torch's own message, which advises loading it anyway.
        raise InputError(
            f"{path}: cannot be read as a model file: it is damaged, or holds Python objects "
            "beside weights, which are not loaded since they could run any program"
        ) from error
    except Exception as error:  # zip and end-of-file errors of many kinds
        raise InputError(f"{path}: cannot be read as a model file ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: cannot be read as a model file: it holds no weights by name")
    return content


def _check_sums(path):
    """Compare what is in a file with its check sums, which torch writes but does not read."""
    if not zipfile.is_zipfile(path):
        return  # published weights in the format of before 2020, or no weights at all
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: is damaged ({error})") from error
    if damaged:
        raise InputError(f"{path}: is damaged (wrong check sum of {damaged})")
