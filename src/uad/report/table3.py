"""Table 3: one threshold for all, whole lesions, volumes, surfaces, healthy brains.

Per metric the mean over subjects within a fold, then mean and population standard deviation over
folds, as in Table 1. A subject for whom a metric is missing is left out of its mean.
"""

from typing import NamedTuple

import pandas as pd

from uad.report import pages
from uad.report.table1 import block_table, row_name
from uad.report.table2 import IDENTITY, STYLE


class Column(NamedTuple):
    """A column of the page: its heading, the factor that values are shown with, and decimals."""

    name: str
    heading: str
    factor: float = 100
    decimals: int = 1


COLUMNS = (
    Column("dice_val", "Dice<sub>val</sub>"),
    Column("dice_fpr1", "Dice<br>1 % FPR"),
    Column("dice_fpr5", "Dice<br>5 % FPR"),
    Column("dice_fpr10", "Dice<br>10 % FPR"),
    Column("dice_pooled_best", "Dice<br>pooled"),
    Column("auprc_pooled", "AUPRC<br>pooled"),
    Column("auroc", "AUROC"),
    Column("lesion_recall", "lesion<br>recall"),
    Column("lesion_precision", "lesion<br>precision"),
    Column("hd95_mm", "HD95<br>mm", 1),
    Column("volume_error_ml", "volume<br>error, ml", 1),
    Column("volume_error_abs_ml", "absolute<br>error, ml", 1),
    Column("fp_ml", "false<br>positive, ml", 1),
    Column("auroc_subjects", "AUROC<br>subjects"),
    Column("recon_l1_healthy", "recon. L1<br>healthy", 1, 4),
    Column("recon_l1_lesion", "recon. L1<br>lesion", 1, 4),
)


def table3(table1, subjects, healthy, pooled):
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


def write_html(table, labels, simulated, path, footnotes=()):
    """The table as one page with a section per test set; parameters as for `tables.write_html`."""
    headings = [column.heading for column in COLUMNS]
    sections = [
        f"<h2>{test_set.upper()} ({part['n_subjects'].max()} subjects)</h2>\n"
        + block_table(part, labels, headings, _cells)
        for test_set, part in table.groupby("test_set", sort=False)
    ]
    warnings = [pages.SIMULATED] if simulated else []
    body = _BODY + "\n".join(sections) + "".join(f"<p>{sentence}</p>\n" for sentence in footnotes)
    pages.write(path, "Table 3. Further metrics", body, warnings, STYLE)


def _cells(line):
    """Mean, and below it the spread over folds."""
    cells = []
    for name, _, factor, decimals in COLUMNS:
        mean, std = (line[f"{name}_{part}"] for part in ("mean", "std"))
        text = pages.number(factor * mean, decimals)
        spread = "" if pd.isna(std) else f"<br><span>± {factor * std:.{decimals}f}</span>"
        cells.append(f'<td class="n">{text}{spread}</td>')
    return cells


_BODY = """\
<p>Mean over test subjects, then over folds, and grey the population standard deviation over folds;
shares in per cent. Dice<sub>val</sub>, lesions, HD95, volumes and false positives are at the one
threshold per test set and fold that is best for validation subjects. FPR: at the thresholds that
let 1, 5 and 10 % of the brain voxels of healthy validation subjects through. Lesions are
26-connected components; one is found if any voxel of it is predicted. HD95 leaves out subjects
without a prediction, so compare it between rows of similar recall only. False positives are those
in healthy test subjects. AUROC of subjects: mean score of the brain, test set against healthy
subjects, who differ in scanner too. AUROC is of all voxels of the box, most of them background that
every method gets right: read it beside that of <i>chance</i>. Definitions: docs/metrics.md.</p>
"""
