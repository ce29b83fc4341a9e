"""Reading a data set once: everything that preprocessing would refuse is found, and remembered."""

import gzip
import os
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import phantoms
from uad.data import reading
from uad.data.reading import Case, Reading

NATIVE = Reading("native", None, None, "code")


def examine(cases, how=NATIVE, processes=2, known=()):
    return list(reading.examine(cases, how, processes, {one["subject"]: one for one in known}))


@pytest.fixture
def cases(tmp_path, rng):
    """Three heads with lesions."""
    found = []
    for name in "ABC":
        image, _, lesion = phantoms.head(rng)
        files = {"image": tmp_path / f"{name}_T1.nii.gz", "lesion": tmp_path / f"{name}_seg.nii"}
        for path, array in zip(files.values(), (image, lesion.astype(np.uint8))):
            phantoms.save(array, path)
        found.append(Case(name, {kind: str(path) for kind, path in files.items()}))
    return found


def cut(path):
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: len(whole) // 2])


def trailer(path):
    """A flipped bit that only the checksum at the end of the file tells."""
    content = bytearray(Path(path).read_bytes())
    content[-6] ^= 1
    Path(path).write_bytes(content)


def early_end(path):
    """A file that ends early inside a whole archive."""
    Path(path).write_bytes(gzip.compress(gzip.decompress(Path(path).read_bytes())[:5000]))


def rewritten(path, change):
    image = nib.load(path)
    array, affine = change(image.get_fdata(dtype=np.float32), image.affine.copy())
    nib.save(nib.Nifti1Image(array, affine), path)


def not_finite(array, affine):
    array[0, 0, 0] = np.nan
    return array, affine


def moved(array, affine):
    affine[0, 3] += 3
    return array, affine


def singular(path):
    image = nib.load(path)
    header = image.header.copy()
    header["srow_x"] = 0
    header["sform_code"], header["qform_code"] = 1, 0
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), None, header), path)


def four_dimensional(array, affine):
    return np.stack([array, array], axis=3), affine


DAMAGES = {
    "cut off": ("image", cut, "cannot be read to its end"),
    "checksum": ("image", trailer, "cannot be read to its end .*CRC"),
    "early end": ("image", early_end, "damaged or incomplete|the header says 688128 bytes"),
    "text": ("lesion", lambda path: Path(path).write_text("text"), "cannot be read as NIfTI"),
    "empty": ("image", lambda path: Path(path).write_text(""), "cannot be read"),
    "gone": ("image", os.remove, "No such file"),
    "NaN": ("image", lambda path: rewritten(path, not_finite), "contains NaN"),
    "series": ("image", lambda path: rewritten(path, four_dimensional), "expected one 3-D volume"),
    "affine": ("image", singular, "affine in the header is singular"),
    "moved mask": ("lesion", lambda path: rewritten(path, moved), "must be on one grid"),
    "cropped mask": ("lesion", lambda path: rewritten(path, lambda a, m: (a[1:], m)), "one grid"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_preprocessing_refuses_is_found_and_only_that(cases, name):
    kind, damage, sentence = DAMAGES[name]
    damage(cases[1].files[kind])
    first, second, third = examine(cases)
    assert first["unreadable"] is None and third["unreadable"] is None
    path, reason = second["unreadable"]
    assert path == cases[1].files[kind] and not reason.startswith(path)
    assert re.search(sentence, reason)


def test_sides_that_contradict_each_other(cases):
    path = cases[0].files["image"]
    header = nib.load(path).header
    header.set_qform(header.get_best_affine() @ np.diag([-1, 1, 1, 1]), 1)
    nib.save(nib.Nifti1Image(nib.load(path).get_fdata(), None, header), path)
    assert examine(cases)[0]["unreadable"] == (
        path, "header contradicts itself: sform says LPS, qform RPS",
    )  # fmt: skip


def test_contents_are_equal_however_a_scan_is_stored(cases, tmp_path):
    image = nib.load(cases[0].files["image"])
    other = tmp_path / "copy.nii"
    las = image.as_reoriented(nib.orientations.axcodes2ornt(("L", "A", "S")))
    nib.save(nib.Nifti1Image(las.get_fdata().astype(np.float64), las.affine), other)
    first, second = examine([cases[0], Case("Z", {"image": str(other)})])
    assert first["sha256"] != second["sha256"]
    assert first["contents"]["image"] == second["contents"]["image"]
    assert set(first["contents"]) == {"image", "lesion"} and set(second["contents"]) == {"image"}
    assert first["contents"] != examine(cases)[1]["contents"]


def test_empty_masks_are_no_twins(cases):
    phantoms.save(np.zeros(phantoms.SHAPE, np.uint8), Path(cases[0].files["lesion"]))
    assert set(examine(cases)[0]["contents"]) == {"image"}


class Pool:
    """Stands in for the processes and notes what they read."""

    def __init__(self, *arguments):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def map(self, function, cases, *others, chunksize):
        READ.extend(case.subject for case in cases)
        return map(function, cases, *others)


READ = []


def test_only_what_has_changed_is_read_again(cases, monkeypatch):
    before = examine(cases)
    monkeypatch.setattr(reading, "ProcessPoolExecutor", Pool)

    def read(cases, how=NATIVE):
        READ.clear()
        return examine(cases, how, known=before), READ

    assert read(cases) == (before, [])
    assert read(cases, NATIVE._replace(code="other"))[1] == ["A", "B", "C"]
    assert read(cases, NATIVE._replace(labels=[1]))[1] == ["A", "B", "C"]
    alone = Case("A", {"image": cases[0].files["image"]})
    assert read([alone, *cases[1:]])[1] == ["A"]
    os.utime(cases[2].files["lesion"], (1, 1))
    cut(cases[1].files["image"])
    after, again = read(cases)
    assert again == ["B", "C"] and after[0] == before[0] and after[1]["unreadable"]
    assert {**after[2], "key": None} == {**before[2], "key": None}


def test_prepared_data_are_read_with_their_brain_masks(cases, tmp_path):
    brain = tmp_path / "brain.nii"
    phantoms.save(np.full(phantoms.SHAPE, 0.7, np.float32), brain)
    files = {**cases[0].files, "brain": str(brain)}
    how = NATIVE._replace(layout="prepared")
    assert examine([Case("A", files)], how)[0]["unreadable"] is None
    phantoms.save(np.zeros(phantoms.SHAPE, np.float32), brain)
    assert examine([Case("A", files)], how)[0]["unreadable"] == (
        str(brain), "the brain mask is empty",
    )  # fmt: skip


def test_brain_masks_that_come_with_the_scans_are_read(cases, tmp_path, rng):
    _, brain, _ = phantoms.head(rng)
    paths = [str(tmp_path / f"brain_{name}.nii.gz") for name in ("good", "cut", "empty")]
    for path, array in zip(paths, (brain, brain[:-2], brain & False)):
        phantoms.save(array.astype(np.uint8), Path(path))
    with_brain = [
        Case(case.subject, case.files | {"brain": path}) for case, path in zip(cases, paths)
    ]
    good, other, empty = examine(with_brain, NATIVE._replace(layout="table"))
    assert good["unreadable"] is None and len(good["sha256"]) == 3
    assert (
        other["unreadable"][0] == paths[1] and "both must be on one grid" in other["unreadable"][1]
    )
    assert empty["unreadable"] == (paths[2], "the brain mask is empty")
