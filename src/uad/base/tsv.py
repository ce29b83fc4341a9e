"""Tables of the results folder: tab-separated, with a header, `n/a` for missing values.

Tables that other jobs read are sealed: their last column repeats a check sum of the whole, so that
one that lost lines, or that was changed in any other way, is not taken for what was written.
"""

import csv
import io
import json
import zlib
from pathlib import Path

import pandas as pd

from uad.base.errors import InputError
from uad.base.files import replacing

SEAL = "check"  # column


def read(path: Path | str) -> pd.DataFrame:
    """Read a TSV table, without the seal if it has one; `subject` stays text.

    pandas would fill what a cut line lacks with missing values, and nobody would notice.

    Raises
    ------
    InputError
        If the file is missing or not whole: not text, without the last line's end, with a line that
        has more or fewer fields than the header, or with a seal that does not fit the rest.
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
    table = pd.read_csv(io.StringIO(text), sep="\t", dtype={"subject": str})
    if header[-1] != SEAL:
        return table
    seal = _seal([line[:-1] for line in (header, *lines)])
    if not lines or any(line[-1] != seal for line in lines):
        raise InputError(
            f"{path}: is not as it was written (its check sum is wrong); delete it and run again"
        )
    return table.drop(columns=SEAL)


def write(table: pd.DataFrame, path: Path | str, sealed: bool = False) -> None:
    """Write a TSV table, complete or not at all; floats with six significant digits.

    Parameters
    ----------
    table : DataFrame
    path : path-like
    sealed : bool
        With a check sum in the column `check`, which `read` compares; a table without lines has
        none.
    """
    if sealed and len(table):
        lines = csv.reader(io.StringIO(_text(table), newline=""), delimiter="\t")
        table = table.assign(**{SEAL: _seal(list(lines))})
    with replacing(path) as temporary:
        temporary.write_text(_text(table), encoding="utf-8", newline="")


def _text(table):
    return table.to_csv(
        sep="\t", index=False, float_format="%.6g", na_rep="n/a", lineterminator="\n"
    )


def _seal(lines):
    """Check sum of all fields of a table, header included."""
    return f"crc32:{zlib.crc32(json.dumps(lines).encode()):08x}"
