"""Leak report: which subjects have two roles in a fold, as published and as this run uses them."""

from html import escape

import pandas as pd

from uad.data import leakage, splits
from uad.report import pages

PAIRS = {f"{a}_{b}": (a, b) for a, b in leakage.LEAKS}
STAGES = {"listed": "released lists", "used": "used in this run"}


def table(used, listed):
    """Subjects per role, repeated rows and shared subjects of every data set and fold.

    Parameters
    ----------
    used : dict of str to DataFrame
        Split table of each data set.
    listed : dict of str to sequence of tuple
        Rows of the released lists (subject, fold, role) of each data set that is split by them.

    Returns
    -------
    DataFrame
        One line per data set, stage (`listed`, `used`) and fold. Columns: dataset, stage, fold;
        train, val, test (subjects); repeated_train, repeated_val, repeated_test (rows beyond a
        subject's first); train_test, train_val, val_test (subjects with both roles), and their
        labels, separated by spaces, in train_test_subjects and so on.
    """
    lines = []
    for dataset, split in used.items():
        stages = {"used": split}
        if dataset in listed:
            rows = pd.DataFrame(listed[dataset], columns=splits.COLUMNS)
            stages = {"listed": rows, "used": split}
        for stage, rows in stages.items():
            for fold in sorted(set(rows["fold"])):
                lines.append(
                    {"dataset": dataset, "stage": stage, "fold": fold, **_line(rows, fold)}
                )
    return pd.DataFrame(lines)


def _line(rows, fold):
    """Counts and names of one fold."""
    members = {role: splits.subjects(rows, fold, role) for role in splits.ROLES}
    shared = leakage.overlaps(rows, fold)
    return {
        **{role: len(set(names)) for role, names in members.items()},
        **{f"repeated_{role}": len(names) - len(set(names)) for role, names in members.items()},
        **{name: len(shared[pair]) for name, pair in PAIRS.items()},
        **{f"{name}_subjects": " ".join(shared[pair]) for name, pair in PAIRS.items()},
    }


def write_html(audit, simulated, path):
    """The table as a page for the report.

    Parameters
    ----------
    audit : DataFrame
        From `table`.
    simulated : bool
        Say so in the heading.
    path : path-like
    """
    heads = [*splits.ROLES, *(" ∩ ".join(pair) for pair in PAIRS.values())]
    body = []
    for (dataset, stage), lines in audit.groupby(["dataset", "stage"], sort=False):
        title = f"{escape(dataset)}: {STAGES[stage]}"
        body.append(f'<tr class="block"><th colspan="{1 + len(heads)}">{title}</th></tr>')
        for _, line in lines.iterrows():
            cells = [f"<td>{line['fold']}</td>"]
            for role in splits.ROLES:
                repeated = line[f"repeated_{role}"]
                cells.append(_cell(line[role], [f"+ {repeated} repeated"] if repeated else []))
            for name in PAIRS:
                cells.append(_cell(line[name], line[f"{name}_subjects"].split()))
            body.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f"<th>{name}</th>" for name in ["fold", *heads])
    leaks = audit.query("stage == 'used'")[list(PAIRS)].to_numpy().sum()
    warnings = [pages.SIMULATED] if simulated else []
    if leaks:
        warnings.append("This run has subjects with two roles in a fold; their names are below.")
    page = _BODY.format(head=head, body="\n".join(body))
    pages.write(path, "Leak report", page, warnings)


def _cell(n, remarks):
    """A number, and below it in grey three remarks to a line."""
    lines = [" ".join(remarks[i : i + 3]) for i in range(0, len(remarks), 3)]
    return f'<td class="n">{n}' + "".join(f"<br><span>{escape(x)}</span>" for x in lines) + "</td>"


_BODY = """\
<p>Subjects per role and fold, and subjects with two roles in a fold, which must be 0: a
test subject that was trained on flatters the result. <i>Released lists</i>: all rows as published;
in grey, rows beyond a subject's first. <i>Used in this run</i>: what every step reads, without
repeated rows, without subjects that are not preprocessed, and, where <i>purge_leakage</i> is set,
with one role per subject.</p>
<div class="scroll"><table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody></table></div>
"""
