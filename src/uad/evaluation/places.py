"""Where the lesions of packed subjects are, from their masks alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from uad.base.arrays import bounding_box
from uad.data import packed
from uad.data.packed import PackedVolume

SIDED = 0.8  # share of a lesion's voxels in one half of the brain that makes it one-sided
LEFT, RIGHT, BOTH = "left", "right", "both"


def table(files: Sequence[Path | str], spacing_mm: float) -> pd.DataFrame:
    """Place of every subject's lesion.

    Parameters
    ----------
    files : list of path-like
        Of a packed data set.
    spacing_mm : float
        Voxel size.

    Returns
    -------
    DataFrame
        Columns subject, side (``left``, ``right`` or ``both``) and depth_mm (of the lesion's
        voxels, median distance to the nearest voxel outside the brain mask); missing without
        lesion voxels in the brain.
    """
    pack = packed.of_files(files)
    lines = []
    for position in range(len(pack)):
        volume = pack.volume_at(position)
        lines.append({"subject": volume.subject, **place(volume, spacing_mm)})
    return pd.DataFrame(lines, columns=["subject", "side", "depth_mm"])


def place(volume: PackedVolume, spacing_mm: float) -> dict:
    """Place of one lesion; see `table`. Volumes are LPS: x runs to the patient's left."""
    lesion = volume.lesion & volume.brain
    if not lesion.any():
        return {"side": None, "depth_mm": float("nan")}
    middle = np.nonzero(volume.brain.any(axis=(0, 2)))[0].mean()  # of the brain's extent in x
    x = np.nonzero(lesion)[1]
    left = ((x > middle).sum() + (x == middle).sum() / 2) / len(x)
    side = LEFT if left >= SIDED else RIGHT if 1 - left >= SIDED else BOTH
    box = bounding_box(volume.brain)
    inside = np.pad(volume.brain[box], 1)
    depth = ndimage.distance_transform_edt(inside, spacing_mm)[1:-1, 1:-1, 1:-1]
    return {"side": side, "depth_mm": float(np.median(depth[lesion[box]]))}
