"""The page of ranks in all combinations of choices."""

import itertools

import pandas as pd
import pytest

from uad.base import tsv
from uad.base.errors import InputError
from uad.report import multiverse_page

ROWS = {"cddpm": "cDDPM", "sadm_res-draem": "SADM_res", "unet-draem": "Unet"}
USUAL = {
    "residual": "ssim", "erosion": 0, "median": "residual", "box": "whole", "min_component": 0,
    "measure": "dice_best",
}  # fmt: skip
CLAIM = {
    "title": "SADM_res beats the cDDPM", "kind": "above", "margin": 0, "metric": "dice_best",
    "compare": [{"row": "sadm_res-draem", "than": ["cddpm"], "test_sets": ["brats"]}],
}  # fmt: skip
ABOUT = multiverse_page.Multiverse(
    labels=ROWS,
    test_sets=["brats"],
    folds=[0, 1],
    claims={"paper": "The paper", "claims": {"first": {**CLAIM, "title": "T"}, "best": CLAIM}},
    headline="best",
    usual=USUAL,
    simulated=True,
)


@pytest.fixture
def files(tmp_path):
    """SADM_res is best, but behind the cDDPM with residuals by L1."""
    found = []
    for row, fold in itertools.product(ROWS, (0, 1)):
        lines = []
        for residual, measure in itertools.product(("ssim", "l1"), ("dice_best", "auprc")):
            mean = {"cddpm": 0.5, "sadm_res-draem": 0.6, "unet-draem": 0.1}[row]
            mean -= 0.2 if residual == "l1" and row == "sadm_res-draem" else 0
            way = {**USUAL, "residual": residual, "measure": measure}
            lines.append({"test_set": "brats", **way, "n": 5, "mean": mean + 0.01 * fold})
        found.append(tmp_path / f"{row}-{fold}.tsv")
        tsv.write(pd.DataFrame(lines).assign(row=row, fold=fold), found[-1], sealed=True)
    return found


def write(files, folder):
    outputs = {kind: folder / f"{kind}.x" for kind in ("page", "ranks", "influence", "claims")}
    multiverse_page.write_all(files, outputs, ABOUT)
    return outputs["page"].read_text(encoding="utf-8")


def test_the_headline_comes_first(files, tmp_path):
    page = write(files, tmp_path)
    told = page[page.index("<b>SADM") : page.index("</b>", page.index("<b>SADM"))]
    assert "in 50 % of 12" in told  # folds 0, 1, all; residuals; measures
    assert "among them Table 1" in told
    assert "kind of residual: ssim 100 %, l1 0 %" in page
    assert "Best on BRATS: SADM<sub>res</sub> (DRAEM) 50 %, cDDPM 50 %" in page
    assert page.count("<svg") == 2 and "simulated" in page


def test_files_of_other_rows_are_refused(files, tmp_path):
    files[0], files[2] = files[2], files[0]
    with pytest.raises(InputError, match="is not of row cddpm and fold 0"):
        write(files, tmp_path)
