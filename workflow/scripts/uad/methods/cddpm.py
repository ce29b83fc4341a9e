"""cDDPM: a diffusion model guided by features of the input (Behrendt et al. 2023b).

Stage I of SADM (Sec. 3.1). A slice is noised once and predicted clean in one call of a U-Net that
also sees a feature vector of the clean slice; encoder and U-Net are trained together on healthy
slices with an L1 loss (eq. 1). At test time the reconstructions from several noise levels are
averaged and compared with the input by structural similarity.

Differs from the paper: App. B names two learning rates (1e-4 in B.1, 1e-5 in B.2); 1e-4 is used, as
in every released configuration.
"""

from dataclasses import dataclass

import torch
from torch import nn

from uad import noise, slices
from uad.diffusion import Diffusion
from uad.method import Method
from uad.networks.encoder import Encoder
from uad.networks.unet import UNet


@dataclass(frozen=True)
class Params:
    """Block `methods.cddpm`."""

    unet: dict
    encoder: dict
    steps: int
    test_levels: list
    noise: dict


class CDDPM(Method):
    """Denoiser and encoder with their diffusion process."""

    def __init__(self, params):
        super().__init__()
        self.params = params
        self.levels = len(params.test_levels)
        self.diffusion = Diffusion(params.steps)
        self.network = nn.ModuleDict(
            {
                "unet": UNet(**params.unet, condition=params.encoder["features"]),
                "encoder": Encoder(**params.encoder),
            }
        )

    def denoise(self, x, t, eps, rng=None):
        """Predict clean slices from once-noised ones, in the [-1, 1] scale.

        Parameters
        ----------
        x : Tensor, shape (B, 1, H, W)
            Clean slices in [0, 1]; they condition the prediction.
        t : Tensor of int, shape (B,)
        eps : Tensor, broadcastable to `x`
        rng : numpy.random.Generator, optional
            For the encoder's stochastic depth, in training only.
        """
        x_t = self.diffusion.q_sample(self.diffusion.scale(x), t, eps)
        encoder = self.network["encoder"]
        kept = None if rng is None else encoder.draw_kept(rng, len(x), x.device)
        return self.network["unet"](x_t, t, encoder(x, kept))

    def loss(self, batch, rng):
        """Mean absolute error over all pixels, background included, on the [-1, 1] scale."""
        x = batch.image
        t = self.diffusion.draw_t(rng, len(x), x.device)
        eps = self._draw_noise(rng, x)
        predicted = self.denoise(x, t, eps, rng if self.network.training else None)
        return (predicted - self.diffusion.scale(x)).abs().mean()

    def reconstruct_once(self, x, rng):
        """Reconstruct slices at a random level each, for methods that train on residuals."""
        t = self.diffusion.draw_t(rng, len(x), x.device)
        return self.diffusion.unscale(self.denoise(x, t, self._draw_noise(rng, x)))

    def reconstruct(self, image, rng):
        """Pseudo-healthy volume, one per noise level.

        Parameters
        ----------
        image : Tensor of float32, shape (Z, X, Y)
        rng : numpy.random.Generator
            One noise pattern per level, shared by all slices.

        Returns
        -------
        Tensor of float32, shape (levels, Z, X, Y)
            Not clipped.
        """
        levels = []
        for level in self.params.test_levels:
            eps = self._draw_noise(rng, image)
            parts = []
            for x in slices.in_parts(image):
                # Levels count from 1 in the paper and from 0 in the schedule.
                t = torch.full((len(x),), level - 1, device=x.device)
                parts.append(self.diffusion.unscale(self.denoise(x, t, eps)))
            levels.append(torch.cat(parts)[:, 0])
        return torch.stack(levels).float()

    def load_pretrained(self, weights):
        """Take the encoder of a SparK model, all but the head, which SparK does not have."""
        encoder, prefix = self.network["encoder"], "encoder."
        head = {k: v for k, v in encoder.state_dict().items() if k.startswith("fc.")}
        taken = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        encoder.load_state_dict({**head, **taken})

    def _draw_noise(self, rng, x):
        """One simplex field for all slices of `x`."""
        return noise.draw(rng, tuple(x.shape[-2:]), **self.params.noise, device=x.device)


def build(params, upstream=None):
    """See `uad.methods`."""
    return CDDPM(params)
