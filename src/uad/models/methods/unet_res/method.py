"""The method Unet_res, see its package."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from uad.models import method
from uad.models.networks.seg_unet import SegUNet
from uad.models.segmentation import Segmentation

DRIFTING = "upstream_encoder"  # name of the upstream encoder in `network`, if it drifts


class UnetRes(Segmentation):
    """Siamese segmentation network, and the frozen model whose residuals it sees."""

    def __init__(self, params, upstream):
        super().__init__()
        self.network = SegUNet(params.widths, branches=2)
        self.upstream = upstream
        self.drifts = params.frozen == "drifting" and upstream is not None
        if self.drifts:
            # Part of what is in training mode in training, and stored at the best checkpoint.
            self.network.add_module(DRIFTING, upstream.network["encoder"])

    def logits(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Of the residual and the slices."""
        x = batch.image
        with torch.no_grad():
            reconstruction = self.upstream.reconstruct_once(
                x, rng, training=self.drifts and self.network.training
            )
        return self.network(x - reconstruction, x)

    def split(
        self, state: Mapping[str, torch.Tensor]
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """A state of `network` as that of the segmentation network and what has drifted.

        The latter has the names that it has in the upstream model.
        """
        prefix = f"{DRIFTING}."
        drifted = {
            f"encoder.{name.removeprefix(prefix)}": value
            for name, value in state.items()
            if name.startswith(prefix)
        }
        return {k: v for k, v in state.items() if not k.startswith(prefix)}, drifted

    def anomaly_map(
        self, image: torch.Tensor, brain: np.ndarray, reconstruction: torch.Tensor
    ) -> np.ndarray:
        """Lesion probability inside the brain, averaged over the reconstructions."""
        parts = []
        # (levels, Z, X, Y) -> per part one (B, 1, X, Y) of each level
        levels = zip(*map(method.in_parts, reconstruction))
        for x, estimates in zip(method.in_parts(image), levels):
            features = self.network.encode(x)  # the same for every noise level
            logits = [
                self.network.decode(self.network.encode(x - x_hat), features) for x_hat in estimates
            ]
            # (levels, B, 1, X, Y) -> (B, 1, X, Y)
            parts.append(torch.sigmoid(torch.stack(logits).float()).mean(dim=0))
        return torch.cat(parts)[:, 0].cpu().numpy() * brain  # (Z, 1, X, Y) -> (Z, X, Y)
