"""The LaTeX of Table 1: as many cells as columns, and a document with booktabs compiles."""

import re
import shutil
import subprocess

import pandas as pd
import pytest
from conftest import ROOT

from uad.report import pages, table1
from uad.report.blocks import Context


@pytest.fixture
def table(tmp_path, paper_config):
    """Table 1 of made-up numbers, with all rows, both warnings and marked rows."""
    names = {True: "ixi", False: "none"}
    rows = {
        row: {**block, "healthy": names[block["healthy"]]}
        for row, block in paper_config["rows"].items()
    }
    subjects = pd.DataFrame(
        {
            "row": row,
            "fold": fold,
            "test_set": test_set,
            "subject": "A",
            "dice_best": 0.1 + 0.1 * fold,
            "dice_best_released": 0.1,
            "dice_val": 0.2,
            "auprc": float("nan"),
        }
        for row in rows
        for test_set in ("brats", "my_set", "draem")
        for fold in (0, 1)
    )
    table = table1.table1(subjects, rows, ROOT / "workflow/resources/table1_paper.csv")
    context = Context(
        labels={row: block["label"] for row, block in rows.items()},
        simulated=True,
        leaks="Lists of ixi_t1: 1 % shared",
        random_extractors=["fae", "rd"],
    )
    path = tmp_path / "table1.tex"
    table1.write_latex(table, context, path)
    return path


def test_rows_have_as_many_cells_as_there_are_columns(table, paper_config):
    text = table.read_text()
    (columns,) = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    assert columns == "lll" + "rr" * 3
    rows = [line for line in text.splitlines() if line.count("&") > 3 and "multicolumn" not in line]
    assert len(rows) == 1 + len(paper_config["rows"])  # the second line of the head
    assert {row.count("&") for row in rows} == {len(columns) - 1}
    assert all(row.endswith(r"\\") for row in rows)


def test_text_of_the_configuration_is_no_command(table):
    text = table.read_text()
    assert r"MY\_SET (simulated)" in text and "MY_SET" not in text
    assert text.splitlines()[1] == "% Lists of ixi_t1: 1 % shared"
    assert pages.latex("12 ± 3 – −1, A_B 5 %") == r"12 $\pm$ 3 -- $-$1, A\_B 5 \%"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_compiles_with_booktabs(table, tmp_path):
    (tmp_path / "page.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\begin{document}"
        r"\input{table1.tex}\end{document}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "page.pdf").stat().st_size > 10_000
