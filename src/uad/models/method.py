"""What every trained method is: the interface between methods, training and inference."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from uad.base.errors import InputError

# Slices per network call at test time: as many as fill a GPU, or on a CPU a fifth of a volume's
# memory.
AT_ONCE, AT_ONCE_ON_CPU = 50, 10


class Method(nn.Module):
    """Base of the modules that `uad.models.methods.*.build` returns.

    A subclass sets `network`, what is trained and stored, and defines

    - `loss`, if some of the network is trained by gradient; else its `training.epochs` are 0
      (`uad.models.segmentation.Segmentation` has that of masks);
    - `fit`, if it learns anything else from the training volumes: statistics, a memory bank, ...
    - one of `reconstruct` (its anomaly map is then that of its reconstructions,
      `uad.models.residuals`) and `anomaly_map`; neither if it is one of
      `uad.models.methods.PRETRAINING`.

    What has nothing to learn needs no network.
    """

    # Whether `Batch.partner` is wanted: the same slice of another training volume.
    needs_partners = False
    # How many reconstructions `reconstruct` makes of a volume; 0 if it makes none.
    levels = 0
    # Of its networks at test time: that of the training (`uad.base.devices.autocast`).
    precision = "32-true"

    def __init__(self):
        super().__init__()
        self.network = nn.Module()

    def loss(self, batch: Any, rng: np.random.Generator) -> torch.Tensor:
        """Loss of a batch, a scalar.

        Parameters
        ----------
        batch : uad.data.slices.Batch
            Slices, where they are in their volumes, and the volumes.
        rng : numpy.random.Generator
            The only source of randomness.
        """
        raise NotImplementedError

    def loss_and_overlap(
        self, batch: Any, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The loss of a validation batch and, of a method that learns masks, what Dice is made of.

        The second is a tensor of float64, shape (2,), to be summed over batches: numerator and
        denominator (`uad.models.segmentation`).
        """
        return self.loss(batch, rng), None

    def fit(self, data: Sequence[Any], rng: np.random.Generator) -> None:
        """Learn from the training volumes without gradients, after the epochs of `loss`, if any.

        Called once, in evaluation mode, with the network on the device to compute on. What is
        found must be in `network` to be stored, in parameters or buffers; of a shape that only the
        data tell, in a `Fitted`.

        Parameters
        ----------
        data : sequence of uad.data.packed.PackedVolume
            Each is read when it is asked for.
        rng : numpy.random.Generator
            The only source of randomness.
        """
        raise NotImplementedError

    @property
    def fits(self) -> bool:
        """Whether it defines `fit`."""
        return type(self).fit is not Method.fit

    def reconstruct(self, image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Pseudo-healthy volumes, (Z, X, Y) in [0, 1] -> (levels, Z, X, Y) float32."""
        raise NotImplementedError

    def anomaly_map(
        self, image: torch.Tensor, brain: np.ndarray, reconstruction: torch.Tensor | None
    ) -> np.ndarray:
        """Score per voxel of one volume, higher is more abnormal.

        Parameters
        ----------
        image : Tensor of float32, shape (Z, X, Y)
            The whole volume.
        brain : ndarray of bool, shape (Z, X, Y)
        reconstruction : Tensor of float32, shape (levels, Z, X, Y), or None
            Of the upstream method, if there is one: each of its reconstructions, not their mean.

        Returns
        -------
        ndarray of float32, shape (Z, X, Y)
            Zero outside the brain.
        """
        raise NotImplementedError

    def by_parts(
        self, function: Callable[[torch.Tensor], torch.Tensor], image: torch.Tensor
    ) -> torch.Tensor:
        """What a function of slices gives for a volume, a part of it at a time, as one.

        Parameters
        ----------
        function : callable
            From slices (B, 1, X, Y) to (B, C, X, Y).
        image : Tensor, shape (Z, X, Y)

        Returns
        -------
        Tensor of float32, shape (C, Z, X, Y)
        """
        parts = [function(x).float() for x in in_parts(image)]  # each (B, C, X, Y)
        return torch.cat(parts).movedim(1, 0)  # (Z, C, X, Y) -> (C, Z, X, Y)

    def load_pretrained(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take published or pretrained weights, a dict of tensors, before training."""
        raise InputError(f"{type(self).__name__} does not start from pretrained weights")


class Fitted(nn.Module):
    """Tensors that `Method.fit` finds, stored with the weights, of whatever shape they are then.

    Parameters
    ----------
    *names : str
        Of its attributes; empty tensors until they are set.
    """

    def __init__(self, *names: str):
        super().__init__()
        for name in names:
            self.register_buffer(name, torch.empty(0))

    def _load_from_state_dict(self, state_dict, prefix, *args):
        for name in self._buffers:
            if (stored := state_dict.get(prefix + name)) is not None:
                self._buffers[name] = torch.empty_like(stored)
        super()._load_from_state_dict(state_dict, prefix, *args)


def in_parts(image: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """A volume (Z, X, Y) as consecutive batches (B, 1, X, Y) that a network takes at once."""
    return image[:, None].split(AT_ONCE_ON_CPU if image.device.type == "cpu" else AT_ONCE)
