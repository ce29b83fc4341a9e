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


def saved(array, path, affine=phantoms.AFFINE, sform=1, qform=1):
    """A file with given codes of orientation, whatever its affine."""
    image = nib.Nifti1Image(array, None)
    image.header.set_zooms(
        (*np.maximum(np.sqrt((affine[:3, :3] ** 2).sum(axis=0)), 1e-9), 1)[: array.ndim]
    )
    image.header.set_sform(affine, sform)
    if qform:
        image.header.set_qform(affine, qform)
    nib.save(image, path)
    return path


def colours(array):
    found = np.zeros(array.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for channel in "RGB":
        found[channel] = array > 0
    return found


def affine(**changes):
    """The phantoms' affine with entries changed, such as `x01=0.02`."""
    found = phantoms.AFFINE.copy()
    for place, value in changes.items():
        found[int(place[1]), int(place[2])] = value
    return found


def scaled(factor):
    return np.diag([factor] * 3 + [1]) @ phantoms.AFFINE


def twice(array):
    return np.stack([array, array], axis=3)


def blank(array):
    return np.zeros_like(array)


def with_infinity(array):
    return np.where(array == array.max(), np.inf, array)


ODD = {
    "NaN": (lambda a: np.where(a == 0, np.nan, a), {}, "contains NaN or infinite values"),
    "infinity": (with_infinity, {}, "contains NaN or infinite values"),
    "beyond single precision": (lambda a: a.astype(float) * 1e300, {}, "contains NaN or infinite"),
    "colour": (colours, {}, r"holds colour \(RGB\) values, expected one real number per voxel"),
    "complex": (lambda a: a + 1j * a, {}, "holds complex values, expected one real number"),
    "blank": (blank, {}, "every voxel is 0, the image is blank"),
    "constant": (lambda a: blank(a) + 7, {}, "every voxel is 7, the image is blank"),
    "several volumes": (twice, {}, "expected one 3-D volume, found 4 dimensions"),
    "single slice": (lambda a: a[:, :, :1], {}, "expected a 3-D volume, found a single slice"),
    "singular": (None, {"affine": affine(x00=0), "qform": 0}, "in the header is singular"),
    "two equal axes": (None, {"affine": affine(x00=0, x10=-4), "qform": 0}, "header is singular"),
    "sheared": (None, {"affine": affine(x01=0.02)}, "the affine in the header is sheared"),
    "metres": (None, {"affine": scaled(0.001)}, r"is 0\.224 x 0\.256 x 0\.192 mm large"),
    "micrometres": (None, {"affine": scaled(1000)}, "are its voxel sizes in mm"),
    "no codes": (None, {"sform": 0, "qform": 0}, "does not say which side is left"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_scan_that_cannot_be_used_is_refused_by_name(tmp_path, rng, name):
    change, header, sentence = ODD[name]
    image = phantoms.head(rng)[0]
    path = saved(change(image) if change else image, tmp_path / "scan.nii.gz", **header)
    with pytest.raises(InputError, match=sentence) as error:
        volumes.read_scan(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_a_scan_of_any_real_type_is_read(tmp_path, rng, dtype):
    image = np.clip(phantoms.head(rng)[0], 0, 255).astype(dtype)
    found, lesion = volumes.read_scan(saved(image, tmp_path / "scan.nii.gz"))
    np.testing.assert_array_equal(found.array, image.astype(np.float32))
    assert found.array.dtype == np.float32 and not lesion.array.any()


def test_a_compressed_file_under_a_plain_name(tmp_path, rng):
    path = phantoms.save(rng.random((4, 4, 4)), tmp_path / "scan.nii.gz")
    path = path.rename(tmp_path / "scan.nii")
    with pytest.raises(InputError, match=r"scan\.nii: is compressed .* does not end in \.gz"):
        volumes.read(path)


def test_a_header_that_asks_for_more_than_a_file_can_hold(tmp_path, rng):
    path = phantoms.save(rng.random((4, 4, 4)), tmp_path / "scan.nii")
    content = bytearray(path.read_bytes())
    content[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()  # dim[1:4]
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"the header says 2\d+ bytes, but the file has only 864"):
        volumes.read(path)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PSR"])
def test_without_codes_the_orientation_is_the_user_s(tmp_path, rng, codes):
    lps = rng.random((4, 5, 6)).astype(np.float32)
    change = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("LPS"), nib.orientations.axcodes2ornt(codes)
    )
    turned = nib.orientations.apply_orientation(lps, change)
    zooms = np.array([2.0, 3, 4])[np.argsort(change[:, 0])]  # of the axes as stored
    path = saved(turned, tmp_path / "scan.nii", np.diag([*zooms, 1]), sform=0, qform=0)
    found = volumes.read(path, assume_orientation=codes)
    np.testing.assert_array_equal(found.array, lps)
    np.testing.assert_allclose(found.spacing_mm, [2, 3, 4])
    centre = found.affine @ [1.5, 2, 2.5, 1]
    np.testing.assert_allclose(centre[:3], 0, atol=1e-6)


def test_what_the_header_says_counts_more_than_what_is_assumed(tmp_path, rng):
    path = saved(rng.random((4, 5, 6)), tmp_path / "scan.nii", qform=0)
    said, assumed = volumes.read(path), volumes.read(path, assume_orientation="RAS")
    np.testing.assert_array_equal(said.array, assumed.array)
    np.testing.assert_array_equal(said.affine, assumed.affine)


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
