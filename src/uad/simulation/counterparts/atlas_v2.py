"""Simulated ATLAS v2: heads with strokes, 1 mm, in MNI space."""

from uad.simulation.counterparts import IDENTITY

SITES = ("001", "009", "031", "052")
MOST = 999
AGES = False

GEOMETRY = {
    "shape": (197, 233, 189),
    "affine": ((1, 0, 0, -98), (0, 1, 0, -134), (0, 0, 1, -72), (0, 0, 0, 1)),
    "world_from_mni": IDENTITY,
    "rotation_deg": 1.0,
    "shift_mm": 1.0,
    "unit": 85.0,
    "noise": 0.018,
    "bias": 0.20,
    "dtype": "float32",
    "lesion": "stroke",
    "brain_only": False,
}


def scan(i: int, number: int, site: str, serial: int) -> str:
    """Such as ``sub-r009s004``."""
    return f"sub-r{site}s{i:03d}"


def files(scan: str, site: str | None = None, contrast: str = "T1") -> list[str]:
    """The image and the lesion mask, in the folder of a site."""
    folder = f"Training/{site or 'R' + scan[5:8]}/{scan}/ses-1/anat"
    stem = f"{folder}/{scan}_ses-1_space-MNI152NLin2009aSym"
    return [f"{stem}_{contrast}w.nii.gz", f"{stem}_label-L_desc-T1lesion_mask.nii.gz"]
