"""Quality of one subject: each number against a case worked by hand, and what the picture shows."""

import io

import numpy as np
import pytest
from PIL import Image, ImageColor

import phantoms
from uad.base import colours
from uad.imaging import quality
from uad.imaging.volumes import Volume

AFFINE = np.diag([-2.0, -2, 2, 1])  # 0.008 ml per voxel
FIELD = {"field_p01": 0.8, "field_p99": 1.2}


def box(*sides, shape=(20, 24, 16)):
    """A mask that is one box, `sides` as (first, after last) per axis."""
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(*side) for side in sides)] = 1
    return Volume(mask, AFFINE)


BRAIN = box((2, 12), (2, 12), (2, 12))  # 1000 voxels
ATLAS = box((4, 14), (2, 12), (2, 12))  # 800 of them in common
LESION = box((10, 14), (4, 6), (4, 6))  # 16 voxels, the half inside
NONE = BRAIN.empty_mask()


def chequered(amplitude, level=100.0):
    """Neighbours along x and y differ by twice the amplitude."""
    x, y, _ = np.indices(BRAIN.array.shape)
    return BRAIN.like((level + amplitude * (-1.0) ** (x + y)).astype(np.float32))


def test_volumes_and_overlaps_by_hand():
    found = quality.measure(chequered(1), BRAIN, ATLAS, LESION, FIELD)
    assert found["brain_ml"] == 8.0
    assert found["dice_atlas"] == 0.8
    assert found["field_ratio"] == 1.5
    assert found["lesion_ml"] == 0.128
    assert found["lesion_inside"] == 0.5


def test_mask_that_was_made_of_the_atlas_has_no_dice_with_it():
    found = quality.measure(chequered(1), BRAIN, ATLAS, LESION, FIELD, propagated=True)
    assert found["dice_atlas"] is None and found["brain_ml"] == 8.0


def test_contrast_by_hand():
    # 100 in the brain, 70 in the lesion, 90 within a voxel of it, where the two are mixed.
    lesion = box((5, 8), (5, 8), (5, 8))
    image = np.full(BRAIN.array.shape, 500.0)  # outside the brain: does not count
    image[2:12, 2:12, 2:12] = 100
    image[4:9, 4:9, 4:9] = 90
    image[5:8, 5:8, 5:8] = 70
    found = quality.measure(BRAIN.like(image), BRAIN, ATLAS, lesion, FIELD)
    assert found["lesion_contrast"] == -30
    beside = quality.measure(BRAIN.like(image), BRAIN, ATLAS, box((10, 11), (2, 3), (2, 3)), FIELD)
    assert beside["lesion_contrast"] == 0  # a mask that lies beside what one sees


@pytest.mark.parametrize(
    ("brain", "lesion"),
    [
        (BRAIN, NONE),
        (BRAIN, box((15, 17), (4, 6), (4, 6))),  # none of it in the brain
        (LESION, LESION),  # nothing around it
    ],
)
def test_contrast_that_cannot_be_measured_is_missing(brain, lesion):
    found = quality.measure(chequered(1), brain, ATLAS, lesion, FIELD)
    assert found["lesion_contrast"] is None


def test_noise_by_hand():
    # The filter answers 16 times the amplitude everywhere: 16 * 1 / 0.6745 / 6 of 100.
    found = quality.measure(chequered(1), BRAIN, ATLAS, LESION, FIELD)
    assert found["noise_percent"] == pytest.approx(100 * 16 / 0.6745 / 6 / 100, abs=1e-4)


def test_without_a_lesion_its_share_is_missing():
    found = quality.measure(chequered(1), BRAIN, ATLAS, NONE, FIELD)
    assert found["lesion_ml"] == 0 and found["lesion_inside"] is None


def test_labels_count_as_one_lesion():
    labels = LESION.like(LESION.array * 4)
    assert quality.measure(chequered(1), BRAIN, ATLAS, labels, FIELD)["lesion_ml"] == 0.128


def test_noise_of_white_noise_is_its_deviation(rng):
    brain = np.ones((40, 40, 20), bool)
    image = 200 + rng.normal(0, 6, brain.shape)
    assert quality.noise(image, brain) == pytest.approx(0.03, rel=0.03)
    assert quality.noise(10 * image, brain) == pytest.approx(0.03, rel=0.03)


def test_noise_is_blind_to_structure_and_to_what_is_outside(rng):
    image, brain, _ = phantoms.head(rng, (60, 64, 48), skull=True)
    # Noise of 15 beside edges of hundreds, of which a phantom this small has many.
    found = quality.noise(image, brain)
    assert 1 < found / (15 / np.median(image[brain])) < 1.3
    x, y, z = np.indices(brain.shape)
    smooth = 1000.0 + 3 * x**2 + 5 * y**2 + 50 * z + 2 * x * z  # a bias field
    assert quality.noise(smooth, brain) < 1e-6
    spoilt = np.where(brain, image, rng.normal(0, 1e4, brain.shape))
    assert quality.noise(spoilt, brain) == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize(
    ("image", "brain"),
    [
        (chequered(1), box((2, 4), (2, 12), (2, 12))),  # no voxel with all its neighbours
        (BRAIN.like(np.zeros(BRAIN.array.shape, np.float32)), BRAIN),
    ],
)
def test_noise_that_cannot_be_measured_is_missing(image, brain):
    assert quality.measure(image, brain, ATLAS, NONE, FIELD)["noise_percent"] is None


def planes(pixels, shape):
    """Axial, coronal and sagittal panel of a picture whose frame is the whole grid."""
    x, y, z = (n * quality.ZOOM for n in shape)
    assert pixels.shape == (max(y, z), x + x + y, 3) and pixels.dtype == np.uint8
    cuts = (pixels[:, :x], pixels[:, x : 2 * x], pixels[:, 2 * x :])
    return [
        panel[(len(pixels) - h) // 2 :][:h][:: quality.ZOOM, :: quality.ZOOM]
        for panel, h in zip(cuts, (y, z, z))
    ]


def where(panel, colour):
    """Positions of a colour as (horizontal, vertical)."""
    return set(zip(*np.nonzero((panel == ImageColor.getrgb(colour)).all(axis=2))[::-1]))


def outline(columns, rows):
    """Positions of a rectangle's edge, sides as (first, after last)."""
    return {
        (c, r)
        for c in range(*columns)
        for r in range(*rows)
        if c in (columns[0], columns[1] - 1) or r in (rows[0], rows[1] - 1)
    }


def test_picture_has_outlines_where_the_masks_are():
    shape = (20, 24, 16)
    brain = box((5, 15), (3, 19), (4, 12))
    atlas = box((2, 18), (2, 22), (2, 14))
    lesion = box((6, 9), (5, 9), (5, 8))
    image = brain.like(100 * brain.array.astype(np.float32))
    pixels = quality.picture(image, brain, atlas, lesion)
    axial, coronal, sagittal = planes(pixels, shape)
    assert where(axial, colours.BRAIN) == outline((5, 15), (3, 19))
    assert where(axial, colours.ATLAS) == outline((2, 18), (2, 22))
    assert where(axial, colours.LESION) == outline((6, 9), (5, 9))
    # z points up: voxel z is in row 15 - z.
    assert where(coronal, colours.LESION) == outline((6, 9), (8, 11))
    assert where(coronal, colours.BRAIN) == outline((5, 15), (4, 12))
    assert where(sagittal, colours.LESION) == outline((5, 9), (8, 11))
    assert where(sagittal, colours.ATLAS) == outline((2, 22), (2, 14))
    assert (axial[11, 11] == 255).all() and (axial[0, 0] == 0).all()


def test_planes_go_through_the_most_lesion():
    lesion = box((3, 4), (3, 4), (13, 14))
    lesion.array[10:14, 10:14, 6] = 1  # the larger part
    image = BRAIN.like(np.zeros(BRAIN.array.shape, np.float32))
    image.array[:, :, 6] = 50
    brain = box((0, 20), (0, 24), (0, 16))
    axial, *_ = planes(quality.picture(image, brain, brain, lesion), BRAIN.array.shape)
    assert where(axial, colours.LESION) == outline((10, 14), (10, 14))
    assert axial[8, 8].max() > 200  # this plane is the bright one


def test_without_a_lesion_planes_are_the_atlas_brain_s_middle():
    image = BRAIN.like(np.zeros(BRAIN.array.shape, np.float32))
    brain = box((0, 20), (0, 24), (0, 16))
    atlas = box((2, 12), (4, 24), (6, 16))
    image.array[:, :, 11] = 50
    axial, *_ = planes(quality.picture(image, brain, atlas, NONE), BRAIN.array.shape)
    assert axial[10, 15].max() > 200
    assert not where(axial, colours.LESION)


def test_picture_of_an_empty_image_is_still_drawn():
    image = BRAIN.like(np.zeros(BRAIN.array.shape, np.float32))
    assert quality.picture(image, NONE, ATLAS, NONE).any()


def test_pictures_are_small_even_of_noise(tmp_path, rng):
    path = tmp_path / "picture.jpg"
    # The frame of the SRI24 brain, filled with noise of a sixth of the grey level.
    grey = np.clip(150 + rng.normal(0, 25, (183, 483)), 0, 255).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(grey).resize((966, 366)).convert("RGB"))
    quality.write_picture(pixels, path)
    assert path.stat().st_size < quality.MOST_BYTES
    assert Image.open(io.BytesIO(path.read_bytes())).size == (966, 366)
    assert [p.name for p in tmp_path.iterdir()] == ["picture.jpg"]
