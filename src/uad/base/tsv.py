"""Tables of the results folder: tab-separated, with a header, `n/a` for missing values."""

from pathlib import Path

import pandas as pd

from uad.base.errors import InputError
from uad.base.files import replacing


def read(path: Path | str) -> pd.DataFrame:
    """Read a TSV table; `subject` stays text."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    return pd.read_csv(path, sep="\t", dtype={"subject": str})


def write(table: pd.DataFrame, path: Path | str) -> None:
    """Write a TSV table, complete or not at all; floats with six significant digits."""
    with replacing(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="n/a")
