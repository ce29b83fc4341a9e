"""FAE: structural feature autoencoder (Meissen et al. 2022), a baseline of block I.

A frozen ImageNet ResNet-18 turns a slice into feature maps, an autoencoder reconstructs them, and
structural similarity per feature channel is both its loss and its anomaly map.

Differs from the paper: Sec. 4.1 has slices of 96 pixels, for which the official network does not
close (24, 12, 6, 3, 2 and back to 32), so they are resized to its 128; the residual's window of
Sec. 4.2 does not fit maps of 32 pixels, so the official one is used. Differs from the official
code: no histogram equalisation, since every method gets the same images.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from uad.models import residuals
from uad.models.method import Method
from uad.models.methods.fae.network import FeatureAutoencoder
from uad.models.networks.resnet import in_colour, resize, resnet18

# Constants of the official code, for features of any range.
C1, C2 = 0.01**2, 0.03**2
REDUCTION = 4  # image pixels per feature pixel


@dataclass(frozen=True)
class Params:
    """Block `methods.fae`."""

    extractor: dict
    size: int
    channels: list
    dropout: float
    window: int
    sigma: float


class FAE(Method):
    """Frozen feature extractor, and an autoencoder of its feature maps."""

    def __init__(self, params):
        super().__init__()
        self.params = params
        width = params.extractor["width"]
        adapt = params.extractor["batch_norm"] == "adapt"
        features = (1 + 1 + 2) * width  # stem and two stages
        self.network = nn.ModuleDict(
            {
                "extractor": resnet18(2, width, adapt),
                "autoencoder": FeatureAutoencoder(features, params.channels, params.dropout),
            }
        )

    def load_pretrained(self, weights):
        """ImageNet weights of torchvision's ResNet-18."""
        self.network["extractor"].load_published(weights)

    @torch.no_grad()
    def features(self, x):
        """Slices (B, 1, H, W) in [0, 1] -> feature maps (B, 4 `width`, `size` / 4, `size` / 4)."""
        size = self.params.size
        # To [-1, 1], not by ImageNet's mean and SD, as the official code has it.
        maps = self.network["extractor"](in_colour(x, size, (0.5,) * 3, (0.5,) * 3))
        return torch.cat([resize(m, (size // REDUCTION,) * 2) for m in maps], dim=1)

    def loss(self, batch, rng):
        """Mean of the negative structural similarity, in [-1, 1]."""
        f = self.features(batch.image)
        autoencoder = self.network["autoencoder"]
        kept = autoencoder.draw_kept(rng, len(f), f.device) if autoencoder.training else None
        return -self.similarity(f, autoencoder(f, kept)).mean()

    def similarity(self, f, g):
        """Structural similarity of feature maps (B, C, H, W), channel by channel."""
        return ssim(f, g, self.params.window, self.params.sigma)

    def anomaly_map(self, image, brain, reconstruction=None):
        """One minus the mean similarity over the channels, in [0, 2], after a median filter."""

        def dissimilarity(x):
            f = self.features(x)
            score = 1 - self.similarity(f, self.network["autoencoder"](f)).mean(dim=1, keepdim=True)
            return resize(score, x.shape[-2:])  # (B, 1, H, W)

        score = self.by_parts(dissimilarity, image)[0].cpu().numpy()
        return residuals.median_filter(score * brain, brain)


def ssim(x, y, window, sigma):
    """Local structural similarity per channel, zeros beyond the border.

    Parameters
    ----------
    x, y : Tensor, shape (B, C, H, W)
    window : int
        Odd width of the Gaussian window, pixels.
    sigma : float
        Its standard deviation, pixels.

    Returns
    -------
    Tensor of float32, shape (B, C, H, W)
        In [-1, 1]; 1 where both agree.
    """
    # Variances are differences of nearly equal numbers: not in half precision.
    with torch.autocast(x.device.type, enabled=False):
        x, y = x.float(), y.float()
        rows, columns = (
            torch.from_numpy(_window_matrix(n, window, sigma)).to(x) for n in x.shape[-2:]
        )

        def blur(z):
            return rows @ z @ columns.T

        mean_x, mean_y = blur(x), blur(y)
        var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
        cov = blur(x * y) - mean_x * mean_y
        luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
        return luminance * (2 * cov + C2) / (var_x + var_y + C2)


@lru_cache(maxsize=8)
def _window_matrix(n, window, sigma):
    """The Gaussian window along an axis of length n as an (n, n) matrix."""
    positions = np.arange(window) - window // 2
    kernel = np.exp(-((positions / sigma) ** 2) / 2)
    return ndimage.correlate1d(np.eye(n), kernel / kernel.sum(), axis=0, mode="constant")


def build(params, upstream=None):
    """See `uad.models.methods`."""
    return FAE(params)
