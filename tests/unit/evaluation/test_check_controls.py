"""A control that does not come out as known ends the run."""

import numpy as np
import pandas as pd
import pytest

from uad.base.errors import InputError
from uad.evaluation import check_controls, metrics

ROWS = {"perfect": {"maps": ["perfect"]}, "chance": {"maps": ["chance"]}, "a": {"maps": ["m"]}}


def lines(row, **changes):
    """Metrics of a control on three subjects and two folds."""
    table = pd.DataFrame(
        {
            "row": row,
            "test_set": "brats",
            "subject": ["S0", "S1", "S2"] * 2,
            "fold": [0, 0, 0, 1, 1, 1],
            "dice_best": 1.0,
            "dice_val": 1.0,
            "auprc": 1.0,
            "auroc": 1.0,
            "threshold": 0.5,
            "lesion_ml": [30.0, 8.0, 2.0] * 2,
            "prevalence": [0.02, 0.006, 0.0015] * 2,
        }
    )
    return table.assign(**changes)


def chance(rng, subjects, voxels=140_000, box=1):
    """Metrics of uniform noise, drawn with real ranks; `box`: voxels scored, per brain voxel."""
    volumes = rng.uniform(1.2, 60, subjects)
    values = []
    for ml in volumes:
        lesion = np.arange(box * voxels) < round(ml / 0.008)
        counts = metrics.count(rng.random(box * voxels, dtype=np.float32), lesion)
        values.append(metrics.average_precision(counts))
    return pd.DataFrame(
        {"row": "chance", "test_set": "brats", "subject": [f"S{i}" for i in range(subjects)],
         "fold": 0, "threshold": 0.5, "auprc": values, "lesion_ml": volumes,
         "prevalence": volumes / 0.008 / voxels}
    )  # fmt: skip


def test_good_controls_pass(rng):
    check_controls.check(lines("perfect"), ROWS)
    check_controls.check(chance(rng, 12), ROWS)


def test_small_lesions_that_are_dropped_are_no_fault_but_anything_else_is():
    """As seen: of lesions of 2 ml, 0.27 ml are in components of fewer than eight voxels."""
    seen = {"lesion_ml": 1.998, "volume_error_ml": -0.27, "dice_val": 0.927536}
    check_controls.check(lines("perfect", **seen), ROWS, min_component=8)
    check_controls.check(lines("perfect", volume_error_ml=0.0), ROWS, min_component=8)
    for wrong, components in (
        ({}, 0), ({"dice_val": 0.93}, 8), ({"volume_error_ml": 0.27}, 8), ({"auprc": 0.99}, 8),
    ):  # fmt: skip
        with pytest.raises(InputError, match="control perfect: (dice_val|auprc) of brats"):
            check_controls.check(lines("perfect", **seen | wrong), ROWS, min_component=components)


def test_no_false_alarm_with_few_subjects():
    for seed in range(30):
        check_controls.check(chance(np.random.default_rng(seed), 3), ROWS)


@pytest.mark.parametrize("subjects", [3, 12])
def test_missing_brain_mask_is_noticed_even_with_few_subjects(subjects):
    # Noise in the whole box, of which the brain is a third.
    for seed in range(5):
        table = chance(np.random.default_rng(seed), subjects, box=3)
        with pytest.raises(InputError, match="control chance: the mean auprc of brats is"):
            check_controls.check(table, ROWS)


@pytest.mark.parametrize("column", ["dice_best", "dice_val", "auprc", "auroc"])
def test_imperfect_perfection_is_named(column):
    table = lines("perfect")
    table.loc[4, column] = 0.99999
    sentence = f"control perfect: {column} of brats, subject S1, fold 1 is 0.99999 and must be 1"
    with pytest.raises(InputError, match=sentence):
        check_controls.check(table, ROWS)


def test_subjects_without_lesion_do_not_count_against_perfection():
    table = lines("perfect")
    table.loc[2, ["lesion_ml", "dice_best", "dice_val", "auprc", "auroc"]] = [
        0,
        0,
        0,
        np.nan,
        np.nan,
    ]
    check_controls.check(table, ROWS)


@pytest.mark.parametrize("row", ["perfect", "chance"])
def test_without_a_lesion_to_choose_a_threshold_dice_val_must_be_missing(row):
    values = {"auprc": [0.02, 0.006, 0.0015] * 2} if row == "chance" else {}
    table = lines(row, threshold=np.nan, dice_val=np.nan, **values)
    check_controls.check(table, ROWS)
    table.loc[4, "dice_val"] = 0
    with pytest.raises(InputError, match=f"{row}: dice_val .* S1, fold 1 is 0 and must be missing"):
        check_controls.check(table, ROWS)


def test_a_threshold_that_finds_nothing_is_no_excuse():
    with pytest.raises(InputError, match="dice_val .* is 0 and must be 1"):
        check_controls.check(lines("perfect", threshold=np.inf, dice_val=0.0), ROWS)


@pytest.mark.parametrize("row", ["perfect", "chance"])
@pytest.mark.parametrize("column", ["dice_best", "dice_val", "auprc", "auroc"])
def test_without_a_lesion_in_a_fold_everything_must_be_missing(row, column):
    nothing = dict.fromkeys(["dice_best", "dice_val", "auprc", "auroc"], np.nan)
    values = {"auprc": [0.02, 0.006, 0.0015] * 2} if row == "chance" else {}
    table = lines(row, **values)
    table.loc[table["fold"] == 1, [*nothing, "lesion_ml"]] = [*nothing.values(), 0]
    check_controls.check(table, ROWS)
    for number in (0, 1, 0.3):
        table.loc[4, column] = number
        with pytest.raises(InputError, match=f"{row}: {column} .* {number:g} and must be missing"):
            check_controls.check(table, ROWS)


@pytest.mark.parametrize("column", ["auprc", "auroc"])
def test_no_precision_of_a_subject_without_a_lesion(column):
    table = lines("perfect")
    table.loc[2, ["lesion_ml", "dice_best", "dice_val", "auprc", "auroc"]] = [
        0,
        0,
        0,
        *[np.nan] * 2,
    ]
    table.loc[2, column] = 0.5
    with pytest.raises(
        InputError, match=f"{column} of brats, subject S2, fold 0 is 0.5 and must be"
    ):
        check_controls.check(table, ROWS)


def test_single_value_and_small_lesions_are_not_checked():
    third = lines("chance")
    third["auprc"] = third["prevalence"] / 3
    with pytest.raises(InputError):
        check_controls.check(third, ROWS)
    check_controls.check(third.iloc[:1], ROWS)
    check_controls.check(third.assign(lesion_ml=0.5), ROWS)


def test_other_rows_are_free():
    check_controls.check(lines("a", dice_best=0.1, auprc=0.0), ROWS)
