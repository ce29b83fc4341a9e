"""Table 1: rows by test sets, beside the published values.

Per row and test set a metric is averaged over the test subjects of each fold; mean and population
standard deviation over the folds are reported, as in the paper. Values are fractions in the CSV
and per cent in HTML and LaTeX. Subjects without a lesion voxel left count as Dice 0 and are
missing from the average precision, as in the reference; a fold in which no test subject has a
lesion has no values at all, and its test set's mean is of the others.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from uad.base.files import replacing
from uad.evaluation import statistics
from uad.report import blocks, pages
from uad.report.blocks import Cell, Context
from uad.report.numbers import DASH, percent, percent_with_spread
from uad.report.table2 import against_paper

# Metric to its name in the columns of the published values; both are shown with a spread.
PUBLISHED = {"dice_best": "dice", "auprc": "auprc"}


def table1(
    subjects: pd.DataFrame, rows: Mapping[str, Mapping], paper_path: str | Path | None = None
) -> pd.DataFrame:
    """One line per row and test set.

    Parameters
    ----------
    subjects : DataFrame
        Metrics of every row, fold and subject, from `tables.read`.
    rows : dict
        `rows` of the configuration.
    paper_path : path-like, optional
        Published values, per cent.

    Returns
    -------
    DataFrame
        Columns as in `config/README.md`; fractions.
    """
    paper = None
    if paper_path:
        paper = pd.read_csv(paper_path).set_index(["method", "d_unhealthy", "test_set"])
    lines = []
    for row, metrics in subjects.groupby("row", sort=False):
        block = rows[row]
        method, _, unhealthy = row.partition("-")
        unhealthy = unhealthy or "none"
        for test_set, group in metrics.groupby("test_set", sort=False):
            per_fold = group.groupby("fold")[list(statistics.MEASURED)].mean()
            mean, std = per_fold.mean(), per_fold.std(ddof=0)
            if len(per_fold) == 1:
                std[:] = float("nan")
            key = (method, unhealthy, test_set)
            lines.append(
                {
                    "block": block["block"],
                    "method": method,
                    "d_healthy": block["healthy"],
                    "d_unhealthy": unhealthy,
                    "test_set": test_set,
                    "dice_best_mean": mean["dice_best"],
                    "dice_best_std": std["dice_best"],
                    "dice_best_released_mean": mean["dice_best_released"],
                    "dice_best_released_std": std["dice_best_released"],
                    "dice_val_mean": mean["dice_val"],
                    "auprc_mean": mean["auprc"],
                    "auprc_std": std["auprc"],
                    **_published(paper, key),
                    "n_subjects": group["subject"].nunique(),
                    "n_folds": group["fold"].nunique(),
                }
            )
    return pd.DataFrame(lines)


def _published(paper: pd.DataFrame | None, key: tuple[str, str, str]) -> dict[str, float]:
    """The paper's values as fractions, missing for rows it does not have."""
    columns = ("dice_mean", "dice_std", "auprc_mean", "auprc_std")
    if paper is None or key not in paper.index:
        return {f"paper_{column}": float("nan") for column in columns}
    return {f"paper_{column}": paper.loc[key, column] / 100 for column in columns}


def undefined(subjects: pd.DataFrame) -> list[str]:
    """Why values are missing: a sentence per test set and reason.

    Parameters
    ----------
    subjects : DataFrame
        As for `table1`.
    """
    found = []
    for test_set, part in subjects.groupby("test_set", sort=False):
        folds = part.groupby("fold")
        for what, there in {
            "no test subject has a lesion, so that nothing which compares with lesions": (
                folds["lesion_ml"].max() > 0
            ),
            "no validation subject has a lesion to choose a threshold by, so that nothing at it": (
                folds["threshold"].count() > 0
            ),
        }.items():
            if not there.all():
                where = (
                    "" if not there.any() else f", folds {', '.join(map(str, there[~there].index))}"
                )
                found.append(f"{test_set.upper()}{where}: {what} is defined")
    return found


class EmptyReferences(NamedTuple):
    """Subjects of a test set without a lesion voxel, and the [DICE] of the rows without them."""

    test_set: str
    subjects: list[str]
    n_subjects: int
    rows: list[dict[str, str]]


def empty_references(subjects: pd.DataFrame, rows: Mapping[str, Mapping]) -> list[EmptyReferences]:
    """Subjects that no row can segment, since their lesion has no voxel left.

    Parameters
    ----------
    subjects : DataFrame
        As for `table1`.
    rows : dict
        `rows` of the configuration.

    Returns
    -------
    list of EmptyReferences
        None for test sets without such subjects, or without others; each row with `label`,
        `d_unhealthy` and `dice` (per cent).
    """
    found = []
    for test_set, part in subjects.groupby("test_set", sort=False):
        empty = list(part.loc[part["lesion_ml"] == 0, "subject"].unique())
        others = part[part["lesion_ml"] > 0]
        if not empty or others.empty:
            continue
        per_fold = others.groupby(["row", "fold"], sort=False)["dice_best"].mean()
        values = [
            {
                "label": rows[row]["label"],
                "d_unhealthy": blocks.dataset_name(row.partition("-")[2] or "none"),
                "dice": percent(mean, 2),
            }
            for row, mean in per_fold.groupby("row", sort=False).mean().items()
        ]
        found.append(EmptyReferences(test_set, empty, part["subject"].nunique(), values))
    return found


class LesionsKept(NamedTuple):
    """What cropping and downsampling keep of the lesions of a test set, as texts in per cent.

    `dice` is the mean [DICE] against whole lesions of a map that has all that is kept.
    """

    test_set: str
    mean: str
    least: str
    subject: str
    dice: str


def lesions_kept(subjects: pd.DataFrame, quality: Mapping[str, pd.DataFrame]) -> list[LesionsKept]:
    """What the reference of each test set lacks.

    Parameters
    ----------
    subjects : DataFrame
        As for `table1`.
    quality : dict of str to DataFrame
        Test set to the table of its quality page, for those that there are.

    Returns
    -------
    list of LesionsKept
        None for test sets without a lesion.
    """
    found = []
    for test_set, table in quality.items():
        tested = subjects.loc[subjects["test_set"] == test_set, "subject"].unique()
        table = table.set_index("subject").reindex(columns=["lesion_kept"])
        # Rounding to larger voxels may add some.
        kept = (table.loc[tested, "lesion_kept"].dropna() / 100).clip(upper=1)
        if len(kept):
            dice = (2 * kept / (1 + kept)).mean()
            texts = (percent(kept.mean()), percent(kept.min()), kept.idxmin(), percent(dice))
            found.append(LesionsKept(test_set, *texts))
    return found


def write_html(
    table: pd.DataFrame,
    context: Context,
    path: str | Path,
    second: pd.DataFrame | None = None,
    empty: Sequence[EmptyReferences] = (),
    kept: Sequence[LesionsKept] = (),
) -> None:
    """The table in the paper's block form, as one page.

    Parameters
    ----------
    table : DataFrame
        From `table1`.
    context : Context
    path : path-like
    second : DataFrame or None
        Table 2, for the differences from the published values.
    empty : sequence of EmptyReferences
        Footnotes.
    kept : sequence of LesionsKept
        For the caption.
    """
    best, test_sets = _best(table), list(table["test_set"].unique())

    def cells(lines: pd.DataFrame) -> list[Cell]:
        found = []
        for test_set in test_sets:
            line = lines[lines["test_set"] == test_set].iloc[0]
            for metric in PUBLISHED:
                below = _beside_the_paper(line, metric, second)
                found.append(_cell(line, metric, best)._replace(below=below))
            found.append(Cell(percent(line["dice_val_mean"], 2)))
        return found

    pages.write(
        path,
        "table1.html.j2",
        title="Table 1. Segmentation performance",
        n_folds=int(table["n_folds"].max()),
        subjects=dict(table.groupby("test_set", sort=False)["n_subjects"].max()),
        fewest=statistics.FEWEST,
        published=table["paper_dice_mean"].notna().any(),
        empty_references=empty,
        kept=kept,
        released_threshold=context.released_threshold,
        **_shared(table, context),
        blocks=blocks.blocks(table, context, cells),
    )


def write_latex(table: pd.DataFrame, context: Context, path: str | Path) -> None:
    """The paper's columns as a LaTeX table (booktabs); parameters as for `write_html`."""
    best = _best(table)

    def cells(lines: pd.DataFrame) -> list[Cell]:
        return [_cell(line, metric, best) for _, line in lines.iterrows() for metric in PUBLISHED]

    pages.write(
        path,
        "table1.tex.j2",
        **_shared(table, context),
        blocks=blocks.blocks(table, context, cells),
    )


def _shared(table: pd.DataFrame, context: Context) -> dict[str, Any]:
    """Values of both templates."""
    return {
        "simulated": context.simulated,
        "warnings": context.warnings,
        "random_extractor": context.random_extractor,
        "test_sets": [_set_name(n, context.simulated) for n in table["test_set"].unique()],
    }


def _best(table: pd.DataFrame) -> dict[str, set[int]]:
    """Index of the best line per metric, block and test set; controls do not compete."""
    found = {}
    for metric in PUBLISHED:
        competing = table[table["block"] != "control"].dropna(subset=[f"{metric}_mean"])
        found[metric] = set(competing.groupby(["block", "test_set"])[f"{metric}_mean"].idxmax())
    return found


def _cell(line: pd.Series, metric: str, best: dict[str, set[int]]) -> Cell:
    """Our value, bold if it is the best."""
    text = percent_with_spread(line[f"{metric}_mean"], line[f"{metric}_std"])
    return Cell(text, bold=line.name in best[metric])


def _beside_the_paper(line: pd.Series, metric: str, second: pd.DataFrame | None) -> list[str]:
    """The published value, and our difference from it; nothing where nothing is published."""
    mean, std = (line[f"paper_{PUBLISHED[metric]}_{part}"] for part in ("mean", "std"))
    text = percent_with_spread(mean, std)
    if text == DASH:
        return []
    return [text, *([] if second is None else against_paper(second.loc[line.name], metric))]


def _set_name(name: str, simulated: bool) -> str:
    """`BRATS (real)` as in the paper, or `BRATS (simulated)`; DRAEM is always synthetic."""
    kind = "synthetic" if name == "draem" else "simulated" if simulated else "real"
    return f"{name.upper()} ({kind})"


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    """Fractions, six decimals; missing values are empty."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")
