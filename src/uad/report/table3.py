"""Table 3: one threshold for all, whole lesions, volumes, surfaces, healthy brains.

Per metric the mean over subjects within a fold, then mean and population standard deviation over
folds, as in Table 1. A subject for whom a metric is missing is left out of its mean.
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from uad.report import blocks, pages
from uad.report.blocks import Cell, Context, row_name
from uad.report.numbers import DASH, number
from uad.report.table2 import IDENTITY


class Column(NamedTuple):
    """A column of the page: heading, factor of the shown values, and their decimals."""

    name: str
    heading: str
    factor: float = 100
    decimals: int = 1


COLUMNS = (
    Column("dice_val", "Dice_val"),
    Column("dice_fpr1", "Dice\n1 % FPR"),
    Column("dice_fpr5", "Dice\n5 % FPR"),
    Column("dice_fpr10", "Dice\n10 % FPR"),
    Column("dice_pooled_best", "Dice\npooled"),
    Column("auprc_pooled", "AUPRC\npooled"),
    Column("auroc", "AUROC"),
    Column("lesion_recall", "lesion\nrecall"),
    Column("lesion_precision", "lesion\nprecision"),
    Column("hd95_mm", "HD95\nmm", 1),
    Column("volume_error_ml", "volume\nerror, ml", 1),
    Column("volume_error_abs_ml", "absolute\nerror, ml", 1),
    Column("fp_ml", "false\npositive, ml", 1),
    Column("auroc_subjects", "AUROC\nsubjects"),
    Column("recon_l1_healthy", "recon. L1\nhealthy", 1, 4),
    Column("recon_l1_lesion", "recon. L1\nlesion", 1, 4),
)


def table3(
    table1: pd.DataFrame, subjects: pd.DataFrame, healthy: pd.DataFrame, pooled: pd.DataFrame
) -> pd.DataFrame:
    """One line per row and test set, in the order and with the index of Table 1.

    Parameters
    ----------
    table1 : DataFrame
    subjects, healthy, pooled : DataFrame
        Tables of all rows and folds (`tables.read`).

    Returns
    -------
    DataFrame
        Columns as in `docs/metrics.md`.
    """
    subjects = subjects.assign(volume_error_abs_ml=subjects["volume_error_ml"].abs())
    key = ["row", "test_set", "fold"]
    found = [t.groupby(key).mean(numeric_only=True) for t in (subjects, healthy, pooled)]
    # Both tables of subjects have the mean score; it is only a step to `auroc_subjects`.
    per_fold = pd.concat([t.drop(columns="score_mean", errors="ignore") for t in found], axis=1)
    per_fold = per_fold[[column.name for column in COLUMNS]].groupby(["row", "test_set"])
    mean, std = per_fold.mean(), per_fold.std(ddof=0).where(per_fold.count() > 1)
    rows = [row_name(m, u) for m, u in zip(table1["method"], table1["d_unhealthy"])]
    keys = pd.MultiIndex.from_arrays([rows, table1["test_set"]])
    lines = table1[IDENTITY].copy()
    for column in COLUMNS:
        lines[f"{column.name}_mean"] = mean.loc[keys, column.name].to_numpy()
        lines[f"{column.name}_std"] = std.loc[keys, column.name].to_numpy()
    return lines.assign(n_subjects=table1["n_subjects"], n_folds=table1["n_folds"])


def write_html(table: pd.DataFrame, context: Context, path: str | Path) -> None:
    """The table as one page with a section per test set.

    Parameters
    ----------
    table : DataFrame
        From `table3`.
    context : Context
    path : path-like
    """
    sections = [
        {
            "test_set": test_set,
            "n_subjects": part["n_subjects"].max(),
            "blocks": blocks.blocks(part, context, _cells),
        }
        for test_set, part in table.groupby("test_set", sort=False)
    ]
    pages.write(
        path,
        "table3.html.j2",
        title="Table 3. Further metrics",
        simulated=context.simulated,
        warnings=context.undefined,
        random_extractor=context.random_extractor,
        headings=[column.heading for column in COLUMNS],
        sections=sections,
        released_threshold=context.released_threshold,
    )


def _cells(lines: pd.DataFrame) -> list[Cell]:
    """Mean, and below it the spread over folds."""
    line, cells = lines.iloc[0], []
    for name, _, factor, decimals in COLUMNS:
        mean, std = (number(factor * line[f"{name}_{part}"], decimals) for part in ("mean", "std"))
        cells.append(Cell(mean, [] if std == DASH else [f"± {std}"]))
    return cells
