"""Intensity steps on the atlas grid: N4 bias field correction and curvature flow, by SimpleITK."""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from uad.base.arrays import bounding_box
from uad.imaging.registration import to_sitk
from uad.imaging.volumes import Volume

# N4 takes logarithms, and registration leaves exact zeros where the head is cut off: darker voxels
# count as dark as this percentile of the brain, low enough to leave tissue alone.
FLOOR_PERCENTILE = 0.1
WEIGHTS_SIGMA_MM = 1.0  # of the released scripts


def correct_bias(
    image: Volume,
    mask: Volume,
    shrink_factor: int,
    iterations: Sequence[int],
    tolerance: float,
    weights: str = "binary",
) -> tuple[np.ndarray, tuple[float, float]]:
    """N4 bias field correction inside the brain (Tustison et al. 2010).

    The field is estimated on every `shrink_factor`-th voxel of the brain's bounding box and divided
    out at full resolution.

    Differs from the released code, unless `weights` is ``"smoothed"``: a binary mask instead of a
    smoothed weight mask, for every data set (the code loses it for BraTS by accident).

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
    weights : {"binary", "smoothed"}
        ``"smoothed"``: voxels count by the mask smoothed with a sigma of 1 mm
        (`WEIGHTS_SIGMA_MM`), so that those at the rim count less.

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
    if weights == "smoothed":
        steps = {"iters": [int(n) for n in iterations], "tol": tolerance}
        field = _field_by_weights(positive, inside, image.spacing_mm, shrink_factor, steps)
    else:
        factors = [shrink_factor] * 3
        n4 = sitk.N4BiasFieldCorrectionImageFilter()
        n4.SetMaximumNumberOfIterations([int(n) for n in iterations])
        n4.SetConvergenceThreshold(tolerance)
        n4.Execute(sitk.Shrink(full, factors), sitk.Shrink(brain, factors))
        # SimpleITK's arrays are (Z, Y, X).
        log_field = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(full)).T
        field = np.exp(log_field[inside], dtype=float)  # (voxels,)
    corrected = np.zeros(image.array.shape, np.float32)
    corrected[box][inside] = values[inside] / field
    low, high = np.percentile(field, (1, 99))
    return corrected, (float(low), float(high))


def _field_by_weights(values, inside, spacing_mm, shrink_factor, steps):
    """The field at the voxels of a mask, by ANTs' N4, which unlike SimpleITK's takes weights."""
    import ants

    weights = ndimage.gaussian_filter(inside.astype(np.float32), WEIGHTS_SIGMA_MM / spacing_mm)
    image, mask, weights = (
        ants.from_numpy(array.astype(np.float32), spacing=[float(s) for s in spacing_mm])
        for array in (values, inside, weights)
    )
    field = ants.n4_bias_field_correction(
        image,
        mask,
        shrink_factor=shrink_factor,
        convergence=steps,
        weight_mask=weights,
        return_bias_field=True,
    )
    return field.numpy()[inside].astype(float)


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
