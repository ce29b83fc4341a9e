"""Printed pages hold whole tables: what a browser puts on paper is read back."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pypdf
import pytest
from test_table1 import CONTEXT, ROWS, second

from uad.report import table1

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium on this machine")
SETS = ("brats", "atlas", "draem", "wmh")  # one more than the paper


def printed(page):
    """Texts of the sheets."""
    out = page.with_suffix(".pdf")
    subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
         f"--user-data-dir={page.parent / 'profile'}", f"--print-to-pdf={out}", page.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    sheets = pypdf.PdfReader(out).pages
    return [" ".join(sheet.extract_text().split()) for sheet in sheets]


@pytest.fixture
def table():
    """Every line has a Dice_val of its own, the last column of each test set."""
    lines = []
    for row, block in ROWS.items():
        method, _, unhealthy = row.partition("-")
        for test_set in SETS:
            line = {"block": block["block"], "method": method, "d_healthy": block["healthy"]}
            line |= {"d_unhealthy": unhealthy or "none", "test_set": test_set}
            line |= {"n_subjects": 100, "n_folds": 5, "dice_val_mean": 0.3 + len(lines) / 1000}
            for metric, name in table1.PUBLISHED.items():
                line |= {f"{metric}_mean": 0.4321, f"{metric}_std": 0.0123}
                line |= {f"paper_{name}_mean": 0.5432, f"paper_{name}_std": 0.0234}
            lines.append(line)
    return pd.DataFrame(lines)


@pytest.mark.parametrize("simulated", [False, True])
def test_every_value_of_table_1_is_on_paper(table, tmp_path, simulated):
    differences = second(table, minus_paper=-0.1111, minus_paper_low=-0.2345, verdict="below")
    if simulated:
        differences[["dice_best_minus_paper", "auprc_minus_paper"]] = np.nan
    context = replace(CONTEXT, simulated=simulated)
    table1.write_html(table, context, tmp_path / "t.html", differences)
    sheets = printed(tmp_path / "t.html")
    text = " ".join(sheets)
    for value in table["dice_val_mean"]:
        assert f"{100 * value:.2f}" in text
    assert text.count("43.21 ± 1.23") == text.count("54.32 ± 2.34") == 2 * len(table)
    assert len(re.findall(r"below\b", text)) >= (0 if simulated else 2 * len(table))
    for sheet in sheets:  # each has the heading of the last test set
        assert "WMH" in sheet


def test_the_check_sees_what_a_sheet_cuts_off(table, tmp_path):
    """Without the rules for paper, the columns to the right are lost."""
    table1.write_html(table, CONTEXT, tmp_path / "t.html", second(table))
    page = (tmp_path / "t.html").read_text()
    assert "@media print" in page
    (tmp_path / "t.html").write_text(page.replace("@media print", "@media speech"))
    text = " ".join(printed(tmp_path / "t.html"))
    assert f"{100 * table['dice_val_mean'].iloc[-1]:.2f}" not in text
