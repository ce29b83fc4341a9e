"""Preprocessing of one scan, by the workflow's own steps, and what leads back from it."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from uad.base import exclusion, settings
from uad.base.errors import InputError
from uad.base.files import replacing
from uad.imaging import (
    brain_masks,
    downsample,
    intensity,
    masks,
    quality,
    registration,
    volumes,
)
from uad.imaging.settings import Downsampling, Registration
from uad.imaging.volumes import Volume
from uad.predict import checks, scans

WITHIN = (0.05, 0.95)  # of the network's intensities: those that were not clipped


class Prepared(NamedTuple):
    """A scan as the networks see it.

    Attributes
    ----------
    image, brain : Volume
        The small volume (float32) and its brain mask (uint8).
    mask : Volume
        Brain mask on the atlas grid, uint8.
    gain, offset : ndarray of float32, shape of `image`
        A voxel of the registered scan is about ``gain * image + offset``.
    """

    image: Volume
    brain: Volume
    mask: Volume
    gain: np.ndarray
    offset: np.ndarray


def register(
    path: str, modality: str, atlas: Volume, brain: Volume, search: Registration
) -> registration.Registered:
    """Carry a scan to the atlas, if it is one that a bundle may have been made for.

    Parameters
    ----------
    path : str
    modality : {"T1", "T2"}
        Of the bundle.
    atlas, brain : Volume
        Registration target, and the atlas brain.
    search : uad.imaging.settings.Registration
        Of the bundle.

    Raises
    ------
    InputError
        If name, header, values or position say that it is not.
    """
    checks.check_file(path)
    reason = scans.conflicting_name(path, modality)
    if reason:
        raise InputError(f"{path}: {reason}")
    image, lesion = volumes.read_scan(path)
    found = registration.register_subject(image, lesion, atlas, brain, search)
    if found.quality["status"] != "ok":
        raise InputError(f"{path}: {found.quality['status']}")
    return found


def find_brain(image: Volume, atlas_brain: Volume, how: str) -> Volume:
    """Brain mask as rule `strip_skull` makes it; `how` as `datasets.<name>.brain_mask`."""
    if how == "atlas":
        mask = brain_masks.from_atlas(image.array, atlas_brain.array > 0)
    else:
        mask = brain_masks.from_threshold(image.array)
    mask = image.like(mask.astype(np.uint8))
    volumes.check_not_empty(mask)
    return mask


def prepare(
    image: Volume,
    mask: Volume,
    atlas_brain: Volume,
    preprocessing: Mapping,
    modality: str,
    stripped: bool,
) -> tuple[Prepared, dict]:
    """Correct the bias field, downsample, and measure.

    Parameters
    ----------
    image : Volume
        Registered scan.
    mask : Volume
        Its brain mask, uint8, on the same grid.
    atlas_brain : Volume
    preprocessing : mapping
        Block `preprocessing` of the bundle.
    modality : {"T1", "T2"}
    stripped : bool
        Whether the scan came without a skull.

    Returns
    -------
    Prepared
    dict
        See `uad.imaging.quality.measure`, without the lesion's.

    Raises
    ------
    InputError
        If what is in the mask is no brain that the bundle was made for.
    """
    volumes.check_same_grid(image, mask)
    masks.check_brain(mask, atlas_brain)
    if modality == "T1":
        checks.check_contrast(image, mask, atlas_brain)
    bias = dict(preprocessing["bias_field"])
    if stripped:  # as in rule `correct_bias`
        bias["weights"] = "binary"
    array, (low, high) = intensity.correct_bias(image, mask, **bias)
    corrected = image.like(array)
    steps = {field.name: preprocessing[field.name] for field in fields(Downsampling)}
    block = settings.build(Downsampling, steps, "preprocessing of the bundle")
    small, brain, _ = downsample.downsample(corrected, mask, image.empty_mask(), block)
    field = {"field_p01": low, "field_p99": high}
    numbers = quality.measure(corrected, mask, atlas_brain, image.empty_mask(), field)
    numbers = {k: value for k, value in numbers.items() if not k.startswith("lesion")}
    gain, offset = _way_back(image, corrected, small, brain)
    return Prepared(small, brain, mask, gain, offset), numbers


def _way_back(image, corrected, small, brain):
    """Gain and offset from the network's intensities to the scan's."""
    before, after = (
        registration.resample(volume, small, np.eye(4), "linear").array.astype(float)
        for volume in (image, corrected)
    )
    inside = (brain.array > 0) & (after > 0)
    linear = inside & (small.array > WITHIN[0]) & (small.array < WITHIN[1])
    slope, intercept = np.polyfit(small.array[linear].astype(float), after[linear], 1)
    field = np.where(inside, before / np.where(inside, after, 1), 1)
    return (field * slope).astype(np.float32), (field * intercept).astype(np.float32)


def save(prepared: Prepared, path: Path | str) -> None:
    """Write to an .npz file, complete or not at all."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(
            file,
            image=prepared.image.array,
            brain=prepared.brain.array,
            affine=prepared.image.affine,
            mask=prepared.mask.array,
            mask_affine=prepared.mask.affine,
            gain=prepared.gain,
            offset=prepared.offset,
        )


def load(path: Path | str) -> Prepared:
    """Read what `save` wrote."""
    exclusion.pass_on(path)
    with np.load(path) as stored:
        image = Volume(stored["image"], stored["affine"], str(path))
        mask = Volume(stored["mask"], stored["mask_affine"], str(path))
        return Prepared(image, image.like(stored["brain"]), mask, stored["gain"], stored["offset"])
