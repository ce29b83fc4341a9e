"""Affine registration to the SRI24 atlas with ANTs, bit-stable.

Two runs give the same bytes only with one ITK thread and `ANTS_RANDOM_SEED` set before ANTs starts;
the `random_seed` argument of antspyx is silently ignored. `set_up` therefore has to run before the
first import of ants, and jobs are parallel over subjects instead.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from nibabel.affines import apply_affine, from_matvec
from scipy import ndimage
from scipy.spatial.transform import Rotation

from uad.base.errors import InputError, because
from uad.base.files import replacing
from uad.imaging.settings import Registration
from uad.imaging.volumes import Volume, header_conflict

if TYPE_CHECKING:  # imported where it is needed, after `set_up`
    import SimpleITK as sitk

RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

# Grid on which the similarity is measured, whatever the search's: the same pose has another
# correlation on another grid, and limits hold for one only (docs/registration.md).
SIMILARITY_MM = 3

# The first search, coarse and rigid, finds where the head lies. An affine one can stretch a head
# of thick slices out of place.
START_MM = 4
START_STEPS = ([100, 50], [2, 1], [1, 0])  # iterations, shrink factors, smoothing
# The second, affine, looks at the atlas brain and its surroundings only: jaw and neck differ most
# between heads and scans, and are not what has to match. With 12 mm whole heads came out too large
# (docs/registration.md).
MARGIN_MM = 18
# Other positions to search from: degrees about x, y, z (nodding, tilting, turning) beyond what one
# search bridges, and millimetres along y and z for a head that is cut off at the front, above or
# below, so that its centre of mass is not where the atlas has it: with a neck and shoulders, 80 mm.
TURN_DEG = 30
SHIFTS_MM = ((0, -40), (0, 40), (-30, 0), (30, 0), (0, -80))
STARTS = [
    (tuple(sign * TURN_DEG * axis), (0, 0, 0)) for axis in np.eye(3, dtype=int) for sign in (-1, 1)
] + [((0, 0, 0), (0, y, z)) for y, z in SHIFTS_MM]
# What another start must gain in similarity to be taken. Heads that were turned or shifted gain 0.3
# and more; where a large lesion keeps every search from a good match, gains of some hundredths are
# a matter of rounding, and the ordinary search stands.
START_GAIN = 0.05


def set_up(seed: int) -> None:
    """Make ANTs reproducible in this process; call before anything imports ants."""
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    os.environ["ANTS_RANDOM_SEED"] = str(seed % (2**31 - 1) + 1)


@dataclass(frozen=True)
class Registered:
    """A subject on the atlas grid.

    Attributes
    ----------
    image, lesion : Volume
        Interpolated linearly, and by nearest neighbours.
    affine : ndarray, shape (4, 4)
    quality : dict
        See `register`.
    """

    image: Volume
    lesion: Volume
    affine: np.ndarray
    quality: dict


def register_subject(
    image: Volume, lesion: Volume, atlas: Volume, brain: Volume, settings: Registration
) -> Registered:
    """Carry a scan and its lesion mask to the atlas grid by one affine.

    Parameters
    ----------
    image, lesion : Volume
        One native grid; `image.path` names a NIfTI file, whose header is checked.
    atlas, brain : Volume
        Registration target, and the atlas brain.
    settings : uad.imaging.settings.Registration
    """
    affine, found = register(image, atlas, brain, settings)
    conflict = header_conflict(image.path)
    if conflict:
        found["status"] = conflict
    return Registered(
        resample(image, atlas, affine, "linear"),
        resample_mask(lesion, atlas, affine, settings.lesions),
        affine,
        found,
    )


def register(
    moving: Volume, atlas: Volume, brain: Volume, settings: Registration
) -> tuple[np.ndarray, dict]:
    """Affine that carries `moving` onto `atlas`, and how good it is.

    A coarse rigid search from aligned centres of mass finds where an ordinary head lies. Where its
    result is doubtful, it starts again from other positions of the head, and the best result
    counts. From there a finer search in and about the brain finds the affine.

    Parameters
    ----------
    moving, atlas, brain : Volume
        Image, registration target, and the atlas brain.
    settings : uad.imaging.settings.Registration
        With `resolution_mm` above the voxel size images are resampled first, which makes the affine
        search faster and hardly less exact; the transform is applied at full resolution anyway.

    Returns
    -------
    affine : ndarray, shape (4, 4)
        Atlas millimetres to `moving` millimetres, RAS: the direction in which images are resampled.
    quality : dict
        See `quality`, and `starts`, the number of positions that were searched from.
    """
    judged = [coarsen(volume, SIMILARITY_MM) for volume in (moving, atlas, brain)]

    def similarity(affine):
        return quality(*judged, affine, settings)["similarity"]

    coarse = [coarsen(volume, START_MM) for volume in (moving, atlas)]
    starts = [search(*coarse, START_STEPS, kind="Rigid")]
    scores = [similarity(starts[0])]
    if scores[0] < settings.retry_below:
        starts += _other_starts(*coarse)
        scores += map(similarity, starts[1:])
    best = int(np.argmax(scores))
    start = starts[best] if scores[best] >= scores[0] + START_GAIN else starts[0]

    fine = [coarsen(volume, settings.resolution_mm) for volume in (moving, atlas)]
    steps = (settings.iterations, settings.shrink_factors, settings.smoothing_sigmas)
    affine = search(*fine, steps, start, within=surroundings(brain))
    return affine, {**quality(*judged, affine, settings), "starts": len(starts)}


def surroundings(brain: Volume) -> Volume:
    """Mask of a brain and `MARGIN_MM` about it, on a coarse grid."""
    brain = coarsen(brain, START_MM)
    inside = np.pad(brain.array > 0, 1)  # so that there is an outside
    near = ndimage.distance_transform_edt(~inside, brain.spacing_mm) <= MARGIN_MM
    return brain.like(near[1:-1, 1:-1, 1:-1].astype(np.uint8))


def search(
    moving: Volume,
    atlas: Volume,
    steps: tuple[list, list, list],
    start: np.ndarray | None = None,
    kind: str = "Affine",
    within: Volume | None = None,
) -> np.ndarray:
    """One ANTs registration from the affine `start`, or from aligned centres of mass.

    Parameters
    ----------
    moving, atlas : Volume
    steps : tuple of list
        Iterations, shrink factors and smoothing, per level.
    start : ndarray, shape (4, 4), optional
        Atlas to `moving` millimetres, RAS, as is the result.
    kind : {"Affine", "Rigid"}
    within : Volume, optional
        Mask in the atlas, on any grid: what is outside does not count.
    """
    import ants

    iterations, shrink_factors, smoothing_sigmas = map(tuple, steps)
    with tempfile.TemporaryDirectory() as folder, _naming(moving, folder):
        first = None
        if start is not None:
            first = str(Path(folder) / "start.txt")
            write_transform(start, first)
        result = ants.registration(
            _to_ants(atlas),
            _to_ants(moving),
            type_of_transform=kind,
            mask=within and _to_ants(within),
            mask_all_stages=True,
            # In the mask every voxel counts; of the whole image a fifth, as is the default of ANTs.
            # With a fifth, rounding decides by how much the search misses the optimum.
            aff_random_sampling_rate=1.0 if within else 0.2,
            initial_transform=first and [first],
            aff_iterations=iterations,
            aff_shrink_factors=shrink_factors,
            aff_smoothing_sigmas=smoothing_sigmas,
            outprefix=str(Path(folder) / "to_atlas_"),
            # In single precision rounding decides where the search ends, by tenths of a millimetre.
            singleprecision=False,
        )
        transform = ants.read_transform(result["fwdtransforms"][0])
    matrix = np.array(transform.parameters[:9]).reshape(3, 3)
    centre = np.array(transform.fixed_parameters)
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = np.array(transform.parameters[9:]) + centre - matrix @ centre
    return RAS_LPS @ affine @ RAS_LPS


@contextmanager
def _naming(moving: Volume, folder: str) -> Iterator[None]:
    """ANTs ends with "error code 1" only; then the image is to blame, unless the disk is full."""
    try:
        yield
    except RuntimeError as error:
        if "error code" not in str(error):
            raise
        with open(Path(folder) / "probe", "wb") as probe:
            probe.write(bytes(1 << 20))
        raise InputError(
            f"{moving.path}: ANTs cannot register this image ({error}); look at it"
        ) from error


def _other_starts(moving, atlas):
    """Coarse searches from turned and shifted positions of the head."""
    to_centre = _centre_of_mass(atlas) - _centre_of_mass(moving)
    turn_about = _centre_of_mass(atlas)
    found = []
    for degrees, shift_mm in STARTS:
        matrix = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
        turn = from_matvec(matrix, turn_about - matrix @ turn_about + shift_mm)
        place = turn @ from_matvec(np.eye(3), to_centre)  # moving to atlas millimetres
        found.append(search(moving, atlas, START_STEPS, np.linalg.inv(place), kind="Rigid"))
    return found


def _centre_of_mass(volume):
    """In RAS millimetres, of intensities above the mean: the head, not the noise around it."""
    mean = volume.array.mean(dtype=float)
    weights = np.where(volume.array > mean, volume.array, 0)
    return apply_affine(volume.affine, ndimage.center_of_mass(weights))


def resample(moving: Volume, atlas: Volume, affine: np.ndarray, interpolation: str) -> Volume:
    """Carry `moving` onto the atlas grid.

    Parameters
    ----------
    moving, atlas : Volume
    affine : ndarray, shape (4, 4)
        As returned by `register`.
    interpolation : {"linear", "nearest"}
        Masks have `resample_mask`.

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


def resample_mask(mask: Volume, atlas: Volume, affine: np.ndarray, interpolation: str) -> Volume:
    """Carry a mask, 0 or 1, onto the atlas grid.

    Parameters
    ----------
    mask, atlas : Volume
    affine : ndarray, shape (4, 4)
    interpolation : {"nearest", "linear"}
        ``"linear"`` keeps everything above zero, as the released code does, which inflates small
        lesions.
    """
    if interpolation == "nearest":
        return resample(mask, atlas, affine, "nearest")
    share = resample(mask.like(mask.array.astype(np.float32)), atlas, affine, "linear")
    return share.like((share.array > 0).astype(mask.array.dtype))


def coarsen(volume: Volume, resolution_mm: float) -> Volume:
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


def quality(
    moving: Volume, atlas: Volume, brain: Volume, affine: np.ndarray, settings: Registration
) -> dict:
    """Did the registration succeed?

    Parameters
    ----------
    moving, atlas, brain : Volume
        Image, registration target, and the atlas brain.
    affine : ndarray, shape (4, 4)
    settings : uad.imaging.settings.Registration

    Returns
    -------
    dict
        `similarity`, the correlation with the atlas inside its brain as far as the image reaches,
        on a grid of `SIMILARITY_MM` (what heads in place and out of place have: see
        docs/registration.md); `coverage`, the share of the atlas brain that the image reaches;
        `scale_min` and `scale_max`, by which the affine stretches; `status`, ``"ok"`` or why the
        subject is excluded.
    """
    moving, atlas, brain = (coarsen(volume, SIMILARITY_MM) for volume in (moving, atlas, brain))
    grid = Volume(np.zeros(atlas.array.shape, np.uint8), atlas.affine)
    warped = resample(moving, grid, affine, "linear").array
    # Where the image reaches: ones of its size, carried along, with zeros beyond it.
    reach = resample(moving.like(np.ones(moving.array.shape, np.uint8)), grid, affine, "nearest")
    inside = brain.array > 0
    both = inside & (reach.array > 0)
    similarity = _correlation(warped[both], atlas.array[both])
    # Singular values of a matrix are by how much it stretches along its principal axes.
    scales = np.linalg.svd(affine[:3, :3], compute_uv=False)
    found = {
        "similarity": round(similarity, 4),
        "coverage": round(float(both.sum() / inside.sum()), 4),
        "scale_min": round(float(scales.min()), 3),
        "scale_max": round(float(scales.max()), 3),
    }
    return {**found, "status": _status(found, settings)}


def _status(found, settings):
    if found["similarity"] < settings.min_similarity:
        return because(
            f"registration failed: similarity {found['similarity']:.2f} is below "
            f"{settings.min_similarity}"
        )
    if found["coverage"] < settings.min_coverage:
        return because(
            f"brain cut off: {found['coverage']:.0%} of it is in the image, at least "
            f"{settings.min_coverage:.0%} are needed"
        )
    low, high = settings.scale_range
    if not (low <= found["scale_min"] and found["scale_max"] <= high):
        return because(
            f"registration failed: scaled by {found['scale_min']} to {found['scale_max']}, beyond "
            f"{low} to {high}"
        )
    return "ok"


def _correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1]) if a.size and a.std() > 0 and b.std() > 0 else 0.0


def write_transform(affine: np.ndarray, path: Path | str) -> None:
    """Write an affine as an ITK text transform (LPS), which ANTs and SimpleITK read."""
    import SimpleITK as sitk

    with replacing(path) as temporary:
        sitk.WriteTransform(_itk_transform(affine), str(temporary))


def read_transform(path: Path | str) -> np.ndarray:
    """Read what `write_transform` wrote: affine, shape (4, 4), RAS."""
    import SimpleITK as sitk

    transform = sitk.AffineTransform(sitk.ReadTransform(str(path)))
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
    lps[:3, 3] = transform.GetTranslation()
    return RAS_LPS @ lps @ RAS_LPS


def _itk_transform(affine):
    import SimpleITK as sitk

    lps = RAS_LPS @ affine @ RAS_LPS
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(lps[:3, :3].ravel().tolist())
    transform.SetTranslation(lps[:3, 3].tolist())
    return transform


def to_sitk(volume: Volume) -> "sitk.Image":
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
    # Rounding in headers leaves cosines slightly non-orthogonal, which ITK refuses. Rounded, since
    # the last digits of a decomposition differ between processors.
    u, _, v = np.linalg.svd(direction)
    return lps[:3, 3], spacing, (u @ v).round(12)
