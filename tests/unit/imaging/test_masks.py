"""Masks: what is read as a label, and what is refused with which numbers."""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

import phantoms
from uad.base.errors import InputError
from uad.imaging import masks, volumes
from uad.imaging.volumes import Volume

AFFINE = np.diag([-5.0, -5, 5, 1])  # 0.125 ml per voxel
GRID = (20, 20, 20)
LESION = (slice(5, 9),) * 3  # 64 voxels
OTHER = (slice(12, 14),) * 3


def labels():
    """64 voxels of label 1 and 8 of label 2."""
    found = np.zeros(GRID)
    found[LESION], found[OTHER] = 1, 2
    return found


def saved(path, array, dtype=None):
    """As nibabel saves floats with the header of the mask that they were read from: scaled."""
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype or np.float32)
    nib.save(nib.Nifti1Image(array, AFFINE, header), path)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
def test_labels_saved_again_as_floats_are_the_labels(tmp_path, dtype):
    path = saved(tmp_path / "wmh.nii.gz", labels(), dtype)
    found = volumes.read_mask(path, (1,))
    assert found.array.sum() == 64 and found.array.dtype == np.uint8
    assert volumes.read_mask(path).array.sum() == 72


@pytest.mark.parametrize("value", [0.9999, 0.996, 1.000015, 1])
def test_nearly_a_label_is_the_label(tmp_path, value):
    path = saved(tmp_path / "wmh.nii.gz", value * (labels() == 1))
    assert volumes.read_mask(path, (1,)).array.sum() == 64


@pytest.mark.parametrize("value", [1, 255, 4])
def test_a_mask_with_one_value_counts_where_no_label_is_asked_for(tmp_path, value):
    path = saved(tmp_path / "gt.nii.gz", value * (labels() == 1), "uint8")
    assert volumes.read_mask(path).array.sum() == 64


def shifted(order):
    return ndimage.shift((labels() == 1).astype(np.float32), (0.4, 0.3, 0.2), order=order)


REFUSED = {
    "255": (255 * (labels() == 1), "holds the labels 255, but lesions of this data set are 1"),
    "linear": (shifted(1), r"voxels hold no whole number \(such as .*interpolated"),
    "cubic": (shifted(3), "voxels hold no whole number"),
    "negative": (-labels(), r"holds negative labels \(-2, -1\)"),
    "image": (np.arange(8000.0).reshape(GRID), "holds 7999 values other than zero, from 1 to 7999"),
    "scaled image": (np.arange(8000.0).reshape(GRID) / 7999, "hold no whole number"),
    "NaN": (np.where(labels() == 1, np.nan, 0), "contains NaN"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_name_and_numbers(tmp_path, name):
    array, sentence = REFUSED[name]
    path = saved(tmp_path / "wmh.nii.gz", array)
    with pytest.raises(InputError, match=sentence) as error:
        volumes.read_mask(path, (1,))
    assert str(error.value).startswith(f"{path}: ")


def test_an_empty_mask_is_a_mask(tmp_path):
    path = saved(tmp_path / "wmh.nii.gz", np.zeros(GRID))
    assert not volumes.read_mask(path, (1,)).array.any()


def test_fractions_count_only_where_they_are_expected(tmp_path):
    path = saved(tmp_path / "seg.nii.gz", 0.4 * (labels() == 1))
    assert volumes.read_soft_mask(path).array.sum() == 64
    with pytest.raises(InputError, match=r"seg\.nii\.gz: holds negative values, down to -0\.4"):
        volumes.read_soft_mask(saved(path, -0.4 * (labels() == 1)))


def test_inverted_masks_and_scans_as_masks_are_too_large_or_no_labels(tmp_path, rng):
    image, _, lesion = phantoms.head(rng)
    scan = phantoms.save(image, tmp_path / "t1.nii")
    mask = phantoms.save(lesion.astype(np.uint8), tmp_path / "seg.nii")
    assert volumes.read_scan(scan, mask)[1].array.sum() == lesion.sum()
    phantoms.save((~lesion).astype(np.uint8), mask)
    with pytest.raises(InputError, match=r"seg\.nii: marks 1\d{4} ml, 100% of the image.*inverted"):
        volumes.read_scan(scan, mask)
    with pytest.raises(InputError, match=r"t1\.nii: .*it is an interpolated mask, or an image"):
        volumes.read_scan(scan, scan)


def box(*sides, path="mask.nii"):
    mask = np.zeros(GRID, np.uint8)
    mask[tuple(slice(*side) for side in sides)] = 1
    return Volume(mask, AFFINE, path)


BRAIN = box((2, 12), (2, 12), (2, 12), path="brain.nii")  # 1000 voxels


@pytest.mark.parametrize(
    ("lesion", "sentence"),
    [
        (box((2, 4), (2, 4), (2, 4)), None),
        (box((10, 14), (4, 6), (4, 6)), None),  # half inside
        (box((2, 12), (2, 12), (2, 7)), None),  # half of the brain
        (BRAIN.empty_mask(), None),
        (box((11, 14), (4, 6), (4, 6)), r"33% of the lesion \(1\.50 ml\) is in the brain mask"),
        (box((14, 16), (14, 16), (14, 16)), "0% of the lesion"),
        (box((2, 12), (2, 12), (2, 8)), "the lesion has 60% of the brain mask"),
    ],
)
def test_a_lesion_is_a_part_of_the_brain(lesion, sentence):
    if sentence is None:
        masks.check_lesion(lesion, BRAIN)
    else:
        with pytest.raises(InputError, match=rf"mask\.nii: {sentence}"):
            masks.check_lesion(lesion, BRAIN)


@pytest.mark.parametrize(
    ("brain", "dice"),
    [
        (BRAIN, None),
        (box((2, 12), (2, 12), (4, 11)), None),  # 0.82
        (box((2, 12), (2, 12), (8, 12)), "0.57"),  # too small
        (box((0, 18), (0, 18), (0, 12)), "0.41"),  # too large
        (box((7, 17), (2, 12), (2, 12)), "0.50"),  # elsewhere
        (BRAIN.empty_mask(), "0.00"),
    ],
)
def test_a_brain_mask_is_like_the_atlas_brain(brain, dice):
    if dice is None:
        masks.check_brain(brain, BRAIN)
    else:
        sentence = rf"ml and a Dice of {dice} with the atlas brain of 125 ml; at least 0\.7"
        with pytest.raises(InputError, match=sentence):
            masks.check_brain(brain, BRAIN)
