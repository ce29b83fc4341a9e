"""From the atlas grid to the volume the networks see: crop, scale and halve, by TorchIO.

The steps of the released loader in its order (data specification, section 6), done once per subject
instead of at every access.
"""

from dataclasses import dataclass

import numpy as np
import torchio as tio

from uad.intensity import smooth
from uad.volumes import Volume, bounding_box, cut


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
    smoothed = smooth(image, **settings.smoothing)
    subject = tio.Subject(
        image=tio.ScalarImage(tensor=smoothed[None], affine=image.affine),
        brain=tio.LabelMap(tensor=(brain.array[None] > 0).astype(np.uint8), affine=image.affine),
        lesion=tio.LabelMap(tensor=(lesion.array[None] > 0).astype(np.uint8), affine=image.affine),
    )
    steps = tio.Compose(
        [
            tio.CropOrPad(tuple(settings.crop)),
            tio.RescaleIntensity((0, 1), tuple(settings.percentiles), masking_method="brain"),
            tio.Resample(settings.spacing_mm, image_interpolation="bspline"),
        ]
    )
    result = steps(subject)

    def volume(name, source, dtype):
        out = result[name]
        return Volume(out.numpy()[0].astype(dtype), out.affine, source.path)

    return (
        volume("image", image, np.float32),
        volume("brain", brain, np.uint8),
        volume("lesion", lesion, np.uint8),
    )
