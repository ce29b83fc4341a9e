"""Registration, masks, bias correction, down-sampling: known truths and library oracles."""

import nibabel as nib
import numpy as np
import pytest
import torchio as tio
from scipy import ndimage

import phantoms
from uad import brain_masks, geometry, intensity, registration
from uad.errors import InputError
from uad.volumes import Volume

registration.set_up(3141)

FAST = registration.Settings("Affine", 2, [100, 50], [2, 1], [1, 0], 0.45)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture
def atlas(rng):
    """An ellipsoid head on a 4 mm grid, and its brain mask."""
    image, brain, _ = phantoms.head(rng, lesion_radius=0.1)
    return Volume(image, phantoms.AFFINE, "atlas.nii"), brain


def pose(degrees=6.0, shift=(5.0, -8.0, 4.0), size=1.05):
    """An affine in mm: rotation about z, scaling, shift."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return nib.affines.from_matvec(size * np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]), shift)


def moved(volume, affine):
    """A volume whose header says it lies elsewhere: world positions carried by `affine`."""
    return Volume(volume.array, affine @ volume.affine, "moved.nii")


def test_registration_finds_a_known_affine(atlas):
    image, brain = atlas
    true = pose()
    found = registration.register(moved(image, true), image, FAST)
    points = nib.affines.apply_affine(image.affine, np.argwhere(brain)[::50])
    error = nib.affines.apply_affine(found, points) - nib.affines.apply_affine(true, points)
    assert np.linalg.norm(error, axis=1).mean() < 1.0


def test_registration_is_bit_stable(atlas):
    image, _ = atlas
    first, second = (registration.register(moved(image, pose()), image, FAST) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_resampling_undoes_the_pose(atlas):
    image, brain = atlas
    back = registration.resample(moved(image, pose()), image, pose(), "linear")
    np.testing.assert_allclose(back.array[brain], image.array[brain], atol=1)
    np.testing.assert_array_equal(back.affine, image.affine)


def test_labels_stay_labels_and_keep_their_size(atlas, rng):
    image, _ = atlas
    labels = np.zeros(image.array.shape, np.uint8)
    labels[phantoms.ellipsoid(labels.shape, (25, 30, 22), (4, 4, 4))] = 4
    labels[phantoms.ellipsoid(labels.shape, (25, 30, 22), (2, 2, 2))] = 1
    lesion = moved(image.like(labels), pose(size=1.0))
    found = registration.resample(
        lesion, image, pose(size=1.0) @ pose(20, (0, 0, 0), 1.0), "nearest"
    )
    assert set(np.unique(found.array)) == {0, 1, 4}
    # The released code's linear warp with `> 0` inflates the same lesion.
    linear = registration.resample(
        Volume(lesion.array.astype(np.float32), lesion.affine), image,
        pose(size=1.0) @ pose(20, (0, 0, 0), 1.0), "linear",
    )  # fmt: skip
    assert (found.array > 0).sum() == pytest.approx((labels > 0).sum(), rel=0.05)
    assert (linear.array > 0).sum() > 1.3 * (labels > 0).sum()


def test_coarsening_keeps_the_position(atlas):
    image, _ = atlas
    coarse = registration.coarsen(image, 8)
    assert coarse.array.shape == (28, 32, 24)
    np.testing.assert_allclose(coarse.spacing_mm, 8)

    def centre_of_mass(volume):
        return nib.affines.apply_affine(volume.affine, ndimage.center_of_mass(volume.array))

    np.testing.assert_allclose(centre_of_mass(coarse), centre_of_mass(image), atol=0.5)
    assert registration.coarsen(image, 4) is image


def test_quality_tells_success_from_failure(atlas):
    image, brain = atlas
    mask = image.like(brain)
    good = registration.quality(image, image, mask, FAST)
    assert good == {"similarity": 1.0, "status": "ok"}
    turned = image.like(np.roll(image.array, 15, axis=0))
    bad = registration.quality(turned, image, mask, FAST)
    assert bad["status"].startswith("registration failed: similarity")
    empty = registration.quality(image.like(np.zeros_like(image.array)), image, mask, FAST)
    assert empty["similarity"] == 0


def test_transform_file_is_read_by_itk(atlas, tmp_path):
    import SimpleITK as sitk

    affine = pose()
    registration.write_transform(affine, tmp_path / "xfm.txt")
    transform = sitk.ReadTransform(str(tmp_path / "xfm.txt"))
    point = np.array([10.0, 20, 30])
    lps = transform.TransformPoint((registration.RAS_LPS[:3, :3] @ point).tolist())
    expected = nib.affines.apply_affine(affine, point)
    np.testing.assert_allclose(registration.RAS_LPS[:3, :3] @ lps, expected, atol=1e-6)


def test_sheared_header_is_named(atlas):
    image, _ = atlas
    shear = np.eye(4)
    shear[0, 1] = 0.3
    with pytest.raises(InputError, match="moved.nii: the affine in the header is sheared"):
        registration.to_sitk(moved(image, shear))


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
    assert dice(brain_masks.from_support(image), brain) > 0.999
    assert dice(brain_masks.from_threshold(image), brain) > 0.95


def test_masks_of_an_empty_image_are_empty():
    empty = np.zeros((20, 20, 20), np.float32)
    assert not brain_masks.from_threshold(empty).any()
    assert not brain_masks.from_support(empty).any()


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


def test_curvature_flow_smooths_and_can_be_switched_off(rng):
    image, brain, _ = phantoms.head(rng)
    volume = Volume(image, np.diag([-1.0, -1, 1, 1]))
    smooth = intensity.smooth(volume, time_step=0.125, iterations=3)
    assert smooth.dtype == np.float32
    white = ndimage.binary_erosion((image > 900) & (image < 1100) & brain, iterations=2)
    assert smooth[white].std() < 0.8 * image[white].std()
    assert intensity.smooth(volume, time_step=0.125, iterations=0) is image


SETTINGS = geometry.Settings({"time_step": 0.125, "iterations": 0}, [32, 36, 20], [1, 99], 2)


@pytest.fixture
def one_mm(rng):
    """A stripped head with a lesion on a 1 mm grid that is smaller and larger than the crop."""
    image, brain, lesion = phantoms.head(rng, (44, 40, 36), skull=False)
    affine = np.array([[-1.0, 0, 0, 7], [0, -1, 0, 11], [0, 0, 1, -5], [0, 0, 0, 1]])
    return tuple(
        Volume(a.astype(d), affine) for a, d in ((image, "f4"), (brain, "u1"), (lesion, "u1"))
    )


def test_downsampled_shapes_types_and_range(one_mm):
    image, brain, lesion = geometry.downsample(*one_mm, SETTINGS)
    for volume in (image, brain, lesion):
        assert volume.array.shape == (16, 18, 10)
        np.testing.assert_allclose(volume.spacing_mm, 2)
    assert image.array.dtype == np.float32
    assert brain.array.dtype == lesion.array.dtype == np.uint8
    assert set(np.unique(brain.array)) <= {0, 1}
    # Scaled to [0, 1]; the spline overshoots a little, and that is kept.
    assert -0.3 < image.array.min() < 0.05
    assert 0.9 < image.array.max() < 1.3


def test_downsampling_follows_the_reference_step_by_step(one_mm):
    image, brain, _ = one_mm
    box = tuple(slice(i.min(), i.max() + 1) for i in np.nonzero(brain.array))
    cut, mask = image.array[box], brain.array[box] > 0

    def crop_or_pad(array):
        """Centre crop or pad; of an odd difference the larger half at the low end."""
        for axis, n in enumerate(SETTINGS.crop):
            change = n - array.shape[axis]
            if change < 0:
                low = -(change // 2)
                array = np.take(array, range(low, low + n), axis)
            else:
                widths = [(0, 0)] * 3
                widths[axis] = (change - change // 2, change // 2)
                array = np.pad(array, widths)
        return array

    cut, mask = crop_or_pad(cut), crop_or_pad(mask)
    low, high = np.percentile(cut[mask], (1, 99))
    scaled = np.clip(cut, low, high)
    scaled = (scaled - scaled.min()) / (scaled.max() - scaled.min())
    # Samples at 0.5, 2.5, 4.5, ... of a cubic spline; nearest takes the upper neighbour 1, 3, 5.
    at = np.meshgrid(*(np.arange(0.5, n, 2) for n in cut.shape), indexing="ij")
    expected = ndimage.map_coordinates(scaled, at, order=3, mode="mirror")
    found_image, found_brain, _ = geometry.downsample(*one_mm, SETTINGS)
    np.testing.assert_allclose(found_image.array, expected, atol=2e-4)
    np.testing.assert_array_equal(found_brain.array, mask[1::2, 1::2, 1::2])


def test_downsampling_agrees_with_torchio_about_position(one_mm):
    _, _, lesion = geometry.downsample(*one_mm, SETTINGS)
    # The lesion's centre of mass stays where it was in the world.
    before = ndimage.center_of_mass(one_mm[2].array)
    after = ndimage.center_of_mass(lesion.array)
    where = nib.affines.apply_affine(one_mm[2].affine, before)
    np.testing.assert_allclose(nib.affines.apply_affine(lesion.affine, after), where, atol=1.2)
    assert tio.__version__.startswith("1.")
