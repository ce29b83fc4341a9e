"""Simplex noise for the diffusion models (Wyatt et al. 2022), vectorised and exact.

Two-dimensional OpenSimplex (Kurt Spencer's original variant), six octaves. Only the permutation
depends on the seed: lattice points, offsets and fall-off of every pixel are fixed, so they are
computed once and a field costs two table look-ups per lattice point. The `opensimplex` package
is the test oracle.

As in the reference one field serves a whole batch in training and all slices of a volume at test
time, is not normalised to unit variance, and is rounded to half precision.
"""

from functools import lru_cache

import numpy as np
import torch

STRETCH = -0.211324865405187  # (1 / sqrt(3) - 1) / 2
SQUISH = 0.366025403784439  # (sqrt(3) - 1) / 2
NORM = 47
GRADIENTS = np.array([(5, 2), (2, 5), (-5, 2), (-2, 5), (5, -2), (2, -5), (-5, -2), (-2, -5)])


def fractal_field(seed, shape, octaves, persistence, wavelength, device="cpu"):
    """A fractal noise image.

    n(x, y) = sum over octaves k of persistence^k * simplex(x / w_k, y / w_k) with
    w_k = wavelength / 2^k, pixel indices from zero and one permutation for all octaves.

    Parameters
    ----------
    seed : int
    shape : tuple of int
        (H, W): rows are y, columns are x.
    octaves : int
    persistence : float
    wavelength : float
        Of the first octave, in pixels.
    device : torch.device or str

    Returns
    -------
    Tensor of float64, shape (H, W)
        Zero at pixel (0, 0), standard deviation about 0.55.
    """
    i, j, weight_x, weight_y = _lattice(shape, octaves, persistence, wavelength, str(device))
    table = torch.from_numpy(permutation(seed)).to(device)
    gradients = torch.as_tensor(GRADIENTS, dtype=torch.float64, device=device)
    index = (table[(table[i] + j) & 255] & 14) >> 1  # (octaves, 4, H, W)
    field = gradients[index, 0] * weight_x + gradients[index, 1] * weight_y
    return field.sum(dim=(0, 1))


def draw(rng, shape, octaves, persistence, wavelength, device="cpu"):
    """A fractal field (float32, rounded to half precision) with a seed from a NumPy generator."""
    seed = int(rng.integers(-(10**10), 10**10))
    return fractal_field(seed, shape, octaves, persistence, wavelength, device).half().float()


def permutation(seed):
    """OpenSimplex's permutation of 0..255: a 64-bit congruential generator and a selection."""

    def advance(state):
        state = (state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        return state - 2**64 if state >= 2**63 else state

    source = list(range(256))
    table = np.empty(256, np.int64)
    for _ in range(3):
        seed = advance(seed)
    for i in range(255, -1, -1):
        seed = advance(seed)
        chosen = (seed + 31) % (i + 1)
        table[i] = source[chosen]
        source[chosen] = source[i]
    return table


@lru_cache(maxsize=8)
def _lattice(shape, octaves, persistence, wavelength, device):
    """What does not depend on the seed: lattice indices and weights, (octaves, 4, H, W) each.

    Every point has four contributions: three corners of its simplex and the nearest one outside.
    A contribution is fall-off^4 * (gradient . offset); fall-off, amplitude and norm are in the
    weights, the gradient is looked up.
    """
    y, x = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    parts = []
    for octave in range(octaves):
        scale = wavelength / 2**octave
        i, j, dx, dy = _corners(x / scale, y / scale)
        fall_off = np.maximum(2 - dx**2 - dy**2, 0) ** 4
        amplitude = persistence**octave / NORM
        parts.append((i & 255, j & 255, amplitude * fall_off * dx, amplitude * fall_off * dy))
    return tuple(torch.from_numpy(np.stack(group)).to(device) for group in zip(*parts))


def _corners(x, y):
    """Lattice corners (4, H, W) of each point, and the point's offsets from them."""
    stretch = (x + y) * STRETCH
    xs, ys = x + stretch, y + stretch
    i, j = np.floor(xs).astype(int), np.floor(ys).astype(int)
    u, v = xs - i, ys - j  # position in the lattice cell
    lower = u + v <= 1
    # The fourth corner: beyond the nearest edge of the triangle that the point lies in.
    far = np.where(lower, 1 - u - v, 2 - u - v)
    near_edge = np.where(lower, (far > u) | (far > v), (far < u) | (far < v))
    right = u > v
    extra_i = np.where(near_edge, np.where(right, 1, -1), 1)
    extra_j = np.where(near_edge, np.where(right, -1, 1), 1)
    extra_i = np.where(lower, extra_i, np.where(near_edge, np.where(right, 2, 0), 0))
    extra_j = np.where(lower, extra_j, np.where(near_edge, np.where(right, 0, 2), 0))
    own = np.where(lower, 0, 1)
    di = np.stack([np.ones_like(i), np.zeros_like(i), own, extra_i])
    dj = np.stack([np.zeros_like(i), np.ones_like(i), own, extra_j])
    ci, cj = i + di, j + dj
    squish = (ci + cj) * SQUISH
    return ci, cj, x - ci - squish, y - cj - squish
