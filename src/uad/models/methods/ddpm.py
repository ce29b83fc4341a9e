"""DDPM: a diffusion model that predicts the clean slice in one step (row DDPM of Table 1).

A healthy slice is noised once, to a random level, with simplex noise (Wyatt et al. 2022), and a
U-Net predicts it clean, with an L1 loss. At test time the reconstructions from several noise levels
are averaged. `pddpm` and `cddpm` build on this module.

Differs from Wyatt et al. as the authors' code does: that model predicts the noise, has a linear
schedule and walks all steps back. Of the authors' two networks it is the later one, where time
scales and shifts the features; in the first pDDPM code it is added to them.
"""

from dataclasses import dataclass

import torch

from uad.base.settings import key
from uad.models import method, noise
from uad.models.diffusion import Diffusion
from uad.models.method import Method
from uad.models.networks.unet import UNet


@dataclass(frozen=True)
class Params:
    """Block `methods.ddpm`."""

    unet: dict
    steps: int
    test_levels: list = key("noise levels averaged at test time", test_time=True)
    noise: dict


class DDPM(Method):
    """A denoiser and its diffusion process.

    Parameters
    ----------
    params : Params
        Or those of a method that builds on this one.
    network : nn.Module
        What `denoise` calls.
    """

    def __init__(self, params, network):
        super().__init__()
        self.params = params
        self.diffusion = Diffusion(params.steps)
        self.network = network

    @property
    def levels(self):
        """See `uad.models.method`."""
        return len(self.params.test_levels)

    def denoise(self, x, t, eps, rng=None):
        """Predict clean slices from once-noised ones, in the [-1, 1] scale.

        Parameters
        ----------
        x : Tensor, shape (B, 1, H, W)
            Clean slices in [0, 1].
        t : Tensor of int, shape (B,)
        eps : Tensor, broadcastable to `x`
        rng : numpy.random.Generator, optional
            For what is random in the network, in training only.
        """
        return self.network(self.diffusion.q_sample(self.diffusion.scale(x), t, eps), t)

    def loss(self, batch, rng):
        """Mean absolute error over all pixels, background included, on the [-1, 1] scale."""
        x = batch.image
        t = self.diffusion.draw_t(rng, len(x), x.device)
        eps = self.draw_noise(rng, x)
        predicted = self.denoise(x, t, eps, rng if self.network.training else None)
        return (predicted - self.diffusion.scale(x)).abs().mean()

    def reconstruct_once(self, x, rng):
        """Reconstruct slices at a random level each, for methods that train on residuals."""
        t = self.diffusion.draw_t(rng, len(x), x.device)
        return self.diffusion.unscale(self.denoise(x, t, self.draw_noise(rng, x)).float())

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
            eps = self.draw_noise(rng, image)
            parts = []
            for x in method.in_parts(image):
                # Levels count from 1 in the paper and from 0 in the schedule.
                t = torch.full((len(x),), level - 1, device=x.device)
                parts.append(self.diffusion.unscale(self.denoise(x, t, eps).float()))
            levels.append(torch.cat(parts)[:, 0])
        return torch.stack(levels)

    def draw_noise(self, rng, x):
        """One simplex field for all slices of `x`."""
        return noise.draw(rng, tuple(x.shape[-2:]), **self.params.noise, device=x.device)


def build(params, upstream=None):
    """See `uad.models.methods`."""
    return DDPM(params, UNet(**params.unet))
