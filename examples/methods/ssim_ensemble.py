"""SSIM ensemble: structural similarity at several widths at once (Behrendt et al. 2024).

One width of the similarity's window suits one kind of lesion. Here the mean reconstruction of the
method it stands on (`upstream`) is compared with the image at all `sigmas`; at each voxel the
similarities are averaged with weights proportional to exp(-similarity), so that the least similar
widths count most. One minus the average is the score, after the median filter of the other
methods. Nothing is trained.

Differs from the released code: the brain mask is not eroded, as in this workflow's other maps.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch

from uad.base.settings import Block, Bounds, key
from uad.models import median
from uad.models.method import Method
from uad.models.ssim import structural_similarity

INFO = {
    "paper": (
        "Behrendt et al. 2024, Diffusion Models with Ensembled Structure-based Anomaly Scoring "
        "for Unsupervised Anomaly Detection (arXiv:2403.14262)"
    ),
    "code": "https://github.com/FinnBehrendt/Ensembled-SSIM-for-Unsupervised-Anomaly-Detection",
    "licence": "none stated",
}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.ssim_ensemble`."""

    sigmas: list[Annotated[float, Bounds(gt=0)]] = key(
        "SDs of the similarity's Gaussian windows", unit="voxels", source="its code", min_length=1,
        test_time=True,
    )  # fmt: skip


def ensemble(x: torch.Tensor, y: torch.Tensor, sigmas: list[float]) -> torch.Tensor:
    """Average structural similarity of two volumes, both (Z, X, Y), float64.

    Windows are 2 int(3.5 sigma + 0.5) + 1 voxels wide, and the range of the data is the larger of
    both volumes' ranges, as in the reference.
    """
    x, y = x.double(), y.double()
    data_range = torch.maximum(x.max() - x.min(), y.max() - y.min())
    found = torch.stack(  # (sigmas, Z, X, Y)
        [
            structural_similarity(
                x, y, 2 * int(3.5 * sigma + 0.5) + 1, sigma, data_range, "mirror", 3, torch.float64
            )
            for sigma in sigmas
        ]
    )
    return (torch.softmax(-found, dim=0) * found).sum(dim=0)


class SsimEnsemble(Method):
    """Scores with what its upstream method reconstructs."""

    def __init__(self, params):
        super().__init__()
        self.params = params

    def anomaly_map(self, image, brain, reconstruction) -> np.ndarray:
        """One minus the average similarity with the mean reconstruction, in [0, 2]."""
        score = 1 - ensemble(image, reconstruction.mean(dim=0), self.params.sigmas)
        return median.median_filter(score.float().cpu().numpy() * brain, brain)


def build(params: Params, upstream: Method | None = None) -> Method:
    """The method; its upstream's reconstructions are handed to `anomaly_map`."""
    return SsimEnsemble(params)
