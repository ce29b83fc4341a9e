"""Inventory: unreadable files, missing cases."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from conftest import LINE

import phantoms
from uad.data import inventory
from uad.report import inventory_page


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_whole_and_cut_off_files(tmp_path, name):
    path = phantoms.save(np.random.default_rng(0).random((20, 20, 20), np.float32), tmp_path / name)
    assert inventory.unreadable(path) is None
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    reason = inventory.unreadable(path)
    assert "cut off: 16176 of 32352 bytes" in reason if name == "scan.nii" else "ended" in reason


def test_a_file_that_ends_early_inside_a_whole_archive(tmp_path):
    path = phantoms.save(np.zeros((20, 20, 20), np.float32), tmp_path / "scan.nii")
    archive = tmp_path / "scan.nii.gz"
    archive.write_bytes(gzip.compress(path.read_bytes()[:5000]))
    assert inventory.unreadable(archive) == "is cut off: 5000 of 32352 bytes"


def test_other_kinds_of_files_are_named(tmp_path):
    series = phantoms.save(np.zeros((4, 4, 4, 3), np.float32), tmp_path / "series.nii")
    (tmp_path / "text.nii").write_text("not an image")
    (tmp_path / "empty.nii.gz").touch()
    files = [series, tmp_path / "text.nii", tmp_path / "empty.nii.gz", tmp_path / "gone.nii"]
    found = dict(inventory.take(files, threads=2))
    assert list(found) == sorted(map(str, files))
    assert found[str(series)] == "is not one 3-D volume: (4, 4, 4, 3)"
    assert all(
        reason.startswith("cannot be read") for p, reason in found.items() if p != str(series)
    )
    one = nib.Nifti1Image(np.zeros((4, 4, 4, 1), np.float32), np.eye(4))
    nib.save(one, tmp_path / "one.nii")
    assert inventory.take([tmp_path / "one.nii"], 1) == []


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "ok"),
        ({"missing": "data/IXI-T1: no such folder"}, "data/IXI-T1: no such folder"),
        ({"unreadable": [("a.nii", "is cut off")]}, "1 unreadable file(s)"),
        ({"needed": 12}, "9 cases, but the splits need 12"),
    ],
)
def test_state(change, state):
    assert inventory.state({**LINE, **change}) == state


def test_needed_subjects():
    assert inventory.needed({"train": 358, "val": 44, "test": 160}) == 562
    assert inventory.needed({"train": 90, "val": 10, "test": None}) == 101


def test_text_says_where_to_get_it_and_what_is_wrong():
    bad = {**LINE, "needed": 12, "left_out": [("IXI007", "occurs twice: a, b")]}
    text = "\n".join(inventory.text([bad]))
    assert "request it at https://example.org/ixi, unpack it to data/IXI-T1" in text
    assert "IXI007: occurs twice: a, b" in text
    assert "request" not in "\n".join(inventory.text([LINE]))


def test_page(tmp_path):
    bad = {**LINE, "unreadable": [("x<y.nii", "is cut off")]}
    inventory_page.write_html([LINE, bad], True, tmp_path / "d.html")
    page = (tmp_path / "d.html").read_text()
    assert "<b>x&lt;y.nii</b>: is cut off" in page and "free &amp; open" in page
    assert inventory_page.pages.SIMULATED in page
