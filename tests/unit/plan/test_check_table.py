"""What `snakemake check` shows: tables on a terminal, plain sentences elsewhere."""

import io
import re

import pytest
from conftest import LINE

from uad.plan import check_table
from uad.plan.preflight import Findings, Part

FILE = "data/ATLAS_2/Training/R001/sub-r001s001/ses-1/anat/sub-r001s001_ses-1_T1w.nii.gz"
FOUND = Findings(
    [
        LINE,
        {**LINE, "title": "BraTS21", "missing": "data/BraTS21: no such folder", "found": 0,
         "needed": 126, "folder": "data/BraTS21"},
        {**LINE, "title": "ATLAS v2.0 [R1]", "unreadable": [(FILE, "is cut off")], "found": 12,
         "excluded": [("r003", "excluded: moved")], "left_out": [("r002", "occurs twice")]},
        {**LINE, "title": "WMH", "contents": {"image": {"A": "1"}, "lesion": {}}},
        {**LINE, "title": "MSLUB", "contents": {"image": {"B": "1"}, "lesion": {}}},
    ],
    ["data/BraTS21"],
    [
        Part("device", "cpu", True),
        Part("disk", "results need about 9 GB, 1 GB is free", False, "free some"),
    ],
)  # fmt: skip


class Terminal(io.StringIO):
    """One of 80 columns."""

    def isatty(self):
        return True


@pytest.fixture
def told(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def tell(found=FOUND, stream=Terminal):
        to = stream()
        check_table.tell(found, to)
        return to.getvalue()

    return tell


def plain(text):
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def words(text, name):
    """The line of a table that begins with a name, and what hangs below it, as one."""
    lines = plain(text).splitlines()
    (start,) = (i for i, line in enumerate(lines) if line.startswith(f" {name} "))
    hanging = []
    for line in lines[start + 1 :]:
        if not line.strip() or line[1] != " ":
            break
        hanging.append(line)
    return " ".join(" ".join([lines[start], *hanging]).split())


def test_a_terminal_gets_tables_of_its_width(told):
    text = told()
    table, _, remarks = plain(text).partition("  ATLAS")
    assert max(map(len, table.splitlines())) <= 80
    assert words(text, "data set") == "data set found needed left out problems what to do"
    assert words(text, "IXI") == "IXI 9 9 0 ok"
    assert words(text, "WMH").startswith("WMH 9 9 0 has scans or masks name them in")
    assert words(text, "device") == "device cpu"
    assert "free some" in words(text, "disk")
    brats = words(text, "BraTS21")
    assert brats.startswith("BraTS21 0 126 0 data/BraTS21: no `snakemake")
    assert f"{FILE}: is cut off" in remarks  # in one piece, however long
    assert "MSLUB: B: the same scan as A of WMH" in remarks


def test_names_are_no_markup_and_what_is_wrong_is_red(told):
    text = told()
    assert "[R1]" in plain(text)
    red = re.findall(r"\x1b\[1;31m(.*?)\x1b", text)
    assert any("1 unreadable" in part for part in red) and "ok" not in " ".join(red)


def test_elsewhere_it_is_the_plain_sentences(told):
    text = told(stream=io.StringIO)
    assert text == "\n".join(FOUND.sentences()) + "\n" and "\x1b" not in text
    assert "disk: results need about 9 GB, 1 GB is free; free some\n" in text
    assert (
        "  ATLAS v2.0 [R1]: get the unreadable files again, or name their subjects in `exclude`"
        in text
    )


def test_verdict():
    assert not FOUND.good
    good = Findings([LINE], [], [Part("device", "cpu", True)])
    assert good.good and not good._replace(lines=FOUND.lines[3:]).good
    assert not good._replace(parts=FOUND.parts).good
