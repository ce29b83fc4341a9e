"""What the jobs that run a network have in common, besides settings and output."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from uad.base import devices, digests, tsv
from uad.data import splits

# Parameters of rules that decide where or when a job runs, and no result.
NEUTRAL = ("accelerator", "local_gpus", "save_minutes")


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
    params : mapping
        All parameters of the rule, also those that reach it by other ways, so that none can be
        forgotten: saved work of other parameters is not resumed. Among them `code`, the digest of
        the code that runs.
    """

    fold: int
    device: torch.device
    threads: int
    params: Mapping[str, Any]

    @property
    def code(self) -> str:
        """Digest of the code that runs."""
        return self.params["code"]

    def fingerprint(self, paths: list, **more: Any) -> str:
        """Digest of all that decides what the job makes; other saved work is not resumed.

        Parameters
        ----------
        paths : list of path-like
            All inputs.
        **more
            Whatever else the function that does the work is given.
        """
        return digests.fingerprint(
            fold=self.fold,
            params={name: of for name, of in self.params.items() if name not in NEUTRAL},
            inputs=digests.file_states(paths),
            versions=digests.versions(),
            **more,
        )


def of_rule(snakemake: Any) -> Job:
    """The job that runs a script, on the device that it gets.

    Parameters
    ----------
    snakemake : snakemake.script.Snakemake
        Of a rule with the wildcard `fold` and the parameters `accelerator`, `local_gpus` and
        `code`.
    """
    params = dict(snakemake.params.items())
    return Job(
        fold=int(snakemake.wildcards.fold),
        device=devices.claim(params["accelerator"], params["local_gpus"]),
        threads=snakemake.threads,
        params=params,
    )


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

    def fingerprint(self, job: Job, paths: list, **more: Any) -> str:
        """`Job.fingerprint` of the volumes that a job makes of the data and of other inputs.

        All volumes of a file are computed on one kind of device, since these round differently.
        """
        return job.fingerprint(
            [*self.files, self.split, *paths],
            with_training=self.with_training,
            device=job.device.type,
            **more,
        )
