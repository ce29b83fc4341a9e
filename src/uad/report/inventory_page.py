"""The page of all data sets: cases found, left out and unreadable, licences and citations."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uad.data import inventory
from uad.report import pages


def write_html(
    lines: Sequence[Mapping[str, Any]], atlas: str | None, simulated: bool, path: str | Path
) -> None:
    """The table of data sets as a page for the report.

    Parameters
    ----------
    lines : list of dict
        What rule `inventory` wrote for each data set.
    atlas : str or None
        What the atlas templates are (`atlases.examine`); None for simulated ones.
    simulated : bool
    path : path-like
    """
    pages.write(
        path,
        "inventory_page.html.j2",
        title="Data sets",
        simulated=simulated,
        atlas=atlas,
        lines=[{**line, "state": inventory.state(line)} for line in lines],
        remarks=[
            (title, name, reason)
            for title, said in inventory.remarks({line["title"]: line for line in lines}).items()
            for name, reason in said
        ],
    )
