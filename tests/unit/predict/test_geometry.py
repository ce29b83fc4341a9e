"""The same anatomy is marked however a head is stored, with a registration of each file.

The networks are left out: a ball in the atlas is carried onto the scan. With them see
`benchmarks/predict_geometry.py`.
"""

import nibabel as nib
import numpy as np
import predict_geometry as geometry
import pytest
import small_bundle
from nibabel.affines import apply_affine, from_matvec

import phantoms
from uad.base import settings
from uad.imaging import registration, volumes
from uad.imaging.settings import Registration
from uad.imaging.volumes import Volume
from uad.predict import native, prepare

# In the place of those of real scans, for a head of 4 mm.
SPACINGS = dict(zip(geometry.RESOLUTIONS, [(4, 4, 4), (3, 3, 4), (5, 5, 5), (3, 3, 6)]))
CASES = [*geometry.sample(12), *geometry.references()]
FINEST = geometry.PLAIN | {"resolution": "1 mm", "neck": "neck"}


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """A head in RAS order, and the atlas."""
    folder = tmp_path_factory.mktemp("head")
    atlas = volumes.read_atlas(*small_bundle.write_atlas(folder), phantoms.SHAPE, 4)
    return volumes.read(small_bundle.write_scan(folder / "head.nii")), atlas


def image_of(case, head):
    """The head on the grid of a case."""
    spacing = np.array(SPACINGS[case["resolution"]], float)
    low, high = (apply_affine(head.affine, at) for at in ((0, 0, 0), np.array(head.array.shape)))
    low, high = np.minimum(low, high), np.maximum(low, high)
    if case["neck"] == "no neck":
        low[2] += 16
    shape = np.ceil((high - low) / spacing).astype(int)
    grid = Volume(np.zeros(shape, np.uint8), from_matvec(np.diag(spacing), low + spacing / 2))
    array = registration.resample(head, grid, np.eye(4), "linear").array
    image = nib.Nifti1Image(array, grid.affine)
    image.set_sform(grid.affine, 1)
    return image


@pytest.fixture(scope="module")
def masks(head, tmp_path_factory):
    """Mask and affine of each case, RAS order, by name."""
    head, (atlas, brain) = head
    block = small_bundle.SETTINGS["registration"]
    search = settings.build(Registration, block, "registration")
    voxels = np.moveaxis(np.indices(atlas.array.shape), 0, -1)
    away = np.linalg.norm(4 * (voxels - np.array(atlas.array.shape) / 2 - [3, -3, 2]), axis=-1)
    ball = atlas.like(np.clip((36 - away) / 8, 0, 1).astype(np.float32))
    found = {}
    for case in CASES:
        folder = tmp_path_factory.mktemp("case")
        path = geometry.store(image_of(case, head), case, folder)
        affine = prepare.register(path, "T1", atlas, brain, search).affine
        mask = native.resample(ball, volumes.read(path), affine, "linear") > 0.5
        native.write(mask, path, folder / "mask.nii")
        image = nib.as_closest_canonical(nib.load(folder / "mask.nii"))
        found[geometry.name(case)] = np.asarray(image.dataobj) > 0, image.affine
    return found


@pytest.mark.parametrize("case", CASES[:12], ids=geometry.name)
def test_orientation_and_storage_do_not_matter(masks, case):
    grid = {key: case[key] for key in ("resolution", "neck")}
    mask, affine = masks[geometry.name(case)]
    plain, same = masks[geometry.name(geometry.PLAIN | grid)]
    np.testing.assert_allclose(affine, same, atol=1e-3)
    assert mask.sum() > 100 and geometry.dice(mask, plain) > 0.99


@pytest.mark.parametrize("case", geometry.references(), ids=geometry.name)
def test_resolution_and_neck_matter_little(masks, case):
    fine, affine = masks[geometry.name(FINEST)]
    volume = Volume(masks[geometry.name(case)][0].astype(np.float32), masks[geometry.name(case)][1])
    onto = Volume(fine.astype(np.uint8), affine)
    carried = registration.resample(volume, onto, np.eye(4), "linear").array > 0.5
    assert geometry.dice(carried, fine) > 0.9


def test_cases_hold_the_same_numbers(head, tmp_path):
    plain = image_of(FINEST, head[0])
    expected = volumes.read(geometry.store(plain, FINEST, tmp_path)).array
    for numbers, step in geometry.STEPS.items():
        case = FINEST | {"numbers": numbers, "orientation": "PSR"}
        found = volumes.read(geometry.store(plain, case, tmp_path)).array
        np.testing.assert_allclose(found, expected, atol=step / 2 + 1e-3)


def test_sample_holds_every_orientation_and_most_pairs():
    cases = geometry.sample(40)
    assert {case["orientation"] for case in cases} == set(geometry.FACTORS["orientation"])
    few = [key for key in geometry.FACTORS if key != "orientation"]
    for one in few:
        for other in few:
            wanted = len(geometry.FACTORS[one]) * len(geometry.FACTORS[other])
            assert one == other or len({(c[one], c[other]) for c in cases}) == wanted
