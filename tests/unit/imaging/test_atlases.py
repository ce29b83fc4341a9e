"""Atlas templates by their content: exchanged, doubled, turned, of something else."""

import gzip
import shutil

import numpy as np
import pytest

import phantoms
from uad.base.errors import InputError
from uad.imaging import atlases, volumes
from uad.imaging.volumes import Volume


@pytest.fixture
def atlas():
    """A head and its brain, 4 mm."""
    return phantoms.atlas()


def volume(array, name="x.nii"):
    return Volume(np.ascontiguousarray(array, np.float32), phantoms.AFFINE, name)


def check(head, brain):
    atlases.check(volume(head, "head.nii"), volume(brain, "brain.nii"))


def test_a_head_and_its_brain_pass(atlas):
    check(*atlas)
    head, brain = atlas
    check(head * 3.5 + 10 * (head > 0), brain)  # other units


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda h, b: (b, h), r"brain.nii: has \d+ ml above zero.* exchanged\?"),
        (lambda h, b: (h, h), "brain.nii: is the same image as head.nii"),
        (lambda h, b: (b, b), "brain.nii: is the same image as head.nii"),
        (lambda h, b: (b * 1.01, b), "head.nii: has no head around the brain"),
        (lambda h, b: (h[:, :, ::-1], b), "is not the brain of head.nii"),
        (lambda h, b: (h, b * (np.arange(b.shape[0]) < 30)[:, None, None]), r"has \d+ ml"),
        (lambda h, b: (h, b * 0), "has 0 ml above zero"),
        (lambda h, b: (h, (b > 0) * 5), "is not the brain of head.nii"),  # a mask
    ],
)
def test_what_is_no_head_with_its_brain_is_refused(atlas, change, sentence):
    with pytest.raises(InputError, match=sentence), np.errstate(invalid="ignore"):
        check(*change(*atlas))


@pytest.mark.parametrize("axes", [(2,), (1,), (1, 2), (0, 2)])
def test_templates_that_are_not_upright_are_refused(atlas, axes):
    with pytest.raises(InputError, match="does not look upright"):
        check(*(np.flip(array, axes) for array in atlas))


def test_templates_that_lie_on_their_side_are_refused():
    turned = [np.swapaxes(array, 0, 1) for array in phantoms.atlas()]
    with pytest.raises(InputError, match="does not look upright"):
        check(*turned)


@pytest.mark.parametrize("compressed", [False, True])
def test_known_files_are_named(atlas, tmp_path, monkeypatch, compressed):
    paths = [phantoms.save(array, tmp_path / f"{i}.nii") for i, array in enumerate(atlas)]
    known = {atlases._sha256(path): kind for path, kind in zip(paths, ("head", "brain"))}
    if compressed:
        for i, path in enumerate(paths):
            paths[i] = path.with_suffix(".nii.gz")
            with open(path, "rb") as whole, gzip.open(paths[i], "wb") as copy:
                shutil.copyfileobj(whole, copy)
    grid = list(phantoms.SHAPE), 4
    assert atlases.examine(*paths, *grid) == "ok by its content; no version that is known here"
    monkeypatch.setattr(atlases, "KNOWN", known)
    assert atlases.examine(*paths, *grid) == f"ok, {atlases.SOURCE}"
    with pytest.raises(InputError, match=r"has \d+ ml above zero"):
        atlases.examine(*paths[::-1], *grid)
    with pytest.raises(InputError, match="expected voxels of 1 mm"):
        atlases.examine(*paths, grid[0], 1)


def test_orientation_is_that_of_reading(atlas, tmp_path):
    # A file in another orientation is turned when it is read.
    affine = phantoms.AFFINE @ np.diag([1, 1, -1, 1])
    paths = [
        phantoms.save(a[:, :, ::-1], tmp_path / f"{i}.nii", affine) for i, a in enumerate(atlas)
    ]
    again = [volumes.read(path) for path in paths]
    assert np.array_equal(again[1].array, atlas[1])
    atlases.check(*again)
