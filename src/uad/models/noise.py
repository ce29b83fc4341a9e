"""Simplex noise for the diffusion models (Wyatt et al. 2022), vectorised and exact.

Two-dimensional OpenSimplex (Kurt Spencer's original variant), six octaves. Only the permutation
depends on the seed: lattice points, offsets and fall-off of every pixel are fixed. So a field is
a sparse matrix, made once, times the gradients that the seed gives to its few thousand lattice
points. The `opensimplex` package is the test oracle.

As in the reference one field serves a whole batch in training and all slices of a volume at test
time, is not normalised to unit variance, and is rounded to half precision.
"""

from functools import lru_cache

import numpy as np
from scipy import sparse

from uad.base import devices

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
    i, j, matrix = _lattice(tuple(shape), octaves, persistence, wavelength)
    table = permutation(seed)
    gradients = GRADIENTS[(table[(table[i] + j) & 255] & 14) >> 1]  # (points, 2)
    field = matrix @ gradients.ravel()
    return devices.send(field.reshape(shape), device)


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
def _lattice(shape, octaves, persistence, wavelength):
    """What does not depend on the seed: lattice points, and the matrix from gradients to pixels.

    Every pixel has four contributions in each octave: three corners of its simplex and the nearest
    point outside. A contribution is fall-off^4 * (gradient . offset); fall-off, offset, amplitude
    and norm are in the matrix.

    Returns
    -------
    i, j : ndarray of int, shape (points,)
        Lattice coordinates modulo 256.
    matrix : scipy.sparse.csr_array of float64, shape (pixels, 2 * points)
        Columns in pairs: x and y component of a point's gradient.
    """
    y, x = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    numbers, weights = [], []
    for octave in range(octaves):
        scale = wavelength / 2**octave
        i, j, dx, dy = _corners(x / scale, y / scale)
        fall_off = np.maximum(2 - dx**2 - dy**2, 0) ** 4 * persistence**octave / NORM
        numbers.append((i & 255) * 256 + (j & 255))
        weights.append((fall_off * dx, fall_off * dy))
    points, column = np.unique(np.stack(numbers), return_inverse=True)
    column = column.reshape(-1, 1, x.size)  # (octaves * 4, 1, pixels)
    columns = np.concatenate([2 * column, 2 * column + 1], axis=1)
    rows = np.broadcast_to(np.arange(x.size), columns.shape)
    values = np.stack(weights).swapaxes(1, 2).reshape(columns.shape)
    entries = values.ravel(), (rows.ravel(), columns.ravel())
    matrix = sparse.csr_array(entries, shape=(x.size, 2 * len(points)))
    matrix.eliminate_zeros()
    return points // 256, points % 256, matrix


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
