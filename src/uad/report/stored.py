"""Files of a run that may not be there yet."""

from pathlib import Path
from typing import Any

import pandas as pd

from uad.base import tsv
from uad.base.errors import InputError
from uad.base.paths import Paths
from uad.report import joined


def json_file(path: str | Path) -> Any:
    """Content of a JSON file, or None; `InputError` if it is damaged."""
    return joined.record(path) if Path(path).exists() else None


def tsv_file(path: str | Path) -> pd.DataFrame | None:
    """Table of a TSV file, or None; `InputError` if it is damaged."""
    return tsv.read(path) if Path(path).exists() else None


def table1(paths: Paths) -> pd.DataFrame | None:
    """Table 1 of a run, or None; `InputError` if it is damaged."""
    path = Path(paths.table("table1.csv"))
    try:
        return pd.read_csv(path) if path.exists() else None
    except ValueError as error:  # not text, or no table
        raise InputError(f"{path}: is damaged ({error}); delete it and run again") from error
