"""Subjects that the user leaves out, in a table: a TSV with columns `subject` and `reason`."""

from pathlib import Path

from uad.base.errors import InputError
from uad.data.layouts import ABSENT, lines


def read(path: Path | str, key: str) -> dict[str, str]:
    """Why each subject is left out, by its label; other columns are left alone.

    Parameters
    ----------
    path : path-like
    key : str
        Of the configuration that names the table, for messages.

    Raises
    ------
    InputError
        If the table cannot be read, names a subject twice, or gives no reason; with the line.
    """
    reasons: dict[str, str] = {}
    known: dict[str, int] = {}
    for number, line in lines.read(path, ["subject", "reason"], key):
        subject, place = line["subject"], f"{path}, line {number}"
        for column in ("subject", "reason"):
            if line[column] in ABSENT:
                raise InputError(f"{place}: has no {column}")
        if subject in known:
            raise InputError(f"{place}: subject {subject} is in line {known[subject]} already")
        reasons[subject], known[subject] = line["reason"], number
    return reasons
