"""A table of all test subjects of a test set: [DICE] by every row."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from uad.report import pages
from uad.report.details import Run
from uad.report.numbers import number, percent

SHADES = 10


def write(
    path: str | Path,
    run: Run,
    test_set: str,
    per_subject: pd.DataFrame,
    linked: Mapping[str, Sequence],
) -> None:
    """Write the page of a test set.

    Parameters
    ----------
    path : path-like
    run : Run
    test_set : str
    per_subject : DataFrame
        From `chosen.means`, of all test sets.
    linked : mapping
        Subjects that have a page.
    """
    lines = per_subject.xs(test_set, level="test_set")
    wide = lines["dice_best"].unstack("row")[list(run.rows)]
    sizes = lines["lesion_ml"].groupby("subject", sort=False).first()
    highest = wide[run.scored].to_numpy(float)
    top = np.nanmax(highest) if np.isfinite(highest).any() else 1.0
    pages.write(
        path,
        "subjects_page.html.j2",
        title=f"Test subjects of {test_set.upper()}",
        simulated=run.simulated,
        test_set=test_set,
        n_folds=len(run.folds),
        n_pages=len(linked),
        headings=[(row, run.label(row)) for row in run.rows],
        lines=[
            {
                "subject": subject,
                "page": f"{test_set}/{subject}.html" if subject in linked else "",
                "lesion": number(sizes[subject]),
                "cells": [(percent(value), _shade(value, top)) for value in wide.loc[subject]],
            }
            for subject in sizes.index
        ],
    )


def _shade(value: float, top: float) -> int:
    """A step of the colour, 0 to `SHADES` - 1."""
    if not np.isfinite(value) or top <= 0:
        return 0
    return min(int(SHADES * value / top), SHADES - 1)
