"""The 3-D median filter behind every residual map (SADM Sec. 4.2); SciPy is the test oracle."""

import numpy as np

MEDIAN_SIZE = 5


def median_filter(volume: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """3-D median of size 5 at the voxels of a mask, zero elsewhere.

    Only masked voxels are sorted, since the others are set to zero afterwards anyway. Borders are
    mirrored with the edge repeated, SciPy's default.

    Parameters
    ----------
    volume : ndarray of float32, shape (D, H, W)
    mask : ndarray of bool, shape (D, H, W)
    """
    pad = MEDIAN_SIZE // 2
    padded = np.pad(volume, pad, mode="symmetric")
    # (D, H, W, 5, 5, 5), a view
    windows = np.lib.stride_tricks.sliding_window_view(padded, (MEDIAN_SIZE,) * 3)
    out = np.zeros_like(volume)
    middle = MEDIAN_SIZE**3 // 2
    for plane in range(len(volume)):  # one plane at a time bounds the memory
        inside = mask[plane]
        values = windows[plane][inside].reshape(-1, MEDIAN_SIZE**3)  # (voxels, 125)
        values.partition(middle, axis=1)
        out[plane][inside] = values[:, middle]
    return out
