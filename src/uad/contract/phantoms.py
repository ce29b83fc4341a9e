"""Ellipsoid heads with known lesions, packed like a data set; no patient voxel."""

from pathlib import Path

import numpy as np
import pandas as pd

from uad.data import packed

SHAPE = (56, 64, 48)  # holds a head


def ellipsoid(shape: tuple[int, ...], centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Boolean ellipsoid; centre and radii in voxels."""
    grid = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radii)) < 1


def head(
    rng: np.random.Generator,
    shape: tuple[int, int, int] = SHAPE,
    lesion_radius: float = 3.0,
    skull: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A head: image (float32), brain and lesion (bool), (X, Y, Z).

    Scalp bright, bone dark, grey rim, white core with dark ventricles, one dark lesion, noise.
    """
    centre = np.array(shape) / 2 + rng.uniform(-1, 1, 3)
    size = np.array(shape) * 0.36 * rng.uniform(0.97, 1.03, 3)
    image = np.zeros(shape, np.float32)
    brain = ellipsoid(shape, centre, size)
    if skull:
        image[ellipsoid(shape, centre, size + 4)] = 900
        image[ellipsoid(shape, centre, size + 2)] = 60
    image[brain] = 600
    image[ellipsoid(shape, centre, 0.8 * size)] = 1000
    for side in (-0.16, 0.16):
        where = centre + size * [side, 0.1, 0.1]
        image[ellipsoid(shape, where, size * [0.12, 0.35, 0.2])] = 150
    where = centre + rng.uniform(-0.4, 0.4, 3) * size
    lesion = ellipsoid(shape, where, (lesion_radius,) * 3) & brain
    image[lesion] = 400
    noise = rng.normal(0, 15, shape).astype(np.float32)
    image = np.where(image > 0, np.maximum(image + noise, 1), 0).astype(np.float32)
    return image, brain, lesion


def volume(
    rng: np.random.Generator, shape: tuple[int, int, int] = (12, 48, 48)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A volume as it is packed, (Z, X, Y): image in [0, 1], brain and lesion (bool)."""
    image, brain, lesion = head(rng, (*shape[1:], shape[0]), lesion_radius=4.0, skull=False)
    image = np.clip(image / 1000, 0, 1)
    return tuple(np.ascontiguousarray(a.transpose(2, 0, 1)) for a in (image, brain, lesion))


def write_pack(
    folder: Path, n: int, seed: int = 0, shape: tuple[int, int, int] = (12, 48, 48)
) -> packed.Pack:
    """A packed data set of `n` phantoms named S0, S1, ..., written and opened."""
    rng = np.random.default_rng(seed)
    volumes = [dict(zip(("image", "brain", "lesion"), volume(rng, shape))) for _ in range(n)]
    table = pd.DataFrame({"subject": [f"S{i}" for i in range(n)], "voxel_ml": 0.008})
    packed.write(folder, table, volumes, n, shape)
    return packed.Pack(folder)
