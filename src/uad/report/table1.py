"""Table 1: rows by test sets, beside the published values.

Per row and test set a metric is averaged over the test subjects of each fold; mean and population
standard deviation over the folds are reported, as in the paper. Values are fractions in the CSV
and per cent in HTML and LaTeX. Subjects without a lesion voxel left count as Dice 0 and are
missing from the average precision, as in the reference.
"""

import pandas as pd

from uad.base import tsv
from uad.base.files import replacing
from uad.report import pages
from uad.report.pages import SIMULATED

BLOCKS = {
    "I": "I. Unsupervised",
    "II": "II. Self-supervised",
    "III": "III. Weakly supervised",
    "control": "Controls",
}
RELEASED_THRESHOLD = (
    "Thresholds of Dice at one threshold were tuned on training and validation subjects, as by the "
    "released code (evaluation.threshold: released); they flatter."
)
RANDOM_EXTRACTOR = "random extractor, not ImageNet weights"


def read(paths, rows, folds):
    """Tables of every row and fold (fold changing fastest) in one, with the row's name in `row`."""
    parts = [tsv.read(path) for path in paths]
    names = [row for row in rows for _ in folds]
    return pd.concat([p.assign(row=n) for p, n in zip(parts, names)], ignore_index=True)


def table1(subjects, rows, paper_path=None):
    """One line per row and test set.

    Parameters
    ----------
    subjects : DataFrame
        Metrics of every row, fold and subject, from `read`.
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
            per_fold = group.groupby("fold")[["dice_best", "dice_val", "auprc"]].mean()
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
                    "dice_val_mean": mean["dice_val"],
                    "auprc_mean": mean["auprc"],
                    "auprc_std": std["auprc"],
                    **_published(paper, key),
                    "n_subjects": group["subject"].nunique(),
                    "n_folds": group["fold"].nunique(),
                }
            )
    return pd.DataFrame(lines)


def _published(paper, key):
    """The paper's values as fractions, missing for rows it does not have."""
    columns = ("dice_mean", "dice_std", "auprc_mean", "auprc_std")
    if paper is None or key not in paper.index:
        return {f"paper_{column}": float("nan") for column in columns}
    return {f"paper_{column}": paper.loc[key, column] / 100 for column in columns}


def write_csv(table, path):
    """Fractions, six decimals; missing values are empty."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")


def write_html(
    table, labels, simulated, path, leaks="", random_extractors=(), verdicts=None, footnotes=()
):
    """The table in the paper's block form, as one self-contained page.

    Parameters
    ----------
    table : DataFrame
        From `table1`.
    labels : dict of str to str
        Name of each row to what is printed.
    simulated : bool
        Say so in the heading.
    path : path-like
    leaks : str
        What the splits leak, in words (`splits.leak_warning`); for the heading too.
    random_extractors : collection of str
        Rows that get a mark and a footnote (`config.random_extractors`).
    verdicts : DataFrame or None
        Columns `dice_best_verdict` and `auprc_verdict`, index as in `table`.
    footnotes : sequence of str
        Sentences below the table, HTML.
    """
    if random_extractors:
        footnotes = [f"* {RANDOM_EXTRACTOR}", *footnotes]
    best = {column: _best(table, column) for column in ("dice_best_mean", "auprc_mean")}
    test_sets = list(table["test_set"].unique())
    body = []
    for block, part in table.groupby("block", sort=False):
        span = 3 + 3 * len(test_sets)
        body.append(f'<tr class="block"><th colspan="{span}">{BLOCKS[block]}</th></tr>')
        for _, lines in part.groupby(["method", "d_unhealthy"], sort=False):
            cells = row_cells(lines.iloc[0], labels, random_extractors)
            for test_set in test_sets:
                cells += _html_cells(lines[lines["test_set"] == test_set], best, verdicts)
            body.append(f"<tr>{''.join(cells)}</tr>")
    sets = "".join(f'<th colspan="3">{_set_name(name, simulated)}</th>' for name in test_sets)
    metrics = "<th>[DICE]</th><th>AUPRC</th><th>Dice<sub>val</sub></th>" * len(test_sets)
    n_folds = int(table["n_folds"].max())
    page = _BODY.format(
        folds=f"{n_folds} fold{'s' * (n_folds != 1)}",
        subjects=_subjects(table),
        published=_GREY if table["paper_dice_mean"].notna().any() else "",
        sets=sets,
        metrics=metrics,
        body="\n".join(body),
    ) + "".join(f"<p>{sentence}</p>\n" for sentence in footnotes)
    warnings = [warning for warning in (SIMULATED if simulated else "", leaks) if warning]
    pages.write(path, "Table 1. Segmentation performance", page, warnings, _STYLE)


def write_latex(table, labels, simulated, path, leaks="", random_extractors=()):
    """The paper's columns as a LaTeX table (booktabs); parameters as for `write_html`."""
    best = {column: _best(table, column) for column in ("dice_best_mean", "auprc_mean")}
    lines = [f"% {warning}" for warning in (SIMULATED if simulated else "", leaks) if warning]
    if random_extractors:
        lines.append(f"% *: {RANDOM_EXTRACTOR}")
    test_sets = list(table["test_set"].unique())
    columns = "lll" + "rr" * len(test_sets)
    heads = " & ".join(
        rf"\multicolumn{{2}}{{c}}{{{_set_name(name, simulated)}}}" for name in test_sets
    )
    lines += [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        rf"Model & $\mathcal{{D}}_{{healthy}}$ & $\mathcal{{D}}_{{unhealthy}}$ & {heads} \\",
        " & & " + r" & [DICE] & AUPRC" * len(test_sets) + r" \\",
    ]
    for block, part in table.groupby("block", sort=False):
        span = 3 + 2 * len(test_sets)
        lines += [r"\midrule", rf"\multicolumn{{{span}}}{{l}}{{\textbf{{{BLOCKS[block]}}}}} \\"]
        for (method, unhealthy), rows in part.groupby(["method", "d_unhealthy"], sort=False):
            row = row_name(method, unhealthy)
            mark = "$^{*}$" if row in random_extractors else ""
            label = _subscript(labels[row], "$_{", "}$")
            cells = [label + mark, _d(rows["d_healthy"].iloc[0]), _d(unhealthy)]
            for test_set in test_sets:
                for column, spread in (
                    ("dice_best_mean", "dice_best_std"),
                    ("auprc_mean", "auprc_std"),
                ):
                    line = rows[rows["test_set"] == test_set].iloc[0]
                    text = _percent(line[column], line[spread]).replace("±", r"$\pm$")
                    bold = line.name in best[column]
                    cells.append(rf"\textbf{{{text}}}" if bold else text)
            lines.append(" & ".join(cells).replace("–", "--") + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", ""]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _best(table, column):
    """Index of the best line per block and test set; controls do not compete."""
    competing = table[table["block"] != "control"].dropna(subset=[column])
    return set(competing.groupby(["block", "test_set"])[column].idxmax())


def _html_cells(lines, best, verdicts):
    """Three cells of one row and test set: ours; the paper's value and verdict below in grey."""
    line = lines.iloc[0]
    cells = []
    for name, ours in (("dice", "dice_best"), ("auprc", "auprc")):
        text = _percent(line[f"{ours}_mean"], line[f"{ours}_std"])
        if line.name in best[f"{ours}_mean"]:
            text = f"<b>{text}</b>"
        paper = _percent(line[f"paper_{name}_mean"], line[f"paper_{name}_std"])
        if verdicts is not None and paper != "–":
            paper += f" {verdicts.loc[line.name, f'{ours}_verdict']}"
        below = "" if paper == "–" else f"<br><span>{paper}</span>"
        cells.append(f'<td class="n">{text}{below}</td>')
    cells.append(f'<td class="n">{_percent(line["dice_val_mean"], float("nan"))}</td>')
    return cells


def empty_references(subjects, rows):
    """A sentence per test set on subjects without a lesion voxel, and the values without them.

    Parameters
    ----------
    subjects : DataFrame
        As for `table1`.
    rows : dict
        `rows` of the configuration.

    Returns
    -------
    list of str
        HTML; none for test sets without such subjects.
    """
    sentences = []
    for test_set, part in subjects.groupby("test_set", sort=False):
        empty = list(part.loc[part["lesion_ml"] == 0, "subject"].unique())
        if empty:
            left = part[part["lesion_ml"] > 0]
            per_fold = left.groupby(["row", "fold"], sort=False)["dice_best"].mean()
            values = [
                f"{_subscript(rows[row]['label'], '<sub>', '</sub>')} "
                f"({_d(row.partition('-')[2] or 'none')}) {_percent(mean, float('nan'))}"
                for row, mean in per_fold.groupby("row", sort=False).mean().items()
            ]
            more = f" and {len(empty) - 10} more" if len(empty) > 10 else ""
            sentences.append(
                f"{test_set.upper()}: {len(empty)} of {part['subject'].nunique()} subjects have no "
                f"lesion voxel left ({', '.join(empty[:10])}{more}); they count as [DICE] 0 and "
                f"are missing from the AUPRC. [DICE] without them: {', '.join(values) or '–'}."
            )
    return sentences


def _percent(mean, std):
    """`12.34 ± 0.56`; without the spread if there is one fold, a dash if there is no value."""
    if pd.isna(mean):
        return "–"
    return f"{100 * mean:.2f}" + ("" if pd.isna(std) else f" ± {100 * std:.2f}")


def _subjects(table):
    counts = table.groupby("test_set", sort=False)["n_subjects"].max()
    return ", ".join(f"{n} {name.upper()}" for name, n in counts.items())


def _set_name(name, simulated):
    """`BRATS (real)` as in the paper, or `BRATS (simulated)`; DRAEM is always synthetic."""
    kind = "synthetic" if name == "draem" else "simulated" if simulated else "real"
    return f"{name.upper()} ({kind})"


def block_table(table, labels, headings, cells):
    """A table with one line per row, in HTML, under the headings of their blocks.

    Parameters
    ----------
    table : DataFrame
        Lines of one test set.
    labels : dict of str to str
        Name of each row to what is printed.
    headings : list of str
        Of the columns beside those that name the row.
    cells : function
        From a line to those columns' cells, a list of str.
    """
    lines, span = [], 3 + len(headings)
    for block, part in table.groupby("block", sort=False):
        lines.append(f'<tr class="block"><th colspan="{span}">{BLOCKS[block]}</th></tr>')
        for _, line in part.iterrows():
            lines.append(f"<tr>{''.join(row_cells(line, labels) + cells(line))}</tr>")
    names = ["Model", "D<sub>healthy</sub>", "D<sub>unhealthy</sub>", *headings]
    head = "".join(f"<th>{name}</th>" for name in names)
    return (
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(lines)
        + "\n</tbody></table></div>\n"
    )


def row_cells(line, labels, marked=()):
    """The first three cells of a row in HTML: model, with a star if marked, and both D."""
    row = row_name(line["method"], line["d_unhealthy"])
    star = "<sup>*</sup>" if row in marked else ""
    names = [
        _subscript(labels[row], "<sub>", "</sub>") + star,
        _d(line["d_healthy"]),
        _d(line["d_unhealthy"]),
    ]
    return [f"<td>{name}</td>" for name in names]


def row_name(method, unhealthy):
    """The configuration's name of a row."""
    return method if unhealthy == "none" else f"{method}-{unhealthy}"


def _d(name):
    return "None" if name == "none" else name.upper()


def _subscript(label, before, after):
    """`SADM_res` with its ending lowered."""
    head, _, tail = label.partition("_")
    return head + (f"{before}{tail}{after}" if tail else "")


_STYLE = """\
thead tr:first-child th { border-bottom: 0; }
table { font-size: 13px; }
"""

_GREY = """
Grey, below: the value published for the real data sets, and where ours is relative to it
(<i>within</i>: the published mean is inside our 95 % interval over subjects, widened by the spread
over folds of both)."""

_BODY = """\
<p>Per cent, mean ± population standard deviation over {folds} of the mean over test
subjects ({subjects}).{published} [DICE]: highest Dice of each subject over all thresholds.
Dice<sub>val</sub>: Dice at one threshold per test set and fold, chosen on validation subjects; the
number to expect in use. Bold: best of a block.</p>
<div class="scroll"><table>
<thead><tr><th rowspan="2">Model</th><th rowspan="2">D<sub>healthy</sub></th>
<th rowspan="2">D<sub>unhealthy</sub></th>{sets}</tr><tr>{metrics}</tr></thead>
<tbody>
{body}
</tbody></table></div>
"""
