"""What a job of the workflow that runs a network is told, beside its files and settings."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Job:
    """A training, reconstruction or score job.

    Attributes
    ----------
    fold : int
    device : torch.device
        See `uad.base.devices.claim`.
    threads : int
        Of the CPU.
    code : str
        Digest of the code that runs; work of another one is not taken up.
    """

    fold: int
    device: torch.device
    threads: int
    code: str
