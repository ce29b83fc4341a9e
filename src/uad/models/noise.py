"""Simplex noise for the diffusion models (Wyatt et al. 2022), by the package `opensimplex`.

As in the reference one field serves a whole batch in training and all slices of a volume at test
time, is not normalised to unit variance, and is rounded to half precision.
"""

import atexit
import tempfile
from collections.abc import Callable
from functools import cache

import numpy as np
import torch

from uad.base import devices

# Seeds are drawn from this range on either side of zero, as in the reference.
LARGEST_SEED = 10**10


def fractal_field(
    seed: int, shape: tuple[int, int], octaves: int, persistence: float, wavelength: float
) -> np.ndarray:
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

    Returns
    -------
    ndarray of float64, shape (H, W)
        Zero at pixel (0, 0), standard deviation about 0.55.
    """
    simplex = _opensimplex()(seed)
    field = np.zeros(shape)
    y, x = np.arange(shape[0]), np.arange(shape[1])
    for octave in range(octaves):
        scale = wavelength / 2**octave
        field += persistence**octave * simplex.noise2array(x / scale, y / scale)
    return field


def draw(
    rng: np.random.Generator,
    shape: tuple[int, int],
    octaves: int,
    persistence: float,
    wavelength: float,
    device: torch.device | str = "cpu",
    field: Callable = fractal_field,
) -> torch.Tensor:
    """A noise image with a seed from a NumPy generator.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape, octaves, persistence, wavelength
        See `fractal_field`.
    device : torch.device or str
    field : callable
        What makes the image; `fractal_field`, or a function of the same arguments where
        `opensimplex` is not installed.

    Returns
    -------
    Tensor of float32, shape (H, W)
        Rounded to half precision.
    """
    seed = int(rng.integers(-LARGEST_SEED, LARGEST_SEED))
    image = field(seed, shape, octaves, persistence, wavelength)
    return devices.send(image, device).half().float()


@cache
def _opensimplex() -> type:
    """The class of the package; Numba compiles its functions on first use, and stores them.

    Numba stores beside the package or in the user's cache folder. Where neither can be written (a
    container's image without a home), importing the package fails; a folder that goes with this
    process does instead.
    """
    import numba

    # A field is a millisecond of work, which threads that wait for each other on a busy machine
    # make forty. Numba's other layers of threads are OpenMP and TBB; with OpenMP, Numba gives torch
    # as many threads as there are cores, whatever torch was told.
    numba.config.THREADING_LAYER = "workqueue"
    numba.set_num_threads(1)
    try:
        from opensimplex import OpenSimplex
    except RuntimeError:
        folder = tempfile.TemporaryDirectory(prefix="uad-numba-")
        atexit.register(folder.cleanup)
        numba.config.CACHE_DIR = folder.name
        from opensimplex import OpenSimplex
    return OpenSimplex
