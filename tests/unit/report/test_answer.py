"""The answer of a run, for a terminal."""

import pandas as pd

from uad.report import answer

ROWS = {
    "cddpm": {"block": "I", "label": "cDDPM"},
    "unet-brats": {"block": "III", "label": "Unet"},
    "perfect": {"block": "control", "label": "perfect"},
}
RUN = {"simulated": True, "modality": "T1", "folds": [0, 1], "n_folds": 5}
RUN |= {"rows": ROWS, "references": ["sadm_res-brats", "cddpm"]}
TABLE = pd.DataFrame(
    [
        ("I", "cddpm", "none", "brats", 0.5),
        ("III", "unet", "brats", "brats", 0.7),
        ("control", "perfect", "none", "brats", 1.0),
        ("I", "cddpm", "none", "atlas", 0.4),
        ("III", "unet", "brats", "atlas", 0.1),
        ("control", "perfect", "none", "atlas", 1.0),
    ],
    columns=["block", "method", "d_unhealthy", "test_set", "dice_best_mean"],
)


def test_says_what_was_run_whether_it_worked_and_what_came_out():
    claims = pd.DataFrame({"verdict": ["holds", "holds", "undecided"]})
    assert answer.lines(RUN, TABLE, ["good", "look", "good"], claims) == [
        "Simulated T1 scans, 2 rows, folds 0, 1 of 5",
        "Checks: 2 good, 1 to look at, 0 bad",
        "[DICE] of cDDPM: BRATS 50.0, ATLAS 40.0",
        "[DICE] of the best row: BRATS 70.0 (unet-brats), ATLAS 40.0 (cddpm)",
        "Claims of the paper: 2 hold, 1 is undecided",
    ]


def test_what_is_not_in_the_run_is_not_in_its_answer():
    one = {**RUN, "simulated": False, "folds": [3]}
    found = answer.lines(one, TABLE[TABLE["method"] != "cddpm"], ["bad"], None)
    assert found == [
        "Real T1 scans, 2 rows, fold 3 of 5",
        "Checks: 0 good, 0 to look at, 1 bad",
        "[DICE] of the best row: BRATS 70.0 (unet-brats), ATLAS 10.0 (unet-brats)",
    ]


def test_without_a_table():
    assert len(answer.lines(RUN, None, [], None)) == 2


def test_values_that_are_not_defined():
    found = answer.lines(RUN, TABLE.assign(dice_best_mean=float("nan")), [], None)
    assert found[2:] == ["[DICE] of cDDPM: BRATS –, ATLAS –"]
