"""Intensity steps on the atlas grid: N4 bias field correction and curvature flow, by SimpleITK."""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from uad.base.arrays import bounding_box
from uad.base.errors import InputError
from uad.imaging.registration import to_sitk
from uad.imaging.volumes import Volume

# N4 takes logarithms, and registration leaves exact zeros where the head is cut off: darker voxels
# count as dark as this percentile of the brain, low enough to leave tissue alone.
FLOOR_PERCENTILE = 0.1
# Greatest ratio of the field's 99th to its 1st percentile. Coils make 1.1 to 2; a fit that diverges
# goes up by powers of ten.
MOST_FIELD = 10


def correct_bias(
    image: Volume, mask: Volume, shrink_factor: int, iterations: Sequence[int], tolerance: float
) -> tuple[np.ndarray, tuple[float, float]]:
    """N4 bias field correction inside the brain (Tustison et al. 2010).

    The field is estimated on every `shrink_factor`-th voxel of the brain's bounding box and divided
    out at full resolution.

    Differs from the released code: a binary mask instead of a smoothed weight mask, for every data
    set (the code loses it for BraTS by accident).

    Parameters
    ----------
    image : Volume
        Stripped or not; only voxels of `mask` are looked at.
    mask : Volume
        Brain mask on the same grid.
    shrink_factor : int
    iterations : sequence of int
        Most iterations per fitting level.
    tolerance : float
        Convergence threshold.

    Returns
    -------
    corrected : ndarray of float32, shape (X, Y, Z)
        Zero outside the mask.
    field_range : tuple of float
        1st and 99th percentile of the multiplicative field inside the mask.

    Raises
    ------
    InputError
        If the image is the same everywhere in the brain, or the fit fails or diverges.
    """
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    inside = mask.array > 0
    box = bounding_box(inside)
    inside, values = inside[box], image.array[box]  # (x, y, z) of the box
    floor = np.percentile(values[inside], FLOOR_PERCENTILE)
    if floor == values[inside].max():
        raise InputError(f"{image.path}: the image is the same everywhere in the brain mask")
    positive = np.maximum(values, floor)
    full = to_sitk(Volume(positive, image.affine, image.path))
    brain = to_sitk(Volume(inside, image.affine, mask.path))
    factors = [shrink_factor] * 3
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations([int(n) for n in iterations])
    n4.SetConvergenceThreshold(tolerance)
    try:
        n4.Execute(sitk.Shrink(full, factors), sitk.Shrink(brain, factors))
        fitted = n4.GetLogBiasFieldAsImage(full)
    except RuntimeError as error:
        if "allocat" in str(error):  # no memory: not the image's fault
            raise
        last = str(error).strip().splitlines()[-1]
        raise InputError(f"{image.path}: N4 cannot correct this image ({last})") from error
    # SimpleITK's arrays are (Z, Y, X).
    log_field = sitk.GetArrayFromImage(fitted).T
    with np.errstate(over="ignore"):  # becomes infinite
        field = np.exp(log_field[inside], dtype=float)  # (voxels,)
    low, high = np.percentile(field, (1, 99))
    if not np.isfinite(field).all() or not 0 < high <= MOST_FIELD * low:
        raise InputError(
            f"{image.path}: N4 diverged, its field goes from {low:.3g} to {high:.3g} in the brain"
        )
    corrected = np.zeros(image.array.shape, np.float32)
    corrected[box][inside] = values[inside] / field
    return corrected, (float(low), float(high))


def smooth(image: Volume, time_step: float, iterations: int) -> np.ndarray:
    """Curvature flow, the edge-preserving smoothing of every released loader.

    Differs from the paper, which does not mention it; `iterations: 0` switches it off.

    Parameters
    ----------
    image : Volume
    time_step : float
    iterations : int

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
    """
    if iterations == 0:
        return image.array
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    flow = sitk.CurvatureFlow(to_sitk(image), timeStep=time_step, numberOfIterations=iterations)
    return np.ascontiguousarray(sitk.GetArrayFromImage(flow).T, dtype=np.float32)
