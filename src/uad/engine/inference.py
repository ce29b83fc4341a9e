"""The inference jobs: reconstructions and anomaly maps of one model and fold.

Both work through the validation and test subjects of a data set in a fixed order, one volume at a
time, and go on where they were if they are killed (`arrays.grow`).
"""

import numpy as np
import torch

from uad.base import devices, digests, resumable, seeding, tsv
from uad.data import packed, splits
from uad.engine import checkpoints
from uad.models import residuals


@torch.no_grad()
def reconstruct(
    fold, files, split_path, with_training, model_path, seed, device, threads, code, output
):
    """Pseudo-healthy volumes of every validation and test subject of a data set.

    Written as (subjects, levels, Z, X, Y) in half precision, whose rounding (0.0005 at most) is far
    below the noise of the images, at half the space.

    Parameters
    ----------
    fold : int
    files : list of path-like
        Of the packed data set.
    split_path, model_path : path-like
    with_training : bool
        Of training subjects too (`splits.evaluated`).
    seed : int
    device : torch.device
        See `uad.base.devices.claim`.
    threads : int
    code : str
        Digest of the code.
    output : path-like
    """
    devices.set_up_cpu(threads)
    pack = packed.of_files(files)
    subjects = splits.evaluated(tsv.read(split_path), fold, with_training)
    method = checkpoints.load(model_path, device)
    shape = (method.levels, *pack.image.shape[1:])

    def compute(i):
        volume = pack.volume(subjects[i])
        rng = seeding.generator(seed, "reconstruct", fold, volume.subject)
        image = torch.from_numpy(volume.image).to(device)
        with devices.autocast(device, method.precision):
            return method.reconstruct(image, rng).cpu().numpy()

    fitting = digests.fingerprint(
        code=code,
        with_training=with_training,
        inputs=digests.file_states([*files, split_path, model_path]),
    )
    resumable.write_resumable(
        output, len(subjects), shape, np.float16, compute, fitting, "reconstruct"
    )


@torch.no_grad()
def score(
    fold, files, split_path, with_training, reconstruction_path, model_path, residual, device,
    threads, code, output,
):  # fmt: skip
    """Anomaly maps of every validation and test subject of a data set, (subjects, Z, X, Y) float32.

    Parameters as for `reconstruct`; `reconstruction_path` is None for a method that needs none;
    `residual` (`kind` and `erosion`) is for methods that reconstruct.
    """
    devices.set_up_cpu(threads)
    pack = packed.of_files(files)
    subjects = splits.evaluated(tsv.read(split_path), fold, with_training)
    method = checkpoints.load(model_path, device)
    stored = np.load(reconstruction_path, mmap_mode="r") if reconstruction_path else None

    def compute(i):
        volume = pack.volume(subjects[i])
        reconstruction = None
        if stored is not None:
            reconstruction = torch.from_numpy(np.array(stored[i], np.float32)).to(device)
        image = torch.from_numpy(volume.image).to(device)
        if method.levels:
            mean = reconstruction.mean(dim=0)
            return residuals.anomaly_map(image, mean, volume.brain, **residual)
        with devices.autocast(device, method.precision):
            return method.anomaly_map(image, volume.brain, reconstruction)

    sources = [
        *files,
        split_path,
        model_path,
        *([reconstruction_path] if reconstruction_path else []),
    ]
    fitting = digests.fingerprint(
        code=code, with_training=with_training, inputs=digests.file_states(sources)
    )
    resumable.write_resumable(
        output, len(subjects), pack.image.shape[1:], np.float32, compute, fitting, "score"
    )
