"""What a cohort's own table tells of its subjects: age, sex and site.

The table is that of `layout: table`, or `participants.tsv` of a BIDS folder, whose first column is
`participant_id`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from uad.base.errors import InputError
from uad.data.datasets import Subject, person
from uad.data.drawing import age_group
from uad.data.layouts import ABSENT, label


def metadata(subjects: Sequence[Subject], table: Path | str | None) -> pd.DataFrame:
    """Site, sex, age and age group of each subject; *unknown* and NaN where nothing is said.

    Parameters
    ----------
    subjects : list of datasets.Subject
    table : path-like or None
        TSV with a column `subject` or `participant_id`; the first line of a subject counts.

    Returns
    -------
    DataFrame
        One line per subject, in order.

    Raises
    ------
    InputError
        If the table cannot be read, or an age is no number.
    """
    lines = {} if table is None else _read(table)
    found = [lines.get(person(subject.subject), {}) for subject in subjects]
    ages = [_age(line, table) for line in found]
    return pd.DataFrame(
        {
            "site": [line.get("site", "unknown") for line in found],
            "sex": [line.get("sex", "unknown") for line in found],
            "age": ages,
            "age_group": [age_group(age) for age in ages],
        }
    )


def _read(path):
    """Cells that say something, by subject's label and column."""
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3)
    except Exception as error:  # missing, empty, or in another encoding
        raise InputError(f"{path}: cannot be read as a table of subjects ({error})") from error
    table.columns = [str(column).strip() for column in table.columns]
    key = next((name for name in ("subject", "participant_id") if name in table), None)
    if key is None:
        raise InputError(
            f"{path}: has neither a column 'subject' nor 'participant_id', only "
            f"{', '.join(table.columns)}"
        )
    found = {}
    for line in table.to_dict("records"):
        cells = {column: cell.strip() for column, cell in line.items()}
        known = {column: cell for column, cell in cells.items() if cell not in ABSENT}
        found.setdefault(label(cells[key], f"{path}: a subject"), known)
    return found


def _age(line, path):
    """Age in years; NaN if it is not known."""
    text = line.get("age")
    if text is None:
        return np.nan
    try:
        # As BIDS writes the ages that could tell who someone is.
        return float(text.rstrip("+"))
    except ValueError:
        raise InputError(f"{path}: the age {text!r} is no number of years") from None
