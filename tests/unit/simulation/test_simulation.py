"""Simulated scans: native geometry, determinism, exact lesion masks, and a T1-like contrast."""

import hashlib
import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import processors
import pytest
from scipy import ndimage

from uad.simulation import lesions, names, phantom, scans


@pytest.fixture(scope="session")
def head():
    """The phantom, built once."""
    return phantom.build()


@pytest.fixture(scope="session")
def simulated(head):
    """One scan of each data set but MSLUB, whose grid is large."""
    return {
        name: scans.simulate(name, f"{name}-1", 50.0, 1, head)
        for name in names.known()
        if name != "mslub"
    }


def test_phantom_survives_saving(head, tmp_path):
    head.save(tmp_path / "phantom.npz")
    again = phantom.Phantom.load(tmp_path / "phantom.npz")
    np.testing.assert_array_equal(again.tissue, head.tissue)
    np.testing.assert_array_equal(again.grey, head.grey)
    assert again.box == head.box


def test_phantom_is_a_head(head):
    brain_ml = head.brain.sum() / 1000
    assert 1500 < brain_ml < 2000
    # Every tissue occurs, and the brain is wrapped in fluid, then bone.
    assert set(np.unique(head.tissue)) == set(range(len(phantom.TISSUES)))
    shell = ndimage.binary_dilation(np.pad(head.brain, 8), iterations=5)[8:-8, 8:-8, 8:-8]
    rim = head.tissue[head.box][shell & ~head.brain]
    assert np.isin(rim, [phantom.FLUID, phantom.BONE, phantom.MARROW]).mean() > 0.9


GEOMETRY = {
    "ixi": ((256, 256, 150), (0.9375, 0.9375, 1.2), ("P", "S", "R"), np.int16),
    "brats21": ((240, 240, 155), (1, 1, 1), ("L", "P", "S"), np.int16),
    "atlas_v2": ((197, 233, 189), (1, 1, 1), ("R", "A", "S"), np.float32),
    "wmh": ((240, 240, 48), (0.96, 0.96, 3), ("R", "A", "S"), np.float32),
}


@pytest.mark.parametrize("name", GEOMETRY)
def test_native_geometry(simulated, name):
    shape, spacing, axes, dtype = GEOMETRY[name]
    image = simulated[name].image
    assert image.shape == shape
    assert image.header.get_zooms() == pytest.approx(spacing)
    assert nib.aff2axcodes(image.affine) == axes
    assert image.get_data_dtype() == dtype


def test_brats_is_stripped_and_lies_on_the_sri24_grid(simulated):
    scan = simulated["brats21"]
    np.testing.assert_array_equal(scan.image.affine, scans.SRI24_AFFINE)
    array = np.asarray(scan.image.dataobj)
    assert 0.1 < (array > 0).mean() < 0.25
    assert set(np.unique(scan.lesion.dataobj)) <= {0, 1, 2, 4}


def test_healthy_data_have_no_lesion(simulated):
    assert simulated["ixi"].lesion is None


def test_deterministic_per_seed_and_subject(head, simulated):
    again = scans.simulate("ixi", "ixi-1", 50.0, 1, head)
    np.testing.assert_array_equal(again.image.dataobj, simulated["ixi"].image.dataobj)
    other = scans.simulate("ixi", "ixi-2", 50.0, 1, head)
    assert not np.array_equal(other.image.dataobj, again.image.dataobj)
    assert not np.allclose(scans.pose("ixi", "ixi-1", 1), scans.pose("ixi", "ixi-1", 2))


def digest(head, scan):
    """SHA-256 of the atlas and of a scan with its lesion mask."""
    images = [*scans.atlas(head).values(), scan.image, scan.lesion]
    voxels = [np.ascontiguousarray(image.dataobj).tobytes() for image in images]
    return hashlib.sha256(b"".join(voxels)).hexdigest()


def test_same_voxels_on_another_processor(head, simulated):
    # ATLAS: intensities are not rounded to integers, which would hide much.
    code = (
        "import test_simulation as t; head = t.phantom.build();"
        "print(t.digest(head, t.scans.simulate('atlas_v2', 'atlas_v2-1', 50.0, 1, head)))"
    )
    environment = os.environ | processors.PROCESSORS["sse"]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digest(head, simulated["atlas_v2"])


@pytest.mark.parametrize("name", ["brats21", "atlas_v2", "wmh"])
def test_lesions_are_darker_than_their_surroundings(simulated, name):
    scan = simulated[name]
    image, lesion = np.asarray(scan.image.dataobj), np.asarray(scan.lesion.dataobj) > 0
    around = ndimage.binary_dilation(lesion, iterations=6) & ~ndimage.binary_dilation(
        lesion, iterations=2
    )
    around &= image > 0.3 * image[lesion].mean()
    inside = ndimage.binary_erosion(lesion, iterations=2)
    assert lesion.any()
    assert image[inside if inside.any() else lesion].mean() < 0.8 * image[around].mean()


def test_contrasts_are_of_one_anatomy(head):
    """On T2 fluid is brightest and white matter darkest, on FLAIR only fluid is dark."""
    found = {c: scans.simulate("brats21", "brats21-1", 50.0, 1, head, c) for c in phantom.SIGNAL}
    t1 = found["T1"]
    lesion, image = np.asarray(t1.lesion.dataobj) > 0, np.asarray(t1.image.dataobj)
    deep = ndimage.binary_erosion(image > 0, iterations=12) & ~ndimage.binary_dilation(lesion)
    low, high = np.quantile(image[deep], (0.01, 0.6))
    medians = {}
    for contrast, scan in found.items():
        array = np.asarray(scan.image.dataobj)
        np.testing.assert_array_equal(
            np.asarray(scan.lesion.dataobj), np.asarray(t1.lesion.dataobj)
        )
        np.testing.assert_array_equal(array > 0, image > 0)
        fluid, white = (np.median(array[deep & inside]) for inside in (image < low, image > high))
        medians[contrast] = fluid / white, np.median(array[lesion]) / white
    fluid, sick = zip(*(medians[c] for c in ("T1", "T2", "FLAIR")))
    assert fluid[0] < 0.5 and fluid[1] > 1.5 and fluid[2] < 0.7
    assert sick[0] < 0.8 and sick[1] > 1.4 and sick[2] > 1.2


def test_fluid_at_the_surface_is_no_brighter_than_the_brain_on_t2(head):
    """As two real gliomas have it: 1.0 and 1.15 of the median in the outermost millimetre."""
    for scan in (scans.atlas(head, "T2")["T2_brain"], simulated_t2(head)):
        array = np.asarray(scan.dataobj).astype(float)
        depth = ndimage.distance_transform_edt(ndimage.binary_fill_holes(array > 0))
        rim = array[(depth > 0) & (depth <= 1)].mean() / np.median(array[depth > 8])
        assert 0.9 < rim < 1.3


def simulated_t2(head):
    return scans.simulate("brats21", "brats21-1", 50.0, 1, head, "T2").image


def test_mask_is_exact(head):
    # Without pose, warp and noise the native mask is the depth field's own support.
    rng = np.random.default_rng(0)
    (lesion,) = lesions.draw("glioma", head, rng)
    depth = lesions.depth(lesion, head, rng)
    labels = lesions.labels(depth, "glioma")
    np.testing.assert_array_equal(labels > 0, depth > 0)
    painted = head.white + 0.6 * head.grey
    before = painted.copy()
    lesions.paint(painted, depth, lesion)
    changed = painted != before
    assert not (changed & (depth <= 0)).any()
    assert changed[depth > 0].mean() > 0.95
    assert not (labels > 0)[~head.brain].any()


def test_lesion_sizes_span_orders_of_magnitude(head):
    rng = np.random.default_rng(1)
    volumes = []
    for _ in range(12):
        for lesion in lesions.draw("stroke", head, rng):
            volumes.append((lesions.depth(lesion, head, rng) > 0).sum() / 1000)
    assert min(volumes) < 0.3 and max(volumes) > 15


def test_ventricles_widen_with_age(head):
    found = []
    for age in (25.0, 85.0):
        rng = np.random.default_rng(3)
        warp = scans._warp(head, age, [], rng)
        coordinates = scans._phantom_coordinates(scans.native_of("atlas_v2"), warp, np.eye(4))
        deep = ndimage.binary_erosion(head.brain[::2, ::2, ::2], iterations=9)
        deep = np.repeat(np.repeat(np.repeat(deep, 2, 0), 2, 1), 2, 2)[
            tuple(map(slice, head.brain.shape))
        ]
        fluid = np.clip(1 - head.grey - head.white, 0, 1) * deep
        at = coordinates - head.low[:, None, None, None]
        found.append(ndimage.map_coordinates(fluid, at, order=1).sum())
    assert found[1] > 1.2 * found[0]


def test_atlas_is_the_phantom_on_an_sri24_like_grid(head):
    templates = scans.atlas(head)
    assert list(scans.atlas(head, "FLAIR")) == ["FLAIR", "FLAIR_brain"]
    whole, brain = (np.asarray(templates[name].dataobj) for name in ("T1", "T1_brain"))
    assert whole.shape == (240, 240, 155)
    assert (brain > 0).sum() / 1000 == pytest.approx(head.brain.sum() / 1000 * 0.93**3, rel=0.02)
    np.testing.assert_array_equal(brain[brain > 0], whole[brain > 0])


def test_ages_are_those_of_ixi():
    ages = [names.age(scan, 1) for scan in names.scans("ixi", 200, 1)]
    assert 20 <= min(ages) < 25 and 80 < max(ages) <= 86
