"""Which planted lesions a row of Table 1 sees (`uad.simulation.planted`).

A lesion is *detected* if planting it raises enough of its voxels above the row's threshold: at
least `SHARE` of them, and one at least, more than were above it in the same place of the same scan
before. What is there anyway, a ventricle or a false positive, is not the lesion's merit.
"""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from uad.base.errors import InputError
from uad.data.packed import Pack, PackedVolume

SHARE = 0.1


def measure(
    score: Callable[[PackedVolume], np.ndarray],
    scans: Pack,
    lesions: pd.DataFrame,
    threshold: float,
) -> pd.DataFrame:
    """What a row sees of every planted lesion.

    Parameters
    ----------
    score : callable
        From a volume to its anomaly score, (Z, X, Y); such as `scores.RowScore`.
    scans : Pack
        `lesion` has the lesions' numbers.
    lesions : DataFrame
        `planted.Scans.lesions`.
    threshold : float
        A voxel is predicted if its score is greater.

    Returns
    -------
    DataFrame
        In the order of `lesions`, beside their columns: `before` and `after`, voxels of the lesion
        above the threshold without and with it; `detected` (0 or 1); `newly_above`, the share of
        its voxels by which `after` is more than `before`; `rise`, by how much the mean score in it
        is higher than before, in standard deviations of the scan's score in the brain before;
        missing if there is no deviation.

    Raises
    ------
    InputError
        If a lesion is not in its scan as the table says.
    """
    source = scans.subjects.set_index("subject")["source"]
    planted = dict(tuple(lesions.groupby("subject", sort=False)))
    before, deviation, lines = None, 0.0, []
    for label in scans.subjects["subject"]:
        volume = scans.volume(label)
        values = score(volume)
        if not volume.lesion.any():  # the first of a subject: nothing is planted in it
            before, of = values, source[label]
            deviation = float(values[volume.brain].std(dtype=float))
            continue
        if before is None or of != source[label]:
            raise InputError(f"{label}: the scan without planted lesions does not come before it")
        (row,) = scans.rows([label])
        numbers = np.array(scans.lesion[row])
        for index, line in planted[label].iterrows():
            mask = numbers == line["number"]
            n = int(np.count_nonzero(mask))
            if n != line["voxels"]:
                raise InputError(
                    f"{label}: lesion {line['number']} has {n} voxels, but the table of planted "
                    f"lesions says {line['voxels']}"
                )
            lines.append((index, *_seen(values[mask], before[mask], threshold, deviation)))
    names = ["index", "before", "after", "detected", "newly_above", "rise"]
    found = pd.DataFrame(lines, columns=names).set_index("index")
    return lesions.join(found)


def _seen(after, before, threshold, deviation):
    """What `measure` tells of the scores in one lesion."""
    above = [int(np.count_nonzero(values > threshold)) for values in (before, after)]
    more = above[1] - above[0]
    rise = float(after.mean(dtype=float) - before.mean(dtype=float))
    detected = more >= max(1, math.ceil(SHARE * len(after)))
    rise = rise / deviation if deviation else float("nan")
    return *above, int(detected), more / len(after), rise
