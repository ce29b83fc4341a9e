"""Leak report: which subjects have two roles in a fold, as published and as this run uses them.

Also which subjects the lists name and this run does not have, so that no set shrinks unseen.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from uad.data import leakage, splits
from uad.data.datasets import person
from uad.report import pages
from uad.report.blocks import Cell

PAIRS = {f"{a}_{b}": (a, b) for a, b in leakage.LEAKS}
STAGES = {"listed": "released lists", "used": "used in this run"}


def table(
    used: Mapping[str, pd.DataFrame],
    listed: Mapping[str, Sequence[tuple]],
    same: leakage.Same = leakage.NO_TWINS,
) -> pd.DataFrame:
    """Subjects per role, repeated rows and shared subjects of every data set and fold.

    Parameters
    ----------
    used : dict of str to DataFrame
        Split table of each data set.
    listed : dict of str to sequence of tuple
        Rows of the released lists (subject, fold, role) of each data set that is split by them.
    same : leakage.Same
        Which scans are of one subject, for what is used.

    Returns
    -------
    DataFrame
        One line per data set, stage (`listed`, `used`) and fold. Columns: dataset, stage, fold;
        train, val, test (subjects); repeated_train, repeated_val, repeated_test (rows beyond a
        subject's first); train_test, train_val, val_test (subjects with both roles); absent
        (listed, but without a role in this run); and the labels of these (`leakage.overlaps`),
        separated by spaces, in train_test_subjects and so on.
    """
    lines = []
    for dataset in used:
        stages = {"used": (used, same)}
        if dataset in listed:
            rows = pd.DataFrame(listed[dataset], columns=splits.COLUMNS)
            stages = {"listed": ({dataset: rows}, leakage.NO_TWINS), **stages}
        for stage, (tables, known) in stages.items():
            for fold in sorted(set(tables[dataset]["fold"])):
                shared = leakage.overlaps(tables, dataset, fold, known)
                counts = _line(tables[dataset], used[dataset], fold, shared)
                lines.append({"dataset": dataset, "stage": stage, "fold": fold, **counts})
    return pd.DataFrame(lines)


def _line(
    rows: pd.DataFrame,
    used: pd.DataFrame,
    fold: int,
    shared: Mapping[tuple[str, str], list[str]],
) -> dict[str, Any]:
    """Counts and names of one fold."""
    members = {role: splits.subjects(rows, fold, role) for role in splits.ROLES}
    listed, present = (
        set(table.loc[table["fold"] == fold, "subject"].map(person)) for table in (rows, used)
    )
    absent = sorted(listed - present)
    return {
        **{role: len(set(names)) for role, names in members.items()},
        **{f"repeated_{role}": len(names) - len(set(names)) for role, names in members.items()},
        **{name: len(shared[pair]) for name, pair in PAIRS.items()},
        **{f"{name}_subjects": " ".join(shared[pair]) for name, pair in PAIRS.items()},
        "absent": len(absent),
        "absent_subjects": " ".join(absent),
    }


def write_html(audit: pd.DataFrame, simulated: bool, path: str | Path) -> None:
    """The table as a page for the report.

    Parameters
    ----------
    audit : DataFrame
        From `table`.
    simulated : bool
        Say so below the title.
    path : path-like
    """
    leaks = audit.query("stage == 'used'")[list(PAIRS)].to_numpy().sum()
    warning = "This run has subjects with two roles in a fold; their names are below."
    pages.write(
        path,
        "leak_page.html.j2",
        title="Leak report",
        simulated=simulated,
        warnings=[warning] if leaks else [],
        heads=[*splits.ROLES, *(" ∩ ".join(pair) for pair in PAIRS.values()), "not used"],
        parts=[
            (
                f"{dataset}: {STAGES[stage]}",
                [(line["fold"], _cells(line)) for _, line in lines.iterrows()],
            )
            for (dataset, stage), lines in audit.groupby(["dataset", "stage"], sort=False)
        ],
    )


def _cells(line: pd.Series) -> list[Cell]:
    """Subjects per role, with repeated rows below; shared and absent ones, with their names."""
    cells = []
    for role in splits.ROLES:
        repeated = line[f"repeated_{role}"]
        cells.append(Cell(str(line[role]), [f"+ {repeated} repeated"] if repeated else []))
    for name in (*PAIRS, "absent"):
        names = line[f"{name}_subjects"].split()
        three = [" ".join(names[i : i + 3]) for i in range(0, len(names), 3)]
        cells.append(Cell(str(line[name]), three))
    return cells
