"""Reading, orientation, checks and writing of NIfTI volumes."""

import gzip

import nibabel as nib
import numpy as np
import pytest

import phantoms
from uad.base import files
from uad.base.arrays import bounding_box
from uad.base.errors import InputError
from uad.imaging import volumes


@pytest.mark.parametrize("codes", ["LPS", "RAS", "PSR", "SLA"])
def test_reading_turns_any_orientation_to_lps(tmp_path, rng, codes):
    lps = rng.random((4, 5, 6)).astype(np.float32)
    affine = np.array([[-2.0, 0, 0, 10], [0, -3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])
    change = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("LPS"), nib.orientations.axcodes2ornt(codes)
    )
    turned = nib.orientations.apply_orientation(lps, change)
    turned_affine = affine @ nib.orientations.inv_ornt_aff(change, lps.shape)
    path = phantoms.save(turned, tmp_path / "image.nii.gz", turned_affine)
    volume = volumes.read(path)
    np.testing.assert_array_equal(volume.array, lps)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-5)
    np.testing.assert_allclose(volume.spacing_mm, [2, 3, 4])
    assert volume.voxel_ml == pytest.approx(0.024)


def test_scaling_in_the_header_is_applied(tmp_path):
    image = nib.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.diag([-1, -1, 1, 1]))
    image.header.set_slope_inter(0.5, 10)
    nib.save(image, tmp_path / "image.nii")
    assert volumes.read(tmp_path / "image.nii").array.max() == pytest.approx(13.5)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.nii: no such file"):
        volumes.read(tmp_path / "nowhere.nii")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_truncated_file(tmp_path, rng, suffix):
    path = phantoms.save(rng.random((20, 20, 20)), tmp_path / f"cut{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"cut\.nii.*damaged or incomplete"):
        volumes.read(path)


def test_not_a_nifti_file(tmp_path):
    path = tmp_path / "text.nii.gz"
    path.write_bytes(gzip.compress(b"hello"))
    with pytest.raises(InputError, match="text.nii.gz: cannot be read as NIfTI"):
        volumes.read(path)


def test_four_dimensions(tmp_path, rng):
    path = phantoms.save(rng.random((4, 4, 4, 3)), tmp_path / "series.nii")
    with pytest.raises(InputError, match="series.nii: expected one 3-D volume, found 4 dimensions"):
        volumes.read(path)


def test_a_trailing_singleton_axis_is_dropped(tmp_path, rng):
    path = phantoms.save(rng.random((4, 5, 6, 1)), tmp_path / "single.nii")
    assert sorted(volumes.read(path).array.shape) == [4, 5, 6]


def test_single_slice(tmp_path, rng):
    path = phantoms.save(rng.random((4, 4, 1)), tmp_path / "slice.nii")
    with pytest.raises(InputError, match="slice.nii.*single slice"):
        volumes.read(path)


def test_not_a_number(tmp_path, rng):
    array = rng.random((3, 3, 3))
    array[1, 1, 1] = np.nan
    path = phantoms.save(array, tmp_path / "nan.nii")
    with pytest.raises(InputError, match="nan.nii: contains NaN"):
        volumes.read(path)


def test_other_grid():
    first = volumes.Volume(np.zeros((3, 3, 3)), np.eye(4), "image.nii")
    other_shape = volumes.Volume(np.zeros((3, 3, 4)), np.eye(4), "mask.nii")
    moved = volumes.Volume(np.zeros((3, 3, 3)), np.diag([1, 1, 1.1, 1]), "moved.nii")
    volumes.check_same_grid(first, first.like(np.ones((3, 3, 3))))
    with pytest.raises(InputError, match=r"mask.nii: shape .* image.nii"):
        volumes.check_same_grid(first, other_shape)
    with pytest.raises(InputError, match=r"moved.nii: its affine differs .* image.nii"):
        volumes.check_same_grid(first, moved)


def test_empty_mask():
    with pytest.raises(InputError, match="mask.nii: the brain mask is empty"):
        volumes.check_not_empty(volumes.Volume(np.zeros((2, 2, 2)), np.eye(4), "mask.nii"))


def test_written_volume_reads_back(tmp_path, rng):
    volume = volumes.Volume(rng.random((3, 4, 5)) > 0.5, np.diag([-2.0, -2, 2, 1]))
    volumes.write(volume, tmp_path / "new/mask.nii.gz")
    again = volumes.read(tmp_path / "new/mask.nii.gz", np.uint8)
    np.testing.assert_array_equal(again.array, volume.array)
    np.testing.assert_allclose(again.affine, volume.affine)


def test_cutting_moves_the_affine(rng):
    mask = np.zeros((6, 7, 8), bool)
    mask[2:4, 3:7, 1:2] = True
    volume = volumes.Volume(rng.random(mask.shape), np.diag([-2.0, -3, 4, 1]))
    part = volumes.cut(volume, bounding_box(mask))
    assert part.array.shape == (2, 4, 1)
    np.testing.assert_allclose(part.affine[:3, 3], [-4, -9, 4])


def test_failed_writing_leaves_nothing(tmp_path):
    target = tmp_path / "result.txt"
    target.write_text("before")
    with pytest.raises(RuntimeError), files.replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]
