"""Simulated WMH: heads with lesions of the white matter, on the grid of FLAIR, thick slices."""

from uad.simulation.counterparts import IDENTITY, grid

SITES = ("Utrecht", "Singapore", "Amsterdam/GE3T")
MOST = 999
AGES = False

GEOMETRY = {
    "shape": (240, 240, 48),
    "affine": grid((0.96, 0.96, 3.0), (240, 240, 48)),
    "world_from_mni": IDENTITY,
    "rotation_deg": 4.0,
    "shift_mm": 5.0,
    "unit": 500.0,
    "noise": 0.018,
    "bias": 0.2,
    "dtype": "float32",
    "lesion": "white matter",
    "brain_only": False,
}


def scan(i: int, number: int, site: str, serial: int) -> str:
    """Such as ``Utrecht/7``."""
    return f"{site}/{number}"


def files(scan: str, site: str | None = None, contrast: str = "T1") -> list[str]:
    """The image and the lesion mask."""
    return [f"{scan}/pre/{contrast}.nii.gz", f"{scan}/wmh.nii.gz"]
