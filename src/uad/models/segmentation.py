"""Methods that learn the mask of a lesion from slices that have one."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from uad.models.method import Method


class Segmentation(Method):
    """Base of these methods: a subclass defines `logits` in the place of `loss`.

    The history of their training has the Dice of the validation slices, too.
    """

    def logits(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Logit of a lesion per pixel of a batch, (B, 1, X, Y); arguments as for `loss`."""
        raise NotImplementedError

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Binary cross-entropy of the logits, mean over all pixels."""
        return _cross_entropy(self.logits(batch, rng), batch)

    def loss_and_overlap(
        self, batch: Any, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss, and `overlap` of the same logits."""
        logits = self.logits(batch, rng)
        return _cross_entropy(logits, batch), overlap(logits, batch.lesion)


def _cross_entropy(logits, batch):
    return F.binary_cross_entropy_with_logits(logits.float(), batch.lesion)


def overlap(logits: torch.Tensor, lesion: torch.Tensor) -> torch.Tensor:
    """Numerator and denominator of the Dice where a lesion is more likely than not.

    Parameters
    ----------
    logits, lesion : Tensor, shape (B, 1, X, Y)
        The second is 0 or 1.

    Returns
    -------
    Tensor of float64, shape (2,)
        To be summed over batches: twice the pixels that both have, and the pixels of both.
    """
    found, there = logits > 0, lesion > 0
    return torch.stack([2 * (found & there).sum(), found.sum() + there.sum()]).double()
