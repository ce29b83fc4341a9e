"""Put the results of `config/study.yaml` into `docs/study.md`.

    python benchmarks/study.py    (make study)

Every number on that page comes from the results folder.
"""

import shutil
from pathlib import Path

import pandas as pd
import run
from scipy.stats import kendalltau

from uad.base import tsv
from uad.plan import docs

RESULTS, PAGE = Path("results/study"), Path("docs/study.md")
SETS = {"brats": "BRATS", "atlas": "ATLAS", "draem": "DRAEM"}
REAL = ("brats", "atlas")  # that the paper has patients for


def per_cent(value):
    """A fraction for the table."""
    return "n/a" if pd.isna(value) else f"{100 * value:.1f}"


def labels(table):
    """Rows of Table 1 by name, with the names of the paper."""
    return [
        method if unhealthy == "none" else f"{method}/{unhealthy.upper()}"
        for method, unhealthy in zip(table["method"], table["d_unhealthy"])
    ]


def of_table(table):
    """[DICE] of every row and test set, and AUPRC."""
    header = ["Row", *(f"{SETS[s]} [DICE]" for s in SETS), *(f"{SETS[s]} AUPRC" for s in SETS)]
    lines = []
    for label, of_row in table.groupby("label", sort=False):
        by_set = of_row.set_index("test_set")
        means = [by_set.loc[s, f"{m}_mean"] for m in ("dice_best", "auprc") for s in SETS]
        lines.append([label, *map(per_cent, means)])
    return run.table(header, lines)


def of_order(table):
    """How far the order of rows is the paper's, and each row's rank in both."""
    rows = table.dropna(subset=["paper_dice_mean"])
    taus, ranks = [], {}
    for name in REAL:
        here = rows[rows["test_set"] == name]
        tau = kendalltau(here["dice_best_mean"], here["paper_dice_mean"]).statistic
        taus.append(f"{SETS[name]} {tau:.2f}")
        for column in ("dice_best_mean", "paper_dice_mean"):
            places = here[column].rank(ascending=False).astype(int)
            for label, place in zip(here["label"], places):
                ranks.setdefault(label, []).append(place)
    header = ["Row", *(f"{SETS[s]}, {what}" for s in REAL for what in ("here", "paper"))]
    lines = [[label, *places] for label, places in ranks.items()]
    return f"Kendall's τ of the order by [DICE]: {', '.join(taus)}.\n\n{run.table(header, lines)}"


def of_claims(claims):
    """Verdicts, and the comparison that decides each."""
    lines = [
        [
            line.title,
            line.source,
            line.verdict,
            f"{line.as_claimed} of {line.comparisons}",
            f"{line.row} against {line.than} on {SETS[line.test_set]}",
            f"{per_cent(line.effect)} [{per_cent(line.low)}, {per_cent(line.high)}]",
            f"{line.n:.0f}",
        ]
        for line in claims.itertuples()
    ]
    header = [
        "The paper says", "Where", "Here", "Comparisons in favour", "The least favourable",
        "Difference, points [95 %]", "Subjects",
    ]  # fmt: skip
    counts = claims["verdict"].value_counts()
    said = ", ".join(f"{n} *{verdict}*" for verdict, n in counts.items())
    return f"Of {len(claims)} claims: {said}.\n\n{run.table(header, lines)}"


def of_costs(costs):
    """Hours of every rule."""
    total = costs.groupby("rule", sort=False)[["jobs_measured", "hours", "cpu_hours"]].sum()
    lines = [
        [f"`{rule}`", f"{line.jobs_measured:.0f}", f"{line.hours:.2f}", f"{line.cpu_hours:.2f}"]
        for rule, line in total.iterrows()
    ]
    both = total[["hours", "cpu_hours"]].sum()
    lines.append(["together", "", f"{both['hours']:.2f}", f"{both['cpu_hours']:.2f}"])
    return run.table(["Rule", "Jobs", "Hours", "Processor hours"], lines)


if __name__ == "__main__":
    table = pd.read_csv(RESULTS / "tables/table1.csv")
    table["label"] = labels(table)
    claims = tsv.read(RESULTS / "tables/claims.tsv")
    docs.fill_in(
        PAGE,
        {
            "run": run.measured_on(),
            "table": of_table(table),
            "order": of_order(table),
            "claims": of_claims(claims),
            "costs": of_costs(tsv.read(RESULTS / "tables/costs.tsv")),
        },
    )
    shutil.copy(RESULTS / "figures/claims.svg", PAGE.with_name("study_claims.svg"))
    shutil.copy(RESULTS / "figures/cases_brats.png", PAGE.with_name("study_cases.png"))
