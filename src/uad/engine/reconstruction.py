"""The reconstruction job: pseudo-healthy volumes of one model, fold and data set.

It works through the validation and test subjects in a fixed order, one volume at a time, and
resumes where it stopped if it is killed (`uad.base.resumable`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from uad.base import devices, resumable, seeding
from uad.data import packed
from uad.data.packed import PackedVolume
from uad.engine import checkpoints
from uad.engine.jobs import Evaluated, Job


@torch.no_grad()
def reconstruct(
    data: Evaluated,
    model_path: Path | str,
    test: dict,
    seed: int,
    job: Job,
    output: Path | str,
    original: Sequence[Path | str] = (),
) -> None:
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
    original : sequence of path-like
        Files of the packed data set that these volumes were made of (`source` in their table), if
        they get the same noise as there: what then differs is due to what was changed in them.
    """
    devices.set_up_networks(job.threads)
    pack, subjects = packed.of_files(data.files), data.subjects(job.fold)
    method = checkpoints.load(model_path, job.device, test=test)
    shape = (method.levels, *pack.image.shape[1:])  # of one subject: (levels, Z, X, Y)
    before = packed.of_files(original) if original else None
    source = pack.subjects.set_index("subject")["source"] if original else {}

    def compute(i: int) -> np.ndarray:
        volume = pack.volume(subjects[i])
        seen = before.volume(source[subjects[i]]) if before else volume
        rng = seeding.generator(seed, "reconstruct", job.fold, *content(seen))
        image = torch.from_numpy(volume.image).to(job.device)  # (Z, X, Y)
        with devices.autocast(job.device, method.precision):
            return method.reconstruct(image, rng).cpu().numpy()

    fitting = data.fingerprint(job, [model_path, *original], test=test, seed=seed)
    resumable.write_resumable(
        output, len(subjects), shape, np.float16, compute, fitting, "reconstruct"
    )


def content(volume: PackedVolume) -> tuple[int, int]:
    """What seeds the noise of a volume: what is in it, not what it is called.

    Two numbers that stay the same where a scan is stored in another orientation or number format,
    or preprocessed on a processor with other last digits; a checksum of the voxels would not.

    Parameters
    ----------
    volume : PackedVolume

    Returns
    -------
    brain_percent : int
        Share of the box that is brain.
    mean_percent : int
        Mean intensity in the brain; 100 is the upper percentile that intensities are scaled to.
    """
    mean = volume.image[volume.brain].mean(dtype=float) if volume.brain.any() else 0.0
    return round(100 * float(volume.brain.mean())), round(100 * float(mean))
