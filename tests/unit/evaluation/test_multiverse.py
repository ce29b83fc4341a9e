"""Combinations of choices: the usual one is that of the evaluation, and what the others say."""

import itertools

import numpy as np
import pandas as pd
import pytest
from test_row_metrics import FOLD, change_maps, evaluate_all, results, stored, without_lesions

from uad.evaluation import multiverse, variants
from uad.evaluation.scores import Cohort

__all__ = ["results"]  # the fixture
CHOICES = {
    "residual": ["ssim", "l1"],
    "erosion": [0, 2],
    "median": ["residual", "none", "all"],
    "box": ["whole", "released"],
    "min_component": [0, 8],
    "measure": ["dice_best", "dice_best_released", "dice_val", "dice_fpr5", "auprc"],
}
USUAL = {"residual": "ssim", "erosion": 0, "median": "residual", "box": "whole", "min_component": 0}


def measured(results, networks, reconstructing, **choices):
    files = stored(results, without=reconstructing)
    patients, healthy = (
        variants.VariedScore(Cohort(files[name], FOLD), networks, reconstructing)
        for name in ("brats21", "ixi")
    )
    return variants.measured({"brats": patients}, healthy, {**CHOICES, **choices})


def value(table, measure, **way):
    way = {**USUAL, **way, "measure": measure}
    line = table[np.logical_and.reduce([table[key] == of for key, of in way.items()])]
    assert len(line) == 1
    return line["mean"].iloc[0]


@pytest.mark.parametrize("residual, erosion", list(itertools.product(["ssim", "l1"], [0, 2])))
def test_what_the_evaluation_does_is_one_of_them(results, residual, erosion):
    table = measured(results, ["unet-brats"], ["cddpm"], median=["residual"], box=["whole"])
    for size in (0, 8):
        wanted = evaluate_all(
            results,
            ["cddpm", "unet-brats"],
            without=["cddpm"],
            residual={"kind": residual, "erosion": erosion},
            min_component=size,
        ).subjects
        for measure in CHOICES["measure"]:
            if size and measure != "dice_val":
                continue
            way = {"residual": residual, "erosion": erosion, "min_component": size}
            found = value(table, measure, **way)
            assert found == pytest.approx(wanted[measure].mean(), rel=1e-6), (measure, size)


def test_every_choice_makes_a_difference(results):
    table = measured(results, ["unet-brats"], ["cddpm"], box=["whole", "released"])
    usual = value(table, "auprc")
    for choice in multiverse.OF_MAPS:
        for other in CHOICES[choice]:
            if other != USUAL[choice] and choice != "box":
                assert value(table, "auprc", **{choice: other}) != usual, other
    assert set(table["min_component"][table["measure"] != "dice_val"]) == {0}
    assert len(table) == 2 * 2 * 3 * 2 * (len(CHOICES["measure"]) + 1)


def test_of_a_network_alone_residuals_are_no_choice(results):
    table = measured(results, ["unet-brats"], [])
    usual = value(table, "auprc")
    assert value(table, "auprc", residual="l1", erosion=2, median="none") == usual
    assert value(table, "auprc", median="all") != usual


def test_the_released_box_leaves_out_the_last_planes(results):
    def change(maps):  # nothing but a high score in the brain's last plane of z
        for one in maps:
            last = np.nonzero(one.any(axis=(1, 2)))[0][-1]
            one[:last] = one[:last] * 1e-3
            one[last] = np.where(one[last] > 0, 1, 0)

    before = measured(results, ["unet-brats"], [], measure=["auprc"], median=["residual"])
    change_maps(results, "unet-brats", change)
    after = measured(results, ["unet-brats"], [], measure=["auprc"], median=["residual"])
    assert value(after, "auprc") < 0.7 * value(before, "auprc")
    kept = [value(table, "auprc", box="released") for table in (before, after)]
    assert kept[1] == pytest.approx(kept[0], rel=0.01)


def test_what_is_not_defined_has_no_mean(results):
    without_lesions(results, ["S1", "S3"])  # no threshold
    table = measured(results, ["unet-brats"], [], box=["whole"], median=["residual"])
    assert np.isnan(value(table, "dice_val")) and not np.isnan(value(table, "dice_best"))
    without_lesions(results, ["S2", "S4"])
    table = measured(results, ["unet-brats"], [], box=["whole"], median=["residual"])
    assert table["mean"].isna().all()


# What the combinations say, on tables with known answers.


def made(means):
    """A table of `measured` from means by row, fold, measure and residual."""
    lines = []
    for (row, fold, measure, residual), mean in means.items():
        way = {**USUAL, "residual": residual, "measure": measure}
        lines.append({"test_set": "brats", **way, "n": 9, "mean": mean, "row": row, "fold": fold})
    return pd.DataFrame(lines)


def two_rows(gain):
    """`a` beats `b` by 0.1, but by `gain(fold, measure, residual)` where that says so."""
    found = {}
    for fold, measure, residual in itertools.product(
        (0, 1), ("dice_best", "auprc"), ("ssim", "l1")
    ):
        found["b", fold, measure, residual] = 0.5
        found["a", fold, measure, residual] = 0.5 + (gain(fold, measure, residual) or 0.1)
    return multiverse.ranked(made(found))


TABLE1 = {**USUAL, "measure": "dice_best", "folds": "all"}
CLAIM = {
    "title": "a beats b", "kind": "above", "margin": 0, "metric": "dice_best",
    "compare": [{"row": "a", "than": ["b"], "test_sets": ["brats"]}],
}  # fmt: skip


def test_ranks_and_the_mean_over_folds():
    ranks = two_rows(lambda fold, measure, residual: -0.2 if (fold, residual) == (1, "l1") else 0)
    assert len(ranks) == 2 * 3 * 2 * 2  # rows; folds and all; measures; residuals
    first = ranks[(ranks["row"] == "a") & (ranks["residual"] == "l1")].set_index("folds")["rank"]
    assert first.to_dict() == {"0": 1, "1": 2, "all": 2}  # 0.1 and -0.2: on average below
    means = ranks[(ranks["row"] == "a") & (ranks["folds"] == "all")].set_index("residual")["mean"]
    assert means["l1"].tolist() == pytest.approx([0.45, 0.45])


def test_the_choice_that_swaps_rows_is_named():
    ranks = two_rows(lambda fold, measure, residual: -0.1 if measure == "auprc" else 0)
    found = multiverse.influence(ranks).set_index("choice")
    assert set(found.index) == {"measure", "residual", "folds"}  # the others have no alternative
    assert found.loc["measure", ["tau_b", "order_changes", "best_changes"]].tolist() == [-1, 1, 1]
    for choice in ("residual", "folds"):
        assert found.loc[choice, ["tau_b", "order_changes", "best_changes"]].tolist() == [1, 0, 0]
    assert found.loc["folds", "pairs"] == 4 * 3


def test_the_share_of_combinations_in_which_a_claim_holds():
    ranks = two_rows(lambda fold, measure, residual: -0.1 if measure == "auprc" else 0)
    claims = {"yes": CLAIM, "margin": {**CLAIM, "kind": "not_below", "margin": 0.3}}
    found = multiverse.claimed(ranks, claims, TABLE1).set_index("claim")
    assert found.loc["yes", "holds"] == 0.5 and found.loc["yes", "combinations"] == 12
    assert found.loc["yes", ["measure_dice_best", "measure_auprc"]].tolist() == [1, 0]
    assert found.loc["margin", "holds"] == 1 and found.loc["yes", "usual"] == 1
    elsewhere = multiverse.claimed(ranks, claims, {**TABLE1, "measure": "auprc"})
    assert elsewhere["usual"].tolist() == [0, 1]
    elsewhere = multiverse.claimed(ranks, claims, {**TABLE1, "erosion": 3})
    assert elsewhere["usual"].isna().all()  # not among the combinations
    absent = {**CLAIM, "compare": [{"row": "c", "than": ["b"], "test_sets": ["brats"]}]}
    others = {"absent": absent, "weights": {**CLAIM, "kind": "best_weight"}}
    assert multiverse.claimed(ranks, others, TABLE1).empty


def test_combinations_without_a_value_are_left_out():
    table = made({(row, 0, m, "ssim"): 0.5 for row in "ab" for m in ("dice_best", "auprc")})
    table.loc[0, "mean"] = np.nan
    ranks = multiverse.ranked(table)
    assert set(ranks["measure"]) == {"auprc"} and ranks["rank"].tolist() == [1.5, 1.5]
