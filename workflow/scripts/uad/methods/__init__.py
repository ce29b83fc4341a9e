"""Methods: one file each, named like its block in the configuration and its models on disk.

A *trained method* module has

`Params`
    frozen dataclass, the method's block of the configuration without `training`,
`build(params, upstream=None)`
    the method as an `nn.Module` (below); `upstream` is a method it stands on, of the same fold,
    already trained and frozen.

and the module it builds has

`network`
    what is trained and stored,
`loss(batch, rng)`
    scalar loss of a `slices.Batch`; all randomness from the NumPy generator `rng`,
`reconstruct(image, rng)`
    only if it makes pseudo-healthy images: (Z, X, Y) -> (levels, Z, X, Y),
`anomaly_map(image, brain, reconstruction)`
    score per voxel of one volume, (Z, X, Y) float32, higher is more abnormal, zero outside the
    brain. `reconstruction` is its own or its upstream's, None if there is neither.

A *control* module (`perfect`, `chance`, `intensity`) is not trained; it has

`build(validation, rng)`
    a function from a volume with ground truth to its anomaly map. `validation` holds validation
    volumes.

To add a method, add its file here and its block to the configuration.
"""

import importlib
from dataclasses import fields

from uad.errors import InputError

CONTROLS = ("perfect", "chance", "intensity")


def load(name):
    """The module of a method.

    Raises
    ------
    InputError
        If there is no file of that name.
    """
    try:
        return importlib.import_module(f"uad.methods.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"uad.methods.{name}":
            raise
        raise InputError(f"unknown method {name}: there is no uad/methods/{name}.py") from error


def build(name, params, upstream=None):
    """Build a trained method from its configuration block (a dict).

    Raises
    ------
    InputError
        If a key is missing from the block or unknown to the method.
    """
    module = load(name)
    known = {field.name for field in fields(module.Params)}
    for key in sorted(known ^ set(params)):
        what = "missing" if key in known else "unknown"
        raise InputError(f"methods.{name}: {what} key {key}")
    return module.build(module.Params(**params), upstream)
