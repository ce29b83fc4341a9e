"""The inference jobs: reconstructions and anomaly maps of one model and fold.

Both work through the validation and test subjects of a data set in a fixed order, one volume at a
time, and go on where they were if they are killed (`uad.base.resumable`).
"""

from dataclasses import dataclass

import numpy as np
import torch

from uad.base import devices, digests, resumable, seeding, tsv
from uad.data import packed, splits
from uad.engine import checkpoints
from uad.engine.jobs import Job
from uad.models import residuals


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


@torch.no_grad()
def reconstruct(data: Evaluated, model_path, test: dict, seed: int, job: Job, output) -> None:
    """Pseudo-healthy volumes of every validation and test subject of a data set.

    Written as (subjects, levels, Z, X, Y) in half precision, whose rounding (0.0005 at most) is far
    below the noise of the images, at half the space.

    Parameters
    ----------
    data : Evaluated
    model_path : path-like
    test : dict
        `methods.test_params` of the model's method.
    seed : int
        Of the run.
    job : Job
    output : path-like
    """
    devices.set_up_cpu(job.threads)
    pack, subjects = packed.of_files(data.files), data.subjects(job.fold)
    method = checkpoints.load(model_path, job.device, test=test)
    shape = (method.levels, *pack.image.shape[1:])  # of one subject: (levels, Z, X, Y)

    def compute(i):
        volume = pack.volume(subjects[i])
        rng = seeding.generator(seed, "reconstruct", job.fold, volume.subject)
        image = torch.from_numpy(volume.image).to(job.device)  # (Z, X, Y)
        with devices.autocast(job.device, method.precision):
            return method.reconstruct(image, rng).cpu().numpy()

    fitting = _fingerprint(data, job, [model_path], test=test, seed=seed)
    resumable.write_resumable(
        output, len(subjects), shape, np.float16, compute, fitting, "reconstruct"
    )


@torch.no_grad()
def score(
    data: Evaluated, model_path, test: dict, reconstruction_path, residual: dict, job: Job, output
) -> None:
    """Anomaly maps of every validation and test subject of a data set, (subjects, Z, X, Y) float32.

    Parameters
    ----------
    data, model_path, test, job, output
        As for `reconstruct`.
    reconstruction_path : path-like or None
        Of the method or the one it stands on; None for a method that needs none.
    residual : dict
        `kind` and `erosion` (`residuals.anomaly_map`), for methods that reconstruct.
    """
    devices.set_up_cpu(job.threads)
    pack, subjects = packed.of_files(data.files), data.subjects(job.fold)
    method = checkpoints.load(model_path, job.device, test=test)
    # (subjects, levels, Z, X, Y)
    stored = np.load(reconstruction_path, mmap_mode="r") if reconstruction_path else None

    def compute(i):
        volume = pack.volume(subjects[i])
        reconstruction = None
        if stored is not None:
            reconstruction = torch.from_numpy(np.array(stored[i], np.float32)).to(job.device)
        image = torch.from_numpy(volume.image).to(job.device)  # (Z, X, Y)
        if method.levels:
            mean = reconstruction.mean(dim=0)  # (levels, Z, X, Y) -> (Z, X, Y)
            return residuals.anomaly_map(image, mean, volume.brain, **residual)
        with devices.autocast(job.device, method.precision):
            return method.anomaly_map(image, volume.brain, reconstruction)

    sources = [model_path, *filter(None, [reconstruction_path])]
    fitting = _fingerprint(data, job, sources, test=test, residual=residual)
    resumable.write_resumable(
        output, len(subjects), pack.image.shape[1:], np.float32, compute, fitting, "score"
    )


def _fingerprint(data, job, paths, **settings):
    """Of all that decides the volumes: those of another one are not gone on from."""
    return digests.fingerprint(
        code=job.code,
        fold=job.fold,
        with_training=data.with_training,
        inputs=digests.file_states([*data.files, data.split, *paths]),
        **settings,
    )
