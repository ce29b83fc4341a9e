"""The report as one archive: what comes first, and where links lead."""

import json
import re
from zipfile import ZipFile

import pytest

from uad.base.errors import InputError
from uad.report import archive

WHERE = '<span class="where">Links do not work here.</span>'
PAGES = {
    "out/index.html": '<a href="tables/t1.html">T</a>, <a href="methods/a&amp;b.html">M</a>, '
    f'<a href="tables/t1.csv">numbers</a>, <a href="gone.html"><i>gone</i></a> {WHERE}',
    "out/tables/t1.html": '<a href="https://example.org">site</a>',
    "out/methods/a&b.html": '<a href="../index.html">F</a>, <a href="../raw/x.jpg">S0</a>, '
    f'<use xlink:href="#m1"/> {WHERE}',
}


@pytest.fixture
def report(tmp_path, monkeypatch):
    """A report as Snakemake writes it, beside the results that it was made of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out/tables").mkdir(parents=True)
    (tmp_path / "out/tables/t1.csv").write_text("1,2\n")
    uris = {path: f"data/raw/{k}/{path.split('/')[-1]}" for k, path in enumerate(PAGES)}
    results = json.dumps({path: {"data_uri": uri} for path, uri in uris.items()})
    with ZipFile("report.zip", "w") as archive:
        for path, uri in uris.items():
            archive.writestr(f"report/{uri}", PAGES[path])
        archive.writestr("report/data/raw/9/picture.png", b"\x89PNG\xff")
        page = f'var results = patch;<script id="results">\nvar results = {results};</script>'
        archive.writestr("report/report.html", page)
    return tmp_path / "report.zip"


def test_front_page_is_first_and_its_links_work(report):
    archive.front(report)
    with ZipFile(report) as content:
        names, page = content.namelist(), content.read("index.html").decode()
        assert content.read("tables/t1.csv") == b"1,2\n"
        assert content.read("report/data/raw/9/picture.png") == b"\x89PNG\xff"
    assert names[0] == "index.html" and len(names) == len(set(names)) == 7
    links = re.findall(r'href="([^"]*)"', page)
    assert links == [
        "report/data/raw/1/t1.html",
        "report/data/raw/2/a&amp;b.html",
        "tables/t1.csv",
        "report/report.html",
    ]
    assert "<i>gone</i>" in page and "Links do not work" not in page


def test_links_between_pages_of_the_report(report):
    archive.front(report)
    with ZipFile(report) as content:
        pages = [
            content.read(n).decode() for n in content.namelist() if re.search(r"/raw/\d/.*html", n)
        ]
    assert '<a href="../1/t1.html">T</a>' in pages[0] and "../../../../tables/t1.csv" in pages[0]
    assert "Links do not work" not in "".join(pages)
    assert pages[1] == PAGES["out/tables/t1.html"]
    assert pages[2] == '<a href="../0/index.html">F</a>, S0, <use xlink:href="#m1"/> '


def test_pages_that_the_report_lacks_are_added_with_those_that_they_link(report, tmp_path):
    """Pages of rows and subjects; what they link outside the results stays outside."""
    results = tmp_path / "out"
    (results / "rows").mkdir()
    (results / "subjects/brats").mkdir(parents=True)
    (tmp_path / "secret.html").write_text("outside")
    (results / "rows/ae.html").write_text(
        '<a href="../index.html">F</a> <a href="../tables/t1.html#brats">T</a> '
        '<a href="../subjects/brats/S1.html">S1</a> <a href="../../secret.html">no</a>'
    )
    (results / "subjects/brats/S1.html").write_text('<a href="../../rows/ae.html">AE</a>')
    rewrite(report, "index.html", '<a href="rows/ae.html#brats">AE</a> <a href="gone.html">G</a>')
    archive.front(report)
    with ZipFile(report) as content:
        names = content.namelist()
        assert names[0] == "index.html" and len(names) == len(set(names))
        row = content.read("rows/ae.html").decode()
        assert 'href="rows/ae.html#brats"' in content.read("index.html").decode()
        assert (
            content.read("subjects/brats/S1.html").decode() == '<a href="../../rows/ae.html">AE</a>'
        )
    assert row == (
        '<a href="../report/data/raw/0/index.html">F</a> '
        '<a href="../report/data/raw/1/t1.html#brats">T</a> '
        '<a href="../subjects/brats/S1.html">S1</a> no'
    )
    assert not any("secret" in name for name in names)


def rewrite(report, name, text):
    """Replace what a report holds of a page."""
    with ZipFile(report) as archive:
        parts = {of: archive.read(of) for of in archive.namelist()}
    with ZipFile(report, "w") as archive:
        for of, content in parts.items():
            archive.writestr(of, text if of.endswith(f"/{name}") else content)


def test_a_second_time_changes_nothing(report):
    archive.front(report)
    before = report.read_bytes()
    archive.front(report)
    assert report.read_bytes() == before


def test_another_archive_is_refused(tmp_path):
    with ZipFile(tmp_path / "other.zip", "w") as content:
        content.writestr("other/report.html", "<html></html>")
    with pytest.raises(InputError, match="other.zip is not a report"):
        archive.front(tmp_path / "other.zip")
