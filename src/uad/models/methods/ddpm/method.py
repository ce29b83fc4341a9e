"""The method DDPM, see its package."""

from typing import Any

import numpy as np
import torch

from uad.models import method, noise
from uad.models.diffusion import Diffusion
from uad.models.method import Method


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
        # Makes noise images; another function can be put in its place (`uad.models.noise.draw`).
        self.field = noise.fractal_field

    @property
    def levels(self) -> int:
        """See `uad.models.method`."""
        return len(self.params.test_levels)

    def denoise(
        self,
        x: torch.Tensor,
        t: torch.Tensor,
        eps: torch.Tensor,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
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

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Mean absolute error over all pixels, background included, on the [-1, 1] scale."""
        x = batch.image
        t = self.diffusion.draw_t(rng, len(x), x.device)  # (B,)
        eps = self.draw_noise(rng, x)  # (H, W), the same for all slices
        predicted = self.denoise(x, t, eps, rng if self.network.training else None)
        return (predicted - self.diffusion.scale(x)).abs().mean()

    def denoise_levels(
        self, x: torch.Tensor, noised: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> list[torch.Tensor]:
        """`denoise` of the same slices at several levels, each with its own `t` and `eps`."""
        return [self.denoise(x, t, eps) for t, eps in noised]

    def reconstruct_once(
        self, x: torch.Tensor, rng: np.random.Generator, training: bool = False
    ) -> torch.Tensor:
        """Reconstruct slices at a random level each, for methods that train on residuals.

        `training` lets what is random in the network be so.
        """
        t = self.diffusion.draw_t(rng, len(x), x.device)
        eps = self.draw_noise(rng, x)
        return self.diffusion.unscale(self.denoise(x, t, eps, rng if training else None).float())

    def reconstruct(self, image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
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
        # One field (X, Y) per level, the same for all slices.
        fields = [self.draw_noise(rng, image) for _ in self.params.test_levels]
        parts = []
        for x in method.in_parts(image):  # (B, 1, X, Y)
            # Levels count from 1 in the paper and from 0 in the schedule.
            noised = [
                (torch.full((len(x),), level - 1, device=x.device), eps)
                for level, eps in zip(self.params.test_levels, fields)
            ]
            predicted = [self.diffusion.unscale(y.float()) for y in self.denoise_levels(x, noised)]
            parts.append(torch.stack(predicted)[:, :, 0])  # (levels, B, X, Y)
        return torch.cat(parts, dim=1)  # (levels, Z, X, Y)

    def draw_noise(self, rng: np.random.Generator, x: torch.Tensor) -> torch.Tensor:
        """One simplex field, (H, W), for all slices of `x`."""
        shape = tuple(x.shape[-2:])
        settings = vars(self.params.noise)
        return noise.draw(rng, shape, **settings, device=x.device, field=self.field)
