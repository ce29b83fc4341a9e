"""Mahalanobis: the cDDPM's reconstructions as a distribution (Behrendt et al. 2024).

The method it stands on (`upstream`) makes several reconstructions of a volume, one per entry of
its `test_levels`, each with noise of its own. In every slice they have a mean and a covariance
between the brain's pixels, to whose diagonal `regularisation` is added. A pixel's share of the
squared Mahalanobis distance between the slice and that distribution, its square root, scaled to
[0, 1] within the volume and blurred, is multiplied by the residual of the mean reconstruction.

Nothing is trained. The inverse of the covariance, of rank one less than there are reconstructions,
is never formed: it follows from a matrix with one row per reconstruction (Woodbury).

Differs from the released code: it inverts in half precision; here it is double. Negative shares
become 0 there too, as square roots that are not numbers.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy import ndimage

from uad.base.errors import InputError
from uad.base.settings import Block, key
from uad.models import residuals
from uad.models.method import Method

INFO = {
    "paper": (
        "Behrendt et al. 2024, Leveraging the Mahalanobis Distance to enhance Unsupervised Brain "
        "MRI Anomaly Detection (arXiv:2407.12474)"
    ),
    "code": "https://github.com/FinnBehrendt/Mahalanobis-Unsupervised-Anomaly-Detection",
    "licence": "none stated",
}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.mahalanobis`."""

    regularisation: float = key(
        "added to the variance of every pixel", source="its code", gt=0, test_time=True
    )
    blur: float = key(
        "SD of the Gaussian that smooths the distance", unit="voxels", source="its code", ge=0,
        test_time=True,
    )  # fmt: skip
    residual: Literal["ssim", "l1", "none"] = key(
        "that the distance is multiplied by", source="its code", test_time=True
    )


def distance(x: torch.Tensor, samples: torch.Tensor, regularisation: float) -> torch.Tensor:
    """Each pixel's share of a Mahalanobis distance.

    Parameters
    ----------
    x : Tensor of float64, shape (P,)
        Pixels of an image.
    samples : Tensor of float64, shape (N, P)
        The same pixels of N images.
    regularisation : float

    Returns
    -------
    Tensor, shape (P,)
        Square roots of d_i (S^-1 d)_i, 0 where that is negative; d is `x` minus the samples' mean,
        S their covariance with `regularisation` on its diagonal.
    """
    mean = samples.mean(dim=0)
    difference = x - mean
    centred = (samples - mean) / (len(samples) - 1) ** 0.5  # (N, P); S = centred' centred + r I
    inner = centred @ centred.T
    inner.diagonal().add_(regularisation)  # (N, N)
    back = torch.linalg.solve(inner, centred @ difference)  # (N,)
    solved = (difference - centred.T @ back) / regularisation
    return (difference * solved).clamp_min(0).sqrt()


class Mahalanobis(Method):
    """Scores with what its upstream method reconstructs."""

    def __init__(self, params):
        super().__init__()
        self.params = params

    def anomaly_map(self, image, brain, reconstruction) -> np.ndarray:
        """Distance times residual inside the brain."""
        if len(reconstruction) < 2:
            raise InputError(
                "methods.mahalanobis needs two reconstructions at least: name more test_levels of "
                "its upstream method, or one several times"
            )
        x, samples = image.double(), reconstruction.double()
        inside = torch.from_numpy(brain).to(image.device)
        score = torch.zeros_like(x)
        for z in np.flatnonzero(brain.any(axis=(1, 2))):
            here = inside[z]
            found = distance(x[z][here], samples[:, z][:, here], self.params.regularisation)
            score[z][here] = found
        score /= score.max().clamp_min(1e-12)
        score = ndimage.gaussian_filter(score.cpu().numpy(), self.params.blur)
        mean = reconstruction.mean(dim=0)
        if self.params.residual == "ssim":
            score = score * (1 - residuals.ssim(image, mean)).cpu().numpy()
        elif self.params.residual == "l1":
            score = score * (image - mean).abs().cpu().numpy()
        return (score * brain).astype(np.float32)


def build(params: Params, upstream: Method | None = None) -> Method:
    """The method; its upstream's reconstructions are handed to `anomaly_map`."""
    return Mahalanobis(params)
