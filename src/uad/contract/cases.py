"""Methods to be checked, with the parameters they are checked with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch

from uad.base.errors import InputError
from uad.models import methods
from uad.models.method import Method
from uad.plan import config as settings
from uad.plan.overlays import with_defaults

HOME = Path(__file__).parents[3]


@dataclass(frozen=True)
class Case:
    """A method and its parameters.

    Attributes
    ----------
    name : str
    params : dict
        What `methods.build` takes.
    slice_shape : tuple of int
        (X, Y) of the slices it is checked on.
    training : dict
        Its block `training`.
    reconstructs : bool
        As its block has it.
    upstream : Case or None
        What it stands on.
    outside : dict of str to str
        Code that is not in the project (`methods.use`).
    """

    name: str
    params: Mapping
    slice_shape: tuple[int, int]
    training: Mapping
    reconstructs: bool = False
    upstream: "Case | None" = None
    outside: Mapping = field(default_factory=dict)

    @property
    def learns(self) -> bool:
        """Whether it has weights that are trained by gradient."""
        return self.training["epochs"] > 0

    @property
    def has_map(self) -> bool:
        """Whether it gives an anomaly map."""
        return self.name not in methods.PRETRAINING

    def without_later(self) -> dict:
        """Parameters without those that only matter after training."""
        later = methods.test_params(self.name, dict.fromkeys(self.keys()))
        return {key: value for key, value in self.params.items() if key not in later}

    def keys(self) -> list[str]:
        """Names of all its parameters."""
        return [key.name for key in fields(methods.load(self.name).Params)]

    def build(self, params: Mapping | None = None, upstream: Mapping | None = None) -> Method:
        """The method with fixed initial weights, on its upstream if it has one.

        Parameters
        ----------
        params, upstream : dict, optional
            Other parameters than its own, and than those of its upstream.
        """
        torch.manual_seed(0)
        frozen = None
        if self.upstream:
            frozen = self.upstream.build(upstream).eval().requires_grad_(False)
        params = self.params if params is None else params
        return methods.build(self.name, dict(params), frozen)


def of_config(config: dict) -> dict[str, Case]:
    """All methods of a configuration that has been checked, by name."""
    steps = config["preprocessing"]
    shape = tuple(int(n // steps["spacing_mm"]) for n in steps["crop"][:2])
    found: dict[str, Case] = {}

    def case(name: str) -> Case:
        if name not in found:
            block = config["methods"][name]
            upstream = block["upstream"]
            found[name] = Case(
                name,
                methods.params_of(name, block, shape),
                shape,
                block["training"],
                block["reconstructs"],
                upstream and case(upstream),
                methods.outside(name, upstream),
            )
        return found[name]

    for name in config["methods"]:
        case(name)
    return found


def of_overlays(*paths: Path | str) -> dict[str, Case]:
    """The methods that overlays bring, with the rest as in the demo.

    Raises
    ------
    InputError
        If there is a mistake in an overlay, or none names the code of a method.
    """
    config: dict = {}
    for path in reversed(paths):
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file")
        with_defaults(config, path)
    brought = list(config.get("methods") or {})
    for name in ("demo", "config"):
        with_defaults(config, HOME / f"config/{name}.yaml")
    settings.check(config, [Path(path).parent for path in paths])
    chosen = {n: case for n, case in of_config(config).items() if n in brought}
    chosen = {n: case for n, case in chosen.items() if n not in methods.built_in()}
    if not chosen:
        raise InputError(f"{', '.join(map(str, paths))}: no method with a key code")
    return chosen
