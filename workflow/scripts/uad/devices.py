"""Which device a job computes on."""

import torch

from uad.errors import InputError


def choose(accelerator):
    """The device for an `accelerator` of the configuration.

    Parameters
    ----------
    accelerator : {"auto", "cpu", "cuda"}
        ``auto`` takes a GPU if there is one.

    Raises
    ------
    InputError
        If ``cuda`` is demanded and no GPU is visible.
    """
    available = torch.cuda.is_available()
    if accelerator == "cuda" and not available:
        raise InputError("accelerator: cuda is configured, but torch sees no GPU on this machine")
    return torch.device("cuda" if available and accelerator != "cpu" else "cpu")
