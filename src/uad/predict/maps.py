"""Anomaly maps of one scan by the models of a bundle, as the workflow computes them.

To the jobs of the workflow a scan is a data set with one test subject: they reconstruct it, score
it and add its maps up here too, so that a prediction is what the workflow gives for the same scan,
to the byte.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from uad.base import tsv
from uad.base.paths import Paths
from uad.data import packed
from uad.engine import reconstruction, scoring
from uad.engine.jobs import Evaluated, Job
from uad.evaluation.scores import Cohort, RowScore, Stored
from uad.predict import bundle

NAME = "scan"


def compute(
    image: np.ndarray,
    brain: np.ndarray,
    manifest: Mapping,
    folder: Path | str,
    device: torch.device,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Anomaly maps of every fold.

    Parameters
    ----------
    image : ndarray of float32, shape (Z, X, Y)
        As packed: cropped, scaled, downsampled.
    brain : ndarray of bool, shape (Z, X, Y)
    manifest : mapping
        Of the bundle.
    folder : path-like
        Where its models are unpacked; other files are made there.
    device : torch.device

    Returns
    -------
    maps : ndarray of float32, shape (folds, Z, X, Y)
        Zero outside the brain.
    reconstruction : ndarray of float32, shape (Z, X, Y), or None
        Pseudo-healthy volume, mean over noise levels and folds; None if no model makes any.
    """
    folder = Path(folder)
    paths = Paths(str(folder))
    arrays = {"image": image, "brain": brain, "lesion": np.zeros_like(brain)}
    # The volume of a voxel does not matter here.
    subjects = pd.DataFrame({"subject": [NAME], "voxel_ml": [1.0]})
    packed.write(folder / "packed" / NAME, subjects, [arrays], 1, image.shape)
    split = pd.DataFrame([(NAME, fold, "test") for fold in manifest["folds"]])
    tsv.write(split.set_axis(["subject", "fold", "role"], axis=1), paths.split(NAME))
    data = Evaluated(paths.packed(NAME), paths.split(NAME), with_training=False)
    scored = [_score(data, manifest, paths, fold, device) for fold in manifest["folds"]]
    maps, means = zip(*scored)
    made = [mean for mean in means if mean is not None]
    return np.stack(maps), np.mean(made, axis=0, dtype=np.float32) if made else None


def _score(data, manifest, paths, fold, device):
    """Map of one fold, and its mean reconstruction or None."""
    job = Job(fold=fold, device=device, threads=manifest["threads"], params={"code": ""})
    models = manifest["models"]
    stored = Stored(NAME, data.files, data.split)
    for model, about in models.items():
        path = Path(paths.root) / bundle.model_name(model, fold)
        if about["reconstructs"]:
            output = paths.reconstruction(model, fold, NAME)
            reconstruction.reconstruct(data, path, about["test"], manifest["seed"], job, output)
            stored.reconstructions[model] = output
    for model in manifest["maps"]:
        about = models[model]
        if about["reconstructs"]:
            continue
        path = Path(paths.root) / bundle.model_name(model, fold)
        upstream = stored.reconstructions[about["upstream"]] if about["upstream"] else None
        output = paths.anomaly_map(model, fold, NAME)
        scoring.score(data, path, about["test"], upstream, job, output)
        stored.maps[model] = output
    # As in the jobs that add maps up, which run no network (`devices.set_up_networks`).
    torch.set_flush_denormal(False)
    cohort = Cohort(stored, fold)
    score = RowScore(manifest["maps"], cohort, manifest["residual"], manifest["seed"])
    volume = cohort.volume(NAME)
    made = next(iter(stored.reconstructions), None)
    return score(volume), cohort.reconstruction(made)(volume) if made else None
