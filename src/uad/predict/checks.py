"""Whether a scan is one that a bundle was made for: reasons to refuse it, and warnings.

A reason is an `InputError` with one sentence. Here is what reading (`uad.imaging.volumes`),
registration (its `quality`) and the check of the brain mask (`uad.imaging.masks`) do not see.
"""

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np

from uad.base.errors import InputError
from uad.imaging.volumes import Volume

# T1-weighted: tissue that is brighter in the atlas is brighter in the scan too. Medians of the
# atlas brain's darkest tenth (fluid), its middle (grey matter) and its brightest quarter (white
# matter) must differ by this share of the largest; lesions move medians little.
TISSUES = ((0, 10), (25, 50), (75, 100))
LEAST_CONTRAST = 0.04
THICK_MM = 3.5  # beyond, small lesions are lost: a warning


def check_file(path: Path | str) -> None:
    """Raise `InputError` if a scan's header does not say how it lies in space.

    Software then guesses, and left and right may be exchanged.
    """
    try:
        header = nib.load(path).header
        codes = [int(header[name]) for name in ("sform_code", "qform_code")]
    except Exception:  # `volumes.read` says what is wrong
        return
    if not any(codes):
        raise InputError(
            f"{path}: the header does not say how the scan is oriented (sform and qform codes are "
            "0), so left and right are unknown; please convert it again from DICOM"
        )


def check_contrast(image: Volume, brain: Volume, atlas_brain: Volume) -> None:
    """Raise `InputError` unless a brain looks T1-weighted.

    Parameters
    ----------
    image, brain, atlas_brain : Volume
        Registered scan, its brain mask, and the brain template, on the atlas grid.
    """
    inside = (brain.array > 0) & (atlas_brain.array > 0)
    if not inside.any():
        raise InputError(f"{image.path}: the brain found lies beside that of the atlas")
    template, values = atlas_brain.array[inside], image.array[inside]
    dark, middle, bright = (
        np.median(values[(template >= low) & (template <= high)])
        for low, high in (np.percentile(template, shares) for shares in TISSUES)
    )
    least = LEAST_CONTRAST * max(abs(dark), abs(middle), abs(bright))
    if not (bright - middle > least and middle - dark > least):
        raise InputError(
            f"{image.path}: does not look T1-weighted: medians where the atlas has fluid, grey and "
            f"white matter are {dark:.3g}, {middle:.3g} and {bright:.3g}, and must rise"
        )


def warnings(scan: Volume, numbers: Mapping, limits: Mapping) -> list[str]:
    """What is unusual about a scan that gets a map all the same.

    Parameters
    ----------
    scan : Volume
        On its own grid.
    numbers : mapping of str to float
        Quality of its preprocessing (`registration.quality`, `uad.imaging.quality.measure`).
    limits : mapping of str to (float, float)
        What healthy validation scans of the bundle showed, with a margin.
    """
    found = []
    thickest = float(max(scan.spacing_mm))
    if thickest > THICK_MM:
        found.append(f"slices of {thickest:.1f} mm: small lesions are lost")
    for name, (low, high) in limits.items():
        value = numbers.get(name)
        if value is not None and not low <= value <= high:
            found.append(
                f"{name} is {value:.4g}; healthy validation scans had {low:.4g} to {high:.4g}"
            )
    return found
