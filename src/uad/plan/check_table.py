"""What `snakemake check` found, as tables for a terminal."""

from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from uad.data import inventory
from uad.plan.preflight import Findings

COUNTS = ("found", "needed", "left out")


def tell(found: Findings, stream: TextIO) -> None:
    """Write it to a terminal as tables, to anything else as the plain sentences."""
    if stream.isatty():
        show(found, Console(file=stream))
    else:
        print("\n".join(found.sentences()), file=stream)
    stream.flush()


def show(found: Findings, console: Console) -> None:
    """Print tables of the data sets and of what else is needed, and what is said of files."""
    console.print(data_sets(found))
    console.print(others(found))
    said = inventory.remarks({line["title"]: line for line in found.lines})
    for title, remarks in said.items():
        for line in inventory.remark_lines(title, remarks):
            console.print(Text(line), soft_wrap=True)  # paths in one piece, to be copied


def data_sets(found: Findings) -> Table:
    """A line per data set."""
    shown = _table()
    shown.add_column("data set", overflow="fold", min_width=8, max_width=12)
    for name in COUNTS:
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("problems", overflow="fold", ratio=1)
    shown.add_column("what to do", overflow="fold", ratio=1)
    for line in found.lines:
        counts = (line["found"], line["needed"], len(line["excluded"]) + len(line["left_out"]))
        state = inventory.state(line)
        to_do = inventory.remedy(line, found.fetched)
        if state == "ok" and _elsewhere(line, found.lines):
            state, to_do = "has scans or masks of another data set", "name them in `exclude`"
        cells = _cells(state, state == "ok", to_do)
        shown.add_row(Text(line["title"]), *map(str, counts), *cells)
    return shown


def others(found: Findings) -> Table:
    """A line for each other thing that a run needs."""
    shown = _table()
    shown.add_column("also needed", overflow="fold", max_width=16)
    shown.add_column("problems", overflow="fold", ratio=2)
    shown.add_column("what to do", overflow="fold", ratio=1)
    for part in found.parts:
        shown.add_row(Text(part.name), *_cells(part.said, part.good, part.remedy))
    return shown


def _table() -> Table:
    return Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), expand=True)


def _elsewhere(line, lines):
    """Whether a data set has a scan or a mask that another one has."""
    return any(inventory.shared([line, other]) for other in lines if other is not line)


def _cells(said: str, good: bool, to_do: str | None) -> tuple[Text, Text]:
    """The last two cells: told apart by words, coloured as well."""
    return Text(said, style="green" if good else "bold red"), Text(to_do or "")
