"""Connected regions of an anomaly mask: how large, where, how high."""

import numpy as np
from nibabel.affines import apply_affine
from scipy import ndimage

from uad.evaluation.metrics import TOUCHING

MOST = 50  # listed per scan


def measure(
    mask: np.ndarray, score: np.ndarray, spread: np.ndarray, affine: np.ndarray
) -> tuple[list[dict], int]:
    """The largest 26-connected components of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (I, J, K)
    score, spread : ndarray of float32, shape (I, J, K)
        Anomaly score, and its standard deviation over folds.
    affine : ndarray, shape (4, 4)
        Voxel to RAS millimetres.

    Returns
    -------
    regions : list of dict
        Largest first, at most `MOST`: `volume_ml`; `x_mm`, `y_mm`, `z_mm`, the centre of mass in
        RAS millimetres; `i`, `j`, `k`, the voxel with the highest score; `peak`, that
        score; `peak_sd`, its standard deviation over folds.
    n : int
        How many there are in all.
    """
    labels, n = ndimage.label(mask, TOUCHING)
    voxel_ml = abs(np.linalg.det(affine[:3, :3])) / 1000
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    boxes = ndimage.find_objects(labels)
    found = []
    for number in np.argsort(-sizes, kind="stable")[:MOST]:
        box = boxes[number]
        inside = labels[box] == number + 1
        start = np.array([side.start for side in box])
        values = np.where(inside, score[box], -np.inf)
        peak = np.unravel_index(values.argmax(), values.shape)
        centre = apply_affine(affine, start + np.argwhere(inside).mean(axis=0))
        found.append(
            {
                "volume_ml": float(sizes[number] * voxel_ml),
                **{f"{axis}_mm": float(x) for axis, x in zip("xyz", centre)},
                **{axis: int(x) for axis, x in zip("ijk", start + peak)},
                "peak": float(score[box][peak]),
                "peak_sd": float(spread[box][peak]),
            }
        )
    return found, n
