"""What the jobs of the workflow that run a network are told, beside settings and output."""

from dataclasses import dataclass
from typing import Any

import torch

from uad.base import digests, tsv
from uad.data import splits


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


@dataclass(frozen=True)
class Evaluated:
    """A data set, and who of it is reconstructed or scored: validation and test subjects.

    Attributes
    ----------
    files : list of path-like
        Of the packed data set.
    split : path-like
    with_training : bool
        Training subjects too (`splits.evaluated`).
    """

    files: list
    split: str
    with_training: bool

    def subjects(self, fold: int) -> list[str]:
        """Labels of a fold's subjects, in the order of all reconstructions and maps."""
        return splits.evaluated(tsv.read(self.split), fold, self.with_training)


def fingerprint(data: Evaluated, job: Job, paths: list, **settings: Any) -> str:
    """Of all that decides the volumes of a job: those of another one are not gone on from.

    Parameters
    ----------
    data : Evaluated
    job : Job
    paths : list of path-like
        Inputs beside the data.
    **settings
        Parameters of the job.
    """
    return digests.fingerprint(
        code=job.code,
        fold=job.fold,
        with_training=data.with_training,
        inputs=digests.file_states([*data.files, data.split, *paths]),
        **settings,
    )
