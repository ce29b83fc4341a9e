"""Inventory: what is told of a data set, missing cases, scans that are there twice."""

import os
import time

import pytest
from conftest import LINE

from uad.data import inventory
from uad.report import inventory_page


def contents(**image):
    return {"image": image, "lesion": {}}


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "ok"),
        ({"missing": "data/IXI-T1: no such folder"}, "data/IXI-T1: no such folder"),
        ({"needed": 8, "unreadable": [("a.nii", "is cut off")]}, "1 unreadable file(s)"),
        (
            {"unreadable": [("a.nii", "is cut off")]},
            "8 usable cases, but the splits need 9",
        ),
        ({"needed": 12}, "9 cases, but the splits need 12"),
        ({"cases": 8}, "9 cases, but the archive has 8"),
        ({"contents": contents(A="1", B="2", C="1")}, "2 cases have the scan of another"),
        (
            {"contents": {"image": {}, "lesion": {"A": "1", "B": "1"}}},
            "2 cases have the lesion mask of another",
        ),
        ({"dated": [("a.nii", "2099-01-01 00:00:00")]}, "1 file(s) from the future"),
    ],
)
def test_state(change, state):
    assert inventory.state({**LINE, **change}) == state


@pytest.mark.parametrize(
    ("change", "to_do"),
    [
        ({}, None),
        ({"missing": "data/IXI-T1: no such folder"}, "request it at https://example.org/ixi"),
        ({"needed": 12, "cases": None}, "lower its numbers in `splits`"),
        ({"cases": 8}, "out of data/IXI-T1"),
        ({"needed": 8, "unreadable": [("a.nii", "is cut off")]}, "get the unreadable files again"),
        ({"unreadable": [("a.nii", "is cut off")]}, "get the unreadable files again"),
        ({"contents": contents(A="1", B="1")}, "name one of each in `exclude`"),
        ({"dated": [("a.nii", "2099-01-01 00:00:00")]}, "`touch`, or wait"),
    ],
)
def test_what_to_do(change, to_do):
    found = inventory.remedy({**LINE, **change}, [])
    assert found is None if to_do is None else to_do in found


def test_needed_subjects():
    assert inventory.needed({"train": 358, "val": 44, "test": 160}) == 562
    assert inventory.needed({"train": 90, "val": 10, "test": None}) == 101


def test_text_says_where_to_get_it_and_what_is_wrong():
    bad = {**LINE, "needed": 12, "left_out": [("IXI007", "occurs twice: a, b")]}
    text = "\n".join(inventory.text([bad], []))
    assert "request it at https://example.org/ixi, unpack it to data/IXI-T1" in text
    assert "IXI007: occurs twice: a, b" in text
    text = "\n".join(inventory.text([bad], ["data/IXI-T1"]))
    assert "IXI: `snakemake download` fetches it" in text and "request" not in text
    text = "\n".join(inventory.text([LINE], ["data/IXI-T1"]))
    assert "request" not in text and "fetches" not in text


@pytest.mark.parametrize(
    ("path", "known"),
    [("data/IXI-T1", True), ("data/sri24/templates/T1.nii", True), ("data/sri24-other", False)],
)
def test_what_is_fetched(path, known):
    assert inventory.is_fetched(path, ["data/IXI-T1", "data/sri24"]) == known


def test_scans_that_are_there_twice_are_named_with_each_other():
    other = {**LINE, "title": "MSLUB", "contents": contents(patient01="2", patient02="3")}
    first = {**LINE, "contents": contents(IXI002="1", IXI012="1", IXI014="2")}
    lines = [first, other]
    text = "\n".join(inventory.text(lines, []))
    assert "IXI: IXI002: the same scan as IXI012 of IXI" in text
    assert "IXI: IXI014: the same scan as patient01 of MSLUB" in text
    assert inventory.shared(lines) and not inventory.shared([first])
    assert inventory.twins({"a": first, "b": other}, "image") == [
        [("a", "IXI002"), ("a", "IXI012")], [("a", "IXI014"), ("b", "patient01")],
    ]  # fmt: skip


def test_long_lists_of_remarks_say_how_many_more():
    many = [(f"IXI{i:03d}", "the T1 image is missing") for i in range(25)]
    text = inventory.text([{**LINE, "left_out": many}], [])
    assert sum("is missing" in line for line in text) == 20
    assert text[-1] == "  IXI: and 5 more, in its inventory"


def test_line_collects_what_reading_found(tmp_path):
    paths = [tmp_path / name for name in ("a.nii", "b.nii", "c.nii")]
    for path in paths:
        path.touch()
    ahead = time.time() + 3 * 3600
    os.utime(paths[1], (ahead, ahead))
    found = [
        {"subject": "A", "sha256": {str(paths[0]): "1"}, "contents": {"image": "x"},
         "unreadable": None},
        {"subject": "B", "sha256": {str(paths[1]): "2"}, "contents": {},
         "unreadable": ["b", "bad"]},
        {"subject": "C", "sha256": {str(paths[2]): "3"},
         "contents": {"image": "x", "lesion": "y"}, "unreadable": None},
    ]  # fmt: skip
    line = inventory.line(found, tmp_path)
    assert line["unreadable"] == [("b", "bad")]
    assert line["contents"] == {"image": {"A": "x", "C": "x"}, "lesion": {"C": "y"}}
    assert [path for path, _ in line["dated"]] == [str(paths[1])]
    assert line["sha256"] == inventory.digest(
        {str(p): str(i + 1) for i, p in enumerate(paths)}, tmp_path
    )
    said = "\n".join(inventory.text([{**LINE, **line}], []))
    assert f"{paths[1]}: is dated in the future, " in said and "with `touch`, or wait" in said


def test_page(tmp_path):
    bad = {**LINE, "unreadable": [("x<y.nii", "is cut off")], "contents": contents(A="1", B="1")}
    inventory_page.write_html([LINE, bad], "ok, SRI24", True, tmp_path / "d.html")
    page = (tmp_path / "d.html").read_text()
    assert "<b>x&lt;y.nii</b>: is cut off" in page and "free &amp; open" in page
    assert "<b>A</b>: the same scan as B of IXI" in page
    assert inventory_page.pages.SIMULATED in page and "Atlas: ok, SRI24." in page


def test_a_cohort_of_ones_own_has_no_archive(tmp_path):
    own = {**LINE, "title": "mine", "cases": None, "source": "not stated", "layout": "table"}
    assert inventory.state({**own, "found": 5000}) == "ok"
    few = {**own, "found": 3}
    assert inventory.state(few) == "3 cases, but the splits need 9"
    text = "\n".join(inventory.text([few], []))
    assert "mine" in text and "request it" not in text and "None" not in text
    inventory_page.write_html([own], None, False, tmp_path / "d.html")
    page = (tmp_path / "d.html").read_text()
    assert "not stated" in page and 'href="not stated"' not in page and "None" not in page


def test_files_elsewhere_have_a_digest(tmp_path):
    inside, outside = {f"{tmp_path}/x/a.nii": "1"}, {f"{tmp_path}/y/a.nii": "1"}
    assert inventory.digest(inside, tmp_path / "x") != inventory.digest(outside, tmp_path / "x")
