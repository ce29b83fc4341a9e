"""Slices of the example cases as a row of the table sees them.

Apart from `uad.evaluation.cases`, so that drawing them needs nothing of what scores.
"""

from collections.abc import Sequence

import numpy as np

from uad.evaluation import cases, metrics
from uad.evaluation.scores import Cohort, RowScore


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
        From `cases.choose`.
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
        names): its highest score, its highest Dice and the threshold of that, both missing without
        a lesion.
    """
    added = [list(maps), *([part] for part in parts)]
    scores = [RowScore(names, cohort, residual, seed) for names in added]
    reconstruction = cohort.reconstruction(parts[0]) if parts else None
    kinds = ["image", "brain", "lesion", *cases.SCORED, *(["reconstruction"] if parts else [])]
    found = {kind: [] for kind in kinds}
    for subject in subjects:
        volume = cohort.volume(subject)
        there = volume.lesion if volume.lesion.any() else volume.brain
        z = int(there.sum(axis=(1, 2)).argmax())
        values = [score(volume) for score in scores]
        best = [_best_dice(score, volume.lesion) for score in values]
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


def _best_dice(score, lesion):
    """Highest Dice and its threshold; both missing without a lesion."""
    if not lesion.any():
        return float("nan"), float("nan")
    return metrics.best_dice(metrics.count(score, lesion))
