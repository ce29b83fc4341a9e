"""From the atlas grid to the volume the networks see: crop, scale and halve.

The steps of the released loader in its order (data specification, section 6), done once per subject
instead of at every access. Equal to TorchIO's `CropOrPad`, `RescaleIntensity` and `Resample` to the
bit, which it does not import: that takes as long as the steps.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from uad.base.arrays import bounding_box
from uad.imaging.intensity import smooth
from uad.imaging.registration import RAS_LPS, to_sitk
from uad.imaging.volumes import Volume, cut


@dataclass(frozen=True)
class Settings:
    """What `downsample` takes from the `preprocessing` block of the configuration."""

    smoothing: dict
    crop: list
    percentiles: list
    spacing_mm: float


def downsample(image, brain, lesion, settings):
    """Cut to the brain, smooth, crop, scale intensities and resample.

    1. cut to the bounding box of the mask,
    2. curvature flow (`smoothing`),
    3. crop or zero-pad about the box's centre to `crop` voxels,
    4. clip to percentiles taken inside the brain and scale to [0, 1],
    5. resample: cubic B-spline without anti-aliasing for the image, nearest for the masks.

    The B-spline overshoots at edges, so some values leave [0, 1]; they are kept, as in the
    reference.

    Parameters
    ----------
    image, brain, lesion : Volume
        One grid, 1 mm; `brain` must not be empty.
    settings : Settings

    Returns
    -------
    tuple of Volume
        Image (float32), brain and lesion (uint8, 0 or 1), each of `crop` / `spacing_mm` voxels.
    """
    box = bounding_box(brain.array)
    image, brain, lesion = (cut(volume, box) for volume in (image, brain, lesion))
    smoothed = Volume(smooth(image, **settings.smoothing), image.affine, image.path)
    image, brain, lesion = (crop_or_pad(v, settings.crop) for v in (smoothed, brain, lesion))
    inside = brain.array > 0
    image = Volume(rescale(image.array, inside, settings.percentiles), image.affine, image.path)
    return (
        resample(image, settings.spacing_mm, sitk.sitkBSpline, np.float32),
        resample(brain, settings.spacing_mm, sitk.sitkNearestNeighbor, np.uint8),
        resample(lesion, settings.spacing_mm, sitk.sitkNearestNeighbor, np.uint8),
    )


def crop_or_pad(volume, shape):
    """A volume cut or padded with zeros about its centre; of an odd number more at the low end."""
    change = np.array(shape) - volume.array.shape
    low, high = (np.abs(change) + 1) // 2, np.abs(change) // 2
    widths = [(a, b) if c > 0 else (0, 0) for a, b, c in zip(low, high, change)]
    kept = tuple(slice(a, n + a) if c < 0 else slice(n) for a, c, n in zip(low, change, shape))
    affine = volume.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ (np.sign(change) * low)
    return Volume(np.pad(volume.array, widths)[kept], affine, volume.path)


def rescale(array, inside, percentiles):
    """Clip to percentiles of the voxels `inside`, and scale to [0, 1]; float32."""
    clipped = np.clip(array, *np.percentile(array[inside], percentiles), dtype=np.float32)
    low, high = clipped.min(), clipped.max()
    return (clipped - low) / (high - low)


def resample(volume, spacing_mm, interpolator, dtype):
    """A volume on a grid of another spacing, with the same centre and, rounded down, extent."""
    image = to_sitk(volume)
    old_spacing, old_size = np.array(image.GetSpacing()), np.array(image.GetSize())
    size = np.floor(old_size * old_spacing / spacing_mm).astype(int)
    last = image.TransformIndexToPhysicalPoint((old_size - 1).tolist())
    centre = (np.array(last) + image.GetOrigin()) / 2
    direction = np.array(image.GetDirection()).reshape(3, 3)
    origin = centre - direction @ ((size - 1) / 2 * spacing_mm)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    resampled = sitk.Resample(
        image, size.tolist(), sitk.Transform(), interpolator, origin.tolist(), [spacing_mm] * 3,
        image.GetDirection(),
    )  # fmt: skip
    affine = np.eye(4)
    affine[:3, :3] = RAS_LPS[:3, :3] @ direction * spacing_mm
    affine[:3, 3] = RAS_LPS[:3, :3] @ origin
    return Volume(sitk.GetArrayFromImage(resampled).T.astype(dtype), affine, volume.path)
