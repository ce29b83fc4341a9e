"""Aggregated normative differences: all noise levels of a diffusion model (Frotscher et al. 2023).

ANDi compares, at many noise levels, the mean of the true step back towards the slice with the mean
of the step that the model predicts, and takes the geometric mean of the squared differences over
the levels. Where, as here, the model predicts the clean slice, both means differ by that slice
minus the prediction, times a number of the level; a geometric mean only multiplies these numbers.
So the score is the geometric mean, over the reconstructions of the method it stands on
(`upstream`), of the squared differences from the slice: what one level alone shows, by its noise,
counts little. The median filter of the other methods follows. Nothing is trained.

Differs from the paper: the model below is that of this table, with simplex instead of pyramidal
Gaussian noise, and at its few `test_levels`, where the paper takes every level of a range.
"""

from dataclasses import dataclass

import numpy as np
import torch

from uad.base.errors import InputError
from uad.base.settings import Block, key
from uad.models import median
from uad.models.method import Method

INFO = {
    "paper": (
        "Frotscher et al. 2023, Unsupervised Anomaly Detection using Aggregated Normative "
        "Diffusion (arXiv:2312.01904)"
    ),
    "code": "https://github.com/alexanderfrotscher/ANDi",
    "licence": "not looked at; nothing of it is used",
}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.andi`."""

    floor: float = key(
        "least difference that counts, so that one reconstruction without any does not make the "
        "mean zero", source="here", gt=0, test_time=True,
    )  # fmt: skip


def aggregated(x: torch.Tensor, reconstructions: torch.Tensor, floor: float) -> torch.Tensor:
    """Geometric mean of squared differences over noise levels.

    Parameters
    ----------
    x : Tensor, shape (Z, X, Y)
    reconstructions : Tensor, shape (levels, Z, X, Y)
    floor : float
        Smaller absolute differences count as this.

    Returns
    -------
    Tensor of float64, shape (Z, X, Y)
    """
    differences = (x.double() - reconstructions.double()).abs().clamp_min(floor)
    return (2 * differences.log()).mean(dim=0).exp()


class Andi(Method):
    """Scores with what its upstream method reconstructs."""

    def __init__(self, params):
        super().__init__()
        self.params = params

    def anomaly_map(self, image, brain, reconstruction) -> np.ndarray:
        """Aggregated differences inside the brain, filtered."""
        if len(reconstruction) < 2:
            raise InputError(
                "methods.andi needs reconstructions at two noise levels at least: name more "
                "test_levels of its upstream method"
            )
        score = aggregated(image, reconstruction, self.params.floor)
        return median.median_filter(score.float().cpu().numpy() * brain, brain)


def build(params: Params, upstream: Method | None = None) -> Method:
    """The method; its upstream's reconstructions are handed to `anomaly_map`."""
    return Andi(params)
