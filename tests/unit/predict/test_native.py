"""From the atlas back onto a scan: the same anatomy in any orientation, grid and file."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine, from_matvec
from scipy.spatial.transform import Rotation

from uad.imaging import registration, volumes
from uad.imaging.volumes import Volume
from uad.predict import native, regions

CODES = [
    "".join(pair[i] for pair, i in zip(axes, signs))
    for axes in itertools.permutations((("L", "R"), ("P", "A"), ("S", "I")))
    for signs in itertools.product((0, 1), repeat=3)
]
# Atlas to scan: turned, shifted and stretched.
AFFINE = from_matvec(
    Rotation.from_euler("xyz", (8, -5, 12), degrees=True).as_matrix() @ np.diag([1.05, 0.97, 1.02]),
    (6, -4, 9),
)


def ball(volume, centre, radius=12):
    """A ball on a volume's grid, in its own millimetres."""
    voxels = np.moveaxis(np.indices(volume.array.shape), 0, -1)
    away = np.linalg.norm(apply_affine(volume.affine, voxels) - centre, axis=-1)
    return (away < radius).astype(np.float32)


@pytest.fixture
def in_atlas():
    """A ball in atlas space, on a grid of 2 mm in LPS order, and its centre."""
    affine = np.diag([-2.0, -2, 2, 1])
    affine[:3, 3] = 40, 44, -38
    grid = Volume(np.zeros((40, 44, 38), np.float32), affine)
    return grid.like(ball(grid, (5, -8, 3))), np.array([5, -8, 3])


def scan_file(folder, codes, spacing=(1.0, 1.0, 1.0), dtype=np.int16):
    """A scan of 90 mm a side with its axes along some directions; returns its path."""
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
    )
    shape = np.ceil(90 / np.array(spacing)).astype(int)
    plain = np.diag([*spacing, 1.0])
    plain[:3, 3] = -45
    image = nib.Nifti1Image(np.arange(np.prod(shape), dtype=dtype).reshape(shape), plain)
    image.set_sform(plain, 1)
    path = folder / f"{codes}.nii"
    nib.save(image.as_reoriented(turn), path)
    return path


@pytest.mark.parametrize("codes", CODES)
def test_every_orientation_marks_the_same_anatomy(tmp_path, in_atlas, codes):
    volume, centre = in_atlas
    path = scan_file(tmp_path, codes)
    scan = volumes.read(path)
    carried = native.resample(volume, scan, AFFINE, "linear")
    native.write(carried > 0.5, path, tmp_path / "mask.nii.gz")
    made, source = nib.load(tmp_path / "mask.nii.gz"), nib.load(path)
    assert made.shape == source.shape and made.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(made.affine, source.affine)
    assert nib.aff2axcodes(made.affine) == tuple(codes)
    mask = made.get_fdata() > 0
    # Where the ball is in the scan's millimetres, whatever the order of its axes.
    found = apply_affine(made.affine, np.argwhere(mask).mean(axis=0))
    np.testing.assert_allclose(found, apply_affine(AFFINE, centre), atol=0.2)
    expected = volume.array.sum() * 8 * np.linalg.det(AFFINE[:3, :3])
    assert mask.sum() == pytest.approx(expected, rel=0.03)
    # The file is that of the first orientation, turned.
    first = scan_file(tmp_path, CODES[0])
    native.write(
        native.resample(volume, volumes.read(first), AFFINE, "linear") > 0.5, first,
        tmp_path / "first.nii",
    )  # fmt: skip
    turned = nib.load(tmp_path / "first.nii").as_reoriented(
        nib.orientations.ornt_transform(
            nib.io_orientation(nib.load(first).affine), nib.io_orientation(source.affine)
        )
    )
    overlap = 2 * (mask & (turned.get_fdata() > 0)).sum() / (mask.sum() + turned.get_fdata().sum())
    assert overlap > 0.99


@pytest.mark.parametrize("spacing", [(0.7, 0.7, 0.7), (1, 1, 3), (2, 1, 1.2)])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_other_resolutions_mark_the_same_anatomy(tmp_path, in_atlas, spacing, dtype):
    volume, centre = in_atlas
    path = scan_file(tmp_path, "PSR", spacing, dtype)
    scan = volumes.read(path)
    mask = native.resample(volume, scan, AFFINE, "linear") > 0.5
    found = apply_affine(scan.affine, np.argwhere(mask).mean(axis=0))
    np.testing.assert_allclose(found, apply_affine(AFFINE, centre), atol=0.3)
    expected = volume.array.sum() * 8 / 1000 * np.linalg.det(AFFINE[:3, :3])
    assert mask.sum() * scan.voxel_ml == pytest.approx(expected, rel=0.05)


def test_header_codes_are_kept(tmp_path):
    path = tmp_path / "scan.nii.gz"
    image = nib.Nifti1Image(np.ones((5, 6, 7), np.float32), np.diag([2, 2, 2, 1]))
    image.set_sform(image.affine, 4)
    image.set_qform(image.affine, 0)
    nib.save(image, path)
    native.write(volumes.read(path).array, path, tmp_path / "map.nii.gz")
    header = nib.load(tmp_path / "map.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (4, 0)


def test_transform_is_read_as_it_was_written(tmp_path):
    registration.write_transform(AFFINE, tmp_path / "t.txt")
    np.testing.assert_allclose(registration.read_transform(tmp_path / "t.txt"), AFFINE, atol=1e-12)


def test_regions_are_listed_largest_first():
    affine = np.diag([-2.0, -1, 1, 1])
    affine[:3, 3] = 10, 20, 30
    mask = np.zeros((12, 12, 12), bool)
    mask[2:4, 2:5, 2:4] = True  # 12 voxels of 2 mm³
    mask[8, 8, 8] = mask[9, 9, 9] = True  # touch at a corner
    score = np.where(mask, 0.5, 0.1).astype(np.float32)
    score[3, 4, 2] = 0.9
    spread = np.full(mask.shape, 0.25, np.float32)
    found, n = regions.measure(mask, score, spread, affine)
    assert n == len(found) == 2
    first, second = found
    assert first["volume_ml"] == pytest.approx(0.024) and second["volume_ml"] == pytest.approx(
        0.004
    )
    assert (first["i"], first["j"], first["k"]) == (3, 4, 2) and first["peak"] == np.float32(0.9)
    assert first["peak_sd"] == 0.25
    centre = [first[f"{axis}_mm"] for axis in "xyz"]
    np.testing.assert_allclose(centre, apply_affine(affine, (2.5, 3, 2.5)))
    assert regions.measure(~mask & mask, score, spread, affine) == ([], 0)
