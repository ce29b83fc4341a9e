"""DRAEM-Net: inpaint synthetic anomalies and find them (Zavrtanik et al. 2021; row DRAEM-Net of
Table 1).

A network without skip connections restores the healthy slice; a second one sees the slice and the
restored slice and segments the anomaly. Both are trained together on healthy slices, some of which
get a synthetic anomaly (`uad.models.anomalies.draem`).

Differs from the original: no texture images (the noise itself is the texture, as in SADM's released
code), no rotation of the images, a constant learning rate.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from uad.base import devices
from uad.models import residuals
from uad.models.anomalies import draem
from uad.models.method import Method
from uad.models.methods.draem_net.network import Discriminative, Reconstructive

WINDOW, SIGMA = 11, 1.5  # of the structural similarity


@dataclass(frozen=True)
class Params:
    """Block `methods.draem_net`."""

    reconstructive: list
    discriminative: list
    probability: float


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

    def run(self, x):
        """Restored slices (B, 1, H, W) and logits (B, 2, H, W) of slices."""
        restored = self.network["reconstructive"](x)
        return restored, self.network["discriminative"](torch.cat([x, restored], dim=1))

    def loss(self, batch, rng):
        """Squared error and dissimilarity to the clean slice, plus focal loss of the anomaly."""
        clean = batch.image
        image = clean.cpu().numpy().copy()
        lesion = np.zeros(image[:, 0].shape, np.int64)
        for i in range(len(image)):
            if rng.random() < self.params.probability:
                image[i, 0], lesion[i] = draem.add_anomaly(image[i, 0], rng)
        restored, logits = self.run(devices.send(image, clean.device))
        restored = restored.float()
        target = devices.send(lesion, clean.device)
        return F.mse_loss(restored, clean) + 1 - ssim(restored, clean) + focal_loss(logits, target)

    def anomaly_map(self, image, brain, reconstruction=None):
        """Probability of an anomaly inside the brain."""
        found = self.by_parts(lambda x: self.run(x)[1].float().softmax(dim=1), image)
        return found[1].cpu().numpy() * brain


def ssim(x, y):
    """Mean structural similarity of slices (B, 1, H, W) in [0, 1].

    Gaussian window, data range 1, zeros beyond the border.
    """
    # Single precision also in mixed precision: variances are differences of nearly equal numbers.
    with torch.autocast(x.device.type, enabled=False):
        along_h, along_w = (
            torch.from_numpy(residuals.window_matrix(n, SIGMA, WINDOW, "constant")).to(x)
            for n in x.shape[2:]
        )
        moments = along_h @ torch.stack([x, y, x * x, y * y, x * y]) @ along_w.T
        return residuals.similarity(moments, data_range=1).mean()


def focal_loss(logits, target):
    """Focal loss with gamma 2 (Lin et al. 2017), mean over all pixels.

    Parameters
    ----------
    logits : Tensor, shape (B, 2, H, W)
    target : Tensor of int64, shape (B, H, W)
        0 or 1.
    """
    log_p = -F.cross_entropy(logits.float(), target, reduction="none")
    return -((1 - log_p.exp()) ** 2 * log_p).mean()


def build(params, upstream=None):
    """See `uad.models.methods`."""
    return DraemNet(params)
