"""Structural similarity (Wang et al. 2004) of slices and of volumes: a loss and an anomaly map."""

from functools import lru_cache

import numpy as np
import torch
from scipy import ndimage

K1, K2 = 0.01, 0.03  # of the paper


def structural_similarity(
    x: torch.Tensor,
    y: torch.Tensor,
    window: int,
    sigma: float,
    data_range: float | torch.Tensor = 1.0,
    border: str = "constant",
    axes: int = 2,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Local structural similarity in a Gaussian window, of biased (weighted) moments.

    Along each axis the window, what it does at the border included, is one banded matrix; products
    with these are several times faster than convolutions of this size.

    Parameters
    ----------
    x, y : Tensor, shape (..., H, W) or (..., D, H, W)
    window : int
        Odd width of the window in pixels.
    sigma : float
        Its standard deviation in pixels.
    data_range : float or scalar Tensor
        Largest difference of values that can be (L of the paper).
    border : {"constant", "mirror"}
        What lies beyond the border: zeros, or the values mirrored about the last one, as in SciPy.
    axes : {2, 3}
        How many of the last axes the window is over.
    dtype : torch.dtype
        Of the computation, also in mixed precision: variances are differences of nearly equal
        numbers, and half precision loses them.

    Returns
    -------
    Tensor of `dtype`, the shape of `x`
        In [-1, 1]; 1 where both agree.
    """
    with torch.autocast(x.device.type, enabled=False):
        x, y = x.to(dtype), y.to(dtype)
        *depth, along_h, along_w = (
            torch.from_numpy(window_matrix(n, sigma, window, border)).to(x) for n in x.shape[-axes:]
        )

        def mean(values):
            """The windowed mean about each position."""
            values = along_h @ values @ along_w.T
            for along_d in depth:
                values = (along_d @ values.flatten(-2)).reshape(values.shape)  # over (..., D, H W)
            return values

        mean_x, mean_y = mean(x), mean(y)
        var_x, var_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
        cov = mean(x * y) - mean_x * mean_y
        c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
        luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        return luminance * (2 * cov + c2) / (var_x + var_y + c2)


@lru_cache(maxsize=8)
def window_matrix(n: int, sigma: float, window: int, border: str) -> np.ndarray:
    """A Gaussian window along an axis of length `n` as a float64 matrix, shape (n, n)."""
    positions = np.arange(window) - window // 2
    kernel = np.exp(-((positions / sigma) ** 2) / 2)
    return ndimage.correlate1d(np.eye(n), kernel / kernel.sum(), axis=0, mode=border)
