"""The method DRAEM-Net, see its package."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from uad.base import devices
from uad.models.method import Method
from uad.models.methods.draem_net.network import Discriminative, Reconstructive
from uad.models.ssim import structural_similarity

WINDOW, SIGMA = 11, 1.5  # of the structural similarity
BORDERS = {"zeros": "constant", "mirrored": "mirror"}  # as `ssim` calls them


class DraemNet(Method):
    """Both networks; only the segmentation is used for the anomaly map."""

    def __init__(self, params):
        super().__init__()
        self.params = params
        self.network = nn.ModuleDict(
            {
                "reconstructive": Reconstructive(params.reconstructive),
                "discriminative": Discriminative(params.discriminative),
            }
        )

    def run(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Restored slices (B, 1, H, W) and logits (B, 2, H, W) of slices."""
        restored = self.network["reconstructive"](x)
        # Slice and restored slice as channels: (B, 2, H, W).
        return restored, self.network["discriminative"](torch.cat([x, restored], dim=1))

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Squared error and dissimilarity to the clean slice, plus focal loss of the anomaly."""
        from uad.models.anomalies import draem  # needs Pillow

        clean = batch.image
        image = clean.cpu().numpy().copy()
        lesion = np.zeros(image[:, 0].shape, np.int64)  # (B, H, W), the class of each pixel
        for i in range(len(image)):
            if rng.random() < self.params.probability:
                image[i, 0], lesion[i] = draem.add_anomaly(
                    image[i, 0], rng, settings=self.params.anomalies
                )
        restored, logits = self.run(devices.send(image, clean.device))
        restored = restored.float()
        target = devices.send(lesion, clean.device)
        border = BORDERS[self.params.border]
        similarity = structural_similarity(restored, clean, WINDOW, SIGMA, border=border).mean()
        return F.mse_loss(restored, clean) + 1 - similarity + focal_loss(logits, target)

    def anomaly_map(
        self, image: torch.Tensor, brain: np.ndarray, reconstruction: torch.Tensor | None = None
    ) -> np.ndarray:
        """Probability of an anomaly inside the brain."""
        # Logits (B, 2, X, Y) of the parts -> probabilities (2, Z, X, Y).
        found = self.by_parts(lambda x: self.run(x)[1].float().softmax(dim=1), image)
        return found[1].cpu().numpy() * brain


def focal_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Focal loss with gamma 2 (Lin et al. 2017), mean over all pixels.

    Parameters
    ----------
    logits : Tensor, shape (B, 2, H, W)
    target : Tensor of int64, shape (B, H, W)
        0 or 1.
    """
    log_p = -F.cross_entropy(logits.float(), target, reduction="none")  # (B, H, W)
    return -((1 - log_p.exp()) ** 2 * log_p).mean()
