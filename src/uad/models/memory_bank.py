"""Anomaly maps by a memory bank: distance of features to the nearest healthy ones.

As in PatchCore (Roth et al. 2022): vectors at positions inside the brain of healthy slices are
thinned to a greedy coreset, and the score of a position is its distance to the nearest of them.
A method built on this says what the features are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import nn

from uad.models import median
from uad.models.method import Fitted, Method


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
    """Frozen encoder, and the bank, (entries, C).

    Parameters
    ----------
    params : Params
        With `slices` drawn from each training volume, `candidates` that the bank is chosen from,
        its `entries`, and `blur`, SD of the Gaussian in each slice in voxels.
    encoder : nn.Module
    """

    def __init__(self, params: Any, encoder: nn.Module):
        super().__init__()
        self.params = params
        encoder.requires_grad_(False)
        self.network = nn.ModuleDict({"encoder": encoder, "bank": Fitted("vectors")})

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Slices (B, 1, X, Y) in [0, 1] -> (B, C, x, y), on a grid of any resolution."""
        raise NotImplementedError

    def score(self, distance: torch.Tensor) -> torch.Tensor:
        """Score at Euclidean distances to the nearest entry; here the distance itself."""
        return distance

    def fit(self, data: Sequence[Any], rng: np.random.Generator) -> None:
        """Fill the bank."""
        device = next(self.network.parameters()).device
        found = []
        for volume in data:
            with_brain = np.flatnonzero(volume.brain.any(axis=(1, 2)))
            n = min(self.params.slices, len(with_brain))
            at = rng.choice(with_brain, n, replace=False)
            image = torch.from_numpy(volume.image[at]).to(device)  # (n, X, Y)
            brain = torch.from_numpy(volume.brain[at]).to(device)[:, None].float()
            maps = self.by_parts(self.features, image).movedim(0, -1)  # (n, x, y, C)
            inside = F.interpolate(brain, maps.shape[1:3], mode="area")[:, 0] > 0.5
            found.append(maps[inside])  # (positions, C)
        vectors = torch.cat(found)
        n = min(self.params.candidates, len(vectors))
        drawn = torch.from_numpy(rng.choice(len(vectors), n, replace=False)).to(device)
        vectors = vectors[drawn]
        chosen = coreset(vectors, self.params.entries, int(rng.integers(len(vectors))))
        self.network["bank"].vectors = vectors[chosen.to(device)].clone()

    def anomaly_map(
        self, image: torch.Tensor, brain: np.ndarray, reconstruction: torch.Tensor | None = None
    ) -> np.ndarray:
        """Distance to the nearest entry, blurred in each slice, after a median filter."""
        bank = self.network["bank"].vectors

        def nearest(x):
            maps = self.features(x).movedim(1, -1)  # (B, x, y, C)
            distance = torch.cdist(maps.flatten(0, 2), bank).amin(dim=1)
            score = self.score(distance).reshape(maps.shape[:3])[:, None]  # (B, 1, x, y)
            return F.interpolate(score, x.shape[-2:], mode="bilinear")

        score = self.by_parts(nearest, image)[0].cpu().numpy()
        score = ndimage.gaussian_filter(score, (0, self.params.blur, self.params.blur))
        return median.median_filter(score * brain, brain)
