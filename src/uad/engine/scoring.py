"""The score job: anomaly maps of one network and fold.

It works as the reconstruction job does (`uad.engine.reconstruction`); it has its own module so that
a change of the maps does not rerun reconstructions.
"""

from pathlib import Path

import numpy as np
import torch

from uad.base import devices, resumable, tsv
from uad.data import outputs, packed
from uad.engine import checkpoints
from uad.engine.jobs import Evaluated, Job


@torch.no_grad()
def score(
    data: Evaluated,
    model_path: Path | str,
    test: dict,
    reconstruction_path: Path | str | None,
    job: Job,
    output: Path | str,
) -> None:
    """Anomaly maps of every validation and test subject of a data set, (subjects, Z, X, Y) float32.

    Parameters
    ----------
    data, model_path, test, job, output
        As for `reconstruction.reconstruct`.
    reconstruction_path : path-like or None
        Of the upstream method, if there is one.

    Raises
    ------
    InputError
        If the reconstructions are damaged, or of other subjects or voxels than the data.
    """
    devices.set_up_networks(job.threads)
    pack, subjects = packed.of_files(data.files), data.subjects(job.fold)
    method = checkpoints.load(model_path, job.device, test=test)
    stored = None
    if reconstruction_path:  # (subjects, levels, Z, X, Y)
        split, voxels = tsv.read(data.split), pack.image.shape[1:]
        stored = outputs.stored(reconstruction_path, split, job.fold, data.with_training, voxels)

    def compute(i: int) -> np.ndarray:
        volume = pack.volume(subjects[i])
        reconstruction = None
        if stored is not None:
            reconstruction = torch.from_numpy(np.array(stored[i], np.float32)).to(job.device)
        image = torch.from_numpy(volume.image).to(job.device)  # (Z, X, Y)
        with devices.autocast(job.device, method.precision):
            return method.anomaly_map(image, volume.brain, reconstruction)

    sources = [model_path, *filter(None, [reconstruction_path])]
    fitting = data.fingerprint(job, sources, test=test)
    resumable.write_resumable(
        output, len(subjects), pack.image.shape[1:], np.float32, compute, fitting, "score"
    )
