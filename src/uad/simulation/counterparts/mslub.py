"""Simulated MSLUB: heads with lesions of the white matter, on the grid of FLAIR, sagittal."""

from uad.simulation.counterparts import IDENTITY, grid

SITES = ("",)
MOST = 49
AGES = False

GEOMETRY = {
    "shape": (192, 512, 512),
    "affine": grid((0.8, 0.47, 0.47), (192, 512, 512)),
    "world_from_mni": IDENTITY,
    "rotation_deg": 4.0,
    "shift_mm": 5.0,
    "unit": 300.0,
    "noise": 0.02,
    "bias": 0.25,
    "dtype": "float32",
    "lesion": "white matter",
    "brain_only": False,
}


def scan(i: int, number: int, site: str, serial: int) -> str:
    """Such as ``patient03``."""
    return f"patient{number:02d}"


def files(scan: str, site: str | None = None, contrast: str = "T1") -> list[str]:
    """The image and the lesion mask."""
    image = contrast if contrast == "FLAIR" else f"{contrast}W"
    return [f"{scan}/{scan}_{image}.nii.gz", f"{scan}/{scan}_consensus_gt.nii.gz"]
