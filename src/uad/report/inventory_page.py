"""The page of all data sets: cases found, left out and unreadable, licences and citations."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uad.data import inventory
from uad.report import pages


def write_html(lines: Sequence[Mapping[str, Any]], simulated: bool, path: str | Path) -> None:
    """The table of data sets as a page for the report.

    Parameters
    ----------
    lines : list of dict
        What rule `inventory` wrote for each data set.
    simulated : bool
    path : path-like
    """
    pages.write(
        path,
        "inventory_page.html.j2",
        title="Data sets",
        simulated=simulated,
        lines=[{**line, "state": inventory.state(line)} for line in lines],
        remarks=[
            (line["title"], name, reason)
            for line in lines
            for name, reason in [*line["left_out"], *line["unreadable"]]
        ],
    )
