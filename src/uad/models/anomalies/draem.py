"""Synthetic anomalies of DRAEM (Zavrtanik et al. 2021), as SADM draws them (App. C).

A rotated Perlin noise image is thresholded to a mask; the noise itself, processed by three of ten
image operators, is the texture that is blended in. Everything is driven by the generator that is
passed in.

Differs from the paper, unless `uad.models.settings.Anomalies` says otherwise: the threshold is
fixed at 0.5, the operators are ten, not seven, and process the noise, not the binary map, as in the
released code. A uniformly drawn threshold would give two to three times as much anomalous area as
the published scores are consistent with.
"""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from scipy import ndimage

from uad.base import seeding
from uad.models.settings import AS_RELEASED, Anomalies

if TYPE_CHECKING:
    import pandas as pd

GRID = 128  # next power of two above the slice; Perlin cells must divide it
MAX_EXPONENT = 6  # cells per axis: 2^0 ... 2^6
THRESHOLD = 0.5
OPACITY = (0.2, 1.0)
OPERATORS_PER_IMAGE = 3


def perlin(cells: tuple[int, int], angles: np.ndarray) -> np.ndarray:
    """Gradient noise on a square grid.

    Parameters
    ----------
    cells : tuple of int
        Cells per axis, divisors of `GRID`.
    angles : ndarray, shape (cells[0] + 1, cells[1] + 1)
        Gradient directions at the lattice points, in radians.

    Returns
    -------
    ndarray, shape (GRID, GRID)
        In [-1, 1], zero at lattice points.
    """
    index, offset, fade = [], [], []
    for n in cells:
        position = np.arange(GRID) * (n / GRID)
        index.append(position.astype(int))
        offset.append(position - index[-1])
        t = offset[-1]
        fade.append(t**3 * (t * (6 * t - 15) + 10))
    cos, sin = np.cos(angles), np.sin(angles)

    def corner(di, dj):
        at = np.ix_(index[0] + di, index[1] + dj)
        return cos[at] * (offset[0] - di)[:, None] + sin[at] * (offset[1] - dj)[None, :]

    u, v = fade[0][:, None], fade[1][None, :]
    near = corner(0, 0) * (1 - u) + corner(1, 0) * u
    far = corner(0, 1) * (1 - u) + corner(1, 1) * u
    return np.sqrt(2) * (near * (1 - v) + far * v)


def draw(
    rng: np.random.Generator, shape: tuple[int, int], settings: Anomalies = AS_RELEASED
) -> tuple[np.ndarray, np.ndarray, float]:
    """One synthetic anomaly for a slice.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (H, W), at most `GRID` per axis.
    settings : uad.models.settings.Anomalies

    Returns
    -------
    mask : ndarray of bool, shape (H, W)
        With the fixed threshold about 4 % of the slice on average, and empty in some 7 % of draws.
    texture : ndarray of float32, shape (H, W)
        In [0, 1].
    opacity : float
        Gamma of App. C.
    """
    cells = tuple(2 ** rng.integers(0, MAX_EXPONENT + 1, 2))
    angles = rng.uniform(0, 2 * np.pi, (cells[0] + 1, cells[1] + 1))
    noise = perlin(cells, angles)[: shape[0], : shape[1]]
    noise = ndimage.rotate(noise, rng.uniform(-90, 90), reshape=False, order=1)
    threshold = THRESHOLD if settings.threshold == "fixed" else rng.uniform()
    mask = noise > threshold
    # Negative values wrap around; they lie outside the mask but operators that look at the whole
    # image (equalise, autocontrast) see them.
    source = noise if settings.texture == "noise" else mask
    grey = (source * 255).astype(np.int64).astype(np.uint8)
    image = Image.fromarray(np.repeat(grey[..., None], 3, axis=2))
    operators = OPERATORS if settings.operators == "ten" else OPERATORS_OF_THE_PAPER
    for chosen in rng.choice(len(operators), OPERATORS_PER_IMAGE, replace=False):
        image = operators[chosen](image, rng)
    texture = np.asarray(image)[..., 0].astype(np.float32) / 255
    return mask, texture, float(rng.uniform(*OPACITY))


def settings_of(block: Mapping[str, Any]) -> Anomalies:
    """Settings from the block `synthetic` of the configuration, or from what is named of it."""
    known = {field.name for field in dataclasses.fields(Anomalies)}
    return Anomalies(**{key: value for key, value in block.items() if key in known})


def blend(image: np.ndarray, mask: np.ndarray, texture: np.ndarray, opacity: float) -> np.ndarray:
    """(1 - M) x + gamma M A + (1 - gamma) M x: App. C, not clipped."""
    return np.where(mask, opacity * texture + (1 - opacity) * image, image)


def add_anomaly(
    image: np.ndarray,
    rng: np.random.Generator,
    brain: np.ndarray | None = None,
    settings: Anomalies = AS_RELEASED,
) -> tuple[np.ndarray, np.ndarray]:
    """An anomalous version of a slice and its ground truth.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W)
    rng : numpy.random.Generator
    brain : ndarray of bool or None
        Restricts the anomaly to the brain. The test set needs it, since scores are zero outside;
        training follows the released code and does without.
    settings : uad.models.settings.Anomalies
    """
    mask, texture, opacity = draw(rng, image.shape, settings)
    if brain is not None:
        mask = mask & brain
    return blend(image, mask, texture, opacity).astype(np.float32), mask


def synthetic_set(
    healthy: Any, subjects: set[str], seed: int, settings: Anomalies = AS_RELEASED
) -> tuple["pd.DataFrame", list[dict[str, np.ndarray]]]:
    """Anomalous versions of some subjects of a packed healthy data set.

    Parameters
    ----------
    healthy : packed.Pack
    subjects : set of str
    seed : int
    settings : uad.models.settings.Anomalies

    Returns
    -------
    table : DataFrame
        The subjects' lines, with the anomalous volume in `lesion_ml`.
    volumes : list of dict
        See `synthetic_volume`.
    """
    table = healthy.subjects[healthy.subjects["subject"].isin(subjects)].reset_index(drop=True)
    volumes = [
        synthetic_volume(healthy.volume(subject), seed, settings) for subject in table["subject"]
    ]
    voxels = np.array([volume["lesion"].sum() for volume in volumes])
    return table.assign(lesion_ml=voxels * table["voxel_ml"]), volumes


def synthetic_volume(
    volume: Any, seed: int, settings: Anomalies = AS_RELEASED
) -> dict[str, np.ndarray]:
    """An anomalous version of a healthy volume: every slice gets one draw, inside the brain.

    Parameters
    ----------
    volume : packed.PackedVolume
    seed : int
        With the subject's label it decides the anomalies, whatever else is in the data set.
    settings : uad.models.settings.Anomalies

    Returns
    -------
    dict of str to ndarray
        `image`, `brain` and `lesion`, (Z, X, Y).
    """
    rng = seeding.generator(seed, "synthesis", volume.subject)
    pairs = [add_anomaly(x, rng, m, settings) for x, m in zip(volume.image, volume.brain)]
    image, lesion = (np.stack(part) for part in zip(*pairs))
    return {"image": image, "brain": volume.brain, "lesion": lesion}


def _gamma(image, rng):
    """Contrast exponent in [0.5, 2], one per channel."""
    values = np.arange(256) / 255
    tables = [np.rint(255 * values ** rng.uniform(0.5, 2)) for _ in range(3)]
    return image.point(np.concatenate(tables).astype(int).tolist())


def _brightness(image, rng):
    """Multiply brightness by [0.8, 1.2] and add [-30, 30], in random order."""
    factor, summand = rng.uniform(0.8, 1.2), rng.integers(-30, 31)
    hue, saturation, value = image.convert("HSV").split()
    changed = np.asarray(value, float)
    if rng.random() < 0.5:
        changed = np.clip(changed * factor, 0, 255) + summand
    else:
        changed = np.clip(changed + summand, 0, 255) * factor
    changed = np.clip(changed, 0, 255)
    value = Image.fromarray(np.rint(changed).astype(np.uint8))
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def _sharpness(image, rng):
    """0 smooths, 1 keeps, 2 sharpens."""
    return ImageEnhance.Sharpness(image).enhance(rng.uniform(0, 2))


def _hue_and_saturation(image, rng):
    """Add [-50, 50] to hue and to saturation; hardly visible in the one channel that is used."""
    hue, saturation, value = (np.asarray(band, int) for band in image.convert("HSV").split())
    hue = (hue + rng.integers(-50, 51)) % 256
    saturation = np.clip(saturation + rng.integers(-50, 51), 0, 255)
    bands = np.stack([hue, saturation, value], axis=2).astype(np.uint8)
    return Image.fromarray(bands, "HSV").convert("RGB")


def _solarize(image, rng):
    """In half of the draws, invert what is above a threshold in [32, 128]."""
    applies, threshold = rng.random() < 0.5, int(rng.integers(32, 129))
    return ImageOps.solarize(image, threshold) if applies else image


def _posterize(image, rng):
    """Keep one to eight bits."""
    return ImageOps.posterize(image, int(rng.integers(1, 9)))


def _invert(image, rng):
    return ImageOps.invert(image)


def _autocontrast(image, rng):
    """Stretch after cutting up to 20 % at both ends."""
    return ImageOps.autocontrast(image, cutoff=int(rng.integers(0, 21)))


def _equalize(image, rng):
    return ImageOps.equalize(image)


def _rotate(image, rng):
    """Turn the texture by up to 45 degrees; the mask stays."""
    return image.rotate(rng.uniform(-45, 45), resample=Image.Resampling.BILINEAR)


OPERATORS = (
    _gamma,
    _brightness,
    _sharpness,
    _hue_and_saturation,
    _solarize,
    _posterize,
    _invert,
    _autocontrast,
    _equalize,
    _rotate,
)
# Posterise, sharpness, solarise, equalise, brightness, colour and autocontrast: App. C.
OPERATORS_OF_THE_PAPER = tuple(
    operator for operator in OPERATORS if operator not in (_gamma, _invert, _rotate)
)
