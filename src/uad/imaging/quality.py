"""Quality of one subject's preprocessing: a row of numbers and a small picture.

Read from files that stay (the corrected image, masks, what registration and N4 reported), so that
a change here measures again without registering again.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor
from scipy import ndimage

from uad.base.arrays import bounding_box
from uad.base.colours import ATLAS, BRAIN, LESION
from uad.base.files import replacing
from uad.imaging.volumes import Volume

MARGIN = 8  # voxels shown around the atlas brain
ZOOM = 2  # pixels per voxel
MOST_BYTES = 40_000  # of a picture; pages hold many
SURROUND = (2, 6)  # voxels from the lesion, between which its surround lies; the rim is mixed


def measure(
    image: Volume,
    brain: Volume,
    atlas_brain: Volume,
    lesion: Volume,
    field: dict,
    propagated: bool = False,
) -> dict:
    """Numbers that tell a good preprocessing from a failed one.

    Parameters
    ----------
    image, brain, atlas_brain, lesion : Volume
        Bias-corrected image and masks on the atlas grid.
    field : dict
        `field_p01` and `field_p99`, percentiles of the N4 field.
    propagated : bool
        Whether the brain mask was made of the atlas brain. It is then like it wherever the head
        lies, so that their Dice says nothing and is not given.

    Returns
    -------
    dict
        `brain_ml`, volume of the brain mask; `dice_atlas`, its Dice with the atlas brain;
        `noise_percent`, see `noise`; `field_ratio`, 99th over 1st percentile of the multiplicative
        N4 field inside the brain; `lesion_ml`; `lesion_inside`, share of the lesion inside the
        brain mask; `lesion_contrast`, see `contrast`. None where a number is not defined.
    """
    inside, atlas, lesion_voxels = (volume.array > 0 for volume in (brain, atlas_brain, lesion))
    dice = _share(2 * (inside & atlas).sum(), inside.sum() + atlas.sum())
    numbers = {
        "brain_ml": inside.sum() * brain.voxel_ml,
        "dice_atlas": np.nan if propagated else dice,
        "noise_percent": 100 * noise(image.array, inside),
        "field_ratio": _share(field["field_p99"], field["field_p01"]),
        "lesion_ml": lesion_voxels.sum() * lesion.voxel_ml,
        "lesion_inside": _share((lesion_voxels & inside).sum(), lesion_voxels.sum()),
        "lesion_contrast": contrast(image.array, inside, lesion_voxels),
    }
    return {key: round(float(x), 4) if np.isfinite(x) else None for key, x in numbers.items()}


def _share(part, whole):
    return part / whole if whole > 0 else np.nan


def noise(image: np.ndarray, brain: np.ndarray) -> float:
    """Standard deviation of the noise relative to the brain's median intensity.

    Immerkær (1996, Computer Vision and Image Understanding 64:300): the second difference along x
    of the second difference along y in axial slices is blind to structure that is smooth along
    either axis, and has six times the deviation of white noise. Here the median of its absolute
    value gives the deviation, since edges are outliers to a median; some of the cortex's texture is
    still counted.

    Resampling to the atlas has smoothed the scan: compare within a data set.

    Parameters
    ----------
    image : ndarray, shape (X, Y, Z)
    brain : ndarray of bool, shape (X, Y, Z)
        Not empty.

    Returns
    -------
    float
        NaN if no voxel has its eight neighbours in the brain, or the median is not positive.
    """
    box = bounding_box(brain)
    image, brain = image[box], brain[box]
    median = np.median(image[brain])
    difference, inside = image, brain
    for axis in (0, 1):
        before, at, after = ([slice(None)] * axis + [slice(i, i - 2 or None)] for i in (0, 1, 2))
        difference = difference[*before] - 2 * difference[*at] + difference[*after]
        inside = inside[*before] & inside[*at] & inside[*after]
    if not inside.any() or median <= 0:
        return np.nan
    return float(np.median(np.abs(difference[inside])) / 0.6745 / 6 / median)


def contrast(image: np.ndarray, brain: np.ndarray, lesion: np.ndarray) -> float:
    """How much brighter the lesion is than its surround, per cent of the brain's median.

    Medians of the lesion and of the brain between `SURROUND` voxels from it. On T1 most lesions are
    dark, so the number is negative; about zero means that the mask does not lie on what one sees.

    Parameters
    ----------
    image : ndarray, shape (X, Y, Z)
    brain, lesion : ndarray of bool, shape (X, Y, Z)

    Returns
    -------
    float
        NaN without a lesion in the brain, without a surround, or where the median is not positive.
    """
    marked = lesion & brain
    if not marked.any():
        return np.nan
    # Only a box around the lesion is looked at.
    least, most = SURROUND
    reach = tuple(
        slice(max(side.start - most, 0), side.stop + most) for side in bounding_box(lesion)
    )
    away = ndimage.distance_transform_edt(~lesion[reach])
    around = brain[reach] & (away > least) & (away <= most)
    median = np.median(image[brain])
    if not around.any() or median <= 0:
        return np.nan
    return float(100 * (np.median(image[marked]) - np.median(image[reach][around])) / median)


def picture(image: Volume, brain: Volume, atlas_brain: Volume, lesion: Volume) -> np.ndarray:
    """Axial, coronal and sagittal plane side by side, with the outlines of three masks.

    The planes with most of the lesion or, without one, through the middle of the atlas brain; the
    frame is the atlas brain's, so that pictures of a data set can be compared.

    Parameters
    ----------
    image, brain, atlas_brain, lesion : Volume
        On the atlas grid, isotropic.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Front or top up, the patient's right on the reader's left; `ZOOM` pixels per voxel.
    """
    masks = [volume.array > 0 for volume in (atlas_brain, brain, lesion)]
    atlas, inside, lesion_voxels = masks
    box = bounding_box(atlas)
    frame = [
        slice(max(side.start - MARGIN, 0), min(side.stop + MARGIN, n))
        for side, n in zip(box, atlas.shape)
    ]
    white = max(np.percentile(image.array[inside], 99.5), 1e-6) if inside.any() else 1.0
    panels = []
    for axis in (2, 1, 0):
        at = (box[axis].start + box[axis].stop) // 2
        if lesion_voxels.any():
            at = int(lesion_voxels.sum(axis=tuple({0, 1, 2} - {axis})).argmax())
        where = [*frame]
        where[axis] = at
        upright = slice(None) if axis == 2 else slice(None, None, -1)  # z points up
        grey = np.clip(image.array[*where][:, upright].T * (255 / white), 0, 255).astype(np.uint8)
        size = (grey.shape[1] * ZOOM, grey.shape[0] * ZOOM)
        panel = np.array(
            Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC).convert("RGB")
        )
        for mask, colour in zip(masks, (ATLAS, BRAIN, LESION)):
            plane = mask[*where][:, upright].T.repeat(ZOOM, 0).repeat(ZOOM, 1)
            panel[plane & ~ndimage.binary_erosion(plane, iterations=ZOOM)] = ImageColor.getrgb(
                colour
            )
        panels.append(panel)
    height = max(len(panel) for panel in panels)
    return np.concatenate([_padded(panel, height) for panel in panels], axis=1)


def _padded(panel, height):
    """A panel in the middle of a black strip."""
    missing = height - len(panel)
    return np.pad(panel, ((missing // 2, missing - missing // 2), (0, 0), (0, 0)))


def write_picture(pixels: np.ndarray, path: Path | str) -> None:
    """Write pixels as JPEG of at most `MOST_BYTES`, complete or not at all."""
    for quality in (75, 60, 40, 20):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
        if buffer.tell() <= MOST_BYTES:
            break
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
