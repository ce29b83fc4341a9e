"""Anomaly maps made elsewhere: found, checked, brought to the packed grid."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from phantoms import head
from uad.base.errors import InputError
from uad.data import external
from uad.data.external import Found, maps
from uad.imaging import downsample, registration, volumes
from uad.imaging.settings import Downsampling, Smoothing
from uad.imaging.volumes import Volume

SHAPE = (5, 8, 6)  # (Z, X, Y)
SPLIT = pd.DataFrame(
    [("A", 0, "train"), ("B", 0, "val"), ("C", 0, "test"), ("A", 1, "test")],
    columns=["subject", "fold", "role"],
)


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


# Files.


def test_maps_are_found_by_their_names(tmp_path):
    for name in ("ixi/B.nii.gz", "ixi/C.NPY", "brats21/X.nii", "ixi/.C.npy", "ixi/list.txt"):
        touch(tmp_path / name)
    found = external.find(tmp_path, 0, ["ixi", "brats21"])
    assert [(one.dataset, one.subject) for one in found] == [
        ("ixi", "B"), ("ixi", "C"), ("brats21", "X"),
    ]  # fmt: skip
    assert len(external.find(tmp_path, 0, ["ixi"])) == 2


def test_a_folder_per_fold(tmp_path):
    touch(tmp_path / "fold-1/ixi/B.npy")
    assert external.find(tmp_path, 1, ["ixi"])[0].path.parts[-3] == "fold-1"
    with pytest.raises(InputError, match="fold-0: no such folder, although other folds"):
        external.find(tmp_path, 0, ["ixi"])


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        external.find(tmp_path / "none", 0, ["ixi"])
    touch(tmp_path / "other/B.npy")
    with pytest.raises(InputError, match="holds no map.*data sets are ixi"):
        external.find(tmp_path, 0, ["ixi"])


def test_of_nnunets_two_files_the_probabilities_are_the_map(tmp_path):
    for name in ("B.nii.gz", "B.npz", "B.pkl", "C.nii.gz", "dataset.json", "plans.json"):
        touch(tmp_path / "ixi" / name)
    assert [one.path.name for one in external.find(tmp_path, 0, ["ixi"])] == ["B.npz", "C.nii.gz"]


def of(*subjects):
    return [Found("ixi", name, f"{name}.npy") for name in subjects]


def test_maps_come_in_the_order_of_the_subjects():
    paths, remarks = maps.in_order(of("C", "B"), "ixi", SPLIT, 0, False)
    assert paths == ["B.npy", "C.npy"] and remarks == []


def test_missing_and_doubled_maps_end_it():
    with pytest.raises(InputError, match="fold 0: 1 of 2 subjects have no map: B"):
        maps.in_order(of("C"), "ixi", SPLIT, 0, False)
    with pytest.raises(InputError, match="C has 2 maps: C.npy, C.npy; keep one"):
        maps.in_order(of("B", "C", "C"), "ixi", SPLIT, 0, False)


def test_maps_of_training_and_unknown_subjects_are_remarked_on():
    _, remarks = maps.in_order(of("A", "B", "C", "Z"), "ixi", SPLIT, 0, False)
    assert remarks == [
        "1 map(s) of training subjects are not used: A",
        "1 map(s) of unknown subjects are not used: Z",
    ]
    paths, remarks = maps.in_order(of("A", "B", "C"), "ixi", SPLIT, 0, True)
    assert paths == ["B.npy", "C.npy", "A.npy"] and remarks == []


# The packed grid.


@pytest.fixture
def grid():
    return maps.packed_grid(SHAPE, 3.0)


def test_npy_and_nifti_hold_the_same(tmp_path, rng, grid):
    array = rng.random(SHAPE, dtype=np.float32)
    np.save(tmp_path / "a.npy", array)
    volumes.write(grid.like(array.transpose(1, 2, 0)), tmp_path / "a.nii.gz")
    for name in ("a.npy", "a.nii.gz"):
        np.testing.assert_array_equal(maps.read_packed(tmp_path / name, grid), array)
    # Stored with other axes, the header says so.
    turned = nib.as_closest_canonical(nib.load(tmp_path / "a.nii.gz"))
    nib.save(turned, tmp_path / "turned.nii")
    np.testing.assert_array_equal(maps.read_packed(tmp_path / "turned.nii", grid), array)


def test_other_grids_are_refused(tmp_path, grid):
    np.save(tmp_path / "a.npy", np.zeros((8, 6, 5)))
    with pytest.raises(InputError, match=r"has the shape \(8, 6, 5\), expected \(Z, X, Y\)"):
        maps.read_packed(tmp_path / "a.npy", grid)
    (tmp_path / "b.npy").write_bytes(b"no")
    with pytest.raises(InputError, match="cannot be read as a NumPy array"):
        maps.read_packed(tmp_path / "b.npy", grid)
    small = Volume(np.zeros((8, 6, 4), np.float32), grid.affine)
    volumes.write(small, tmp_path / "small.nii")
    with pytest.raises(InputError, match="its grid must be that of the exported images"):
        maps.read_packed(tmp_path / "small.nii", grid)
    # The array of the exported image with a header of one's own: who knows how it lies.
    for affine in (np.eye(4), np.diag([3.0, 3.0, 3.0, 1])):
        nib.save(nib.Nifti1Image(np.ones((8, 6, 5), np.float32), affine), tmp_path / "own.nii")
        with pytest.raises(InputError, match="may be flipped or shifted"):
            maps.read_packed(tmp_path / "own.nii", grid)


def test_nnunets_probabilities_lie_as_its_image(tmp_path, rng, grid):
    """nnU-Net reads with SimpleITK, whose arrays are (Z, Y, X) of what is in the file."""
    array = rng.random(SHAPE, dtype=np.float32)
    volumes.write(grid.like(array.transpose(1, 2, 0)), tmp_path / "image.nii.gz")
    seen = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "image.nii.gz")))
    np.savez_compressed(tmp_path / "a.npz", probabilities=np.stack([1 - seen, seen]))
    np.testing.assert_array_equal(maps.read_packed(tmp_path / "a.npz", grid), array)
    # Several labels: whatever is no background.
    parts = np.stack([1 - seen, seen / 4, seen * 3 / 4]).astype(np.float16)
    np.savez_compressed(tmp_path / "b.npz", probabilities=parts)
    found = maps.read_packed(tmp_path / "b.npz", grid)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, array, atol=2e-3)


def test_other_archives_are_refused(tmp_path, grid):
    np.savez(tmp_path / "a.npz", softmax=np.zeros((2, 5, 6, 8)))
    with pytest.raises(InputError, match="holds no array `probabilities`"):
        maps.read_packed(tmp_path / "a.npz", grid)
    (tmp_path / "b.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="holds no array `probabilities`"):
        maps.read_packed(tmp_path / "b.npz", grid)
    for shape in ((2, *SHAPE), (1, 5, 6, 8), (5, 6, 8)):
        np.savez(tmp_path / "c.npz", probabilities=np.zeros(shape))
        with pytest.raises(InputError, match=r"expected \(labels, Z, Y, X\) = \(2, 5, 6, 8\)"):
            maps.read_packed(tmp_path / "c.npz", grid)


# Other grids.

SETTINGS = Downsampling(
    smoothing=Smoothing(0.125, 0), crop=[64, 64, 48], percentiles=[0, 100], spacing_mm=2
)


@pytest.fixture
def scan(tmp_path, rng):
    """A brain mask on an atlas grid of 1 mm, a native scan that is turned, and the way between."""
    _, brain, _ = head(rng, (72, 80, 64), skull=False)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    mask = Volume(brain.astype(np.uint8), affine)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    turn[:3, 3] = [3, -2, 1]
    native = registration.resample(mask, Volume(np.zeros((80, 90, 70)), affine), turn, "nearest")
    to_native = np.linalg.inv(turn)  # atlas to native millimetres
    files = maps.Preprocessed(tmp_path / "mask.nii", tmp_path / "way.txt", tmp_path / "native.nii")
    volumes.write(mask, files.brain)
    volumes.write(native, files.native)
    registration.write_transform(to_native, files.transform)
    np.testing.assert_allclose(registration.read_transform(files.transform), to_native, atol=1e-12)
    return mask, native, files


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_a_map_of_the_brain_lies_on_the_packed_brain(scan, tmp_path):
    mask, native, files = scan
    _, packed, _ = downsample.downsample(
        mask.like(mask.array * np.linspace(1, 2, 64, dtype=np.float32)), mask, mask, SETTINGS
    )
    expected = packed.array.transpose(2, 0, 1) > 0
    volumes.write(mask.like(mask.array.astype(np.float32)), tmp_path / "map.nii.gz")
    at_atlas = maps.read_resampled(tmp_path / "map.nii.gz", files._replace(native=None), SETTINGS)
    assert at_atlas.shape == expected.shape and at_atlas.dtype == np.float32
    np.testing.assert_allclose(downsample.grid(mask, SETTINGS).affine, packed.affine)
    # Not the same: masks are downsampled by nearest neighbours, maps linearly.
    assert dice(at_atlas > 0.5, expected) > 0.95
    volumes.write(native.like(native.array.astype(np.float32)), tmp_path / "own.nii.gz")
    from_native = maps.read_resampled(tmp_path / "own.nii.gz", files, SETTINGS)
    assert dice(from_native > 0.5, expected) > 0.95


def test_a_map_in_another_space_than_said_is_refused(scan, tmp_path):
    mask, native, files = scan
    volumes.write(native, tmp_path / "own.nii.gz")
    with pytest.raises(InputError, match="its grid must be that of .*mask.nii"):
        maps.read_resampled(tmp_path / "own.nii.gz", files._replace(native=None), SETTINGS)
    volumes.write(mask, tmp_path / "map.nii.gz")
    with pytest.raises(InputError, match="its grid must be that of .*native.nii"):
        maps.read_resampled(tmp_path / "map.nii.gz", files, SETTINGS)
    np.save(tmp_path / "map.npy", mask.array)
    for name in ("map.npy", "map.npz"):
        with pytest.raises(InputError, match="must be NIfTI"):
            maps.read_resampled(tmp_path / name, files, SETTINGS)


# Values.


def bring(folder, arrays):
    subjects = [f"S{i}" for i in range(len(arrays))]
    paths = [folder / f"{name}.npy" for name in subjects]
    given = dict(zip(subjects, arrays))
    output = folder / "maps.npy"
    said = maps.import_maps(
        output, paths, subjects, lambda name, _: given[name], arrays[0].shape, "x"
    )
    return np.load(output), said


def test_maps_are_stored_in_order(tmp_path, rng):
    arrays = rng.random((3, *SHAPE), dtype=np.float32)
    found, said = bring(tmp_path, arrays)
    np.testing.assert_array_equal(found, arrays)
    assert said == [] and found.dtype == np.float32


def test_maps_of_one_value_are_named_and_a_set_of_them_is_refused(tmp_path, rng):
    arrays = rng.random((3, *SHAPE), dtype=np.float32)
    arrays[0], arrays[1] = 0, 2
    assert bring(tmp_path, arrays)[1] == [
        "1 of 3 maps have one value only: S1",
        "1 of 3 maps are zero everywhere: S0",
    ]
    with pytest.raises(InputError, match="every map has one value only, and not zero"):
        bring(tmp_path, np.ones((2, *SHAPE), np.float32))
    assert not (tmp_path / "maps.npy").exists()
    # Right of a healthy data set: nothing is found.
    nothing, said = bring(tmp_path, np.zeros((2, *SHAPE), np.float32))
    assert not nothing.any() and said == ["2 of 2 maps are zero everywhere: S0, S1"]


def test_values_that_are_not_finite_are_named(tmp_path, rng):
    arrays = rng.random((2, *SHAPE), dtype=np.float32)
    arrays[1, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="S1.npy: contains NaN"):
        bring(tmp_path, arrays)
