"""Which subjects get a page."""

import pandas as pd
import pytest

from uad.report import chosen


def metrics(rows, n, test_set="brats", folds=(0, 1)):
    """[DICE] rises with the subject's number in the first row and falls in the others."""
    return pd.DataFrame(
        [
            {"row": row, "test_set": test_set, "subject": f"S{k:03d}", "fold": fold,
             "dice_best": (k if not r else n - k) / 1000 + 0.1 * fold, "lesion_ml": 1.0}
            for r, row in enumerate(rows) for fold in folds for k in range(n)
        ]
    )  # fmt: skip


def test_means_are_over_folds():
    found = chosen.means(metrics(["a"], 3))
    assert found.loc[("a", "brats", "S002"), "dice_best"] == pytest.approx(0.052)
    assert "fold" not in found


def test_ranks_are_of_subjects_with_a_lesion():
    table = pd.DataFrame(
        {"dice_best": [0.0, 0.3, 0.3, 0.5, float("nan")], "lesion_ml": [0, 1, 1, 1, 1]},
        index=["none", "b", "a", "c", "undefined"],
    )
    assert chosen.ranked(table) == {"best": "c", "median": "b", "worst": "a"}
    assert chosen.ranked(table[:1]) == {}


def test_of_a_large_test_set_best_median_worst_and_flagged_are_chosen():
    n = chosen.EVERY + 1
    found = chosen.choose(
        chosen.means(metrics(["a", "b", "control"], n)),
        ["a", "b"],
        {"brats": {"S007": "noise", "gone": "excluded"}},
    )["brats"]
    assert found == {
        "S000": [("worst", "a"), ("best", "b")],
        "S007": [("flagged", "noise")],
        "S040": [("median", "a"), ("median", "b")],
        "S080": [("best", "a"), ("worst", "b")],
    }


def test_of_a_small_one_all_are():
    found = chosen.choose(chosen.means(metrics(["a"], 5)), ["a"], {})["brats"]
    assert list(found) == [f"S{k:03d}" for k in range(5)] and found["S001"] == []
