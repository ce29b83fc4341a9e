"""Which page a run leaves: that of its end, or that of its failure, and never both as current.

Apart from `uad.report.front_page`, which needs more: this must work where the environment is what
failed.
"""

from pathlib import Path

from uad.base.paths import Paths
from uad.report import pages


def put_aside(paths: Paths) -> None:
    """Put the page of an earlier run aside, with a warning at its top.

    Snakemake misses the page then, and writes it again when a run comes to its end. What describes
    the results to archives goes, since they are no longer those of one run.
    """
    page = Path(paths.front_page)
    Path(paths.crate).unlink(missing_ok=True)
    if not page.exists():
        return
    front = page.read_text(encoding="utf-8", errors="replace")
    failed_page = Path(paths.failed_page).name
    pages.write(paths.earlier_page, "earlier_page.html.j2", front=front, failed=failed_page)
    page.unlink()


def clear(paths: Paths) -> None:
    """Remove what a failed run has left."""
    for path in (paths.failed_page, paths.earlier_page):
        Path(path).unlink(missing_ok=True)
