"""Intensity augmentation of single slices, equal to TorchIO's transforms of the whole volume.

The reference augments a volume (gamma, bias field, blur, ghosting) and then uses one of its 50
slices. All four can be computed for the one slice: gamma and bias field act voxel by voxel, blur
and ghosting are linear and separable. With matrices that hold blur and ghosting along each axis,
a slice z of the augmented volume v is

    out = A_x (sum over z' of w[z'] v'[z']) A_y^T,    v' = bias * gamma(v),    w = row z of A_z,

and w is zero except at z itself unless the blur or the ghosts run through the slices. The same
drawn parameters give the same slice as TorchIO (tested), at a small part of the cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy import ndimage

from uad.base import devices

# Probabilities of the released code; ranges are TorchIO's defaults (data specification, section 6).
P_GAMMA, P_BIAS, P_BLUR, P_GHOSTING = 0.5, 0.25, 0.25, 0.5
LOG_GAMMA = 0.3
BIAS_ORDER = 3
BIAS_COEFFICIENT = 0.5
BLUR_STD_VOXELS = 1.0  # 2 mm at the paper's spacing
GHOSTS = (4, 10)
GHOST_INTENSITY = (0.5, 1.0)

# Exponents of the bias field's polynomial, in TorchIO's order of coefficients.
BIAS_TERMS = [
    (i, j, k)
    for i in range(BIAS_ORDER + 1)
    for j in range(BIAS_ORDER + 1 - i)
    for k in range(BIAS_ORDER + 1 - i - j)
]


@dataclass
class Parameters:
    """Drawn parameters of one slice; None means that the transform is not applied."""

    gamma: float | None = None
    bias: np.ndarray | None = None  # (20,) polynomial coefficients
    blur: np.ndarray | None = None  # (3,) standard deviations in voxels, x, y, z
    ghosts: tuple | None = field(default=None)  # (axis, number, intensity)


def draw(rng: np.random.Generator) -> Parameters:
    """Parameters of one volume from a NumPy generator."""
    drawn = Parameters()
    if rng.random() < P_GAMMA:
        drawn.gamma = float(np.exp(rng.uniform(-LOG_GAMMA, LOG_GAMMA)))
    if rng.random() < P_BIAS:
        drawn.bias = rng.uniform(-BIAS_COEFFICIENT, BIAS_COEFFICIENT, len(BIAS_TERMS))
    if rng.random() < P_BLUR:
        drawn.blur = rng.uniform(0, BLUR_STD_VOXELS, 3)
    if rng.random() < P_GHOSTING:
        drawn.ghosts = (
            int(rng.integers(0, 3)),
            int(rng.integers(GHOSTS[0], GHOSTS[1] + 1)),
            float(rng.uniform(*GHOST_INTENSITY)),
        )
    return drawn


def slices(
    volumes: np.ndarray,
    rows: Sequence[int],
    positions: Sequence[int],
    parameters: Sequence[Parameters],
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Augmented slices of packed volumes.

    Parameters
    ----------
    volumes : array or memmap of float32, shape (N, Z, X, Y)
    rows, positions : sequence of int, length B
        Volume and slice of each sample.
    parameters : sequence of Parameters, length B
    device : torch.device or str

    Returns
    -------
    Tensor of float32, shape (B, X, Y)
    """
    n_z, n_x, n_y = volumes.shape[1:]
    weights = [_axis_operator(p, 2, n_z)[z] for p, z in zip(parameters, positions)]
    used = [np.flatnonzero(w) for w in weights]
    sample = np.repeat(np.arange(len(rows)), [len(u) for u in used])
    z = np.concatenate(used)
    read = volumes[np.asarray(rows)[sample], z]  # (K, X, Y): every slice that is needed, once
    read = devices.send(np.ascontiguousarray(read), device)
    _apply_gamma(read, sample, parameters)
    _apply_bias(read, sample, z, parameters, n_z)
    if len(read) == len(rows):
        out = read  # (B, X, Y)
    else:
        share = np.concatenate([w[u] for w, u in zip(weights, used)]).astype(np.float32)
        read *= devices.send(share, device)[:, None, None]
        out = torch.zeros(len(rows), n_x, n_y, device=device)
        out.index_add_(0, devices.send(sample, device), read)
    return _apply_in_plane(out, parameters, n_x, n_y)


def _apply_gamma(read, sample, parameters):
    """sign(v) |v|^gamma, in place, on the samples that have one."""
    for i, drawn in enumerate(parameters):
        if drawn.gamma is not None:
            part = read[_span(sample, i)]
            part.copy_(part.sign() * part.abs() ** drawn.gamma)


def _apply_bias(read, sample, z, parameters, n_z):
    """Multiply by exp of a polynomial in coordinates scaled to [-1, 1], in place."""
    n_x, n_y = read.shape[1:]
    powers = [_powers(n, read.device) for n in (n_x, n_y, n_z)]
    for i, drawn in enumerate(parameters):
        if drawn.bias is not None:
            span = _span(sample, i)
            cube = np.zeros((BIAS_ORDER + 1,) * 3, np.float32)
            cube[tuple(np.transpose(BIAS_TERMS))] = drawn.bias
            along_z = powers[2][:, devices.send(z[span], read.device)]
            exponent = torch.einsum(  # (slices, X, Y)
                "ijk,ix,jy,kz->zxy", devices.send(cube, read.device), *powers[:2], along_z
            )
            read[span] *= exponent.exp()


def _apply_in_plane(out, parameters, n_x, n_y):
    """Blur and ghosts along x and y as matrix products, for the samples that have them."""
    for axis, n in enumerate((n_x, n_y)):
        chosen = [i for i, p in enumerate(parameters) if _acts_along(p, axis)]
        if chosen:
            operators = np.stack([_axis_operator(parameters[i], axis, n) for i in chosen])
            matrices = devices.send(operators.astype(np.float32), out.device)
            where = devices.send(np.array(chosen), out.device)
            part = out[where]  # (chosen, X, Y)
            part = matrices @ part if axis == 0 else part @ matrices.transpose(1, 2)
            out[where] = part
    return out


def _acts_along(drawn, axis):
    return drawn.blur is not None or (drawn.ghosts is not None and drawn.ghosts[0] == axis)


def _axis_operator(drawn, axis, n):
    """Ghosting after blur along one axis, as a matrix (n, n)."""
    operator = np.eye(n)
    if drawn.blur is not None and drawn.blur[axis] > 1e-15:  # SciPy's own limit
        operator = ndimage.gaussian_filter1d(operator, drawn.blur[axis], axis=0)
    if drawn.ghosts is not None and drawn.ghosts[0] == axis:
        _, number, intensity = drawn.ghosts
        gain = np.ones(n)
        gain[::number] = 1 - intensity
        gain[n // 2] = 1  # the centre of k-space is restored
        spectrum = np.fft.fft(operator, axis=0) * np.fft.ifftshift(gain)[:, None]
        operator = np.fft.ifft(spectrum, axis=0).real
    return operator


def _powers(n, device):
    """Powers 0..3 of the scaled coordinates of an axis, (4, n)."""
    centred = torch.arange(n, device=device, dtype=torch.float32) - (n - 1) / 2
    scaled = centred / centred.max()
    return torch.stack([scaled**p for p in range(BIAS_ORDER + 1)])


def _span(sample, i):
    """The slices of sample i; `sample` is sorted."""
    return slice(*np.searchsorted(sample, (i, i + 1)))
