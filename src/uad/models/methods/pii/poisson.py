"""Poisson image interpolation: a patch of another slice, blended in without an edge (Tan et al.
2021).

Inside a square the image gets a mixture of its own gradients and those of a foreign image, weighted
by alpha, with its own values along the border. The pixels follow from a discrete Poisson equation,
whose solution in a rectangle is exact by sine transforms.

Differs from the original: patches are centred in the brain and change nothing outside it, since
scores are zero there.
"""

import numpy as np
from scipy import fft

HALF_SIDE = (0.05, 0.2)  # of the patch, relative to the shorter side of the image
CENTRAL = (0.1, 0.9)  # where centres lie, relative to each axis
ALPHA = (0.05, 0.95)
STEP = 1e-3  # changes that vanish when intensities are rounded to this are not labelled


def draw_patch(rng: np.random.Generator, allowed: np.ndarray) -> tuple[slice, slice] | None:
    """A random square, clipped so that the outermost frame of pixels stays outside.

    Parameters
    ----------
    rng : numpy.random.Generator
    allowed : ndarray of bool, shape (H, W)
        Where its centre may lie, of the central 80 % of each axis.

    Returns
    -------
    tuple of slice
        Rows and columns; None if its centre can lie nowhere.
    """
    central = np.zeros_like(allowed)
    central[tuple(slice(*(int(share * n) for share in CENTRAL)) for n in allowed.shape)] = True
    centres = np.argwhere(allowed & central)  # (N, 2)
    if not len(centres):
        return None
    half = rng.integers(*(round(share * min(allowed.shape)) for share in HALF_SIDE))
    centre = centres[rng.integers(len(centres))]
    return tuple(
        slice(max(c - half, 1), min(c + half, n - 1)) for c, n in zip(centre, allowed.shape)
    )


def blend(
    image: np.ndarray, foreign: np.ndarray, patch: tuple[slice, slice], alpha: float
) -> np.ndarray:
    """The image with a patch in which the gradients of both are mixed.

    Between two neighbouring pixels the larger of (1 - alpha) times the own and alpha times the
    foreign difference is taken.

    Parameters
    ----------
    image, foreign : ndarray of float, shape (H, W)
    patch : tuple of slice
        Rows and columns; the frame of pixels around it must be in the image.
    alpha : float
        Weight of the foreign image.

    Returns
    -------
    ndarray, shape (H, W)
        Equal to the image outside the patch; within the image's range.
    """
    window = tuple(slice(s.start - 1, s.stop + 1) for s in patch)
    # With the frame around the patch, (h + 2, w + 2).
    own, other = (x[window].astype(float) for x in (image, foreign))
    # (h + 1, w + 2) and (h + 2, w + 1)
    rows, columns = (
        _mixed(np.diff(own, axis=axis), np.diff(other, axis=axis), alpha) for axis in (0, 1)
    )
    # Four times a pixel minus its neighbours, for the mixed gradients ...
    right = -np.diff(rows[:, 1:-1], axis=0) - np.diff(columns[1:-1], axis=1)  # (h, w)
    # ... and the neighbours that are known.
    right[0] += own[0, 1:-1]
    right[-1] += own[-1, 1:-1]
    right[:, 0] += own[1:-1, 0]
    right[:, -1] += own[1:-1, -1]
    along_rows, along_columns = (
        2 - 2 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1)) for n in right.shape
    )
    eigenvalues = along_rows[:, None] + along_columns  # (h, 1) and (w,) -> (h, w)
    solved = fft.idstn(fft.dstn(right, type=1) / eigenvalues, type=1)
    out = image.copy()
    out[patch] = np.clip(solved, image.min(), image.max())
    return out


def _mixed(own, other, alpha):
    own, other = (1 - alpha) * own, alpha * other
    return np.where(abs(own) > abs(other), own, other)


def interpolate(
    image: np.ndarray, foreign: np.ndarray, brain: np.ndarray, centre: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A slice with a blended patch, and its label.

    Parameters
    ----------
    image, foreign : ndarray of float32, shape (H, W)
    brain : ndarray of bool, shape (H, W)
        Nothing changes outside.
    centre : str
        Where the patch's centre lies: ``"brain"`` or ``"anywhere"``.
    rng : numpy.random.Generator

    Returns
    -------
    blended : ndarray of float32, shape (H, W)
        The image itself if the patch has no place.
    label : ndarray of float32, shape (H, W)
        Alpha where the image visibly changed, else 0.
    """
    patch = draw_patch(rng, brain if centre == "brain" else np.ones_like(brain))
    if patch is None:
        return image, np.zeros_like(image)
    alpha = rng.uniform(*ALPHA)
    blended = np.where(brain, blend(image, foreign, patch, alpha), image)
    changed = np.rint(blended / STEP) != np.rint(image / STEP)
    return blended, np.where(changed, alpha, 0).astype(np.float32)
