"""Skeleton: one line that says what it is.

How it works, in a paragraph or two. This text is the method's page in the report; here, a network
sees a slice at a quarter of its resolution and paints it again, and what it gets wrong is abnormal.

Differs from the paper: what you changed, if anything.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from uad.base.settings import Block, key
from uad.models.method import Method

INFO = {"paper": "none", "code": "none", "licence": "none"}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.skeleton` of the configuration, without what every method has there."""

    width: int = key("channels of the network", default=8, ge=1)


class Skeleton(Method):
    """What is trained is `network`; the rest is up to you (`uad.models.method.Method`)."""

    def __init__(self, params):
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(1, params.width, 4, stride=4),
            nn.LeakyReLU(),
            nn.Conv2d(params.width, params.width, 3, padding=1),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(params.width, 1, 4, stride=4),
        )

    def loss(self, batch, rng: np.random.Generator) -> torch.Tensor:
        """Mean absolute error; `batch.image` is (B, 1, X, Y) in [0, 1]."""
        return (self.network(batch.image).float() - batch.image).abs().mean()

    def anomaly_map(self, image, brain, reconstruction=None) -> np.ndarray:
        """Absolute error inside the brain, (Z, X, Y)."""
        error = self.by_parts(lambda x: (self.network(x).float() - x).abs(), image)
        return error[0].cpu().numpy() * brain  # (1, Z, X, Y) -> (Z, X, Y)


def build(params: Params, upstream: Method | None = None) -> Method:
    """The method, untrained."""
    return Skeleton(params)
