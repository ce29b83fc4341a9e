"""Example cases for the figures: which subjects, which slice, and the scores of every row.

Cases are chosen by a rule, never by hand: the test subjects at the 50th and 75th percentile of the
highest Dice that SADM_res reaches (paper Fig. 2), each in the axial slice with the largest lesion.
Where no test subject has a lesion, they are chosen by name and shown in the slice with most brain.
The slices (`uad.evaluation.scored_cases`) are kept in a small file, so that a figure can be drawn
again without scoring again.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from uad.base.errors import InputError
from uad.base.files import replacing

if TYPE_CHECKING:
    import pandas as pd

PERCENTILES = (50, 75)
# Arrays per row and part; the others are shared.
SCORED = ("score", "peak", "dice", "threshold")


def choose(table: "pd.DataFrame") -> list[str]:
    """Subjects at the percentiles of `dice_best`, among those with a lesion if there are any.

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
    """
    with_lesion = table["lesion_ml"] > 0
    among = table[with_lesion] if with_lesion.any() else table
    ranked = among.sort_values(["dice_best", "subject"])["subject"]
    ranks = [math.ceil(percentile * len(ranked) / 100) for percentile in PERCENTILES]
    return list(dict.fromkeys(ranked.iloc[rank - 1] for rank in ranks))


def write(collected: Mapping[str, Mapping[str, np.ndarray]], path: Any) -> None:
    """Write what `scored_cases.collect` returned for some test sets as `.npz`."""
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
        raise InputError(f"{paths[0]} and files next to it show different subjects; delete them")
    joined = {kind: np.concatenate([part[kind] for part in parts], axis=1) for kind in SCORED}
    return {**parts[0], **joined, "names": np.concatenate([part["names"] for part in parts])}
