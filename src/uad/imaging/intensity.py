"""Intensity steps on the atlas grid: N4 bias field correction and curvature flow, by SimpleITK."""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

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
    steps = {"iterations": [int(n) for n in iterations], "tolerance": tolerance}
    fit = _field_by_weights if weights == "smoothed" else _field
    try:
        field = fit(image.like(positive), inside, shrink_factor, **steps)  # (voxels,)
    except RuntimeError as error:
        if "alloc" in str(error):  # no memory: not the image's fault
            raise
        last = str(error).strip().splitlines()[-1]
        raise InputError(f"{image.path}: N4 cannot correct this image ({last})") from error
    low, high = np.percentile(field, (1, 99))
    if not np.isfinite(field).all() or not 0 < high <= MOST_FIELD * low:
        raise InputError(
            f"{image.path}: N4 diverged, its field goes from {low:.3g} to {high:.3g} in the brain"
        )
    corrected = np.zeros(image.array.shape, np.float32)
    corrected[box][inside] = values[inside] / field
    return corrected, (float(low), float(high))


def _field(image, inside, shrink_factor, iterations, tolerance):
    """The field at the voxels of a mask, by SimpleITK's N4."""
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(iterations)
    n4.SetConvergenceThreshold(tolerance)
    full, brain = to_sitk(image), to_sitk(image.like(inside))
    n4.Execute(*(sitk.Shrink(found, [shrink_factor] * 3) for found in (full, brain)))
    # SimpleITK's arrays are (Z, Y, X).
    log_field = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(full)).T
    with np.errstate(over="ignore"):  # becomes infinite
        return np.exp(log_field[inside], dtype=float)


def _field_by_weights(image, inside, shrink_factor, iterations, tolerance):
    """The same by ANTs' N4, which unlike SimpleITK's takes weights."""
    import ants

    spacing = image.spacing_mm.tolist()
    weights = ndimage.gaussian_filter(
        inside.astype(np.float32), WEIGHTS_SIGMA_MM / image.spacing_mm
    )
    values, mask, weights = (
        ants.from_numpy(array.astype(np.float32), spacing=spacing)
        for array in (image.array, inside, weights)
    )
    field = ants.n4_bias_field_correction(
        values,
        mask,
        shrink_factor=shrink_factor,
        convergence={"iters": iterations, "tol": tolerance},
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
