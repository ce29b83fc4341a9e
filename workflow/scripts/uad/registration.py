"""Affine registration to the SRI24 atlas with ANTs, bit-stable.

Two runs give the same bytes only with one ITK thread and `ANTS_RANDOM_SEED` set before ANTs starts;
the `random_seed` argument of antspyx is silently ignored. `set_up` therefore has to run before the
first import of ants, and jobs are parallel over subjects instead.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.affines import from_matvec

from uad.errors import InputError
from uad.volumes import Volume, replacing

RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Settings:
    """The `preprocessing.registration` block of the configuration."""

    transform: str
    resolution_mm: float
    iterations: list
    shrink_factors: list
    smoothing_sigmas: list
    min_similarity: float


def set_up(seed):
    """Make ANTs reproducible in this process; call before anything imports ants."""
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    os.environ["ANTS_RANDOM_SEED"] = str(seed % (2**31 - 1) + 1)


def register(moving, atlas, settings):
    """Affine that carries `moving` onto `atlas`.

    Parameters
    ----------
    moving, atlas : Volume
    settings : Settings
        With `resolution_mm` above the voxel size both images are resampled first, which makes the
        search faster and hardly less exact; the transform is applied at full resolution anyway.

    Returns
    -------
    ndarray, shape (4, 4)
        Atlas millimetres to `moving` millimetres, RAS: the direction in which images are resampled.
    """
    import ants

    fixed, floating = (_to_ants(coarsen(v, settings.resolution_mm)) for v in (atlas, moving))
    with tempfile.TemporaryDirectory() as folder:
        result = ants.registration(
            fixed,
            floating,
            type_of_transform=settings.transform,
            aff_iterations=tuple(settings.iterations),
            aff_shrink_factors=tuple(settings.shrink_factors),
            aff_smoothing_sigmas=tuple(settings.smoothing_sigmas),
            outprefix=str(Path(folder) / "to_atlas_"),
        )
        transform = ants.read_transform(result["fwdtransforms"][0])
    matrix = np.array(transform.parameters[:9]).reshape(3, 3)
    centre = np.array(transform.fixed_parameters)
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = np.array(transform.parameters[9:]) + centre - matrix @ centre
    return RAS_LPS @ affine @ RAS_LPS


def resample(moving, atlas, affine, interpolation):
    """Carry `moving` onto the atlas grid.

    Parameters
    ----------
    moving, atlas : Volume
    affine : ndarray, shape (4, 4)
        As returned by `register`.
    interpolation : {"linear", "nearest"}
        Labels need ``"nearest"``: the released code warps them linearly and keeps everything above
        zero, which inflates small lesions.

    Returns
    -------
    Volume
        On the atlas grid, zero where `moving` does not reach; dtype of `moving`.
    """
    import SimpleITK as sitk

    how = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor}[interpolation]
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    grid = to_sitk(Volume(np.zeros(atlas.array.shape, np.uint8), atlas.affine))
    warped = sitk.Resample(to_sitk(moving), grid, _itk_transform(affine), how, 0.0)
    array = np.ascontiguousarray(sitk.GetArrayFromImage(warped).T)
    return Volume(array, atlas.affine, moving.path)


def coarsen(volume, resolution_mm):
    """Resample to isotropic `resolution_mm` by linear interpolation, if the volume is finer.

    Parameters
    ----------
    volume : Volume
    resolution_mm : float
    """
    spacing = np.maximum(volume.spacing_mm, resolution_mm)
    if np.allclose(spacing, volume.spacing_mm, atol=1e-3):
        return volume
    scale = spacing / volume.spacing_mm
    shape = np.maximum(np.floor(np.array(volume.array.shape) / scale), 1).astype(int)
    # Both grids have the same centre.
    first = (np.array(volume.array.shape) - 1) / 2 - scale * (shape - 1) / 2
    affine = volume.affine @ from_matvec(np.diag(scale), first)
    grid = Volume(np.zeros(shape, np.uint8), affine, volume.path)
    return resample(volume, grid, np.eye(4), "linear")


def quality(registered, atlas, brain, settings):
    """Did the registration succeed?

    Parameters
    ----------
    registered, atlas, brain : Volume
        Image on the atlas grid, its registration target, and the atlas brain.
    settings : Settings

    Returns
    -------
    dict
        `similarity`, the correlation with the atlas inside its brain (about 0.75 for a head in
        place), and `status`, ``"ok"`` or why the subject is excluded.
    """
    mask = brain.array > 0
    values = registered.array[mask]
    similarity = float(np.corrcoef(values, atlas.array[mask])[0, 1]) if values.std() > 0 else 0.0
    status = "ok"
    if similarity < settings.min_similarity:
        status = (
            f"registration failed: similarity {similarity:.2f} is below {settings.min_similarity}"
        )
    return {"similarity": round(similarity, 4), "status": status}


def write_transform(affine, path):
    """Write an affine as an ITK text transform (LPS), which ANTs and SimpleITK read."""
    import SimpleITK as sitk

    with replacing(path) as temporary:
        sitk.WriteTransform(_itk_transform(affine), str(temporary))


def _itk_transform(affine):
    import SimpleITK as sitk

    lps = RAS_LPS @ affine @ RAS_LPS
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(lps[:3, :3].ravel().tolist())
    transform.SetTranslation(lps[:3, 3].tolist())
    return transform


def to_sitk(volume):
    """A SimpleITK image of the same array, axes and position."""
    import SimpleITK as sitk

    origin, spacing, direction = _geometry(volume)
    array = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    image.SetOrigin(origin.tolist())
    image.SetSpacing(spacing.tolist())
    image.SetDirection(direction.ravel().tolist())
    return image


def _to_ants(volume):
    import ants

    origin, spacing, direction = _geometry(volume)
    return ants.from_numpy(
        volume.array.astype(np.float32), origin.tolist(), spacing.tolist(), direction
    )


def _geometry(volume):
    """ITK's origin, spacing and direction cosines (LPS)."""
    lps = RAS_LPS @ volume.affine
    spacing = volume.spacing_mm
    direction = lps[:3, :3] / spacing
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-3):
        raise InputError(f"{volume.path}: the affine in the header is sheared")
    # Rounding in headers leaves cosines slightly non-orthogonal, which ITK refuses.
    u, _, v = np.linalg.svd(direction)
    return lps[:3, 3], spacing, u @ v
