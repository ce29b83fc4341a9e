"""Intensity steps on the atlas grid: N4 bias field correction and curvature flow, by SimpleITK."""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from uad.imaging.registration import to_sitk
from uad.imaging.volumes import Volume, bounding_box

# N4 takes logarithms, and registration leaves exact zeros where the head is cut off: darker voxels
# count as dark as this percentile of the brain, low enough to leave tissue alone.
FLOOR_PERCENTILE = 0.1


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
    """
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    inside = mask.array > 0
    box = bounding_box(inside)
    inside, values = inside[box], image.array[box]  # (x, y, z) of the box
    positive = np.maximum(values, np.percentile(values[inside], FLOOR_PERCENTILE))
    full = to_sitk(Volume(positive, image.affine, image.path))
    brain = to_sitk(Volume(inside, image.affine, mask.path))
    factors = [shrink_factor] * 3
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations([int(n) for n in iterations])
    n4.SetConvergenceThreshold(tolerance)
    n4.Execute(sitk.Shrink(full, factors), sitk.Shrink(brain, factors))
    # SimpleITK's arrays are (Z, Y, X).
    field = np.exp(sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(full)).T[inside])  # (voxels,)
    corrected = np.zeros(image.array.shape, np.float32)
    corrected[box][inside] = values[inside] / field
    low, high = np.percentile(field, (1, 99))
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
