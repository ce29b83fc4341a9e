"""The LaTeX of Table 1: as many cells as columns, and a document with booktabs compiles."""

import re
import shutil
import subprocess

import pandas as pd
import pytest
from conftest import ROOT

from uad.report import table1


@pytest.fixture
def table(tmp_path, paper_config):
    """Table 1 of made-up numbers, with all rows, both warnings and marked rows."""
    rows = paper_config["rows"]
    subjects = pd.DataFrame(
        {"row": row, "fold": fold, "test_set": test_set, "subject": "A",
         "dice_best": 0.1 + 0.1 * fold, "dice_val": 0.2, "auprc": float("nan")}
        for row in rows for test_set in ("brats", "atlas", "draem") for fold in (0, 1)
    )  # fmt: skip
    table = table1.table1(subjects, rows, ROOT / "workflow/resources/table1_paper.csv")
    labels = {row: block["label"] for row, block in rows.items()}
    path = tmp_path / "table1.tex"
    table1.write_latex(table, labels, True, path, "Lists of ixi_t1: 1 % shared", ["fae", "rd"])
    return path


def test_rows_have_as_many_cells_as_there_are_columns(table, paper_config):
    text = table.read_text()
    (columns,) = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    assert columns == "lll" + "rr" * 3
    rows = [line for line in text.splitlines() if line.count("&") > 3 and "multicolumn" not in line]
    assert len(rows) == 1 + len(paper_config["rows"])  # the second line of the head
    assert {row.count("&") for row in rows} == {len(columns) - 1}
    assert all(row.endswith(r"\\") for row in rows)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_compiles_with_booktabs(table, tmp_path):
    (tmp_path / "page.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\begin{document}"
        r"\input{table1.tex}\end{document}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "page.pdf").stat().st_size > 10_000
