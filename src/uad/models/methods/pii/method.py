"""The method PII, see its package."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from uad.base import devices
from uad.models.method import Method
from uad.models.methods.pii import poisson
from uad.models.methods.pii.network import WideResNet


class PII(Method):
    """Network that estimates the weight of a foreign patch per pixel."""

    needs_partners = True

    def __init__(self, params):
        super().__init__()
        self.params = params
        self.network = WideResNet(params.stem, params.widths)

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Binary cross-entropy with alpha as soft target, mean over all pixels."""
        image, partner, brain = (
            part.cpu().numpy() for part in (batch.image, batch.partner, batch.brain)
        )
        blended, label = image.copy(), np.zeros_like(image)
        for i in range(len(image)):
            blended[i, 0], label[i, 0] = poisson.interpolate(
                image[i, 0], partner[i, 0], brain[i, 0] > 0, self.params.centre, rng
            )
        blended, label = (devices.send(x, batch.image.device) for x in (blended, label))
        return F.binary_cross_entropy_with_logits(self.network(blended).float(), label)

    def anomaly_map(
        self, image: torch.Tensor, brain: np.ndarray, reconstruction: torch.Tensor | None = None
    ) -> np.ndarray:
        """Estimated alpha inside the brain."""
        found = self.by_parts(lambda x: torch.sigmoid(self.network(x).float()), image)
        return found[0].cpu().numpy() * brain  # (1, Z, X, Y) -> (Z, X, Y)
