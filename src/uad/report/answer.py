"""The answer of a run in a few lines of text, for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from uad.report import blocks, claims_page
from uad.report.numbers import counted, percent


def lines(
    run: Mapping[str, Any],
    table: pd.DataFrame | None,
    states: Sequence[str],
    claims: pd.DataFrame | None,
) -> list[str]:
    """What was run, whether it worked, and what came out.

    Parameters
    ----------
    run : dict
        As for `front_page.write`.
    table : DataFrame or None
        Table 1, if there is one: block, method, d_unhealthy, test_set and dice_best_mean.
    states : list of str
        Of the front page's checks: good, look or bad.
    claims : DataFrame or None
        Verdicts on the paper's claims.
    """
    n_rows = sum(block["block"] != "control" for block in run["rows"].values())
    folds = ", ".join(map(str, run["folds"]))
    count = {state: list(states).count(state) for state in ("good", "look", "bad")}
    found = [
        f"{'Simulated' if run['simulated'] else 'Real'} {run['modality']} scans, "
        f"{counted(n_rows, 'row')}, "
        f"{'fold' if len(run['folds']) == 1 else 'folds'} {folds} of {run['n_folds']}",
        f"Checks: {count['good']} good, {count['look']} to look at, {count['bad']} bad",
        *([] if table is None else _values(table[table["block"] != "control"], run)),
    ]
    if claims is not None:
        found.append(f"Claims of the paper: {claims_page.counts(claims)}")
    return found


def _values(trained, run):
    """[DICE] of the first reference and of the best row, on each test set."""
    known = trained.dropna(subset="dice_best_mean")
    best = known.loc[known.groupby("test_set", sort=False)["dice_best_mean"].idxmax()]
    names = [blocks.row_name(m, u) for m, u in zip(trained["method"], trained["d_unhealthy"])]
    reference = next((row for row in run["references"] if row in names), None)
    label = run["rows"][reference]["label"] if reference else ""
    for title, lines, named in (
        (f"[DICE] of {label}", trained[[name == reference for name in names]], False),
        ("[DICE] of the best row", best, True),
    ):
        values = [
            f"{line['test_set'].upper()} {percent(line['dice_best_mean'])}"
            + (f" ({blocks.row_name(line['method'], line['d_unhealthy'])})" if named else "")
            for _, line in lines.iterrows()
        ]
        if values:
            yield f"{title}: {', '.join(values)}"
