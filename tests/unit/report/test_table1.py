"""Table 1: aggregation by hand, paper values, and its three forms."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from uad.base import tsv
from uad.report import table1
from uad.report.blocks import Context
from uad.report.pages import SIMULATED

PAPER = ROOT / "workflow/resources/table1_paper.csv"
ROWS = {
    "cddpm": {"block": "I", "label": "cDDPM", "healthy": "ixi", "maps": ["cddpm"]},
    "sadm_res-brats": {
        "block": "III",
        "label": "SADM_res",
        "healthy": "ixi",
        "maps": ["cddpm", "unet_res-brats"],
    },
    "unet-brats": {"block": "III", "label": "Unet", "healthy": "none", "maps": ["unet-brats"]},
    "draem_net-draem": {
        "block": "II",
        "label": "DRAEM-Net",
        "healthy": "none",
        "maps": ["draem_net"],
    },
    "perfect": {"block": "control", "label": "perfect", "healthy": "none", "maps": ["perfect"]},
}
COLUMNS = [
    "block",
    "method",
    "d_healthy",
    "d_unhealthy",
    "test_set",
    "dice_best_mean",
    "dice_best_std",
    "dice_best_released_mean",
    "dice_best_released_std",
    "dice_val_mean",
    "auprc_mean",
    "auprc_std",
    "paper_dice_mean",
    "paper_dice_std",
    "paper_auprc_mean",
    "paper_auprc_std",
    "n_subjects",
    "n_folds",
]


def metrics_file(path, fold, values, auprc=None):
    lines = [
        {
            "test_set": name,
            "subject": f"S{i}",
            "fold": fold,
            "dice_best": v,
            "dice_best_released": v - 0.01,
            "dice_val": v / 2,
            "auprc": v if auprc is None else auprc[i],
        }
        for name in ("brats", "atlas", "draem")
        for i, v in enumerate(values)
    ]
    tsv.write(pd.DataFrame(lines), path)
    return path


@pytest.fixture
def table(tmp_path):
    paths = []
    for r, row in enumerate(ROWS):
        for fold in (0, 3):
            values = (
                [1.0, 1.0]
                if row == "perfect"
                else [0.1 * (r + 1), 0.2 * (r + 1) + 0.1 * (fold > 0)]
            )
            paths.append(metrics_file(tmp_path / f"{row}-{fold}.tsv", fold, values))
    return table1.table1(joined_files(paths, [row for row in ROWS for _ in (0, 3)]), ROWS, PAPER)


def joined_files(paths, rows):
    return pd.concat([tsv.read(path).assign(row=row) for path, row in zip(paths, rows)])


def line(table, method, test_set):
    return table.query("method == @method and test_set == @test_set").iloc[0]


def test_columns_and_lines(table):
    assert list(table.columns) == COLUMNS
    assert len(table) == len(ROWS) * 3
    assert set(table["n_subjects"]) == {2} and set(table["n_folds"]) == {2}


def test_mean_and_population_deviation_by_hand(table):
    found = line(table, "cddpm", "brats")
    # Fold means 0.15 and 0.20.
    assert found["dice_best_mean"] == pytest.approx(0.175)
    assert found["dice_best_std"] == pytest.approx(0.025)
    assert found["dice_val_mean"] == pytest.approx(0.0875)
    assert found["auprc_mean"] == pytest.approx(0.175)


def test_published_values_are_fractions(table):
    assert line(table, "cddpm", "brats")["paper_dice_mean"] == pytest.approx(0.5855)
    assert line(table, "draem_net", "draem")["paper_dice_mean"] == pytest.approx(0.7977)
    assert line(table, "sadm_res", "draem")["paper_auprc_std"] == pytest.approx(0.0191)
    assert np.isnan(line(table, "perfect", "brats")["paper_dice_mean"])


def test_subjects_without_precision_are_left_out_of_its_mean_only(tmp_path):
    path = metrics_file(tmp_path / "m.tsv", 0, [0.0, 0.6], auprc=[np.nan, 0.5])
    rows = {"cddpm": ROWS["cddpm"]}
    found = line(table1.table1(joined_files([path], rows), rows, PAPER), "cddpm", "atlas")
    assert found["dice_best_mean"] == pytest.approx(0.3)
    assert found["auprc_mean"] == pytest.approx(0.5)
    assert np.isnan(found["dice_best_std"])  # one fold has no spread


def test_csv_reads_back(table, tmp_path):
    table1.write_csv(table, tmp_path / "t.csv")
    again = pd.read_csv(tmp_path / "t.csv", keep_default_na=True, na_values=[""])
    assert list(again.columns) == COLUMNS
    np.testing.assert_allclose(again["dice_best_mean"], table["dice_best_mean"], atol=1e-6)
    # `none` must not be taken for a missing value.
    assert set(again["d_unhealthy"]) == {"none", "brats", "draem"}


def test_subjects_without_lesion_are_named_with_the_values_without_them(table, tmp_path):
    lines = [
        {
            "test_set": test_set,
            "subject": f"S{i}",
            "fold": fold,
            "dice_best": 0.2 * i + 0.1 * fold,
            "lesion_ml": 3.0 * (i > 0 or test_set == "atlas"),
        }
        for test_set in ("brats", "atlas")
        for i in range(3)
        for fold in (0, 1)
    ]
    subjects = pd.DataFrame(lines).assign(row="sadm_res-brats")
    empty = table1.empty_references(subjects, ROWS)
    table1.write_html(table, CONTEXT, tmp_path / "t.html", empty=empty)
    (sentence,) = re.findall(r"<p>(BRATS: .*?)</p>", (tmp_path / "t.html").read_text(), re.DOTALL)
    sentence = " ".join(sentence.split())
    assert sentence.startswith("BRATS: 1 of 3 subjects have no lesion voxel left (S0);")
    # Fold 0: 0.2 and 0.4; fold 1: 0.3 and 0.5.
    assert sentence.endswith("[DICE] without them: SADM<sub>res</sub> (BRATS) 35.00.")


def second(table, **changes):
    """Table 2's columns about the published values, where there are some."""
    found = pd.DataFrame(index=table.index)
    for metric, name in table1.PUBLISHED.items():
        values = {"minus_paper": 0.031, "minus_paper_low": -0.002, "minus_paper_high": 0.064}
        for key, value in (values | {"verdict": "within"} | changes).items():
            found[f"{metric}_{key}"] = value
        found.loc[table[f"paper_{name}_mean"].isna(), f"{metric}_minus_paper"] = np.nan
    return found


def test_differences_and_footnotes_are_in_the_page(table, tmp_path):
    context = replace(CONTEXT, released_threshold=True)
    table1.write_html(table, context, tmp_path / "t.html", second(table))
    page = (tmp_path / "t.html").read_text()
    said = "+3.1 [−0.2, 6.4] within</span>"
    assert f"<span>58.55 ± 0.78</span><br><span>{said}" in page
    assert "<p>Thresholds of Dice at one threshold were tuned on training" in page
    assert page.count(said) == 2 * 4 * 3  # not of controls
    assert "–</span>" not in page  # nothing below where nothing is published
    assert "Fewer than 15 subjects have neither interval nor verdict" in page


def test_no_verdict_of_few_subjects_or_of_simulated_scans(table, tmp_path):
    unknown = {"minus_paper_low": np.nan, "minus_paper_high": np.nan}
    few = second(table, verdict="too few subjects", **unknown)
    table1.write_html(table, CONTEXT, tmp_path / "t.html", few)
    assert "<span>+3.1 too few subjects</span>" in (tmp_path / "t.html").read_text()
    none = second(table, verdict="simulated", minus_paper=np.nan, **unknown)
    table1.write_html(table, SIMULATED_CONTEXT, tmp_path / "t.html", none)
    page = (tmp_path / "t.html").read_text().partition("<body")[2]
    assert "<span>58.55 ± 0.78</span></td>" in page
    assert "no difference from it is shown" in page
    assert not any(word in page for word in ("within", "above", "too few", "interval"))


CONTEXT = Context({row: block["label"] for row, block in ROWS.items()}, simulated=False)
SIMULATED_CONTEXT = replace(CONTEXT, simulated=True)


def test_html(table, tmp_path):
    table1.write_html(table, SIMULATED_CONTEXT, tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert "SADM<sub>res</sub>" in page
    assert '<th scope="row">DRAEM-Net</th><td>None</td><td>DRAEM</td>' in page
    assert "17.50 ± 2.50" in page and "58.55 ± 0.78" in page
    assert "BRATS (simulated)" in page and SIMULATED in page
    assert page.count('class="block"') == 4
    assert "DRAEM (synthetic)" in page and "Grey, below" in page
    table1.write_html(table, CONTEXT, tmp_path / "real.html")
    assert "imulated" not in (tmp_path / "real.html").read_text()


def test_leaks_of_the_splits_are_told(table, tmp_path):
    leaks = "Released lists of ixi: up to 9 subjects of the test set are also trained on"
    table1.write_html(table, replace(CONTEXT, leaks=leaks), tmp_path / "t.html")
    assert f'<p class="warning">{leaks}</p>' in (tmp_path / "t.html").read_text()
    table1.write_latex(table, replace(CONTEXT, leaks=leaks), tmp_path / "t.tex")
    assert (tmp_path / "t.tex").read_text().startswith(f"% {leaks}\n")
    table1.write_html(table, CONTEXT, tmp_path / "clean.html")
    assert 'class="warning"' not in (tmp_path / "clean.html").read_text()


def test_random_extractors_are_told(table, tmp_path):
    sentence = "random extractor, not ImageNet weights"
    marked = replace(SIMULATED_CONTEXT, random_extractors=["cddpm"])
    table1.write_html(table, marked, tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert '<th scope="row">cDDPM<sup>*</sup></th>' in page and page.count("<sup>") == 1
    assert f"<p>* {sentence}</p>" in page
    table1.write_latex(table, marked, tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text()
    assert f"% *: {sentence}\n" in text and text.count("$^{*}$") == 1
    assert "cDDPM$^{*}$ & IXI" in text
    table1.write_html(table, SIMULATED_CONTEXT, tmp_path / "t.html")
    table1.write_latex(table, SIMULATED_CONTEXT, tmp_path / "t.tex")
    assert not any(sentence in (tmp_path / f"t.{end}").read_text() for end in ("html", "tex"))


def other_sets(tmp_path):
    """A table of test sets that the paper does not have, without published values."""
    values = {"fold": 0, "dice_best": 0.5, "dice_best_released": 0.5, "dice_val": 0.4, "auprc": 0.3}
    lines = [{"test_set": name, "subject": "S", **values} for name in ("wmh", "mslub")]
    tsv.write(pd.DataFrame(lines), tmp_path / "m.tsv")
    rows = {"cddpm": ROWS["cddpm"]}
    return table1.table1(joined_files([tmp_path / "m.tsv"], rows), rows)


def test_any_test_sets_in_their_order(tmp_path):
    table = other_sets(tmp_path)
    assert list(table["test_set"]) == ["wmh", "mslub"]
    assert table.filter(like="paper_").isna().all(axis=None)
    table1.write_html(table, CONTEXT, tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert 0 < page.index("WMH (real)") < page.index("MSLUB (real)")
    assert "BRATS" not in page and "Grey" not in page and "1 WMH, 1 MSLUB" in page
    table1.write_latex(table, SIMULATED_CONTEXT, tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text()
    assert "WMH (simulated)" in text and "{lllrrrr}" in text
    (line,) = [line for line in text.splitlines() if line.startswith("cDDPM")]
    assert line.count("&") == 6


def test_best_of_a_block_is_bold_and_controls_do_not_compete(table, tmp_path):
    table1.write_html(table, CONTEXT, tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert "<b>47.50 ± 2.50</b>" in page  # unet-brats beats sadm_res-brats
    assert "<b>32.50" not in page and "<b>100.00" not in page


def test_latex(table, tmp_path):
    table1.write_latex(table, SIMULATED_CONTEXT, tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text()
    assert text.startswith(f"% {SIMULATED}")
    assert r"SADM$_{res}$ & IXI & BRATS" in text
    assert "DRAEM-Net & None & DRAEM" in text
    assert r"\textbf{47.50 $\pm$ 2.50}" in text
    body = [row for row in text.splitlines() if row.endswith(r"\\") and "multicolumn" not in row]
    assert {row.count("&") for row in body} == {8}
