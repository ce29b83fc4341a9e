"""Table 2: intervals, verdicts and comparisons of Table 1's rows, and its page."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from uad.evaluation import statistics
from uad.report import table1, table2
from uad.report.blocks import Context, row_name
from uad.report.pages import SIMULATED

ROWS = {
    "cddpm": {"block": "I", "label": "cDDPM", "healthy": "ixi"},
    "pii-pii": {"block": "II", "label": "PII", "healthy": "none"},
    "sadm_res-draem": {"block": "II", "label": "SADM_res", "healthy": "ixi"},
    "unet-brats": {"block": "III", "label": "Unet", "healthy": "none"},
    "sadm_res-brats": {"block": "III", "label": "SADM_res", "healthy": "ixi"},
    "unet-atlas": {"block": "III", "label": "Unet", "healthy": "none"},
    "sadm_res-atlas": {"block": "III", "label": "SADM_res", "healthy": "ixi"},
    "perfect": {"block": "control", "label": "perfect", "healthy": "none"},
}
LABELS = {row: block["label"] for row, block in ROWS.items()}
CONTEXT = Context(LABELS, simulated=True)
SUBJECTS = [f"S{i}" for i in range(15)]
NO_RANKS = pd.DataFrame(columns=["row", "test_set", "metric", "rank", "low", "high"])


@pytest.fixture(scope="module")
def parts():
    """Tables 1 and 2 and what they are made of; every row has a level of its own."""
    rng = np.random.default_rng(1)
    lines = [
        {
            "row": row,
            "test_set": test_set,
            "subject": subject,
            "fold": fold,
            "dice_best": 1.0 if row == "perfect" else 0.08 * r + 0.1 * rng.random(),
            "dice_best_released": 1.0 if row == "perfect" else 0.07 * r + 0.1 * rng.random(),
            "dice_val": 0.05 * r + 0.1 * rng.random(),
            "auprc": 0.06 * r + 0.1 * rng.random(),
            "lesion_ml": 2.0 + i,
        }
        for r, row in enumerate(ROWS)
        for test_set in ("brats", "atlas")
        for i, subject in enumerate(SUBJECTS)
        for fold in (0, 1)
    ]
    subjects = pd.DataFrame(lines)
    known = dict.fromkeys(("brats", "atlas"), pd.DataFrame({"subject": SUBJECTS}))
    intervals = statistics.intervals(subjects, known, seed=1)
    references = ["cddpm", *(row for row in ROWS if row.startswith("sadm_res"))]
    comparisons = statistics.comparisons(subjects, ROWS, references)
    first = table1.table1(subjects, ROWS, ROOT / "workflow/resources/table1_paper.csv")
    ranks = statistics.ranks(subjects, ROWS, seed=1)
    second = table2.table2(first, intervals, comparisons, ranks, simulated=False)
    return first, second, intervals, comparisons


def test_columns_are_explained(parts):
    page = (ROOT / "docs/metrics.md").read_text()
    _, second, intervals, comparisons = parts
    for column in {*second.columns, *intervals.columns, *comparisons.columns}:
        metric = next((m for m in statistics.METRICS if column.startswith(f"{m}_")), None)
        assert f"`{column.replace(metric, '<metric>') if metric else column}`" in page, column


def test_lines_and_columns(parts):
    first, second, *_ = parts
    assert len(second) == 8 * 2 and second.index.equals(first.index)
    assert list(second.columns) == [
        "block",
        "method",
        "d_healthy",
        "d_unhealthy",
        "test_set",
        "dice_best_mean",
        "dice_best_low",
        "dice_best_high",
        "dice_best_rank",
        "dice_best_rank_low",
        "dice_best_rank_high",
        "dice_best_minus_paper",
        "dice_best_minus_paper_low",
        "dice_best_minus_paper_high",
        "dice_best_verdict",
        "dice_best_difference",
        "dice_best_p_holm",
        "dice_val_mean",
        "dice_val_low",
        "dice_val_high",
        "dice_val_rank",
        "dice_val_rank_low",
        "dice_val_rank_high",
        "dice_val_difference",
        "dice_val_p_holm",
        "auprc_mean",
        "auprc_low",
        "auprc_high",
        "auprc_rank",
        "auprc_rank_low",
        "auprc_rank_high",
        "auprc_minus_paper",
        "auprc_minus_paper_low",
        "auprc_minus_paper_high",
        "auprc_verdict",
        "auprc_difference",
        "auprc_p_holm",
        "reference",
        "n_subjects",
    ]


def test_ranks_are_those_of_the_means(parts):
    _, second, *_ = parts
    for _, part in second[second["block"] != "control"].groupby("test_set"):
        order = part.sort_values("dice_best_mean", ascending=False)["dice_best_rank"]
        assert list(order) == list(range(1, len(part) + 1))
        assert (part["dice_best_rank_low"] <= part["dice_best_rank"]).all()
        assert (part["dice_best_rank_high"] >= part["dice_best_rank"]).all()
    assert second.loc[second["block"] == "control", "auprc_rank"].isna().all()


def test_means_are_those_of_table_1_inside_their_intervals(parts):
    first, second, *_ = parts
    for metric in ("dice_best", "auprc"):
        np.testing.assert_allclose(second[f"{metric}_mean"], first[f"{metric}_mean"])
        assert (second[f"{metric}_low"] <= second[f"{metric}_mean"]).all()
        assert (second[f"{metric}_high"] >= second[f"{metric}_mean"]).all()


def test_verdicts_are_those_of_the_numbers_beside_them(parts):
    _, second, *_ = parts
    line = second.query("method == 'cddpm' and test_set == 'brats'").iloc[0]
    assert line["dice_best_high"] < 0.2 and line["dice_best_verdict"] == "below"  # paper 0.5855
    line = second.query("method == 'unet' and d_unhealthy == 'brats' and test_set == 'atlas'").iloc[
        0
    ]
    assert line["dice_best_low"] > 0.2 and line["dice_best_verdict"] == "above"  # paper 0.1182
    controls = second.query("block == 'control'")
    assert (controls[["dice_best_verdict", "auprc_verdict"]] == "no data").all(axis=None)


def test_each_row_is_compared_with_the_one_of_its_training_data(parts):
    _, second, _, comparisons = parts
    names = [row_name(m, u) for m, u in zip(second["method"], second["d_unhealthy"])]
    reference = dict(zip(names, second["reference"]))
    assert reference["pii-pii"] == "sadm_res-draem"  # the only one of its block
    assert reference["unet-brats"] == "sadm_res-brats"
    assert reference["unet-atlas"] == "sadm_res-atlas"
    assert pd.isna([reference[row] for row in ("cddpm", "perfect", "sadm_res-draem")]).all()
    key = {"row": "unet-brats", "reference": "sadm_res-brats", "test_set": "atlas"}
    expected = comparisons[(comparisons[list(key)] == pd.Series(key)).all(axis=1)]
    expected = expected.set_index("metric").loc["auprc"]
    line = second.query("method == 'unet' and d_unhealthy == 'brats' and test_set == 'atlas'").iloc[
        0
    ]
    assert line["auprc_difference"] == expected["median_difference"] > 0
    assert line["auprc_p_holm"] == expected["p_holm"] < 0.05


def test_differences_from_the_paper_are_by_its_own_estimator(parts):
    first, second, intervals, _ = parts
    known = second[second["dice_best_minus_paper"].notna()]
    paper = first.loc[known.index, "paper_dice_mean"]
    assert len(known) == paper.notna().sum() == 2 * (len(ROWS) - 1)  # controls have none
    # By the paper's own estimator, which finds less than the maximum.
    ours = first.loc[known.index, "dice_best_released_mean"]
    assert (ours != first.loc[known.index, "dice_best_mean"]).all()
    np.testing.assert_allclose(known["dice_best_minus_paper"], ours - paper)
    by_theirs = intervals.query("stratum == 'all' and metric == 'dice_best_released'")
    by_theirs = by_theirs.set_index(["row", "test_set"])
    for _, line in known.iterrows():
        at = row_name(line["method"], line["d_unhealthy"]), line["test_set"]
        low, high = by_theirs.loc[at, ["low", "high"]] - paper[line.name]
        assert line["dice_best_minus_paper_low"] < low  # widened
        assert line["dice_best_minus_paper_high"] > high


def test_simulated_scans_and_few_subjects_have_no_verdict(parts):
    first, second, intervals, comparisons = parts
    simulated = table2.table2(first, intervals, comparisons, NO_RANKS, simulated=True)
    few = table2.table2(first, intervals.assign(n=3), comparisons, NO_RANKS, simulated=False)
    published = second["dice_best_verdict"] != "no data"
    assert set(simulated.loc[published, "dice_best_verdict"]) == {"simulated"}
    assert simulated["dice_best_minus_paper"].isna().all()
    assert set(few.loc[published, "dice_best_verdict"]) == {"too few subjects"}
    assert few.loc[published, "dice_best_minus_paper"].notna().all()
    assert few["dice_best_minus_paper_low"].isna().all()


def page(parts, second, context, path):
    first, _, intervals, _ = parts
    agreement = statistics.agreement(first, second)
    table2.write_html(second, intervals, agreement, context, path)
    return " ".join(path.read_text().split()), agreement


def test_a_row_of_another_block_is_shown_against_the_same_training_data(parts):
    compared = [("cddpm", "mine"), ("sadm_res-brats", "mine-brats"), ("cddpm", "mine-brats")]
    comparisons = pd.DataFrame(compared, columns=["reference", "row"])
    assert table2._reference(comparisons, "mine") == "cddpm"
    assert table2._reference(comparisons, "mine-brats") == "sadm_res-brats"
    assert table2._reference(comparisons, "other") is None


def test_page(parts, tmp_path):
    first, second, intervals, comparisons = parts
    real = replace(CONTEXT, simulated=False)
    text, agreement = page(parts, second, real, tmp_path / "real.html")
    assert "<h2>BRATS (15 subjects)</h2>" in text and "imulated" not in text
    assert "100.0 [100.0, 100.0]" in text
    assert '<td class="n">1 [1, 1]</td>' in text and "Rank: the row's place" in text
    assert "smallest third (2 to 6) ml<br>n = 5" in text
    assert '<td class="n">SADM<sub>res</sub> (BRATS)</td>' in text  # the reference of a row
    line = agreement.query("test_set == 'brats' and metric == 'dice_best'").iloc[0]
    assert f"τ<sub>b</sub>) {line['tau_b']:.2f}" in text
    assert f"{line['within']} of {line['n_rows']} rows within, {line['above']} above" in text
    cell = second.query("method == 'cddpm' and test_set == 'brats'").iloc[0]
    ends = [f"{100 * cell[f'dice_best_minus_paper{end}']:.1f}" for end in ("", "_low", "_high")]
    shown = "{} [{}, {}] below</span>".format(*ends).replace("-", "−")
    assert f"<span>{shown}" in text

    few = table2.table2(first, intervals.assign(n=3), comparisons, NO_RANKS, simulated=False)
    text, _ = page(parts, few, real, tmp_path / "few.html")
    assert f"<span>{shown.partition(' ')[0]} too few subjects</span>" in text
    assert "the paper: too few subjects for verdicts; rank correlation" in text


def test_page_of_simulated_scans_compares_nothing_with_the_paper(parts, tmp_path):
    first, _, intervals, comparisons = parts
    second = table2.table2(first, intervals, comparisons, NO_RANKS, simulated=True)
    text, _ = page(parts, second, CONTEXT, tmp_path / "t.html")
    assert SIMULATED in text and "<h2>BRATS (15 subjects)</h2>" in text
    for word in ("within", "above", "below", "and the paper", "published"):
        assert word not in text.partition("<body")[2].replace("bold below 0.05", ""), word
