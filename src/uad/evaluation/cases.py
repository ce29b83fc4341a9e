"""Example cases for the figures: which subjects, which slice, and what every row makes of them.

Cases are chosen by a rule, never by hand: the test subjects at the 50th and 75th percentile of the
highest Dice that SADM_res reaches (paper Fig. 2), each in the axial slice with the largest lesion.
The slices are kept in a small file, so that a figure can be drawn again without scoring again.
"""

import math

import numpy as np

from uad.base import tsv
from uad.base.errors import InputError
from uad.base.files import replacing
from uad.data import packed, splits
from uad.evaluation import metrics
from uad.evaluation.row_metrics import Cohort, RowScore

PERCENTILES = (50, 75)
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


def collect(root, rows, parts, dataset, fold, subjects, reconstruction, seed):
    """Slices of the chosen subjects.

    Parameters
    ----------
    root : path-like
        Results folder.
    rows : dict of str to list of str
        Rows of the table and their maps.
    parts : list of str
        The maps of SADM_res, shown one by one: residual map and prediction.
    dataset : str
    fold : int
    subjects : list of str
        From `choose`.
    reconstruction : path-like
        Of the residual map's model, (subjects, levels, Z, X, Y).
    seed : int

    Returns
    -------
    dict of str to ndarray
        `subject` (cases); `image`, `brain`, `lesion` and `reconstruction` (mean over noise levels),
        each (cases, X, Y); `names`, of the rows and then the parts; for each of them `score`
        (cases, names, X, Y), and of the whole volume `peak`, `dice` and `threshold` (cases, names):
        its highest score, its highest Dice and the threshold of that.
    """
    pack = packed.Pack(root / "packed" / dataset)
    split = tsv.read(root / "splits" / f"{dataset}.tsv")
    order = splits.evaluated(split, fold)
    stored = np.load(reconstruction, mmap_mode="r")
    added = [*rows.values(), *([part] for part in parts)]
    cohort = Cohort(root, dataset, fold)
    scores = [RowScore(root, maps, cohort, seed) for maps in added]
    kinds = (
        "image", "brain", "lesion", "reconstruction", "score", "peak", "dice", "threshold",
    )  # fmt: skip
    found = {kind: [] for kind in kinds}
    for subject in subjects:
        volume = pack.volume(subject)
        z = int(volume.lesion.sum(axis=(1, 2)).argmax())
        maps = [score(volume) for score in scores]
        best = [metrics.best_dice(metrics.count(values, volume.lesion)) for values in maps]
        found["image"].append(volume.image[z])
        found["brain"].append(volume.brain[z])
        found["lesion"].append(volume.lesion[z])
        found["reconstruction"].append(stored[order.index(subject)][:, z].astype("f4").mean(axis=0))
        found["score"].append([values[z] for values in maps])
        found["peak"].append([values.max() for values in maps])
        found["dice"].append([dice for dice, _ in best])
        found["threshold"].append([threshold for _, threshold in best])
    arrays = {kind: np.array(values) for kind, values in found.items()}
    return {"subject": np.array(subjects), "names": np.array([*rows, *parts]), **arrays}


def write(collected, path):
    """Write what `collect` returned as `.npz`."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **collected)


def read(path):
    """What `write` wrote."""
    with np.load(path) as content:
        return dict(content)


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
