"""A failed run leaves no page that looks like a result, a finished one no page of a failure."""

from pathlib import Path

import pytest

from uad.base.paths import Paths
from uad.report import earlier_page, pages


@pytest.fixture
def paths(tmp_path):
    return Paths(str(tmp_path))


def names(paths):
    return sorted(path.name for path in Path(paths.root).iterdir())


def test_the_page_of_an_earlier_run_is_put_aside_with_a_warning(paths):
    pages.write(
        paths.front_page,
        "inventory_page.html.j2",
        title="Results",
        simulated=True,
        lines=[],
        atlas=None,
        remarks=[],
    )
    before = Path(paths.front_page).read_text()
    Path(paths.crate).write_text("{}")  # of what is no longer there
    earlier_page.put_aside(paths)
    assert names(paths) == ["earlier.html"]
    after = Path(paths.earlier_page).read_text()
    top = after.partition("</h1>")[2].lstrip()
    assert top.startswith('<p class="warning">This is the page of an earlier run.')
    assert '<a href="failed.html">' in top.partition("</p>")[0]
    assert "<title>Earlier run: Results</title>" in after and "Earlier run" not in before
    assert before.partition("</h1>")[2] in after  # the rest is as it was


def test_a_second_failure_keeps_it(paths):
    Path(paths.front_page).write_text("<h1>Results</h1>")
    earlier_page.put_aside(paths)
    kept = Path(paths.earlier_page).read_text()
    earlier_page.put_aside(paths)
    assert names(paths) == ["earlier.html"] and Path(paths.earlier_page).read_text() == kept


def test_a_page_that_is_damaged_is_put_aside_too(paths):
    Path(paths.front_page).write_bytes(b"\xff\xfe")
    earlier_page.put_aside(paths)
    assert names(paths) == ["earlier.html"]
    assert Path(paths.earlier_page).read_text().startswith('<p class="warning">')


def test_a_finished_run_removes_what_a_failed_one_left(paths):
    for path in (paths.front_page, paths.failed_page, paths.earlier_page):
        Path(path).write_text("page")
    earlier_page.clear(paths)
    assert names(paths) == ["index.html"]
    earlier_page.clear(paths)
