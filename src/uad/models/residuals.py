"""From input and reconstruction to an anomaly map: one minus the local structural similarity.

Follows SADM Sec. 3.1 and 4.2: 3-D SSIM over the assembled volume, Gaussian window with sigma 1,
size 9, then a 3-D median filter of size 5. torchmetrics and SciPy are the test oracles.
"""

from functools import lru_cache

import numpy as np
import torch
from scipy import ndimage

SIGMA = 1.0
WINDOW = 9  # 2 * int(3.5 * SIGMA + 0.5) + 1
K1, K2 = 0.01, 0.03
MEDIAN_SIZE = 5


def ssim(x, y):
    """Local structural similarity of two volumes.

    The range L of the data is the larger of both volumes' ranges, moments are biased (weighted)
    and borders are reflected, as in the reference. Computed in double precision: local variances
    are differences of nearly equal numbers, and in single precision flat regions are off by 0.001.

    Parameters
    ----------
    x, y : Tensor of float32, shape (D, H, W)

    Returns
    -------
    Tensor of float64, shape (D, H, W)
        At most 1; 1 where both agree.
    """
    x, y = x.double(), y.double()
    data_range = torch.maximum(x.max() - x.min(), y.max() - y.min())
    return similarity(_blur(torch.stack([x, y, x * x, y * y, x * y])), data_range)


def similarity(moments, data_range):
    """Structural similarity from local means of x, y, x squared, y squared and x times y."""
    mean_x, mean_y, xx, yy, xy = moments
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    var_x, var_y, cov = xx - mean_x**2, yy - mean_y**2, xy - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance * (2 * cov + c2) / (var_x + var_y + c2)


def _blur(volumes):
    """Gaussian window over the last three axes of (N, D, H, W).

    Along each axis the window, its reflected border included, is one banded matrix; three matrix
    products are several times faster than convolutions of this size.
    """
    along_d, along_h, along_w = (
        torch.from_numpy(window_matrix(n, SIGMA, WINDOW)).to(volumes) for n in volumes.shape[1:]
    )
    out = along_h @ (volumes @ along_w.T)
    return (along_d @ out.flatten(2)).reshape(volumes.shape)


@lru_cache(maxsize=8)
def window_matrix(n, sigma, size, border="mirror"):
    """A Gaussian window along an axis of length n as an (n, n) matrix; `border` as in SciPy."""
    positions = np.arange(size) - size // 2
    kernel = np.exp(-((positions / sigma) ** 2) / 2)
    return ndimage.correlate1d(np.eye(n), kernel / kernel.sum(), axis=0, mode=border)


def median_filter(volume, mask):
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
    windows = np.lib.stride_tricks.sliding_window_view(padded, (MEDIAN_SIZE,) * 3)
    out = np.zeros_like(volume)
    middle = MEDIAN_SIZE**3 // 2
    for plane in range(len(volume)):  # one plane at a time bounds the memory
        inside = mask[plane]
        values = windows[plane][inside].reshape(-1, MEDIAN_SIZE**3)
        values.partition(middle, axis=1)
        out[plane][inside] = values[:, middle]
    return out


def anomaly_map(image, reconstruction, brain, kind="ssim", erosion=0):
    """Anomaly map of a reconstruction: a median-filtered residual inside the brain.

    Parameters
    ----------
    image, reconstruction : Tensor of float32, shape (Z, X, Y)
    brain : ndarray of bool, shape (Z, X, Y)
    kind : str
        ``"ssim"``: 1 - SSIM, in [0, 2] (SADM Sec. 4.2); ``"l1"``: absolute difference (cDDPM).
    erosion : int
        Voxels by which the brain shrinks in every axial slice, 4-connected, as in the authors'
        code for the cDDPM paper; 0 for SADM.

    Returns
    -------
    ndarray of float32, shape (Z, X, Y)
        Zero outside the (eroded) brain.
    """
    x, y = image, reconstruction
    residual = 1 - ssim(x, y) if kind == "ssim" else (x - y).abs()
    if erosion:
        cross = ndimage.generate_binary_structure(2, 1)[None]  # (Z, X, Y): axial slices only
        brain = ndimage.binary_erosion(brain, cross, erosion)
    return median_filter(residual.float().cpu().numpy() * brain, brain)
