"""Reading, checking and writing 3-D NIfTI volumes.

Inside the workflow every array is (X, Y, Z) in LPS order: x grows to the patient's left, y to the
back, z to the top, which is ITK's identity direction and the order of the SRI24 atlas. Affines are
NIfTI's, voxel to RAS millimetres.
"""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from uad.base.errors import InputError, because
from uad.base.files import replacing

ORIENTATION = ("L", "P", "S")


@dataclass(frozen=True)
class Volume:
    """A 3-D image and where it came from.

    Attributes
    ----------
    array : ndarray, shape (X, Y, Z)
        LPS order.
    affine : ndarray, shape (4, 4)
        Voxel to RAS millimetres.
    path : str
        For messages.
    """

    array: np.ndarray
    affine: np.ndarray
    path: str = ""

    @property
    def spacing_mm(self) -> np.ndarray:
        """Voxel size per axis in mm."""
        return np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in ml."""
        return abs(np.linalg.det(self.affine[:3, :3])) / 1000

    def empty_mask(self) -> "Volume":
        """A mask without voxels on the same grid."""
        return self.like(np.zeros(self.array.shape, np.uint8))

    def like(self, array: np.ndarray) -> "Volume":
        """Another array on the same grid."""
        return Volume(array, self.affine, self.path)


def read(path: Path | str, dtype: type | str = np.float32) -> Volume:
    """Read a NIfTI file into LPS order.

    Parameters
    ----------
    path : path-like
    dtype : numpy dtype
        Of the returned array; scaling of the file is applied first.

    Returns
    -------
    Volume

    Raises
    ------
    InputError
        If the file is missing, damaged, not 3-D, has a singular affine or holds NaN or infinity.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        image = nib.load(path)
        shape = image.shape
        values = np.asanyarray(image.dataobj)
    except Exception as error:  # nibabel, gzip and zlib raise a dozen kinds
        raise InputError(
            f"{path}: cannot be read as NIfTI, the file is damaged or incomplete ({error})"
        ) from error
    if values.ndim > 3 and all(n == 1 for n in shape[3:]):
        values = values.reshape(shape[:3])
    if values.ndim != 3:
        raise InputError(f"{path}: expected one 3-D volume, found {values.ndim} dimensions {shape}")
    if min(values.shape) < 2:
        raise InputError(f"{path}: expected a 3-D volume, found a single slice {shape}")
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine[:3, :3])) < 1e-9:
        raise InputError(f"{path}: the affine in the header is singular")
    array = values.astype(dtype)
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        raise InputError(f"{path}: contains NaN or infinite values")
    array, affine = _reorient(array, image.affine)
    return Volume(array, affine, str(path))


def read_atlas(
    head_path: Path | str, brain_path: Path | str, shape: tuple, spacing_mm: float
) -> tuple[Volume, Volume]:
    """The atlas templates (head, brain), on the expected grid.

    SRI24 circulates on several grids and orientations; a wrong one would silently shift every later
    result.

    Raises
    ------
    InputError
        If a template has another grid, is turned, or the two differ.
    """
    head, brain = read(head_path), read(brain_path)
    for template in (head, brain):
        if list(template.array.shape) != list(shape):
            raise InputError(
                f"{template.path}: the atlas has {template.array.shape} voxels, expected "
                f"{tuple(shape)} (atlas.shape)"
            )
        axes = template.affine[:3, :3] @ np.diag([-1, -1, 1])
        if not np.allclose(axes, spacing_mm * np.eye(3), atol=1e-3):
            raise InputError(
                f"{template.path}: the atlas has voxels of "
                f"{' x '.join(f'{s:.3g}' for s in template.spacing_mm)} mm or is turned; expected "
                f"voxels of {spacing_mm} mm along the axes (atlas.spacing_mm)"
            )
    check_same_grid(head, brain)
    return head, brain


def header_conflict(path: Path | str) -> str | None:
    """Why a NIfTI header contradicts itself, or None.

    Its two affines may disagree on which side is left; then neither can be trusted.
    """
    header = nib.load(path).header
    forms = {"sform": header.get_sform(coded=True), "qform": header.get_qform(coded=True)}
    axes = {
        name: "".join(nib.aff2axcodes(affine)) for name, (affine, code) in forms.items() if code
    }
    if len(set(axes.values())) > 1:
        return because(
            f"header contradicts itself: sform says {axes['sform']}, qform {axes['qform']}"
        )
    return None


def read_scan(
    path: Path | str, lesion_path: Path | str | None = None, labels: list | None = None
) -> tuple[Volume, Volume]:
    """Read a scan and its lesion mask, empty without a file; `InputError` unless on one grid."""
    image = read(path)
    lesion = read_mask(lesion_path, labels) if lesion_path else image.empty_mask()
    check_same_grid(image, lesion)
    return image, lesion


def read_mask(path: Path | str, labels: list | None = None) -> Volume:
    """Read a mask: 1 where the file holds one of `labels`, or anything above zero without them.

    Some masks are label maps (BraTS21), some were resampled linearly and hold fractions (the
    authors' preprocessed data).
    """
    volume = read(path)
    inside = np.isin(volume.array, labels) if labels else volume.array > 0
    return volume.like(inside.astype(np.uint8))


def read_fractions(path: Path | str) -> Volume:
    """Read a brain mask that was resampled linearly, in parts of 255, uint8; 0 only where it is."""
    volume = read(path)
    return volume.like(np.ceil(255 * np.clip(volume.array, 0, 1)).astype(np.uint8))


def _reorient(array, affine):
    """Flip and permute the axes to LPS; the affine follows."""
    now = nib.orientations.io_orientation(affine)
    wanted = nib.orientations.axcodes2ornt(ORIENTATION)
    change = nib.orientations.ornt_transform(now, wanted)
    turned = nib.orientations.apply_orientation(array, change)
    affine = affine @ nib.orientations.inv_ornt_aff(change, array.shape)
    return np.ascontiguousarray(turned), affine


def check_same_grid(first: Volume, second: Volume) -> None:
    """Raise `InputError` unless both volumes have the same shape and affine (to 0.01 mm)."""
    if first.array.shape != second.array.shape:
        raise InputError(
            f"{second.path}: shape {second.array.shape} differs from {first.array.shape} "
            f"of {first.path}; both must be on one grid"
        )
    if not np.allclose(first.affine, second.affine, atol=1e-2):
        raise InputError(
            f"{second.path}: its affine differs from that of {first.path}; both must be on one grid"
        )


def check_not_empty(mask: Volume) -> None:
    """Raise `InputError` if a mask has no voxel."""
    if not mask.array.any():
        raise InputError(f"{mask.path}: the brain mask is empty")


def cut(volume: Volume, box: tuple[slice, ...]) -> Volume:
    """The part of a volume inside `box`; its affine follows."""
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [side.start for side in box]
    return Volume(np.ascontiguousarray(volume.array[box]), affine, volume.path)


def write(volume: Volume, path: Path | str) -> None:
    """Write a volume as NIfTI, complete or not at all.

    Booleans are stored as uint8. A name that ends in ``.gz`` is compressed at level 1, which is
    fast; stronger compression gains little on noisy images.
    """
    array = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    image = nib.Nifti1Image(array, volume.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(volume.affine, 1)
    image.set_qform(volume.affine, 1)
    with replacing(path) as temporary:
        nib.save(image, temporary)
