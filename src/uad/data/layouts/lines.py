"""Lines of a table that the user wrote: a mistake in it is told with its line."""

import csv
from collections.abc import Sequence
from pathlib import Path

from uad.base.errors import InputError


def read(path: Path | str, needed: Sequence[str], key: str) -> list[tuple[int, dict[str, str]]]:
    """Number and cells, by column, of every line below the names of the columns.

    Parameters
    ----------
    path : path-like
        TSV in UTF-8.
    needed : sequence of str
        Columns that it must have.
    key : str
        Of the configuration that names it, for messages.

    Raises
    ------
    InputError
        If there is no such table, it lacks a column or has one twice, or a line has more or fewer
        cells than there are columns.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such table (configuration key {key})")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
            columns = [column.strip() for column in table.fieldnames or []]
            table.fieldnames = columns
            rows = [(table.line_num, row) for row in table]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table in UTF-8 ({error})") from None
    for column in needed:
        if column not in columns:
            raise InputError(
                f"{path}: has no column {column!r}, only {', '.join(columns) or 'none'}; columns "
                "are separated by tabs, and their names are in the first line"
            )
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: has the column {twice!r} twice")
    for number, row in rows:
        if None in row or None in row.values():
            cells = len([c for c in row if c is not None and row[c] is not None])
            cells += len(row.get(None, ()))
            raise InputError(
                f"{path}, line {number}: has {cells} cells, but there are {len(columns)} columns"
            )
    return [(number, {key: cell.strip() for key, cell in row.items()}) for number, row in rows]
