"""The page of ranks in all combinations of choices."""

import pandas as pd
import pytest
import small_pages

from uad.base import tsv
from uad.base.errors import InputError
from uad.report import multiverse_page


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


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0"),
        (1 / 432, "<1"),
        (0.0049, "<1"),
        (0.005, "<1"),
        (0.0051, "1"),
        (0.5, "50"),
        (0.9949, "99"),
        (0.995, ">99"),
        (431 / 432, ">99"),
        (1.0, "100"),
        (float("nan"), "–"),
    ],
)
def test_none_and_all_are_only_said_of_none_and_all(share, text):
    assert multiverse_page.share_text(share) == text


def test_a_claim_that_holds_in_one_combination_of_hundreds_holds_in_less_than_1_percent(
    files, tmp_path
):
    """All but one combination are alike: SADM_res is best in one."""
    ways = [{"erosion": e, "box": b} for e in range(15) for b in range(15)]
    for path in files:
        line = tsv.read(path).iloc[:1]
        table = pd.concat([line.assign(**way) for way in ways], ignore_index=True)
        if line["row"].iloc[0] == "sadm_res-draem":
            table.loc[1:, "mean"] = 0.3
        tsv.write(table, path, sealed=True)
    page = write(files, tmp_path)
    assert "in &lt;1 % of 675" in page
    assert '<td class="n">&lt;1</td>' in page
    assert "cDDPM &gt;99 %, SADM<sub>res</sub> (DRAEM) &lt;1 %" in page
