"""Table 1 and every subject, as the front page shows them."""

import pandas as pd
import pytest

from uad.report import overview

ROWS = {
    "cddpm": {"label": "cDDPM", "block": "I", "maps": ["cddpm"]},
    "sadm_res-brats": {"label": "SADM_res", "block": "III", "maps": ["cddpm", "unet_res-brats"]},
    "ae": {"label": "AE", "block": "I", "maps": ["ae"]},
    "chance": {"label": "chance", "block": "control", "maps": ["chance"]},
    "guess": {"label": "guess", "block": "control", "maps": ["intensity"]},
}


@pytest.fixture
def table():
    """[DICE] of five rows on one test set, with published values of two."""
    return pd.DataFrame(
        [
            ("I", "cddpm", "none", "brats", 0.5, 0.6, 0.4),
            ("I", "ae", "none", "brats", 0.2, float("nan"), 0.1),
            ("III", "sadm_res", "brats", "brats", 0.8, 0.7, 0.7),
            ("control", "chance", "none", "brats", 0.1, float("nan"), 0.05),
            ("control", "guess", "none", "brats", 0.25, float("nan"), 0.02),
        ],
        columns=[
            "block", "method", "d_unhealthy", "test_set", "dice_best_mean", "paper_dice_mean",
            "auprc_mean",
        ],
    )  # fmt: skip


PAGES = ["sadm_res-brats", "cddpm"]


def rows_of(found):
    return {row.label: row for _, rows in found["blocks"] for row in rows}


def test_values_are_shaded_between_the_lowest_and_the_highest_trained_row(table):
    dice, auprc = overview.heat_maps(table, ROWS, False, PAGES)
    assert (dice["name"], auprc["name"]) == ("[DICE]", "AUPRC")  # no column, no table
    rows = rows_of(dice)
    assert [rows[name].cells[0].shade for name in ("AE", "cDDPM", "SADM_res")] == [0, 30, 60]
    assert rows["chance"].cells[0].shade == 0 and rows["chance"].page == ""
    assert rows["SADM_res"].page == "rows/sadm_res-brats.html"
    assert rows["SADM_res"].cells[0].page == "rows/sadm_res-brats.html#brats"
    assert rows["SADM_res"].unhealthy == "BRATS" and rows["AE"].cells[0].page == ""


def test_what_is_not_above_the_controls_is_marked(table):
    dice, auprc = (rows_of(found) for found in overview.heat_maps(table, ROWS, False, PAGES))
    # Below `guess` by [DICE], which only by its map is known as a control without knowledge.
    assert [dice[name].cells[0].low for name in ("AE", "cDDPM", "guess")] == [True, False, False]
    assert not auprc["AE"].cells[0].low
    without = overview.heat_maps(table[table["block"] != "control"], ROWS, False, PAGES)[0]
    assert not rows_of(without)["AE"].cells[0].low


def test_published_values_of_real_scans_only(table):
    real, simulated = (rows_of(overview.heat_maps(table, ROWS, s, PAGES)[0]) for s in (False, True))
    assert real["cDDPM"].cells[0].grey == "60.0 (−10.0)"
    assert real["SADM_res"].cells[0].grey == "70.0 (+10.0)"
    assert real["AE"].cells[0].grey == simulated["cDDPM"].cells[0].grey == ""
    # The published [DICE] is by another search than ours, which finds less.
    found = overview.heat_maps(table.assign(dice_best_released_mean=0.45), ROWS, False, PAGES)
    assert rows_of(found[0])["cDDPM"].cells[0].grey == "60.0 (−15.0)"


def test_a_row_without_a_test_set_has_a_dash(table):
    more = pd.concat([table, table.head(1).assign(test_set="atlas")])
    cells = rows_of(overview.heat_maps(more, ROWS, True, PAGES)[0])["AE"].cells
    assert [cell.text for cell in cells] == ["20.0", "–"]


@pytest.fixture
def intervals():
    return pd.DataFrame(
        [
            ("cddpm", "brats", "all", "dice_best", 0.4, 0.6),
            ("cddpm", "brats", "x", "dice_best", 0, 1),
        ],
        columns=["row", "test_set", "stratum", "metric", "low", "high"],
    )


def subjects(n):
    return pd.DataFrame(
        [("cddpm", "brats", f"S{i}", fold, 0.4 + 0.1 * fold) for i in range(n) for fold in (0, 1)],
        columns=["row", "test_set", "subject", "fold", "dice_best"],
    )


def test_every_subject_is_a_dot_at_its_mean_over_folds(table, intervals):
    (panel,) = overview.forests(table, intervals, subjects(2), ROWS, False, ["brats/S1"])
    assert panel["n"] == 2 and [row.label for row in panel["rows"]] == [
        "cDDPM",
        "AE",
        "SADM_res · BRATS",
    ]
    cddpm, ae, sadm = panel["rows"]
    x = cddpm.dots[0][0]
    assert cddpm.dots == [(x, "S0: 45.0", ""), (x, "S1: 45.0", "subjects/brats/S1.html")]
    assert cddpm.low < cddpm.dots[0][0] < cddpm.mean < cddpm.high == cddpm.paper
    assert cddpm.text == "50.0 [40.0, 60.0]" and ae.low is None and ae.dots == []
    assert sadm.mean == max(row.mean for row in panel["rows"]) < panel["width"]
    # The axis begins at zero and is linear.
    (zero, first), (one, second) = panel["ticks"][:2]
    per_point = (one - zero) / (int(second) - int(first))
    assert first == "0" and cddpm.mean == pytest.approx(zero + 50 * per_point, abs=0.2)
    assert [name for name, _ in panel["floors"]] == ["chance", "guess"]


def test_many_subjects_are_not_drawn_one_by_one(table, intervals):
    (panel,) = overview.forests(table, intervals, subjects(overview.MOST_DOTS + 1), ROWS, True)
    assert not panel["few"] and all(row.dots == [] for row in panel["rows"])
    assert all(row.paper is None for row in panel["rows"])  # simulated


def test_a_row_that_the_configuration_no_longer_has(table):
    rows = rows_of(overview.heat_maps(table, {"ae": ROWS["ae"]}, True, PAGES)[0])
    assert rows["sadm_res-brats"].page == "" and rows["AE"].cells[0].text == "20.0"


def test_what_is_not_defined_is_not_drawn(table, intervals):
    nothing = table.assign(dice_best_mean=float("nan"))
    (panel,) = overview.forests(
        nothing, intervals, subjects(1).assign(dice_best=float("nan")), ROWS, True
    )
    assert all(row.mean is None and row.dots == [] and row.text == "–" for row in panel["rows"])
    assert panel["floors"] == []
    assert rows_of(overview.heat_maps(nothing, ROWS, True, PAGES)[0])["AE"].cells[0].text == "–"
