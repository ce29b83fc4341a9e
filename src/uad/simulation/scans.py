"""One simulated subject: anatomy, pose and scanner, sampled straight onto the native grid.

Every voxel of the native grid is carried back into the phantom (pose, then a smooth warp) and read
there once, by linear interpolation, so that the lesion mask and the image come from the same
positions. How the public data sets' volumes are stored is in `counterparts`; anatomy and contrast
are drawn per subject.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import nibabel as nib
import numpy as np
from scipy import ndimage

from uad.base import seeding
from uad.simulation import lesions, names, phantom, sri24

SRI24_AFFINE, SRI24_FROM_MNI = np.array(sri24.AFFINE), np.array(sri24.FROM_MNI)

WARP_SPACING_MM = 4.0
RIM_MM = 4.0  # over which fluid at the brain's surface becomes that of its sulci and ventricles
FLOAT_STEP = 1 / 64  # between stored intensities that are not integers; a power of two, so exact


@dataclass(frozen=True)
class Native:
    """How a data set's volumes are stored.

    Attributes
    ----------
    shape : tuple of int
    affine : ndarray, shape (4, 4)
        Voxel to world, RAS millimetres.
    world_from_mni : ndarray, shape (4, 4)
        Where an average head lies in that world.
    rotation_deg, shift_mm : float
        Standard deviation of the head's pose per axis.
    unit : float
        Stored intensity of white matter.
    noise : float
        Standard deviation of the noise in either channel, relative to white matter.
    bias : float
        Half range of the multiplicative bias field.
    dtype : type
    lesion : str or None
    brain_only : bool
        Distributed without skull, background exactly zero.
    """

    shape: tuple
    affine: np.ndarray
    world_from_mni: np.ndarray
    rotation_deg: float
    shift_mm: float
    unit: float
    noise: float
    bias: float
    dtype: type
    lesion: str | None
    brain_only: bool


def native_of(dataset: str) -> Native:
    """How the volumes of a data set are stored, by its counterpart."""
    known = names.load(dataset).GEOMETRY
    return Native(
        **known
        | {
            "affine": np.array(known["affine"], float),
            "world_from_mni": np.array(known["world_from_mni"], float),
            "dtype": np.dtype(known["dtype"]).type,
        }
    )


@dataclass(frozen=True)
class Scan:
    """A simulated scan: `image`, and `lesion` or None, as nibabel images on the native grid."""

    image: nib.Nifti1Image
    lesion: nib.Nifti1Image | None


def simulate(
    dataset: str, scan: str, age: float, seed: int, head: phantom.Phantom, contrast: str = "T1"
) -> Scan:
    """One subject's raw scan.

    Parameters
    ----------
    dataset : str
        A simulated data set (`uad.simulation.counterparts`).
    scan : str
        Native name of the scan; with `seed` it determines every voxel.
    age : float
        Years; ventricles and sulci widen with it.
    seed : int
    head : phantom.Phantom
    contrast : {"T1", "T2", "FLAIR"}
        The same anatomy, pose and scanner in each.

    Returns
    -------
    Scan
    """
    native = native_of(dataset)
    rng, fields, signal, warp = _draw(dataset, scan, age, seed, head, contrast)
    coordinates = _phantom_coordinates(native, warp, pose(dataset, scan, seed))

    image = ndimage.map_coordinates(signal, coordinates, order=1, cval=0.0)
    in_box = coordinates - head.low[:, None, None, None].astype(np.float32)
    if native.brain_only:
        brain = ndimage.map_coordinates(head.brain.astype(np.float32), in_box, order=1) > 0.5
    image = _acquire(image, native, rng)
    if native.brain_only:
        image[~brain] = 0
    mask = None
    if fields:
        field = ndimage.map_coordinates(np.max(fields, axis=0), in_box, order=1, cval=-1.0)
        mask = _nifti(lesions.labels(field, native.lesion), native.affine)
    return Scan(_nifti(image.astype(native.dtype), native.affine), mask)


def _draw(dataset, scan, age, seed, head, contrast="T1"):
    """What is particular to a subject: generator for the scanner, lesion fields, signal, warp."""
    rng = seeding.generator(seed, "simulation", dataset, scan)
    lesion = native_of(dataset).lesion
    found = lesions.draw(lesion, head, rng) if lesion else []
    fields = [lesions.depth(one, head, rng) for one in found]
    signal = _signal(head, age, found, fields, rng, contrast)
    return rng, fields, signal, _warp(head, age, found, rng)


def true_affine(
    dataset: str, scan: str, age: float, seed: int, head: phantom.Phantom
) -> np.ndarray:
    """Atlas to native millimetres (4, 4), RAS: the affine nearest to the true deformation.

    Least squares over the native voxels that lie in the subject's brain; what a perfect affine
    registration of the scan to the simulated atlas returns.
    """
    native = native_of(dataset)
    warp = _draw(dataset, scan, age, seed, head)[-1]
    coordinates = _phantom_coordinates(native, warp, pose(dataset, scan, seed))
    in_box = coordinates - head.low[:, None, None, None].astype(np.float32)
    brain = ndimage.map_coordinates(head.brain.astype(np.float32), in_box, order=1) > 0.5
    voxels = np.argwhere(brain)
    in_mni = coordinates[:, brain].T + phantom.ORIGIN_MM
    in_atlas = nib.affines.apply_affine(SRI24_FROM_MNI, in_mni)
    in_native = nib.affines.apply_affine(native.affine, voxels)
    ones = np.ones((len(voxels), 1))
    solution, *_ = np.linalg.lstsq(np.hstack([in_atlas, ones]), in_native, rcond=None)
    return nib.affines.from_matvec(solution[:3].T, solution[3])


def atlas(head: phantom.Phantom, contrast: str = "T1") -> dict[str, nib.Nifti1Image]:
    """The simulated atlas: head and brain on an SRI24-like grid, without warp, bias or noise.

    Returns
    -------
    dict of str to Nifti1Image
        ``"T1"`` and ``"T1_brain"`` or those of another contrast, white matter at 1000, named as in
        the SRI24 archive.
    """
    signal = _signal(head, age=45.0, found=[], fields=[], rng=None, contrast=contrast)
    grid = SimpleNamespace(shape=sri24.SHAPE, affine=SRI24_AFFINE)
    coordinates = _phantom_coordinates(grid, None, SRI24_FROM_MNI)
    image = 1000 * ndimage.map_coordinates(signal, coordinates, order=1)
    in_box = coordinates - head.low[:, None, None, None].astype(np.float32)
    brain = ndimage.map_coordinates(head.brain.astype(np.float32), in_box, order=1) > 0.5
    return {
        contrast: _nifti(np.rint(image).astype(np.int16), grid.affine),
        f"{contrast}_brain": _nifti(np.rint(image * brain).astype(np.int16), grid.affine),
    }


def pose(dataset: str, scan: str, seed: int) -> np.ndarray:
    """True affine of a scan, MNI to native world (4, 4), before the subject's smooth warp."""
    native = native_of(dataset)
    rng = seeding.generator(seed, "pose", dataset, scan)
    angles = np.radians(rng.normal(0, native.rotation_deg, 3))
    size = np.exp(rng.normal(0, 0.03, 3))
    centre = np.array([0.0, -18.0, 10.0])
    matrix = _rotation(angles) @ np.diag(size)
    shift = rng.normal(0, native.shift_mm, 3)
    return native.world_from_mni @ nib.affines.from_matvec(matrix, centre - matrix @ centre + shift)


def _rotation(angles):
    """Rotation about x, then y, then z, by `angles` in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _signal(head, age, found, fields, rng, contrast):
    """Signal on the phantom's grid, white matter near 1."""
    jitter = (
        (lambda spread: float(rng.normal(0, spread))) if rng is not None else lambda spread: 0.0
    )
    known, on_t1 = phantom.SIGNAL[contrast], phantom.SIGNAL["T1"]
    levels = [known["white"], known["grey"] + jitter(0.03), known["csf"] + jitter(0.02)]
    if known["rim"] != known["csf"]:
        depth_mm = ndimage.distance_transform_edt(head.brain)
        inward = np.clip((depth_mm - 1) / RIM_MM, 0, 1).astype(np.float32)
        levels[2] = known["rim"] + (levels[2] - known["rim"]) * inward
    outside = [known[name] * (1 + jitter(0.08)) for name in phantom.TISSUES]
    signal = np.asarray(outside, np.float32)[head.tissue]

    # The template averages 152 brains, which blurs the cortex; raising the fractions to a power
    # sharpens it, and a larger share of fluid widens the sulci with age.
    fluid = np.clip(1 - head.grey - head.white, 0, 1) * (1 + 0.012 * (age - 45) + jitter(0.1))
    power = 1.8
    shares = [
        np.power(np.maximum(part, 1e-3), power, dtype=float).astype(np.float32)
        for part in (head.white, head.grey, fluid)
    ]
    total = sum(shares)
    brain = sum(level * share for level, share in zip(levels, shares)) / total
    # The detail was seen on T1, as a step from white towards grey matter or back.
    step = (known["grey"] - known["white"]) / (on_t1["grey"] - on_t1["white"])
    brain += 0.7 * step * head.detail
    if rng is not None:
        texture = rng.standard_normal(brain.shape, dtype=np.float32)
        brain *= 1 + 0.08 * ndimage.gaussian_filter(texture, 1.0)
    for lesion, field in zip(found, fields):
        lesions.paint(brain, field, lesion, contrast)
    box = signal[head.box]
    box[head.brain] = np.maximum(brain, 0.02)[head.brain]
    return signal


def _warp(head, age, found, rng):
    """Displacement (3, x, y, z) in mm, from a point to where it reads, on a 4 mm grid."""
    shape = [int(np.ceil(n / WARP_SPACING_MM)) + 1 for n in phantom.SHAPE]
    warp = np.zeros((3, *shape), np.float32)
    for spread_mm, amplitude_mm in ((24.0, 2.5), (9.0, 0.9)):
        noise = rng.standard_normal(warp.shape, dtype=np.float32)
        sigma = spread_mm / WARP_SPACING_MM
        smooth = ndimage.gaussian_filter(noise, (0, sigma, sigma, sigma))
        warp += amplitude_mm * smooth / float(smooth.std(dtype=float))

    # Ventricles: read from closer to their middle and they appear larger. The gradient of the
    # smoothed ventricles points there.
    deep = ndimage.binary_erosion(head.brain[::2, ::2, ::2], iterations=9)
    fluid = np.clip(1 - head.grey - head.white, 0, 1)[::2, ::2, ::2] * deep
    ventricles = np.zeros([-(-n // 2) for n in phantom.SHAPE], np.float32)
    start = head.low // 2
    ventricles[tuple(slice(a, a + n) for a, n in zip(start, fluid.shape))] = fluid
    ventricles = ndimage.gaussian_filter(ventricles, 2.5)[::2, ::2, ::2]
    gradient = np.stack(np.gradient(ventricles))
    strength_mm = np.clip(0.06 * (age - 45) + rng.normal(0, 0.8), -2.0, 4.0)
    warp[:, *map(slice, ventricles.shape)] += strength_mm * gradient / np.abs(gradient).max()

    axes = [o + WARP_SPACING_MM * np.arange(n) for o, n in zip(phantom.ORIGIN_MM, shape)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"))
    for lesion in found:
        if lesion.push_mm:
            away = grid - lesion.centre_mm[:, None, None, None]
            distance = np.sqrt((away**2).sum(axis=0)) + 1e-3
            reach = 1.8 * lesion.radii_mm.mean()
            strength = (
                lesion.push_mm * (distance / reach) * np.exp(0.5 - 0.5 * (distance / reach) ** 2)
            )
            warp -= (away / distance * strength).astype(np.float32)
    return warp


def _phantom_coordinates(grid, warp, world_from_mni):
    """Phantom voxel coordinates (3, *shape), float32, of every voxel of a grid."""
    to_phantom = np.linalg.inv(world_from_mni) @ grid.affine
    to_phantom[:3, 3] -= phantom.ORIGIN_MM
    axes = [np.arange(n, dtype=np.float32) for n in grid.shape]
    i, j, k = np.meshgrid(*axes, indexing="ij", sparse=True)
    coordinates = np.empty((3, *grid.shape), np.float32)
    for row in range(3):
        a, b, c, d = to_phantom[row].astype(np.float32)
        coordinates[row] = a * i + (b * j + (c * k + d))
    if warp is not None:
        at = coordinates / np.float32(WARP_SPACING_MM)
        for row in range(3):
            coordinates[row] += ndimage.map_coordinates(warp[row], at, order=1, mode="nearest")
    return coordinates


def _acquire(image, native, rng):
    """Bias field, Rician noise and scaling to stored units."""
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in native.shape]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    c = rng.uniform(-1, 1, 9).astype(np.float32)
    field = (c[0] * x + c[1] * x * x) + (c[2] * y + c[3] * y * y) + (c[4] * z + c[5] * z * z)
    field = field + (c[6] * x * y + c[7] * y * z) + c[8] * x * z
    field *= native.bias / np.abs(field).max()
    image *= np.exp(field, dtype=float)
    noise = rng.standard_normal((2, *native.shape), dtype=np.float32) * np.float32(native.noise)
    image += noise[0]
    np.sqrt(image * image + noise[1] * noise[1], out=image)
    step = 1 if np.issubdtype(native.dtype, np.integer) else FLOAT_STEP
    image *= native.unit / step
    np.rint(image, out=image)
    image *= step
    return image


def _nifti(array, affine):
    """A NIfTI image that declares millimetres and scanner coordinates."""
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    return image
