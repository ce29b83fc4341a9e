"""Reading, checking and writing 3-D NIfTI volumes.

Inside the workflow every array is (X, Y, Z) in LPS order: x grows to the patient's left, y to the
back, z to the top, which is ITK's identity direction and the order of the SRI24 atlas. Affines are
NIfTI's, voxel to RAS millimetres.
"""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from uad.base import exclusion
from uad.base.errors import InputError, because
from uad.base.files import replacing
from uad.imaging import label_maps

ORIENTATION = ("L", "P", "S")
ORTHOGONAL = 1e-3  # cosine between two axes up to which they count as orthogonal
EXTENT_MM = (50, 1000)  # of a scan along each axis; beyond, the header's unit is not mm
# Half of an adult's brain; the largest tumours and strokes have about half of that.
MOST_LESION_ML = 700
MOST_COMPRESSED = 1100  # gzip's limit is 1032: a header that asks for more is damaged


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


def read(
    path: Path | str, dtype: type | str = np.float32, assume_orientation: str | None = None
) -> Volume:
    """Read a NIfTI file into LPS order.

    Parameters
    ----------
    path : path-like
    dtype : numpy dtype
        Of the returned array; scaling of the file is applied first.
    assume_orientation : str, optional
        Where the voxel axes point to, such as ``RAS``, if the header does not say (both of its
        codes are 0); the centre of the image is then taken for the origin.

    Returns
    -------
    Volume

    Raises
    ------
    InputError
        If the file is missing, damaged, the placeholder of an excluded subject, not one 3-D volume
        of real numbers, holds NaN or infinity, or its affine is singular, sheared or not said.
    """
    path = Path(path)
    image, values = _load(path)
    if values.ndim > 3 and all(n == 1 for n in image.shape[3:]):
        values = values.reshape(image.shape[:3])
    if values.ndim != 3:
        raise InputError(
            f"{path}: expected one 3-D volume, found {values.ndim} dimensions {image.shape}"
        )
    if min(values.shape) < 2:
        raise InputError(f"{path}: expected a 3-D volume, found a single slice {image.shape}")
    affine = _affine(image, assume_orientation, path)
    with np.errstate(over="ignore"):  # becomes infinite
        array = values.astype(dtype)
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        raise InputError(f"{path}: contains NaN or infinite values")
    array, affine = _reorient(array, affine)
    return Volume(array, affine, str(path))


def _load(path):
    """The image, and its values with the file's scaling applied."""
    try:
        n_bytes = path.stat().st_size
        excluded = exclusion.reason(path)
        if excluded:
            raise InputError(excluded)
        image = nib.load(path)
        kind = image.get_data_dtype()
        if kind.kind not in "iuf":
            what = "complex" if kind.kind == "c" else "colour (RGB)"
            raise InputError(f"{path}: holds {what} values, expected one real number per voxel")
        asked = np.prod(image.shape, dtype=float) * kind.itemsize
        if asked > MOST_COMPRESSED * n_bytes:
            raise InputError(
                f"{path}: the header says {asked:.0f} bytes, but the file has only {n_bytes}"
            )
        return image, np.asanyarray(image.dataobj)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (InputError, MemoryError):
        raise
    except Exception as error:  # nibabel, gzip and zlib raise a dozen kinds
        if path.suffix != ".gz" and path.read_bytes()[:2] == b"\x1f\x8b":
            raise InputError(
                f"{path}: is compressed with gzip, but its name does not end in .gz; rename it"
            ) from error
        raise InputError(
            f"{path}: cannot be read as NIfTI, the file is damaged or incomplete ({error})"
        ) from error


def _affine(image, assume_orientation, path):
    """Voxel to RAS millimetres, checked."""
    affine = image.affine
    codes = [int(image.header[key]) for key in ("sform_code", "qform_code")]
    if not any(codes):
        if assume_orientation is None:
            raise InputError(
                f"{path}: the header does not say which side is left (sform and qform have code "
                "0); set assume_orientation of the data set, such as RAS, if you know it"
            )
        affine = _centred(image, assume_orientation)
    spacing = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if not np.isfinite(affine).all() or (spacing == 0).any():
        raise InputError(f"{path}: the affine in the header is singular")
    cosines = affine[:3, :3] / spacing
    if abs(np.linalg.det(cosines)) < ORTHOGONAL:
        raise InputError(f"{path}: the affine in the header is singular")
    if not np.allclose(cosines.T @ cosines, np.eye(3), atol=ORTHOGONAL):
        raise InputError(f"{path}: the affine in the header is sheared")
    return affine


def _centred(image, orientation):
    """Affine of an image whose axes point to `orientation`, with its centre as origin."""
    affine = np.eye(4)
    axes = nib.orientations.axcodes2ornt(tuple(orientation))  # RAS axis and direction of each
    for i, (axis, sign) in enumerate(axes):
        affine[:3, i] = 0
        affine[int(axis), i] = sign * image.header.get_zooms()[i]
    affine[:3, 3] = -affine[:3, :3] @ (np.array(image.shape[:3]) - 1) / 2
    return affine


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
    path: Path | str,
    lesion_path: Path | str | None = None,
    labels: list | None = None,
    assume_orientation: str | None = None,
) -> tuple[Volume, Volume]:
    """Read a scan and its lesion mask, empty without a file.

    Parameters
    ----------
    path, lesion_path : path-like
    labels : list of int, optional
        Values of the mask that count, all above zero by default.
    assume_orientation : str, optional
        See `read`.

    Returns
    -------
    tuple of Volume
        Image (float32) and lesion (uint8, 0 or 1).

    Raises
    ------
    InputError
        As for `read` and `read_mask`; if the image is the same everywhere, or its size is not that
        of a head in millimetres; if the lesion is on another grid or too large.
    """
    image = read(path, assume_orientation=assume_orientation)
    if image.array.min() == image.array.max():
        raise InputError(f"{path}: every voxel is {image.array.flat[0]:g}, the image is blank")
    extent = image.spacing_mm * image.array.shape
    if extent.min() < EXTENT_MM[0] or extent.max() > EXTENT_MM[1]:
        raise InputError(
            f"{path}: is {' x '.join(f'{mm:.3g}' for mm in extent)} mm large by its header, which "
            f"is no head ({EXTENT_MM[0]} to {EXTENT_MM[1]} mm); are its voxel sizes in mm?"
        )
    if lesion_path is None:
        return image, image.empty_mask()
    lesion = read_mask(lesion_path, labels, assume_orientation)
    check_same_grid(image, lesion)
    _check_size(lesion)
    return image, lesion


def _check_size(lesion):
    n = np.count_nonzero(lesion.array)
    if n * lesion.voxel_ml > MOST_LESION_ML:
        raise InputError(
            f"{lesion.path}: marks {n * lesion.voxel_ml:.0f} ml, {n / lesion.array.size:.0%} of "
            f"the image, as lesion; more than {MOST_LESION_ML} ml cannot be one, so the mask may "
            "be inverted"
        )


def read_mask(
    path: Path | str, labels: list | None = None, assume_orientation: str | None = None
) -> Volume:
    """Read a label map: 1 where it holds one of `labels`, or anything above zero without them.

    For the values that are refused see `label_maps.labelled`.
    """
    volume = read(path, assume_orientation=assume_orientation)
    return volume.like(label_maps.labelled(volume.array, labels, volume.path).astype(np.uint8))


def read_soft_mask(path: Path | str, assume_orientation: str | None = None) -> Volume:
    """Read a mask that may hold fractions: 1 where it is above zero.

    The authors' prepared masks were resampled linearly, and their code takes them so.
    """
    volume = read(path, assume_orientation=assume_orientation)
    return volume.like(label_maps.positive(volume.array, volume.path).astype(np.uint8))


def read_fractions(path: Path | str, assume_orientation: str | None = None) -> Volume:
    """Read a brain mask that was resampled linearly, in parts of 255, uint8; 0 only where it is."""
    volume = read(path, assume_orientation=assume_orientation)
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
