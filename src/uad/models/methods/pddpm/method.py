"""The method pDDPM, see its package."""

from typing import Any

import numpy as np
import torch

from uad.base import devices
from uad.models.methods.ddpm.method import DDPM


class PDDPM(DDPM):
    """Denoiser of patches. `patch` is their side in pixels and divides that of the slices."""

    def denoise(
        self,
        x: torch.Tensor,
        t: torch.Tensor,
        eps: torch.Tensor,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """As in `DDPM`: each patch from its clean surroundings, put together; nothing is random."""
        number, n = self._numbered(x)  # (H, W)
        result = self.diffusion.scale(x)
        for patch in range(n):
            inside = (number == patch).expand_as(x)  # (H, W) -> (B, 1, H, W)
            result = torch.where(inside, self.denoise_inside(inside, x, t, eps), result)
        return result

    def denoise_inside(
        self, inside: torch.Tensor, x: torch.Tensor, t: torch.Tensor, eps: torch.Tensor
    ) -> torch.Tensor:
        """Noise and predict slices where `inside` (bool, shape of `x`); clean elsewhere."""
        clean = self.diffusion.scale(x)
        x_t = torch.where(inside, self.diffusion.q_sample(clean, t, eps), clean)
        return torch.where(inside, self.network(x_t, t), clean)

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Absolute error of one random patch per slice, as a mean over all pixels of the slice.

        So it is the mean error within the patch, divided by the number of patches (4).
        """
        x = batch.image
        t = self.diffusion.draw_t(rng, len(x), x.device)
        eps = self.draw_noise(rng, x)
        number, n = self._numbered(x)
        drawn = devices.send(rng.integers(0, n, len(x)), x.device)  # (B,)
        # (H, W) against (B, 1, 1, 1): which pixels are inside, (B, 1, H, W).
        predicted = self.denoise_inside(number == drawn[:, None, None, None], x, t, eps)
        return (predicted - self.diffusion.scale(x)).abs().mean()

    def _numbered(self, x):
        """Which patch each pixel lies in, (H, W), counted row by row, and how many there are."""
        side = self.params.patch
        rows, columns = (torch.arange(n, device=x.device) // side for n in x.shape[2:])
        down, across = (-(-n // side) for n in x.shape[2:])
        return rows[:, None] * across + columns, down * across  # (H, 1) and (W,) -> (H, W)
