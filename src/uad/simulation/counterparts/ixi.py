"""Simulated IXI: whole heads of healthy subjects, sagittal."""

from uad.simulation.counterparts import IDENTITY

SITES = ("Guys", "HH", "IOP")
MOST = 999
AGES = True

GEOMETRY = {
    # Voxel axes point P, S, R; 0.9375 x 0.9375 x 1.2 mm, the head near the middle.
    "shape": (256, 256, 150),
    "affine": (
        (0, 0, 1.2, -1.2 * 74.5),
        (-0.9375, 0, 0, 0.9375 * 127.5 - 8),
        (0, 0.9375, 0, -0.9375 * 127.5 - 20),
        (0, 0, 0, 1),
    ),
    "world_from_mni": IDENTITY,
    "rotation_deg": 4.0,
    "shift_mm": 5.0,
    "unit": 420.0,
    "noise": 0.018,
    "bias": 0.25,
    "dtype": "int16",
    "lesion": None,
    "brain_only": False,
}


def scan(i: int, number: int, site: str, serial: int) -> str:
    """Such as ``IXI012-Guys-0735``."""
    return f"IXI{number:03d}-{site}-{serial:04d}"


def files(scan: str, site: str | None = None, contrast: str = "T1") -> list[str]:
    """The image."""
    return [f"{scan}-{contrast}.nii.gz"]
