"""Brain masks, bias correction, down-sampling: known truths and library oracles."""

import dataclasses
import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from conftest import ROOT
from scipy import ndimage

import phantoms
from uad.base.errors import InputError
from uad.imaging import brain_masks, downsample, intensity, volumes
from uad.imaging.settings import Downsampling, Smoothing
from uad.imaging.volumes import Volume


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_atlas_mask_is_fitted_to_the_head(rng):
    shape = (90, 104, 80)
    image, brain, _ = phantoms.head(rng, shape)
    size = np.array(shape) * 0.36
    atlas_mask = phantoms.ellipsoid(shape, np.array(shape) / 2 + [1.5, -1, 1], 1.03 * size)
    found = brain_masks.from_atlas(image, atlas_mask)
    assert dice(found, brain) > 0.96
    assert dice(found, brain) > dice(atlas_mask, brain)
    assert ndimage.label(found)[1] == 1


def test_masks_of_stripped_images(rng):
    image, brain, _ = phantoms.head(rng, skull=False)
    assert dice(brain_masks.from_threshold(image), brain) > 0.95


def test_masks_of_an_empty_image_are_empty():
    empty = np.zeros((20, 20, 20), np.float32)
    assert not brain_masks.from_threshold(empty).any()


def test_bias_correction_flattens_white_matter(rng):
    shape = (64, 72, 56)
    image, brain, _ = phantoms.head(rng, shape, lesion_radius=0.1, skull=False)
    x = np.linspace(-1, 1, shape[0])[:, None, None]
    y = np.linspace(-1, 1, shape[1])[None, :, None]
    biased = (image * np.exp(0.4 * x - 0.3 * y * y)).astype(np.float32)
    affine = np.diag([-3.0, -3, 3, 1])
    corrected, (low, high) = intensity.correct_bias(
        Volume(biased, affine), Volume(brain, affine), 2, [50, 50, 50], 5e-4
    )
    white = (image > 900) & brain

    def spread(array):
        return array[white].std() / array[white].mean()

    assert spread(corrected) < 0.4 * spread(biased)
    assert (corrected[~brain] == 0).all()
    assert high / low > 1.3


class N4:
    """Stands in for SimpleITK's filter: a field of given logarithms, or an error."""

    def __init__(self, log_field):
        self.log_field = log_field

    def __getattr__(self, name):
        return lambda *_: None

    def GetLogBiasFieldAsImage(self, image):  # noqa: N802
        if isinstance(self.log_field, str):
            raise RuntimeError(self.log_field)
        array = np.full(image.GetSize()[::-1], self.log_field[0], np.float32)
        array[: len(array) // 2] = self.log_field[1]
        return sitk.GetImageFromArray(array)


BAD_FIELDS = {
    (0, 3): r"head\.nii: N4 diverged, its field goes from 1 to 20\.1 in the brain",
    (0, 1000): "head.nii: N4 diverged",
    (0, np.nan): "head.nii: N4 diverged",
    (-np.inf, 0): "head.nii: N4 diverged",
    "in BSpline\nITK ERROR: no points": r"cannot correct this image \(ITK ERROR: no points\)",
}


@pytest.mark.parametrize("field", BAD_FIELDS)
def test_bias_field_that_diverges(rng, monkeypatch, field):
    image, brain, _ = phantoms.head(rng)
    monkeypatch.setattr(intensity.sitk, "N4BiasFieldCorrectionImageFilter", lambda: N4(field))
    volumes = Volume(image, np.diag([-4.0, -4, 4, 1]), "head.nii"), Volume(brain, np.eye(4))
    with pytest.raises(InputError, match=BAD_FIELDS[field]):
        intensity.correct_bias(*volumes, 2, [5], 5e-4)


def test_bias_correction_without_memory_is_no_fault_of_the_image(rng, monkeypatch):
    image, brain, _ = phantoms.head(rng)
    lack = N4("Failed to allocate memory for image.")
    monkeypatch.setattr(intensity.sitk, "N4BiasFieldCorrectionImageFilter", lambda: lack)
    with pytest.raises(RuntimeError, match="allocate"):
        intensity.correct_bias(Volume(image, np.eye(4)), Volume(brain, np.eye(4)), 2, [5], 5e-4)


def test_bias_correction_of_a_blank_brain(rng):
    _, brain, _ = phantoms.head(rng)
    image = Volume(np.zeros(brain.shape, np.float32), np.eye(4), "head.nii")
    with pytest.raises(
        InputError, match=r"head\.nii: the image is the same everywhere in the brain"
    ):
        intensity.correct_bias(image, Volume(brain, np.eye(4)), 2, [5], 5e-4)


def test_curvature_flow_smooths_and_can_be_switched_off(rng):
    image, brain, _ = phantoms.head(rng)
    volume = Volume(image, np.diag([-1.0, -1, 1, 1]))
    smooth = intensity.smooth(volume, time_step=0.125, iterations=3)
    assert smooth.dtype == np.float32
    white = ndimage.binary_erosion((image > 900) & (image < 1100) & brain, iterations=2)
    assert smooth[white].std() < 0.8 * image[white].std()
    assert intensity.smooth(volume, time_step=0.125, iterations=0) is image


SETTINGS = Downsampling(Smoothing(0.125, 0), [32, 36, 20], [1, 99], 2)


@pytest.fixture
def one_mm(rng):
    """A stripped head with a lesion on a 1 mm grid that is smaller and larger than the crop."""
    image, brain, lesion = phantoms.head(rng, (44, 40, 36), skull=False)
    affine = np.array([[-1.0, 0, 0, 7], [0, -1, 0, 11], [0, 0, 1, -5], [0, 0, 0, 1]])
    return tuple(
        Volume(a.astype(d), affine) for a, d in ((image, "f4"), (brain, "u1"), (lesion, "u1"))
    )


def test_downsampled_shapes_types_and_range(one_mm):
    image, brain, lesion = downsample.downsample(*one_mm, SETTINGS)
    for volume in (image, brain, lesion):
        assert volume.array.shape == (16, 18, 10)
        np.testing.assert_allclose(volume.spacing_mm, 2)
    assert image.array.dtype == np.float32
    assert brain.array.dtype == lesion.array.dtype == np.uint8
    assert set(np.unique(brain.array)) <= {0, 1}
    # Scaled to [0, 1]; the spline overshoots a little, and that is kept.
    assert -0.3 < image.array.min() < 0.05
    assert 0.9 < image.array.max() < 1.3


@pytest.mark.parametrize("crop", [[32, 36, 20], [31, 50, 21]])
@pytest.mark.parametrize("spacing_mm", [2, 3])
def test_downsampling_follows_the_reference_step_by_step(one_mm, crop, spacing_mm):
    box = tuple(slice(i.min(), i.max() + 1) for i in np.nonzero(one_mm[1].array))

    def crop_or_pad(array):
        """Centre crop or pad; of an odd difference the larger half at the low end."""
        for axis, n in enumerate(crop):
            change = n - array.shape[axis]
            if change < 0:
                low = -(change // 2)
                array = np.take(array, range(low, low + n), axis)
            else:
                widths = [(0, 0)] * 3
                widths[axis] = (change - change // 2, change // 2)
                array = np.pad(array, widths)
        return array

    image, brain, lesion = (crop_or_pad(volume.array[box]) for volume in one_mm)
    low, high = np.percentile(image[brain > 0], (1, 99))
    scaled = np.clip(image, low, high)
    scaled = (scaled - scaled.min()) / (scaled.max() - scaled.min())
    # As many samples as fit, about the same centre; nearest takes the upper of two neighbours.
    at = []
    for n in crop:
        m = n // spacing_mm
        at.append((n - 1) / 2 + (np.arange(m) - (m - 1) / 2) * spacing_mm)
    grid = np.meshgrid(*at, indexing="ij")
    nearest = np.ix_(*(np.floor(positions + 0.5).astype(int) for positions in at))
    expected = ndimage.map_coordinates(scaled, grid, order=3, mode="mirror")
    settings = Downsampling(SETTINGS.smoothing, crop, [1, 99], spacing_mm)
    found_image, found_brain, found_lesion = downsample.downsample(*one_mm, settings)
    np.testing.assert_allclose(found_image.array, expected, atol=2e-4)
    np.testing.assert_array_equal(found_brain.array, brain[nearest])
    np.testing.assert_array_equal(found_lesion.array, lesion[nearest])
    assert found_brain.array.any() and found_lesion.array.any()


def test_an_image_of_one_intensity_is_an_error(one_mm):
    image, brain, lesion = one_mm
    flat = Volume(np.full_like(image.array, 7), image.affine, "flat.nii.gz")
    with pytest.raises(InputError, match=r"flat\.nii\.gz: inside the brain .* one intensity only"):
        downsample.downsample(flat, brain, lesion, SETTINGS)


def test_downsampling_keeps_positions(one_mm):
    _, _, lesion = downsample.downsample(*one_mm, SETTINGS)
    # The lesion's centre of mass stays where it was in the world.
    before = ndimage.center_of_mass(one_mm[2].array)
    after = ndimage.center_of_mass(lesion.array)
    where = nib.affines.apply_affine(one_mm[2].affine, before)
    np.testing.assert_allclose(nib.affines.apply_affine(lesion.affine, after), where, atol=1.2)


def test_torchio_and_torch_are_imported_by_the_job_alone():
    # The module is read wherever a checkout is planned or tested; TorchIO takes a second.
    code = "import sys, uad.imaging.downsample; print({'torch', 'torchio'} & set(sys.modules))"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stdout == "set()\n", done.stderr


# As in the released code.


def test_box_without_its_last_planes(one_mm):
    """Of a mask that is a block of 10 x 8 x 6, at the end of each axis one plane less is left."""
    image, brain, lesion = one_mm
    block = np.zeros_like(brain.array)
    block[5:15, 6:14, 7:13] = 1
    settings = Downsampling(SETTINGS.smoothing, [16, 16, 16], [1, 99], 1)
    kept = {}
    for box in ("whole", "released"):
        _, found, _ = downsample.downsample(
            image, brain.like(block), lesion, dataclasses.replace(settings, box=box)
        )
        kept[box] = [len(np.unique(where)) for where in np.nonzero(found.array)]
    assert kept == {"whole": [10, 8, 6], "released": [9, 7, 5]}


def test_prepared_data_are_not_cut_again(one_mm):
    """The crop is about the centre of the file, not of the mask, as in the authors' loader."""
    image, brain, lesion = one_mm
    off = np.zeros_like(brain.array)
    off[4:20, 5:21, 6:20] = brain.array[4:20, 5:21, 6:20]
    settings = Downsampling(SETTINGS.smoothing, [24, 24, 24], [1, 99], 1)
    middle = tuple(slice((n - 24) // 2 + (n - 24) % 2, None) for n in off.shape)
    expected = off[middle][:24, :24, :24]
    _, found, _ = downsample.downsample(image, brain.like(off), lesion, settings, prepared=True)
    np.testing.assert_array_equal(found.array, expected)
    again = dataclasses.replace(settings, cut_prepared=True)
    for changed, prepared in ((settings, False), (again, True)):
        _, cut, _ = downsample.downsample(image, brain.like(off), lesion, changed, prepared)
        assert not np.array_equal(cut.array, expected)


def test_fractional_masks_keep_their_parts(one_mm, tmp_path):
    image, brain, lesion = one_mm
    share = ndimage.uniform_filter(brain.array.astype(np.float32), 3)
    volumes.write(brain.like(share), tmp_path / "mask.nii.gz")
    read = volumes.read_fractions(tmp_path / "mask.nii.gz")
    assert read.array.dtype == np.uint8
    np.testing.assert_array_equal(read.array > 0, share > 0)
    assert abs(read.array / 255 - share).max() <= 1 / 255
    binary = read.like((read.array > 0).astype(np.uint8))
    found, plain = (downsample.downsample(image, m, lesion, SETTINGS) for m in (read, binary))
    np.testing.assert_array_equal(found[0].array, plain[0].array)
    np.testing.assert_array_equal(found[1].array > 0, plain[1].array)
    assert len(np.unique(found[1].array)) > 3


def test_weights_of_n4(rng):
    """Weights flatten the field as the mask does, and differ from it a little."""
    image, brain, _ = phantoms.head(rng, (40, 44, 36), skull=False)
    ramp = np.exp(0.4 * np.linspace(-1, 1, 40))[:, None, None]
    affine = np.diag([-1.0, -1, 1, 1])
    volume, mask = (Volume((image * ramp).astype("f4"), affine), Volume(brain.astype("u1"), affine))
    found = {}
    for weights in ("binary", "smoothed"):
        corrected, _ = intensity.correct_bias(volume, mask, 2, [50, 50], 0.0005, weights)
        inside = brain > 0
        ratio = corrected[inside] / image[inside]
        found[weights] = corrected
        assert ratio.std() / ratio.mean() < 0.4 * np.broadcast_to(ramp, brain.shape)[inside].std()
        assert (corrected[~inside] == 0).all()
    scale = np.median(found["binary"][inside]) / np.median(found["smoothed"][inside])
    apart = abs(found["smoothed"][inside] * scale / found["binary"][inside] - 1)
    assert 0 < apart.mean() < 0.05
