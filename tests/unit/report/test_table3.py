"""Table 3: aggregation by hand, and its page."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from uad.report import table1, table3
from uad.report.blocks import Context
from uad.report.pages import SIMULATED

ROWS = {
    "cddpm": {"block": "I", "label": "cDDPM", "healthy": "ixi"},
    "sadm_res-brats": {"block": "III", "label": "SADM_res", "healthy": "ixi"},
}
LABELS = {row: block["label"] for row, block in ROWS.items()}
CONTEXT = Context(LABELS, simulated=True)
PAPER = ROOT / "workflow/resources/table1_paper.csv"
OF_SUBJECTS = [
    "dice_best",
    "dice_best_released",
    "dice_val",
    "auprc",
    "auroc",
    "dice_fpr1",
    "dice_fpr5",
    "dice_fpr10",
    "lesion_recall",
    "lesion_precision",
    "recon_l1_healthy",
    "recon_l1_lesion",
]


@pytest.fixture
def parts():
    """Metrics of two rows, two folds, one test set: two subjects, two healthy ones."""
    subjects, healthy, pooled = [], [], []
    for row in ROWS:
        for fold in (0, 1):
            which = {"row": row, "test_set": "brats", "fold": fold}
            for i in (0, 1):
                values = dict.fromkeys(OF_SUBJECTS, 0.1 + 0.2 * i + 0.4 * fold)
                errors = {"volume_error_ml": (-3.0, 1.0)[i], "hd95_mm": (np.nan, 12.0)[i]}
                about = {"subject": f"S{i}", "score_mean": 0.5}
                subjects.append({**which, **about, **values, **errors})
                line = {"subject": f"H{i}", "score_mean": 0.1, "fp_ml": 4.0 * i + fold}
                healthy.append({**which, **line})
            pooled.append(
                {
                    **which,
                    "dice_pooled_best": 0.5,
                    "auprc_pooled": 0.4 + 0.2 * fold,
                    "auroc_subjects": 0.75,
                }
            )
    return [pd.DataFrame(lines) for lines in (subjects, healthy, pooled)]


def test_by_hand(parts):
    first = table1.table1(parts[0], ROWS, PAPER)
    table = table3.table3(first, *parts)
    assert len(table) == 2 and (table["n_subjects"] == 2).all() and (table["n_folds"] == 2).all()
    line = table.iloc[1]
    assert line["method"] == "sadm_res"
    # Fold means 0.2 and 0.6.
    assert (line["dice_val_mean"], line["dice_val_std"]) == (pytest.approx(0.4), pytest.approx(0.2))
    assert line["volume_error_ml_mean"] == -1 and line["volume_error_abs_ml_mean"] == 2
    assert line["hd95_mm_mean"] == 12  # of the one subject with a prediction
    assert (line["fp_ml_mean"], line["fp_ml_std"]) == (2.5, 0.5)
    assert (line["auprc_pooled_mean"], line["auprc_pooled_std"]) == (
        pytest.approx(0.5),
        pytest.approx(0.1),
    )
    assert line["auroc_subjects_mean"] == 0.75


def test_columns_are_explained():
    page = (ROOT / "docs/metrics.md").read_text()
    assert all(f"`{column.name}`" in page for column in table3.COLUMNS)


def test_one_fold_has_no_spread(parts):
    parts = [part[part["fold"] == 1] for part in parts]
    table = table3.table3(table1.table1(parts[0], ROWS, PAPER), *parts)
    assert table.filter(like="_std").isna().all(axis=None)
    assert table["auprc_pooled_mean"].iloc[0] == pytest.approx(0.6)


def test_page(parts, tmp_path):
    table = table3.table3(table1.table1(parts[0], ROWS, PAPER), *parts)
    table3.write_html(table, CONTEXT, tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert "<h2>BRATS (2 subjects)</h2>" in page and SIMULATED in page
    assert "40.0<br><span>± 20.0</span>" in page  # shares in per cent
    assert "−1.0<br><span>± 0.0</span>" in page  # ml as they are
    assert page.count('<th scope="col">') == 3 + len(table3.COLUMNS)


def test_random_extractors_are_marked_and_explained(parts, tmp_path):
    table = table3.table3(table1.table1(parts[0], ROWS, PAPER), *parts)
    marked = replace(CONTEXT, random_extractors=["cddpm"])
    table3.write_html(table, marked, tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert '<th scope="row">cDDPM<sup>*</sup></th>' in page and page.count("<sup>") == 1
    assert "<p>* random extractor, not ImageNet weights</p>" in page
    table3.write_html(table, CONTEXT, tmp_path / "t.html")
    assert "random extractor" not in (tmp_path / "t.html").read_text()
