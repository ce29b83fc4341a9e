"""Batches of axial slices from packed volumes, for training and validation.

An epoch visits every training volume in random order and takes uniformly drawn slices from it (SADM
Sec. 4.2), near-empty ones included. Only the slices that are used are read and augmented.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from uad.base import devices
from uad.data import augmentation
from uad.data.packed import Volumes

if TYPE_CHECKING:
    from uad.data.packed import Pack, PackedVolume


@dataclass(frozen=True)
class Batch:
    """Slices (B, 1, X, Y): `image` float32 near [0, 1], `brain` and `lesion` float32, 0 or 1.

    `partner`, for methods that mix images, holds the same slices of other volumes, else None. `z`,
    (B,) int64, is where each slice is in its volume, 0 to Z - 1 from below, and `volumes` are the
    volumes they are from, as they are packed: without augmentation and synthetic anomalies.
    """

    image: torch.Tensor
    brain: torch.Tensor
    lesion: torch.Tensor
    partner: torch.Tensor | None = None
    z: torch.Tensor | None = None
    volumes: Sequence["PackedVolume"] = ()

    def __len__(self):
        return len(self.image)


@dataclass(frozen=True)
class TrainingSlices:
    """Random training slices of some volumes of a packed data set.

    Attributes
    ----------
    pack : packed.Pack
    rows : ndarray of int
        Volumes that train.
    batch_size : int
    slices_per_volume : int
        Slices taken from each volume in an epoch; 1 in the paper.
    drop_last : bool
        Leave out an epoch's last batch if it is not full (never the only one).
    augment : bool
        Random intensity augmentation.
    corrupt : callable or None
        Adds an anomaly to a healthy slice: from the slice, (X, Y), and a generator to the anomalous
        slice and the anomaly's mask. None if the volumes have lesions, or none is wanted.
    partners : bool
        With every slice the same slice of another volume (of the same one if there is no other).
    device : torch.device or str
    """

    pack: object
    rows: np.ndarray
    batch_size: int
    slices_per_volume: int
    drop_last: bool
    augment: bool
    corrupt: Callable | None
    partners: bool
    device: object = "cpu"

    @property
    def batches(self) -> int:
        """Batches per epoch."""
        n = len(self.rows) * self.slices_per_volume
        full, rest = divmod(n, self.batch_size)
        return full if full and (self.drop_last or not rest) else full + 1

    def epoch(
        self, rng: np.random.Generator, done: int = 0, drawn: dict | None = None
    ) -> Iterator[Batch]:
        """Yield one epoch's batches, drawn from a NumPy generator.

        To resume after the first `done` batches, pass a fresh `rng`, and as `drawn` the state that
        the generator had after the last of them.
        """
        order = np.concatenate([rng.permutation(self.rows) for _ in range(self.slices_per_volume)])
        if drawn is not None:
            rng.bit_generator.state = drawn
        for start in range(done * self.batch_size, self.batches * self.batch_size, self.batch_size):
            yield self._batch(order[start : start + self.batch_size], rng)

    def _batch(self, rows, rng):
        z = rng.integers(0, self.pack.image.shape[1], len(rows))  # (B,), one slice per volume
        image = self._images(rows, z, rng)  # (B, X, Y)
        lesion = self.pack.lesion[rows, z] > 0  # (V, Z, X, Y) -> (B, X, Y)
        if self.corrupt:
            image, lesion = _corrupted(image.cpu().numpy(), self.corrupt, rng)
            image = devices.send(image, self.device)
        partner = self._images(self._others(rows, rng), z, rng) if self.partners else None
        brain = self.pack.brain[rows, z] > 0
        volumes = Volumes(self.pack, rows)
        return _batch(image, brain, lesion, z, volumes, self.device, partner)

    def _images(self, rows, z, rng):
        """Slices, augmented if wanted, (B, X, Y)."""
        none = augmentation.Parameters()
        parameters = [augmentation.draw(rng) if self.augment else none for _ in rows]
        return augmentation.slices(self.pack.image, rows, z, parameters, self.device)

    def _others(self, rows, rng):
        """For each volume another one, uniformly drawn."""
        at = np.searchsorted(self._sorted, rows)  # (B,)
        steps = rng.integers(1, max(len(self.rows), 2), len(rows))
        return self._sorted[(at + steps) % len(self.rows)]

    @property
    def _sorted(self):
        return np.sort(self.rows)


def fixed(
    pack: "Pack",
    rows: Sequence[int] | np.ndarray,
    per_volume: int,
    batch_size: int,
    partners: bool = False,
    device: torch.device | str = "cpu",
    corrupt: Callable | None = None,
    rng: np.random.Generator | None = None,
) -> list[Batch]:
    """The same evenly spaced slices of every volume, without augmentation, as a list of batches.

    Differs from the reference, which validates on one random augmented slice per volume: with six
    validation volumes (ATLAS) that choice of checkpoint is nearly random. The partner of a slice is
    that of the next volume. `corrupt` is that of `TrainingSlices`, with a generator of its own.
    """
    n_z = pack.image.shape[1]
    z = ((np.arange(per_volume) + 0.5) * n_z / per_volume).astype(int)
    # All slices of all volumes, one after the other: (V, per_volume) -> (V * per_volume,).
    at_row, at_z = (grid.ravel() for grid in np.meshgrid(rows, z, indexing="ij"))
    at_next = np.repeat(np.roll(rows, -1), per_volume)
    batches = []
    for start in range(0, len(at_row), batch_size):
        r, s = at_row[start : start + batch_size], at_z[start : start + batch_size]
        # (V, Z, X, Y) -> (B, X, Y)
        image, lesion = np.array(pack.image[r, s]), pack.lesion[r, s] > 0
        if corrupt:
            image, lesion = _corrupted(image, corrupt, rng)
        partner = pack.image[at_next[start : start + batch_size], s] if partners else None
        image, partner = (
            None if x is None else devices.send(np.array(x), device) for x in (image, partner)
        )
        brain = pack.brain[r, s] > 0
        batches.append(_batch(image, brain, lesion, s, Volumes(pack, r), device, partner))
    return batches


def _corrupted(images, corrupt, rng):
    """Slices (B, X, Y) with anomalies, and their masks."""
    changed, masks = zip(*(corrupt(x, rng) for x in images))
    return np.stack(changed), np.stack(masks)


def _batch(image, brain, lesion, z, volumes, device, partner=None):
    """Masks to float tensors, and a channel axis for all: (B, X, Y) -> (B, 1, X, Y)."""
    masks = (devices.send(m.astype(np.float32), device)[:, None] for m in (brain, lesion))
    partner = None if partner is None else partner[:, None]
    z = devices.send(z.astype(np.int64), device)
    return Batch(image[:, None], *masks, partner=partner, z=z, volumes=volumes)
