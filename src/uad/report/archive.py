"""The report as one archive: the front page first, and links that work inside it.

`snakemake --report report.zip` puts each result into a folder of its own below
`report/data/raw/`, where links between our pages lead nowhere. After

    PYTHONPATH=src python -m uad.report.archive report.zip

(which `make report` and `make demo` do) the archive begins with the front page, `index.html`, and
what it links and the report does not show: small files, such as `tables/table1.csv`, and pages of
rows and subjects, with the pages that these link. Links lead to what the archive holds; those to
anything else become plain text.
"""

import json
import posixpath
import re
import sys
from collections.abc import Mapping
from html import escape, unescape
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from uad.base.errors import InputError
from uad.base.files import replacing
from uad.report import pages

FRONT = "index.html"
# What pages of ours are read by: links, and remarks on where they work (`macros.html.j2`).
_LINK = re.compile(r'<a href="([^"#]+)(?:#[^"]*)?">(.*?)</a>', re.DOTALL)
_WHERE = re.compile(r'<span class="where">.*?</span>', re.DOTALL)


def front(path: str | Path) -> None:
    """Put the front page first in a report that Snakemake wrote; a second call changes nothing.

    Links of the front page to files outside the report are followed from the working directory,
    where Snakemake ran.

    Parameters
    ----------
    path : path-like
        The archive.

    Raises
    ------
    InputError
        If it is no report, or one without a front page.
    """
    with ZipFile(path) as archive:
        names = archive.namelist()
        if names[:1] == [FRONT]:
            return
        report = next((name for name in names if name.endswith("/report.html")), None)
        held = report and _results(archive.read(report).decode(), posixpath.dirname(report))
        root = next(
            (posixpath.dirname(p) for p in held or () if posixpath.basename(p) == FRONT), None
        )
        if root is None:
            raise InputError(f"{path} is not a report of this workflow: it has no front page")
        page = archive.read(held[f"{root}/{FRONT}"]).decode()
        added = _linked(page, root, held)
        places = held | {source: posixpath.relpath(source, root) for source in added}
        sources = {name: source for source, name in held.items()}
        with replacing(path) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as bundle:
            note = pages.render("report_link.html.j2", report=report)
            bundle.writestr(FRONT, _relinked(page, root, "", places, note))
            for source, name in places.items():
                if source in held:
                    continue
                if name.endswith(".html"):
                    content = Path(source).read_text(encoding="utf-8")
                    folder, own = posixpath.dirname(source), posixpath.dirname(name)
                    bundle.writestr(name, _relinked(content, folder, own, places))
                else:
                    bundle.write(source, name)
            for name in names:
                content = archive.read(name)
                if name.endswith(".html") and name in sources:
                    folder, own = posixpath.dirname(sources[name]), posixpath.dirname(name)
                    content = _relinked(content.decode(), folder, own, places)
                bundle.writestr(name, content)


def _results(html: str, folder: str) -> dict[str, str]:
    """The name in the archive of each result, by the path of the file that Snakemake read."""
    _, found, rest = html.partition('id="results">')
    if not found:
        return {}
    results, _ = json.JSONDecoder().raw_decode(rest, rest.index("{"))
    return {path: f"{folder}/{result['data_uri']}" for path, result in results.items()}


def _linked(page: str, root: str, held: Mapping[str, str]) -> list[str]:
    """Results that the report lacks, linked by the front page or by such a page."""
    found, pending = [], [(page, root)]
    while pending:
        text, folder = pending.pop(0)
        for href, _ in _LINK.findall(text):
            source = posixpath.normpath(posixpath.join(folder, unescape(href)))
            inside = source.startswith(f"{root}/") and source != f"{root}/{FRONT}"
            if not inside or source in held or source in found or not Path(source).is_file():
                continue
            found.append(source)
            if source.endswith(".html"):
                content = Path(source).read_text(encoding="utf-8")
                pending.append((content, posixpath.dirname(source)))
    return found


def _relinked(page: str, folder: str, own: str, places: Mapping[str, str], note: str = "") -> str:
    """A page for the archive.

    Parameters
    ----------
    page : str
    folder : str
        Where the page was.
    own : str
        The page's folder in the archive.
    places : dict of str to str
        File to name in the archive.
    note : str
        HTML, in place of the remark on where links work.
    """

    def link(found: re.Match) -> str:
        href = unescape(found[1])
        if "://" in href:
            return found[0]
        name = places.get(posixpath.normpath(posixpath.join(folder, href)))
        if name is None:
            return found[2]
        return found[0].replace(found[1], escape(posixpath.relpath(name, own or ".")), 1)

    return _WHERE.sub(lambda _: note, _LINK.sub(link, page))


if __name__ == "__main__":
    try:
        front(sys.argv[1])
    except InputError as error:
        sys.exit(str(error))
