"""Tables of the results folder: tab-separated, with a header, `n/a` for missing values."""

import csv
import io
from pathlib import Path

import pandas as pd

from uad.base.errors import InputError
from uad.base.files import replacing


def read(path: Path | str) -> pd.DataFrame:
    """Read a TSV table; `subject` stays text.

    pandas would fill what a cut line lacks with missing values, and nobody would notice.

    Raises
    ------
    InputError
        If the file is missing or not whole: not text, without the last line's end, or with a line
        that has more or fewer fields than the header.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is damaged (not text); delete it and run again") from None
    if not text.endswith("\n"):
        raise InputError(f"{path}: is cut short; delete it and run again")
    header, *lines = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
    if not header:
        raise InputError(f"{path}: has no header; delete it and run again")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise InputError(
                f"{path}: line {number} has {len(line)} fields and must have {len(header)}; "
                "delete the file and run again"
            )
    return pd.read_csv(io.StringIO(text), sep="\t", dtype={"subject": str})


def write(table: pd.DataFrame, path: Path | str) -> None:
    """Write a TSV table, complete or not at all; floats with six significant digits."""
    with replacing(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="n/a")
