"""Simulated BraTS21: brains with gliomas, on the grid of SRI24."""

from uad.simulation import sri24

SITES = ("",)
MOST = 49999
AGES = False

GEOMETRY = {
    "shape": sri24.SHAPE,
    "affine": sri24.AFFINE,
    "world_from_mni": sri24.FROM_MNI,
    "rotation_deg": 0.7,
    "shift_mm": 0.7,
    "unit": 600.0,
    "noise": 0.015,
    "bias": 0.15,
    "dtype": "int16",
    "lesion": "glioma",
    "brain_only": True,
}


def scan(i: int, number: int, site: str, serial: int) -> str:
    """Such as ``BraTS2021_00003``."""
    return f"BraTS2021_{number:05d}"


def files(scan: str, site: str | None = None, contrast: str = "T1") -> list[str]:
    """The image and the lesion mask."""
    return [f"{scan}/{scan}_{contrast.lower()}.nii.gz", f"{scan}/{scan}_seg.nii.gz"]
