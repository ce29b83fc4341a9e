"""Unet: segmentation of the input slice alone (rows Unet and SADM of Table 1).

Stage II of SADM (Sec. 3.1) without the residual branch: a U-Net trained with binary cross-entropy
(eq. 2) on synthetic or real lesions. The released code has the network but not this method; the
single-branch form of the same blocks is used.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from uad.models.method import Method
from uad.models.networks.seg_unet import SegUNet


@dataclass(frozen=True)
class Params:
    """Block `methods.unet`."""

    widths: list


class Unet(Method):
    """Single-branch segmentation network."""

    def __init__(self, params):
        super().__init__()
        self.network = SegUNet(params.widths, branches=1)

    def loss(self, batch, rng):
        """Binary cross-entropy of the logits, mean over all pixels."""
        return F.binary_cross_entropy_with_logits(self.network(batch.image).float(), batch.lesion)

    def anomaly_map(self, image, brain, reconstruction=None):
        """Lesion probability inside the brain."""
        found = self.by_parts(lambda x: torch.sigmoid(self.network(x).float()), image)
        return found[0].cpu().numpy() * brain


def build(params, upstream=None):
    """See `uad.models.methods`."""
    return Unet(params)
