"""Whether rates and probabilities are what they say they are, from stored anomaly maps.

The thresholds of false-positive rates come from healthy validation subjects: here it is counted
what lies above them in healthy test subjects. Scores of segmentation networks are probabilities:
here voxels are counted by their probability, and how many of them are lesion. Small tables of
subjects are kept, not the maps.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from uad.evaluation.reliability import BINS, RATES
from uad.evaluation.scores import RowScore


def rates(scores: RowScore, cuts: Mapping[str, float]) -> pd.DataFrame:
    """Share of every healthy test subject's brain voxels above the thresholds of nominal rates.

    Parameters
    ----------
    scores : RowScore
        Of the healthy data set.
    cuts : mapping of str to float
        Names of `RATES` to thresholds.

    Returns
    -------
    DataFrame
        Columns subject, fold and the names of the rates; fractions.
    """
    lines = [
        {
            "subject": volume.subject,
            "fold": scores.cohort.fold,
            **{name: np.mean(score[volume.brain] > cuts[name]) for name in RATES},
        }
        for volume, score in scores.of("test")
    ]
    return pd.DataFrame(lines)


def bins(scores: RowScore) -> pd.DataFrame:
    """Voxels of every test subject's brain by the probability that they are given.

    Parameters
    ----------
    scores : RowScore
        Of a test set, in [0, 1].

    Returns
    -------
    DataFrame
        Columns subject, fold, bin, voxels, probability (summed over them) and lesion (voxels).

    Raises
    ------
    ValueError
        If a score is above 1.
    """
    lines = []
    for volume, score in scores.of("test"):
        p, lesion = score[volume.brain], volume.lesion[volume.brain]
        if p.max() > 1:
            raise ValueError(f"subject {volume.subject} has a probability of {p.max():g}")
        place = np.minimum((p * BINS).astype(int), BINS - 1)
        counted = [np.bincount(place, weights, BINS) for weights in (None, p.astype(float), lesion)]
        lines += [
            {"subject": volume.subject, "fold": scores.cohort.fold, "bin": number}
            | dict(zip(("voxels", "probability", "lesion"), values))
            for number, values in enumerate(zip(*counted))
        ]
    return pd.DataFrame(lines)
