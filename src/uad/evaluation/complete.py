"""Tables that hold exactly what they must, or end the job with a sentence that names the file.

Apart from `uad.report.joined`, which puts such tables side by side: a job that reads anomaly maps
also reads metrics, and should not run again for what is joined elsewhere.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from uad.base import tsv
from uad.base.errors import InputError

AGAIN = "delete the file and run again"
NAMED = 3  # of what is missing or too much


def of_test_set(
    path: Path | str, row: str, fold: int, test_set: str, subjects: Iterable[str]
) -> pd.DataFrame:
    """Metrics of one row's test subjects, of one test set and fold.

    Raises
    ------
    InputError
        If the file is damaged, of another row or fold, or does not have exactly these subjects.
    """
    table = tsv.read(path)
    need(table, path, ["test_set"])
    keys = [(test_set, subject) for subject in subjects]
    return lines(table[table["test_set"] == test_set], path, {"row": row, "fold": fold}, keys)


def need(table: pd.DataFrame, path: Path | str, columns: Iterable[str]) -> None:
    """Raise `InputError` if the table of a file lacks a column."""
    missing = [name for name in columns if name not in table]
    if missing:
        raise InputError(f"{path}: has no column {missing[0]}; {AGAIN}")


def lines(
    table: pd.DataFrame,
    path: Path | str,
    of: Mapping[str, Any],
    expected: Sequence[tuple[str, ...]],
    many: bool = False,
) -> pd.DataFrame:
    """The table of a file, if it has a line for each expected key and for nothing else.

    Parameters
    ----------
    table : DataFrame
    path : path-like
    of : mapping
        What all lines have in some columns.
    expected : list of tuple of str
        Test set and subject, or test set alone.
    many : bool
        Allow several lines for a key.

    Raises
    ------
    InputError
        Otherwise, or if another column than names is not all numbers.
    """
    columns = ["test_set", "subject"][: len(expected[0])]
    need(table, path, [*columns, *of])
    for column, value in of.items():
        others = table.loc[table[column] != value, column]
        if len(others):
            raise InputError(
                f"{path}: has lines of {column} {others.iloc[0]} and must have {value} only; "
                f"{AGAIN}"
            )
    counts = Counter(zip(*(table[name] for name in columns)))
    for problem, keys in {
        "lacks": [key for key in expected if key not in counts],
        "has, against the split,": [key for key in counts if key not in set(expected)],
        "has more than once": [] if many else [key for key, n in counts.items() if n > 1],
    }.items():
        if keys:
            named = ", ".join(" ".join(map(str, key)) for key in keys[:NAMED])
            more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
            raise InputError(f"{path}: {problem} {named}{more}; {AGAIN}")
    words = [*columns, "row", "d_unhealthy"]
    texts = table.drop(columns=words, errors="ignore").select_dtypes(object)
    if len(texts.columns):
        raise InputError(f"{path}: column {texts.columns[0]} is not all numbers; {AGAIN}")
    return table
