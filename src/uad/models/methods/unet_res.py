"""Unet_res: segmentation from input and residual (rows Unet_res and SADM_res of Table 1).

Stage II of SADM (Sec. 3.1): the frozen cDDPM of the same fold reconstructs the slice, and a siamese
U-Net sees the residual (input minus reconstruction) and the input. It is trained at random noise
levels and averages its probabilities over the test levels.

Differs from the released code: the cDDPM is entirely in evaluation mode. There, batch statistics
and stochastic depth of its encoder stay active in stage II, its running statistics drift, and the
drifted ones are used at test time.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from uad.models import method
from uad.models.method import Method
from uad.models.networks.seg_unet import SegUNet


@dataclass(frozen=True)
class Params:
    """Block `methods.unet_res`."""

    widths: list


class UnetRes(Method):
    """Siamese segmentation network, and the frozen model whose residuals it sees."""

    def __init__(self, params, upstream):
        super().__init__()
        self.network = SegUNet(params.widths, branches=2)
        self.upstream = upstream

    def loss(self, batch, rng):
        """Binary cross-entropy of the logits, mean over all pixels."""
        x = batch.image
        with torch.no_grad():
            reconstruction = self.upstream.reconstruct_once(x, rng)
        logits = self.network(x - reconstruction, x)
        return F.binary_cross_entropy_with_logits(logits.float(), batch.lesion)

    def anomaly_map(self, image, brain, reconstruction):
        """Lesion probability inside the brain, averaged over the reconstructions."""
        parts = []
        levels = zip(*map(method.in_parts, reconstruction))
        for x, estimates in zip(method.in_parts(image), levels):
            features = self.network.encode(x)  # the same for every noise level
            logits = [
                self.network.decode(self.network.encode(x - x_hat), features) for x_hat in estimates
            ]
            parts.append(torch.sigmoid(torch.stack(logits).float()).mean(dim=0))
        return torch.cat(parts)[:, 0].cpu().numpy() * brain


def build(params, upstream=None):
    """See `uad.models.methods`."""
    return UnetRes(params, upstream)
