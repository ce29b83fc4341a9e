"""What a method learns without gradients (`Method.fit`), after the training loop."""

from collections.abc import Sequence

import torch

from uad.base import devices, seeding
from uad.base.errors import InputError
from uad.base.logs import log
from uad.data.packed import PackedVolume
from uad.models.method import Method


@torch.no_grad()
def fit(
    method: Method, weights: dict, volumes: Sequence[PackedVolume], seed: int, device: torch.device
) -> dict:
    """Call a method's `fit` with its best weights.

    It is not resumed: if the job is killed, it starts over, after what is left of the training.

    Parameters
    ----------
    method : Method
    weights : dict
        State of its network.
    volumes : sequence of PackedVolume
        That train.
    seed : int
        Of the model and fold.
    device : torch.device

    Returns
    -------
    dict
        State of its network after it.

    Raises
    ------
    InputError
        If it has values that are not finite.
    """
    method.network.load_state_dict(weights)
    devices.lay_out(method, device)
    method.eval()
    log.info("fitting to %d training volumes", len(volumes))
    method.fit(volumes, seeding.generator(seed, "fit"))
    found = method.network.state_dict()
    for name, tensor in found.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(f"{type(method).__name__}: after its fit, {name} is not finite")
    return found
