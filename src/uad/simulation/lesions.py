"""Simulated lesions with exactly known extent: gliomas, strokes, white matter lesions.

A lesion is a smooth scalar field over the phantom, its *depth*: positive inside, 0 on the boundary,
1 at the centre. The image takes its signal from it and the ground truth is `depth > 0` of the same
field, carried through the same warp and sampled at the same native voxels, so the mask is exact at
any resolution.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from uad.simulation.phantom import Phantom

# Radii in mm. Strokes range from lacunes of a few voxels to infarcts of a whole lobe; the released
# ATLAS lesions span four orders of magnitude, hence logarithmic draws.
GLIOMA_RADIUS_MM = (11.0, 32.0)
STROKE_RADIUS_MM = (2.0, 26.0)
WHITE_MATTER_RADIUS_MM = (1.5, 6.0)
RADIUS_MM = {
    "glioma": GLIOMA_RADIUS_MM,
    "stroke": STROKE_RADIUS_MM,
    "white matter": WHITE_MATTER_RADIUS_MM,
}

# Signal by contrast, 1 = white matter, from the boundary inwards: oedema, tumour and necrosis; rim
# and cavity; rim and core.
SIGNAL = {
    "T1": {"glioma": (0.62, 0.42, 0.24), "stroke": (0.45, 0.20), "white matter": (0.70, 0.55)},
    "T2": {"glioma": (2.00, 1.80, 2.50), "stroke": (1.90, 2.70), "white matter": (1.50, 1.90)},
    "FLAIR": {"glioma": (1.70, 1.50, 0.70), "stroke": (1.60, 0.40), "white matter": (1.40, 1.70)},
}

# BraTS label values and the depth at which each begins.
GLIOMA_LABELS = {2: 0.0, 4: 0.35, 1: 0.62}


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    Attributes
    ----------
    centre_mm : ndarray, shape (3,)
        MNI RAS position.
    radii_mm : ndarray, shape (3,)
        Half axes of the ellipsoid that it grows from.
    push_mm : float
        Mass effect: how far tissue at the boundary is pushed away.
    kind : str
        A key of `RADIUS_MM`.
    opacity : float
        How far the lesion's signal replaces the tissue's, in [0, 1].
    """

    centre_mm: np.ndarray
    radii_mm: np.ndarray
    push_mm: float
    kind: str
    opacity: float


def draw(kind: str, phantom: Phantom, rng: np.random.Generator) -> list[Lesion]:
    """The lesions of one subject: one glioma, one to three strokes, or many in the white matter."""
    few, many = {"glioma": (1, 1), "stroke": (1, 3), "white matter": (6, 20)}[kind]
    n = int(rng.integers(few, many + 1)) if many > 1 else 1
    return [_draw_one(kind, phantom, rng) for _ in range(n)]


def _draw_one(kind, phantom, rng):
    low, high = RADIUS_MM[kind]
    radius = low * (high / low) ** rng.random()
    tissue = phantom.grey + phantom.white if kind == "stroke" else phantom.white
    where = tissue > 0.65
    # Away from the vertex and the skull base, which the paper's crop to 100 mm removes.
    z = phantom.origin_mm[2] + np.arange(where.shape[2])
    candidates = np.flatnonzero(where & (z > -25) & (z < 55))
    voxel = np.unravel_index(rng.choice(candidates), where.shape)
    return Lesion(
        centre_mm=phantom.origin_mm + voxel,
        radii_mm=radius * np.exp(rng.normal(0, 0.2, 3)),
        push_mm=float(radius * rng.uniform(0.1, 0.3)) if kind == "glioma" else 0.0,
        kind=kind,
        opacity=float(rng.uniform(0.8, 1.0)),
    )


def depth(lesion: Lesion, phantom: Phantom, rng: np.random.Generator) -> np.ndarray:
    """Depth field of one lesion on the phantom's brain box: 1 at the centre, 0 at the boundary.

    The ellipsoid's boundary is roughened by smooth noise and cut where the brain ends; strokes are
    rougher than gliomas.
    """
    axes = [
        o + np.arange(n, dtype=np.float32) for o, n in zip(phantom.origin_mm, phantom.brain.shape)
    ]
    reach = 2.0 * lesion.radii_mm + 2
    box = tuple(
        slice(*np.searchsorted(axis, (c - r, c + r)))
        for axis, c, r in zip(axes, lesion.centre_mm, reach)
    )
    grid = np.meshgrid(*(axis[s] for axis, s in zip(axes, box)), indexing="ij", sparse=True)
    ellipsoid = sum(((g - c) / r) ** 2 for g, c, r in zip(grid, lesion.centre_mm, lesion.radii_mm))
    noise = ndimage.gaussian_filter(
        rng.standard_normal(ellipsoid.shape, dtype=np.float32), max(lesion.radii_mm.min() / 3, 0.8)
    )
    roughness = 0.18 if lesion.kind == "glioma" else 0.30
    local = 1 - np.sqrt(ellipsoid) + roughness * noise / max(noise.std(dtype=float), 1e-6)
    local[~phantom.brain[box]] = -1
    field = np.full(phantom.brain.shape, -1, np.float32)
    field[box] = local
    return field


def paint(signal: np.ndarray, field: np.ndarray, lesion: Lesion, contrast: str = "T1") -> None:
    """Replace tissue signal by lesion signal where `field` is positive, in place."""
    inside = field > 0
    depths = field[inside]
    levels = SIGNAL[contrast][lesion.kind]
    if lesion.kind == "glioma":
        value = np.interp(
            depths, [0.25, 0.4, 0.55, 0.7], [levels[0], levels[1], levels[1], levels[2]]
        )
        weight = lesion.opacity * np.interp(depths, [0.0, 0.15], [0.5, 1.0])
    else:
        value = np.interp(depths, [0.0, 0.25], levels)
        weight = lesion.opacity * np.interp(depths, [0.0, 0.1], [0.6, 1.0])
    signal[inside] += weight * (value - signal[inside])


def labels(depths: np.ndarray, kind: str) -> np.ndarray:
    """Label values of native voxels from their depth: BraTS classes, else 1."""
    out = np.zeros(depths.shape, np.uint8)
    for value, begins in (GLIOMA_LABELS if kind == "glioma" else {1: 0.0}).items():
        out[depths > begins] = value
    return out
