"""Curves of detection of planted lesions against size and contrast, and where they reach one half.

Subjects are the unit: lesions of one scan are seen or missed together more often than by chance. A
lesion counts with the mean over folds, a subject with the mean over its lesions.

The interval of a share is that of Korn and Graubard (1998): Clopper and Pearson's, with the number
of lesions divided by the design effect, which is found from the spread between the subjects. Unlike
a bootstrap of few subjects it has a width where all lesions are seen, or none. The 50 % point is
where the curve, made monotone in the volume (isotonic regression), crosses one half between two
volumes, linear in the logarithm; its interval is where the curves of both ends of the intervals do.
No shape of the curve is assumed but that larger lesions are seen no less often.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize, stats

HALF, LEVEL = 0.5, 0.95
ALL = "all"
KEYS = ["row", "place", "texture", "contrast"]  # of a curve against the volume


def interval(shares: np.ndarray, per_subject: np.ndarray) -> tuple[float, float]:
    """Interval of a mean share over subjects, by Korn and Graubard.

    Parameters
    ----------
    shares : ndarray of float, shape (N,)
        Of each subject's lesions that are detected.
    per_subject : ndarray of int, shape (N,)
        How many lesions that are.

    Returns
    -------
    low, high : float
        NaN with fewer than two subjects.
    """
    n = len(shares)
    if n < 2:
        return float("nan"), float("nan")
    mean, lesions = float(np.mean(shares)), int(np.sum(per_subject))
    variance = float(np.var(shares, ddof=1)) / n
    if 0 < mean < 1:
        # Subjects that all have the same share say no more than all lesions by themselves.
        effective = min(mean * (1 - mean) / variance, lesions) if variance else lesions
        quantiles = stats.t.ppf(0.5 + LEVEL / 2, [lesions - 1, n - 1])
        effective *= (quantiles[0] / quantiles[1]) ** 2
    else:  # no spread that could be measured: as if a subject's lesions were one
        effective = n
    seen, tail = mean * effective, (1 - LEVEL) / 2
    low = stats.beta.ppf(tail, seen, effective - seen + 1) if mean > 0 else 0.0
    high = stats.beta.ppf(1 - tail, seen + 1, effective - seen) if mean < 1 else 1.0
    return float(low), float(high)


def curves(lesions: pd.DataFrame) -> pd.DataFrame:
    """Share of the lesions that are detected, by row, place, texture, contrast and volume.

    Parameters
    ----------
    lesions : DataFrame
        What `planted.measure` found, of all rows and folds, with `row` and `fold`.

    Returns
    -------
    DataFrame
        Columns row, place, texture, contrast, volume_ml, n_subjects, n_lesions, detected, low,
        high, newly_above, rise. Place and texture are `all` in some lines: both, or one of them;
        lines of single ones are there if several were planted.
    """
    site = ["row", "source", "place", "texture", "contrast", "volume_ml"]
    measured = ["detected", "newly_above", "rise"]
    by_lesion = lesions.groupby(site, sort=False)[measured].mean().reset_index()
    lines = []
    for place, texture, part in _strata(by_lesion):
        for (row, contrast, volume_ml), found in part.groupby(
            ["row", "contrast", "volume_ml"], sort=False
        ):
            of = found.groupby("source")
            means, counts = of[measured].mean(), of.size()
            low, high = interval(means["detected"].to_numpy(), counts.to_numpy())
            lines.append(
                {
                    "row": row,
                    "place": place,
                    "texture": texture,
                    "contrast": contrast,
                    "volume_ml": volume_ml,
                    "n_subjects": len(means),
                    "n_lesions": len(found),
                    "detected": means["detected"].mean(),
                    "low": low,
                    "high": high,
                    "newly_above": means["newly_above"].mean(),
                    "rise": means["rise"].mean(),
                }
            )
    return pd.DataFrame(lines)


def _strata(lesions: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """All lesions; those of each place; those of each texture, where there are several."""
    yield ALL, ALL, lesions
    if lesions["place"].nunique() > 1:
        for place, part in lesions.groupby("place"):
            yield place, ALL, part
    if lesions["texture"].nunique() > 1:
        for texture, part in lesions.groupby("texture"):
            yield ALL, texture, part


class Crossing(NamedTuple):
    """Where a curve reaches one half; `ml` is NaN if it does not between the first and the last
    volume, and `beyond` then says on which side: -1 is below the first, 1 above the last."""

    ml: float
    beyond: int = 0


def crossing(volumes_ml: np.ndarray, shares: np.ndarray) -> Crossing:
    """Where a curve, made monotone, reaches one half.

    Parameters
    ----------
    volumes_ml : ndarray of float, shape (K,)
        Ascending.
    shares : ndarray of float, shape (K,)
        NaN: not known, and then neither is the crossing (`beyond` 0).
    """
    if np.isnan(shares).any():
        return Crossing(float("nan"))
    rising = optimize.isotonic_regression(shares).x
    if rising[0] >= HALF:
        return Crossing(float("nan"), -1)
    if rising[-1] < HALF:
        return Crossing(float("nan"), 1)
    at = int(np.argmax(rising >= HALF))
    part = (HALF - rising[at - 1]) / (rising[at] - rising[at - 1])
    ends = np.log(volumes_ml[at - 1 : at + 1])
    return Crossing(float(np.exp(ends[0] + part * (ends[1] - ends[0]))))


def limits(table: pd.DataFrame) -> pd.DataFrame:
    """The 50 % point of every curve: the volume from which on a row sees half of the lesions.

    Parameters
    ----------
    table : DataFrame
        From `curves`.

    Returns
    -------
    DataFrame
        Columns row, place, texture, contrast, n_subjects; `from_ml`, `low_ml`, `high_ml`: the point
        and the ends of its interval, in ml; and `seen`, in words. A point or end is missing where
        it is not between the smallest and the largest volume: `from`, `low` and `high` then say
        `below` or `above`, else `within`, and `unknown` where there is no interval.
    """
    lines = []
    for names, part in table.groupby(KEYS, sort=False):
        part = part.sort_values("volume_ml")
        volumes = part["volume_ml"].to_numpy(float)
        # The upper ends reach one half first.
        ends = {"from": "detected", "low": "high", "high": "low"}
        found = {name: crossing(volumes, part[of].to_numpy(float)) for name, of in ends.items()}
        line = dict(zip(KEYS, names)) | {"n_subjects": int(part["n_subjects"].min())}
        line |= {f"{name}_ml": one.ml for name, one in found.items()}
        line |= {name: _side(one) for name, one in found.items()}
        lines.append(line | {"seen": in_words(found, volumes[0], volumes[-1])})
    return pd.DataFrame(lines)


def _side(one):
    if one.beyond:
        return "below" if one.beyond < 0 else "above"
    return "unknown" if np.isnan(one.ml) else "within"


def in_words(found: dict[str, Crossing], smallest: float, largest: float) -> str:
    """`from 3.2 ml (1.1 to 8)`, `from the smallest on (up to 0.4)`, `none up to 50 ml (8 to -)`."""

    def shown(one: Crossing) -> str:
        if one.beyond:
            return f"<{smallest:g}" if one.beyond < 0 else f">{largest:g}"
        return f"{one.ml:.2g}"

    low, high = found["low"], found["high"]
    known = not any(_side(one) == "unknown" for one in (low, high))
    between = f" ({shown(low)} to {shown(high)})" if known else ""
    point = found["from"]
    if point.beyond < 0:
        return f"from {smallest:g} ml or less{between}"
    if point.beyond > 0:
        return f"not up to {largest:g} ml{between}"
    return f"from {shown(point)} ml{between}"
