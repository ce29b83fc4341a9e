"""The diffusion process: cosine schedule, forward noising, one-step reconstruction.

Nothing here iterates: training and test both predict the clean slice from one noised slice in a
single network call (cDDPM; SADM Sec. 3.1, eq. 1).
"""

import numpy as np
import torch

from uad.base import devices

COSINE_OFFSET = 0.008  # s of Nichol & Dhariwal (2021), eq. 17
MAX_BETA = 0.999


def cosine_alphas_cumprod(steps: int) -> np.ndarray:
    """Cumulative signal shares of the cosine schedule.

    Parameters
    ----------
    steps : int
        T; index t runs from 0 to T - 1.

    Returns
    -------
    ndarray of float64, shape (steps,)
    """
    time = np.arange(steps + 1) / steps
    share = np.cos((time + COSINE_OFFSET) / (1 + COSINE_OFFSET) * np.pi / 2) ** 2  # (steps + 1,)
    betas = np.clip(1 - share[1:] / share[:-1], 0, MAX_BETA)  # (steps,)
    return np.cumprod(1 - betas)


class Diffusion(torch.nn.Module):
    """Forward process with a fixed schedule; the buffers follow the model to its device.

    Images are in [0, 1] outside and in [-1, 1] inside: `scale` and `unscale` convert, neither
    clips.
    """

    def __init__(self, steps: int):
        super().__init__()
        alphas_cumprod = torch.from_numpy(cosine_alphas_cumprod(steps))
        self.steps = steps
        self.register_buffer("signal", alphas_cumprod.sqrt().float(), persistent=False)
        self.register_buffer("noise", (1 - alphas_cumprod).sqrt().float(), persistent=False)

    @staticmethod
    def scale(x: torch.Tensor) -> torch.Tensor:
        """[0, 1] to [-1, 1]."""
        return 2 * x - 1

    @staticmethod
    def unscale(x: torch.Tensor) -> torch.Tensor:
        """[-1, 1] to [0, 1]."""
        return (x + 1) / 2

    def q_sample(self, x_0: torch.Tensor, t: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
        """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps.

        Parameters
        ----------
        x_0 : Tensor, shape (B, 1, H, W)
            In [-1, 1].
        t : Tensor of int, shape (B,)
        eps : Tensor, broadcastable to `x_0`
        """
        # (steps,) -> (B,) -> (B, 1, 1, 1), against slices (B, 1, H, W)
        return self.signal[t][:, None, None, None] * x_0 + self.noise[t][:, None, None, None] * eps

    def draw_t(self, rng: np.random.Generator, n: int, device: torch.device | str) -> torch.Tensor:
        """`n` timesteps, uniform over all of them, from a NumPy generator."""
        return devices.send(rng.integers(0, self.steps, n), device)
