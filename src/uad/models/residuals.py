"""From input and reconstruction to an anomaly map: one minus the local structural similarity.

Follows SADM Sec. 3.1 and 4.2: 3-D SSIM over the assembled volume, Gaussian window with sigma 1,
size 9, then a 3-D median filter of size 5.
"""

import numpy as np
import torch
from scipy import ndimage

from uad.models import median
from uad.models.ssim import structural_similarity

SIGMA = 1.0
WINDOW = 9  # 2 * int(3.5 * SIGMA + 0.5) + 1


def ssim(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Local structural similarity of two volumes.

    The range of the data is the larger of both volumes' ranges, and borders are mirrored, as in the
    reference. Computed in double precision: in single precision flat regions are off by 0.001.

    Parameters
    ----------
    x, y : Tensor of float32, shape (D, H, W)

    Returns
    -------
    Tensor of float64, shape (D, H, W)
        At most 1; 1 where both agree.

    Examples
    --------
    >>> x = torch.rand(9, 9, 9)
    >>> bool(torch.allclose(ssim(x, x), torch.ones(9, 9, 9, dtype=torch.float64)))
    True
    """
    x, y = x.double(), y.double()
    data_range = torch.maximum(x.max() - x.min(), y.max() - y.min())
    return structural_similarity(
        x, y, WINDOW, SIGMA, data_range, border="mirror", axes=3, dtype=torch.float64
    )


def anomaly_map(
    image: torch.Tensor,
    reconstruction: torch.Tensor,
    brain: np.ndarray,
    kind: str = "ssim",
    erosion: int = 0,
) -> np.ndarray:
    """Anomaly map of a reconstruction: a median-filtered residual inside the brain.

    Parameters
    ----------
    image, reconstruction : Tensor of float32, shape (Z, X, Y)
    brain : ndarray of bool, shape (Z, X, Y)
        Or of float32 in [0, 1], by which the residual is weighted.
    kind : str
        ``"ssim"``: 1 - SSIM, in [0, 2] (SADM Sec. 4.2); ``"l1"``: absolute difference (cDDPM).
    erosion : int
        Voxels by which the brain shrinks in every axial slice, 4-connected, as in the authors'
        code for the cDDPM paper; 0 for SADM.

    Returns
    -------
    ndarray of float32, shape (Z, X, Y)
        Zero outside the (eroded) brain.

    Examples
    --------
    >>> image, healthy = torch.zeros(7, 9, 9), torch.zeros(7, 9, 9)
    >>> image[2:5, 2:7, 2:7] = 1  # is not in the reconstruction
    >>> score = anomaly_map(image, healthy, np.ones(image.shape, bool), kind="l1")
    >>> float(score[3, 4, 4]), float(score[0, 0, 0])
    (1.0, 0.0)
    """
    x, y = image, reconstruction
    residual = 1 - ssim(x, y) if kind == "ssim" else (x - y).abs()
    if erosion:
        cross = ndimage.generate_binary_structure(2, 1)[None]  # (Z, X, Y): axial slices only
        brain = ndimage.binary_erosion(brain, cross, erosion)
    return median.median_filter(residual.float().cpu().numpy() * brain, brain > 0)
