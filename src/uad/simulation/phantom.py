"""One healthy head, built from the MNI152 T1 template that nilearn carries.

The template (ICBM 2009a symmetric, 1 mm) is brain-only, so skull, scalp, face and neck are modelled
around it with signed distances: a skull that follows the smoothed brain surface, fat and skin
over it, ellipsoids for face and jaw, a cylinder for the neck, eyes, airways and a spine. The aim is
a T1 image on which registration, skull stripping and bias correction meet what they meet on a real
head: a bright rim of fat, dark bone next to dark fluid, and anatomy outside the brain.

Coordinates are MNI RAS millimetres; arrays are (X, Y, Z) with increasing R, A, S.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

# Grid of the head: 1 mm, wide enough for nose, chin and scalp.
SHAPE = (217, 273, 269)
ORIGIN_MM = np.array([-108.0, -150.0, -150.0])
TEMPLATE_ORIGIN_MM = np.array([-98.0, -134.0, -72.0])

# Head tissues outside the brain; brain voxels carry tissue fractions instead.
TISSUES = ("air", "skin", "fat", "muscle", "bone", "marrow", "fluid", "eye", "cord")
AIR, SKIN, FAT, MUSCLE, BONE, MARROW, FLUID, EYE, CORD = range(len(TISSUES))

# Signal by contrast, 1 = normal white matter. Those of the brain are `white`, `grey` and `csf`,
# which at its surface, among membranes and vessels, is `rim`: on T2 darker, as two real gliomas
# show it.
SIGNAL = {
    "T1": {
        "air": 0.0, "skin": 0.50, "fat": 1.15, "muscle": 0.42, "bone": 0.06, "marrow": 0.62,
        "fluid": 0.15, "eye": 0.20, "cord": 0.75, "white": 1.0, "grey": 0.64, "csf": 0.16,
        "rim": 0.16,
    },
    "T2": {
        "air": 0.0, "skin": 0.70, "fat": 1.60, "muscle": 0.60, "bone": 0.15, "marrow": 1.00,
        "fluid": 2.80, "eye": 2.90, "cord": 1.10, "white": 1.0, "grey": 1.40, "csf": 2.80,
        "rim": 0.90,
    },
    "FLAIR": {
        "air": 0.0, "skin": 0.60, "fat": 1.40, "muscle": 0.70, "bone": 0.12, "marrow": 0.90,
        "fluid": 0.30, "eye": 0.40, "cord": 1.05, "white": 1.0, "grey": 1.25, "csf": 0.30,
        "rim": 0.30,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Phantom:
    """A healthy head on the grid `SHAPE`, `ORIGIN_MM`, 1 mm.

    The brain arrays cover only the box that begins at voxel `low` of the head's grid.

    Attributes
    ----------
    tissue : ndarray of uint8, shape `SHAPE`
        Index into `TISSUES` outside the brain.
    low : ndarray of int, shape (3,)
        First voxel of the brain box.
    brain : ndarray of bool
        Brain mask, ventricles included.
    grey, white : ndarray of float32
        Tissue fractions in [0, 1]; what is left of the brain is cerebrospinal fluid.
    detail : ndarray of float32
        What the template shows beyond its tissue fractions (deep grey matter, vessels), relative
        to white matter.
    """

    tissue: np.ndarray
    low: np.ndarray
    brain: np.ndarray
    grey: np.ndarray
    white: np.ndarray
    detail: np.ndarray

    @property
    def box(self) -> tuple[slice, ...]:
        """The brain box as slices of the head's grid."""
        return tuple(slice(a, a + n) for a, n in zip(self.low, self.brain.shape))

    @property
    def origin_mm(self) -> np.ndarray:
        """Position of the first voxel of the brain box."""
        return ORIGIN_MM + self.low

    def save(self, path: Path | str) -> None:
        """Write without compression, since every simulated subject reads it."""
        with open(path, "wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path | str) -> "Phantom":
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def build() -> Phantom:
    """The phantom, from nilearn's template files; deterministic, takes some ten seconds."""
    folder = resources.files("nilearn.datasets") / "data"
    t1, grey, white = (
        nib.load(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")
        for name in ("t1", "gm", "wm")
    )
    brain = ndimage.binary_fill_holes(np.asarray(t1.dataobj) > 0)
    (box,) = ndimage.find_objects(brain.astype(np.uint8))
    brain = np.ascontiguousarray(brain[box])
    t1, grey, white = (
        np.asarray(image.dataobj)[box].astype(np.float32) / 255 for image in (t1, grey, white)
    )
    total = np.maximum(grey + white, 1)
    grey, white = grey / total, white / total
    low = np.array([s.start for s in box]) + (TEMPLATE_ORIGIN_MM - ORIGIN_MM).astype(int)
    on_head = np.zeros(SHAPE, bool)
    on_head[tuple(slice(a, a + n) for a, n in zip(low, brain.shape))] = brain
    return Phantom(
        tissue=_head(on_head),
        low=low,
        brain=brain,
        grey=grey,
        white=white,
        detail=_detail(t1, grey, white, brain),
    )


def _detail(t1, grey, white, brain):
    """Template minus the signal its own tissue fractions explain, relative to white matter."""
    shares = np.stack([grey[brain], white[brain], 1 - grey[brain] - white[brain]])
    weights, *_ = np.linalg.lstsq(shares.T.astype(float), t1[brain].astype(float), rcond=None)
    # Rounded, and summed without a matrix product: linear algebra differs between processors.
    weights = weights.round(6).tolist()
    explained = sum(weight * share for weight, share in zip(weights, shares))
    detail = np.zeros_like(t1)
    detail[brain] = (t1[brain] - explained) / weights[1]
    return np.clip(detail, -0.3, 0.3)


def _head(brain):
    """Tissue index of every voxel outside the brain."""
    axes = [ORIGIN_MM[i] + np.arange(SHAPE[i], dtype=np.float32) for i in range(3)]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)

    def ellipsoid(centre_mm: Sequence[float], radii_mm: Sequence[float]) -> np.ndarray:
        """Distance to the surface in mm, negative inside (first order, enough here)."""
        scaled = ((p - c) / r for p, c, r in zip((x, y, z), centre_mm, radii_mm))
        return (np.sqrt(sum(s * s for s in scaled)) - 1) * min(radii_mm)

    def cylinder(centre_mm: Sequence[float], radii_mm: Sequence[float]) -> np.ndarray:
        """The same for an upright elliptic cylinder."""
        scaled = ((p - c) / r for p, c, r in zip((x, y), centre_mm, radii_mm))
        return (np.sqrt(sum(s * s for s in scaled)) - 1) * min(radii_mm)

    hull = _distance_to_hull(brain)
    outside = [
        hull - 13,
        ellipsoid((0, 44, -52), (66, 54, 62)),  # face
        ellipsoid((0, 52, -98), (44, 44, 30)),  # jaw
        ellipsoid((0, 98, -50), (12, 20, 20)),  # nose
        np.maximum(cylinder((0, -22), (58, 62)), z + 45),  # neck
    ]
    # Smooth union: the logarithm of summed exponentials rounds the seams over some 7 mm.
    # In double precision: functions of single precision differ in their last digits between
    # processors, and a voxel near a threshold would change its tissue.
    surface = sum(np.exp(np.clip(-part, -200, 90) / 7, dtype=float) for part in outside)
    np.log(surface, out=surface)
    surface *= -7

    tissue = np.zeros(SHAPE, np.uint8)
    tissue[surface < 0] = SKIN
    tissue[surface < -2] = FAT
    tissue[surface < -7] = MUSCLE
    tissue[hull < 8.5] = BONE
    tissue[(hull < 6.5) & (hull > 4.0)] = MARROW
    tissue[hull < 2.5] = FLUID

    beyond_skull = hull > 8.5
    nasal = ellipsoid((0, 62, -58), (9, 30, 17))
    cavities = [
        nasal,
        ellipsoid((0, 16, -100), (10, 8, 45)),  # pharynx
        ellipsoid((0, 68, -88), (22, 22, 3)),  # mouth
    ]
    for side in (-1, 1):
        cavities.append(ellipsoid((side * 26, 56, -68), (12, 15, 15)))  # maxillary sinus
        eye = ellipsoid((side * 32, 60, -38), (12.5, 12.5, 12.5))
        tissue[(ellipsoid((side * 32, 54, -38), (18, 22, 18)) < 0) & (hull > 4)] = FAT
        tissue[(eye < 0) & (hull > 4)] = SKIN
        tissue[(eye < -2) & (hull > 4)] = EYE
    for cavity in cavities:
        tissue[(cavity < 0) & beyond_skull] = AIR
    tissue[(np.abs(x) < 1.5) & (nasal < -2) & beyond_skull] = MUSCLE  # nasal septum

    below = (z < -66) & (hull > 2.5)
    vertebra = cylinder((0, -22), (13, 11))
    canal = cylinder((0, -45), (9, 9))
    tissue[((vertebra < 0) | (canal < 2)) & below] = BONE
    tissue[(vertebra < -2) & below] = MARROW
    tissue[(canal < 0) & (z < -60)] = FLUID
    tissue[(canal < -4) & (z < -60)] = CORD
    return tissue


def _distance_to_hull(brain):
    """Signed distance in mm to the smoothed brain surface, which bridges sulci and fissures.

    The two distance transforms run at 2 mm, where they take an eighth of the time.
    """
    coarse = ndimage.gaussian_filter(brain[::2, ::2, ::2].astype(np.float32), 3.0) > 0.4
    distance = 2 * (
        ndimage.distance_transform_edt(~coarse) - ndimage.distance_transform_edt(coarse)
    )
    zoom = [n / c for n, c in zip(SHAPE, coarse.shape)]
    return ndimage.zoom(distance.astype(np.float32), zoom, order=1)
