"""Example cases for the figures: which subjects, which slice, and what every row makes of them.

Cases are chosen by a rule, never by hand: the test subjects at the 50th and 75th percentile of the
highest Dice that SADM_res reaches (paper Fig. 2), each in the axial slice with the largest lesion.
The slices are kept in a small file, so that a figure can be drawn again without scoring again.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from uad.base.errors import InputError
from uad.base.files import replacing
from uad.evaluation import metrics
from uad.evaluation.scores import Cohort, RowScore

PERCENTILES = (50, 75)
# Of every row and part, beside what all share.
SCORED = ("score", "peak", "dice", "threshold")
SYNTHETIC = 6  # volumes shown in the figure of synthetic anomalies


def choose(table):
    """Subjects at the percentiles of `dice_best`, among those with a lesion.

    A percentile is the lowest value that this share of the subjects does not exceed (nearest rank);
    subjects of equal Dice are taken by name.

    Parameters
    ----------
    table : DataFrame
        Metrics of one row, test set and fold: `subject`, `dice_best`, `lesion_ml`.

    Returns
    -------
    list of str
        One per percentile; only one if there is only one subject.

    Raises
    ------
    InputError
        If no subject has a lesion.
    """
    ranked = table[table["lesion_ml"] > 0].sort_values(["dice_best", "subject"])["subject"]
    if ranked.empty:
        raise InputError("no test subject has a lesion, so there is no example to show")
    ranks = [math.ceil(percentile * len(ranked) / 100) for percentile in PERCENTILES]
    return list(dict.fromkeys(ranked.iloc[rank - 1] for rank in ranks))


def collect(
    row: str,
    maps: Sequence[str],
    cohort: Cohort,
    subjects: Sequence[str],
    residual: dict,
    seed: int,
    parts: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Slices of the chosen subjects as one row sees them.

    Parameters
    ----------
    row : str
    maps : sequence of str
        What it adds up.
    cohort : Cohort
    subjects : sequence of str
        From `choose`.
    residual : dict
        See `Cohort.anomaly_map`.
    seed : int
    parts : sequence of str
        Maps that are shown one by one too, and the first one's reconstruction: residual map and
        prediction of SADM_res.

    Returns
    -------
    dict of str to ndarray
        `subject` (cases); `image`, `brain`, `lesion` and, with parts, `reconstruction` (mean over
        noise levels), each (cases, X, Y); `names`, of the row and then the parts; for each of them
        `score` (cases, names, X, Y), and of the whole volume `peak`, `dice` and `threshold` (cases,
        names): its highest score, its highest Dice and the threshold of that.
    """
    added = [list(maps), *([part] for part in parts)]
    scores = [RowScore(names, cohort, residual, seed) for names in added]
    reconstruction = cohort.reconstruction(parts[0]) if parts else None
    kinds = ["image", "brain", "lesion", *SCORED, *(["reconstruction"] if parts else [])]
    found = {kind: [] for kind in kinds}
    for subject in subjects:
        volume = cohort.volume(subject)
        z = int(volume.lesion.sum(axis=(1, 2)).argmax())
        values = [score(volume) for score in scores]
        best = [metrics.best_dice(metrics.count(score, volume.lesion)) for score in values]
        found["image"].append(volume.image[z])
        found["brain"].append(volume.brain[z])
        found["lesion"].append(volume.lesion[z])
        found["score"].append([score[z] for score in values])
        found["peak"].append([score.max() for score in values])
        found["dice"].append([dice for dice, _ in best])
        found["threshold"].append([threshold for _, threshold in best])
        if reconstruction:
            found["reconstruction"].append(reconstruction(volume)[z])
    arrays = {kind: np.array(values) for kind, values in found.items()}
    return {"subject": np.array(subjects), "names": np.array([row, *parts]), **arrays}


def write(collected: Mapping[str, Mapping[str, np.ndarray]], path: Any) -> None:
    """Write what `collect` returned for some test sets as `.npz`."""
    arrays = {
        f"{test_set}/{kind}": array
        for test_set, of in collected.items()
        for kind, array in of.items()
    }
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def read(paths: Sequence[Any], test_set: str) -> dict[str, np.ndarray]:
    """What `write` wrote of one test set, for one row or for several side by side."""
    parts = []
    for path in paths:
        with np.load(path) as content:
            start = f"{test_set}/"
            parts.append(
                {k.removeprefix(start): content[k] for k in content.files if k.startswith(start)}
            )
    if any(list(part["subject"]) != list(parts[0]["subject"]) for part in parts):
        raise InputError(f"{paths[0]} and others beside it show different subjects; delete them")
    joined = {kind: np.concatenate([part[kind] for part in parts], axis=1) for kind in SCORED}
    return {**parts[0], **joined, "names": np.concatenate([part["names"] for part in parts])}


def synthetic(pack, subjects):
    """One slice with an anomaly of each of the first synthetic test volumes.

    Parameters
    ----------
    pack : packed.Pack
        The synthetic data set.
    subjects : list of str
        Test subjects, in the order of the split.

    Returns
    -------
    list of (str, ndarray, ndarray)
        Subject, image and mask (X, Y): the slice with the median area among the slices of the
        volume that have an anomaly. Volumes without any are passed over.
    """
    found = []
    for subject in subjects:
        volume = pack.volume(subject)
        areas = volume.lesion.sum(axis=(1, 2))
        slices = np.flatnonzero(areas)
        if len(slices):
            z = slices[np.argsort(areas[slices], kind="stable")[len(slices) // 2]]
            found.append((subject, volume.image[z], volume.lesion[z]))
        if len(found) == SYNTHETIC:
            break
    return found
