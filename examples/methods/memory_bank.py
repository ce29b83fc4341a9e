"""Memory bank: distance to the nearest healthy patch (after PatchCore, Roth et al. 2022).

A frozen encoder turns slices into feature maps of two of its stages, each averaged over 3 x 3
positions and brought to the finer one's size. The vectors at positions inside the brain of all
training slices are thinned to `entries`, each time by the one that is farthest from those already
chosen (a greedy coreset). The score of a position is the distance to the nearest of them, brought
to the size of the slice and blurred.

Differs from PatchCore: the encoder is the cDDPM's ResNet (`pretrained: spark`, or random weights),
not one of natural images; slices whose patches are candidates are drawn, not all; the nearest
distance is not weighted by the neighbourhood in the bank.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import nn

from uad.base.settings import Block, Positive, key
from uad.models import median, settings
from uad.models.method import Fitted, Method
from uad.models.networks.encoder import Encoder

INFO = {
    "paper": "Roth et al. 2022, Towards Total Recall in Industrial Anomaly Detection",
    "code": "https://github.com/amazon-science/patchcore-inspection",
    "licence": "Apache-2.0",
}


@dataclass(frozen=True)
class Params(Block):
    """Block `methods.memory_bank`."""

    encoder: settings.Encoder = key("frozen; `pretrained: spark` names its weights")
    stages: list[Positive] = key(
        "of the encoder whose maps are used, from 1", min_length=1, max_length=4
    )
    slices: int = key("drawn from each training volume", unit="slices", ge=1)
    candidates: int = key("patches that the bank is chosen from, drawn", ge=1)
    entries: int = key("of the bank", ge=1)
    blur: float = key("SD of the Gaussian in each slice", unit="voxels", ge=0, test_time=True)


def coreset(vectors: torch.Tensor, n: int, first: int) -> torch.Tensor:
    """Positions of `n` vectors, each the farthest from those before it.

    Parameters
    ----------
    vectors : Tensor, shape (N, C)
    n : int
        At most N are chosen.
    first : int
        Position of the first.

    Returns
    -------
    Tensor of int64, shape (min(n, N),)
    """
    chosen = [first]
    nearest = (vectors - vectors[first]).square().sum(dim=1)  # (N,), squared
    while len(chosen) < min(n, len(vectors)):
        chosen.append(int(nearest.argmax()))
        distance = (vectors - vectors[chosen[-1]]).square().sum(dim=1)
        nearest = torch.minimum(nearest, distance)
    return torch.tensor(chosen)


class MemoryBank(Method):
    """Frozen encoder, and the bank, (entries, C)."""

    def __init__(self, params):
        super().__init__()
        self.params = params
        encoder = Encoder(**vars(params.encoder), features=None).requires_grad_(False)
        self.network = nn.ModuleDict({"encoder": encoder, "bank": Fitted("vectors")})

    def load_pretrained(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take the encoder of a SparK model."""
        prefix = "encoder."
        taken = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        self.network["encoder"].load_state_dict(taken)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Slices (B, 1, X, Y) -> (B, C, x, y), at the resolution of the first of the stages."""
        pyramid = self.network["encoder"].pyramid(x)
        maps = [
            F.avg_pool2d(pyramid[stage - 1].float(), 3, 1, 1, count_include_pad=False)
            for stage in self.params.stages
        ]
        size = maps[0].shape[-2:]
        return torch.cat([F.interpolate(m, size, mode="bilinear") for m in maps], dim=1)

    def fit(self, data, rng: np.random.Generator) -> None:
        """Fill the bank."""
        device = next(self.network.parameters()).device
        found = []
        for volume in data:
            with_brain = np.flatnonzero(volume.brain.any(axis=(1, 2)))
            n = min(self.params.slices, len(with_brain))
            at = rng.choice(with_brain, n, replace=False)
            x = torch.from_numpy(volume.image[at]).to(device)[:, None]
            brain = torch.from_numpy(volume.brain[at]).to(device)[:, None].float()
            maps = self.features(x)  # (B, C, x, y)
            inside = F.interpolate(brain, maps.shape[-2:], mode="area")[:, 0] > 0.5
            found.append(maps.movedim(1, -1)[inside])  # (positions, C)
        vectors = torch.cat(found)
        n = min(self.params.candidates, len(vectors))
        drawn = torch.from_numpy(rng.choice(len(vectors), n, replace=False)).to(device)
        vectors = vectors[drawn]
        chosen = coreset(vectors, self.params.entries, int(rng.integers(len(vectors))))
        self.network["bank"].vectors = vectors[chosen.to(device)].clone()

    def anomaly_map(self, image, brain, reconstruction=None) -> np.ndarray:
        """Distance to the nearest entry, blurred in each slice, after a median filter."""
        bank = self.network["bank"].vectors

        def nearest(x):
            maps = self.features(x).movedim(1, -1)  # (B, x, y, C)
            distance = torch.cdist(maps.flatten(0, 2), bank).amin(dim=1)
            score = distance.reshape(maps.shape[:3])[:, None]  # (B, 1, x, y)
            return F.interpolate(score, x.shape[-2:], mode="bilinear")

        score = self.by_parts(nearest, image)[0].cpu().numpy()
        score = ndimage.gaussian_filter(score, (0, self.params.blur, self.params.blur))
        return median.median_filter(score * brain, brain)


def build(params: Params, upstream: Method | None = None) -> Method:
    """The method, its bank empty."""
    return MemoryBank(params)
