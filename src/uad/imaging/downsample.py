"""From the atlas grid to the volume the networks see: crop, scale and halve.

The steps of the released loader in its order (data specification, section 6), by TorchIO as there,
done once per subject instead of at every access.
"""

import warnings

import numpy as np
import SimpleITK as sitk

from uad.base.arrays import bounding_box
from uad.base.errors import InputError
from uad.imaging.intensity import smooth
from uad.imaging.settings import Downsampling
from uad.imaging.volumes import Volume, cut


def grid(brain: Volume, settings: Downsampling, prepared: bool = False) -> Volume:
    """Where in the atlas the voxels of a downsampled volume are.

    Parameters
    ----------
    brain : Volume
        Mask at 1 mm.
    settings, prepared
        As for `downsample`.

    Returns
    -------
    Volume
        Zeros, on the grid of what `downsample` returns for this mask.
    """
    import torchio as tio

    place = cut(brain.empty_mask(), _box(brain, settings, prepared))
    steps = tio.Compose([tio.CropOrPad(settings.crop), tio.Resample(settings.spacing_mm)])
    done = steps(tio.LabelMap(tensor=place.array[None], affine=place.affine))
    return Volume(done.numpy()[0].astype(np.uint8), done.affine, brain.path)


def downsample(
    image: Volume, brain: Volume, lesion: Volume, settings: Downsampling, prepared: bool = False
) -> tuple[Volume, Volume, Volume]:
    """Cut to the brain, smooth, crop, scale intensities and resample.

    1. cut to the bounding box of the mask (`box`); not the authors' prepared data, which are cut
       already, unless `cut_prepared`,
    2. curvature flow (`smoothing`),
    3. crop or zero-pad about the centre to `crop` voxels,
    4. clip to percentiles taken inside the brain and scale to [0, 1],
    5. resample: cubic B-spline without anti-aliasing for the image, nearest for the masks.

    The B-spline overshoots at edges, so some values leave [0, 1]; they are kept, as in the
    reference.

    Parameters
    ----------
    image, brain, lesion : Volume
        One grid, 1 mm; `brain` must not be empty.
    settings : uad.imaging.settings.Downsampling
    prepared : bool
        Whether these are the authors' prepared data.

    Returns
    -------
    tuple of Volume
        Image (float32), brain and lesion (uint8, 0 or 1, or as they came), each of `crop` /
        `spacing_mm` voxels.

    Raises
    ------
    InputError
        If the image is the same everywhere in the brain.
    """
    # Here, since TorchIO imports torch, which takes a second; one thread, as the rule asks for.
    import torch
    import torchio as tio

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    torch.set_num_threads(1)
    box = _box(brain, settings, prepared)
    image, brain, lesion = (cut(volume, box) for volume in (image, brain, lesion))
    smoothed = Volume(smooth(image, **vars(settings.smoothing)), image.affine, image.path)
    subject = tio.Subject(
        image=tio.ScalarImage(tensor=smoothed.array[None], affine=image.affine),  # (1, X, Y, Z)
        brain=tio.LabelMap(tensor=brain.array[None], affine=brain.affine),
        lesion=tio.LabelMap(tensor=lesion.array[None], affine=lesion.affine),
    )
    steps = tio.Compose(
        [
            tio.CropOrPad(settings.crop),
            tio.RescaleIntensity((0, 1), settings.percentiles, masking_method="brain"),
            tio.Resample(settings.spacing_mm, image_interpolation="bspline"),
        ]
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Rescaling image", RuntimeWarning)
        try:
            done = steps(subject)
        except RuntimeWarning as warning:
            raise InputError(
                f"{image.path}: inside the brain (what of it is in the crop of {settings.crop} "
                "voxels) the image has one intensity only; look at image and mask"
            ) from warning
    return tuple(
        Volume(done[name].numpy()[0].astype(dtype), done[name].affine, volume.path)
        for name, volume, dtype in (
            ("image", image, np.float32),
            ("brain", brain, np.uint8),
            ("lesion", lesion, np.uint8),
        )
    )


def _box(brain, settings, prepared):
    """What is cut out before cropping."""
    if prepared and not settings.cut_prepared:
        return tuple(slice(0, n) for n in brain.array.shape)
    box = bounding_box(brain.array)
    if settings.box == "released":
        box = tuple(slice(side.start, max(side.stop - 1, side.start + 1)) for side in box)
    return box
