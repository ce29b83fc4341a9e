"""The method cDDPM, see its package."""

from collections.abc import Mapping

import numpy as np
import torch

from uad.models.methods.ddpm.method import DDPM


class CDDPM(DDPM):
    """Denoiser and encoder with their diffusion process."""

    def denoise(
        self,
        x: torch.Tensor,
        t: torch.Tensor,
        eps: torch.Tensor,
        rng: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """As in `DDPM`; the clean slices condition the prediction.

        `rng`, given in training only, is for the encoder's stochastic depth.
        """
        encoder = self.network["encoder"]
        kept = None if rng is None else encoder.draw_kept(rng, len(x), x.device)
        return self.denoise_given(encoder(x, kept), x, t, eps)

    def denoise_levels(
        self, x: torch.Tensor, noised: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> list[torch.Tensor]:
        """As in `DDPM`; the condition, which does not depend on the level, is computed once."""
        condition = self.network["encoder"](x)
        return [self.denoise_given(condition, x, t, eps) for t, eps in noised]

    def denoise_given(
        self, condition: torch.Tensor, x: torch.Tensor, t: torch.Tensor, eps: torch.Tensor
    ) -> torch.Tensor:
        """Noise clean slices and predict them, given their features (B, features)."""
        x_t = self.diffusion.q_sample(self.diffusion.scale(x), t, eps)  # (B, 1, H, W)
        return self.network["unet"](x_t, t, condition)

    def load_pretrained(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take the encoder of a SparK model, all but the head, which SparK does not have."""
        encoder, prefix = self.network["encoder"], "encoder."
        head = {k: v for k, v in encoder.state_dict().items() if k.startswith("fc.")}
        taken = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        encoder.load_state_dict({**head, **taken})
