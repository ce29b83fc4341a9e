"""Which page a run leaves: that of its end, or that of its failure, and never both as current.

Of the standard library only: it must work where the environment is what failed.
"""

from pathlib import Path

from uad.base.files import replacing
from uad.base.paths import Paths

EARLIER = "This is the page of an earlier run. A later one stopped with an error; see"


def failed(paths: Paths) -> None:
    """Put the page of an earlier run aside, with a warning at its top.

    Snakemake misses the page then, and writes it again when a run comes to its end.
    """
    page = Path(paths.front_page)
    if not page.exists():
        return
    link = f'<a href="{Path(paths.failed_page).name}">what failed and why</a>'
    warning = f'<p class="warning">{EARLIER} {link}.</p>'
    text = page.read_text(encoding="utf-8", errors="replace")
    head, heading, rest = text.partition("</h1>")
    title = head.replace("<title>", "<title>Earlier run: ", 1)
    with replacing(paths.earlier_page) as temporary:
        whole = f"{title}{heading}\n{warning}{rest}" if heading else warning + text
        temporary.write_text(whole, encoding="utf-8")
    page.unlink()


def finished(paths: Paths) -> None:
    """Remove what a failed run has left."""
    for path in (paths.failed_page, paths.earlier_page):
        Path(path).unlink(missing_ok=True)
