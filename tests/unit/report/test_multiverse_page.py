"""The page of ranks in all combinations of choices."""

import pytest
import small_pages

from uad.base import tsv
from uad.base.errors import InputError


@pytest.fixture
def files(tmp_path):
    return small_pages.multiverse_files(tmp_path)


def write(files, folder):
    return small_pages.write_multiverse(files, folder).read_text(encoding="utf-8")


def test_the_headline_comes_first(files, tmp_path):
    page = write(files, tmp_path)
    told = page[page.index("<b>SADM") : page.index("</b>", page.index("<b>SADM"))]
    assert "in 50 % of 12" in told  # folds 0, 1, all; residuals; measures
    assert "among them Table 1" in told
    assert "kind of residual: ssim 100 %, l1 0 %" in page
    assert "Best on BRATS: SADM<sub>res</sub> (DRAEM) 50 %, cDDPM 50 %" in page
    assert page.count("<svg") == 2 and "simulated" in page


def test_table_1_is_of_all_folds_that_run(files, tmp_path):
    """In the first fold alone the claim is false of the combination that Table 1 is in."""
    for path in files:
        table = tsv.read(path)
        if table["row"].iloc[0] == "cddpm" and table["fold"].iloc[0] == 0:
            tsv.write(table.assign(mean=0.65), path, sealed=True)  # above SADM_res in this fold
    page = write(files, tmp_path)
    ranks = tsv.read(tmp_path / "ranks.x")
    usual = ranks.query("folds == 'all' and residual == 'ssim' and measure == 'dice_best'")
    assert usual.set_index("row")["rank"]["sadm_res-draem"] == 1
    assert "among them Table 1" in page


def test_files_of_other_rows_are_refused(files, tmp_path):
    files[0], files[2] = files[2], files[0]
    with pytest.raises(InputError, match="is not of row cddpm and fold 0"):
        write(files, tmp_path)
