"""What the jobs that run a network have in common, besides settings and output."""

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
        Digest of the code that runs; saved work of other code is not resumed.
    """

    fold: int
    device: torch.device
    threads: int
    code: str


@dataclass(frozen=True)
class Evaluated:
    """A data set of which validation and test subjects are reconstructed or scored.

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
    """Digest of all that affects a job's volumes; saved ones with another digest are not resumed.

    Parameters
    ----------
    data : Evaluated
    job : Job
    paths : list of path-like
        Inputs besides the data.
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
