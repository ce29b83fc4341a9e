"""Folds: the paper's counts, disjoint validation, strata, and the check for leaks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedShuffleSplit

from uad.base.errors import InputError
from uad.data import drawing, splits


def draw(n, n_train, n_val, n_test, n_folds=5, strata=None, seed=0):
    names = [f"S{i:04d}" for i in range(n)]
    strata = strata if strata is not None else [""] * n
    return drawing.clean(
        names, strata, n_train, n_val, n_test, n_folds, np.random.default_rng(seed)
    )


@pytest.mark.parametrize(
    ("n", "counts", "expected_test"),
    [
        (562, (358, 44, 160), 160),  # IXI
        (581, (358, 44, 160), 160),  # IXI with all scans: 19 are left over
        (1251, (90, 10, None), 1151),  # BraTS21
        (655, (60, 6, None), 589),  # ATLAS v2
    ],
)
def test_the_papers_counts(n, counts, expected_test):
    split = draw(n, *counts)
    sizes = split.groupby(["fold", "role"]).size().unstack()
    assert (sizes["train"] == counts[0]).all()
    assert (sizes["val"] == counts[1]).all()
    assert (sizes["test"] == expected_test).all()
    assert len(sizes) == 5


def test_roles_share_nobody_and_validation_sets_are_disjoint():
    split = draw(562, 358, 44, 160)
    for _, fold in split.groupby("fold"):
        assert fold["subject"].is_unique
    validation = split.query("role == 'val'")["subject"]
    assert validation.is_unique
    tests = split.query("role == 'test'").groupby("fold")["subject"].apply(frozenset)
    assert len(set(tests)) == 1
    assert not set(validation) & set(tests.iloc[0])


@pytest.mark.parametrize(
    ("n", "counts"), [(30, (0, 10, None)), (60, (0, 15, None)), (1251, (0, 100, None))]
)
def test_without_training_all_folds_validate_on_the_same_subjects(n, counts):
    split = draw(n, *counts)  # MSLUB, WMH and BraTS21 of the cDDPM's protocol
    sizes = split.groupby(["fold", "role"]).size().unstack()
    assert list(sizes.columns) == ["test", "val"] and len(sizes) == 5
    assert (sizes["val"] == counts[1]).all() and (sizes["test"] == n - counts[1]).all()
    assert split.query("role == 'val'").groupby("subject").size().eq(5).all()


@pytest.mark.parametrize("n_test", [160, 161, 7])
def test_strata_are_those_of_scikit_learn(n_test):
    """Which subjects are drawn is chance; how many of each stratum is not, to one subject."""
    strata = np.array(["a"] * 281 + ["b"] * 225 + ["c"] * 50 + ["d"] * 6)
    ((_, drawn),) = StratifiedShuffleSplit(1, test_size=n_test, random_state=0).split(
        strata, strata
    )
    expected = pd.Series(strata[drawn]).value_counts()
    split = draw(len(strata), 358, 40, n_test, n_folds=1, strata=list(strata))
    test = split.query("role == 'test'")["subject"].str[1:].astype(int)
    found = pd.Series(strata[test]).value_counts()
    assert found.sum() == expected.sum() == n_test
    assert found.sub(expected, fill_value=0).abs().max() <= 1


def test_every_role_has_the_strata_of_the_whole():
    strata = ["a"] * 281 + ["b"] * 225 + ["c"] * 50 + ["d"] * 6
    split = draw(562, 358, 44, 160, strata=strata)
    stratum = dict(zip([f"S{i:04d}" for i in range(562)], strata))
    for (_, role), group in split.groupby(["fold", "role"]):
        shares = group["subject"].map(stratum).value_counts(normalize=True)
        assert shares["a"] == pytest.approx(0.5, abs=0.03), role
        assert shares["b"] == pytest.approx(0.4, abs=0.03), role


def test_depends_on_the_seed_but_not_on_the_order_of_files():
    names = [f"S{i}" for i in range(20)]
    turned = names[::-1]
    first, second = (
        drawing.clean(order, [""] * 20, 6, 2, None, 2, np.random.default_rng(1))
        for order in (names, turned)
    )
    pd.testing.assert_frame_equal(first, second)
    assert not draw(20, 6, 2, None, 2, seed=1).equals(draw(20, 6, 2, None, 2, seed=2))


@pytest.mark.parametrize(
    ("n", "n_train", "n_val", "n_test"), [(10, 8, 2, 1), (10, 8, 2, None), (20, 4, 2, 3)]
)
def test_too_few_subjects_are_refused(n, n_train, n_val, n_test):
    with pytest.raises(InputError, match="too few"):
        draw(n, n_train, n_val, n_test)


def test_a_subject_with_two_roles_is_found():
    split = pd.DataFrame(
        {
            "subject": ["A", "B", "A", "A"],
            "fold": [0, 0, 0, 1],
            "role": ["train", "val", "test", "val"],
        }
    )
    with pytest.raises(InputError, match="subject A has more than one role in fold 0: train, test"):
        splits.check(split)


def test_a_repeated_line_is_found():
    split = pd.DataFrame({"subject": ["A", "A"], "fold": [2, 2], "role": ["val", "val"]})
    with pytest.raises(InputError, match="fold 2"):
        splits.check(split)


def test_synthetic_set_inherits_test_and_validation_roles():
    split = draw(20, 6, 2, 4, 2)
    synthetic = drawing.of_synthetic(split)
    assert set(synthetic["role"]) == {"val", "test"}
    merged = synthetic.merge(split, on=["subject", "fold"], suffixes=("", "_healthy"))
    assert (merged["role"] == merged["role_healthy"]).all()
    assert len(merged) == len(synthetic) == 2 * (2 + 4)


def test_evaluated_subjects_are_validation_then_test():
    split = draw(20, 6, 2, 4, 2)
    order = splits.evaluated(split, 1)
    assert order[:2] == splits.subjects(split, 1, "val")
    assert order[2:] == splits.subjects(split, 1, "test")


@pytest.mark.parametrize(
    ("age", "group"),
    [
        (19.98, "<20"),
        (20, "20-40"),
        (59.9, "40-60"),
        (60, "60-80"),
        (86.3, "80+"),
        (np.nan, "unknown"),
    ],
)
def test_age_groups(age, group):
    assert drawing.age_group(age) == group


def test_sessions_of_a_subject_are_drawn_together():
    names = [f"S{i:02d}ses{j}" for i in range(20) for j in ("000", "001")[: 1 + i % 2]]
    split = drawing.clean(names, [""] * 30, 8, 2, 5, 2, np.random.default_rng(0))
    split["person"] = split["subject"].str[:3]
    assert (split.groupby(["fold", "person"])["role"].nunique() == 1).all()
    persons = split.drop_duplicates(["fold", "person"]).groupby(["fold", "role"]).size().unstack()
    assert (persons["train"] == 8).all() and (persons["val"] == 2).all()
    assert (persons["test"] == 5).all()
    twice = split.groupby(["fold", "person"]).size()
    assert (twice == [1 + int(person[1:]) % 2 for _, person in twice.index]).all()


def test_a_listed_subject_stands_for_its_sessions():
    rows = [("A", 0, "train"), ("B", 0, "val"), ("C", 0, "test"), ("D", 0, "test")]
    split = drawing.from_lists(rows, ["Ases1", "Ases2", "B", "Cses2"], purge_leakage=True)
    found = list(split.itertuples(index=False, name=None))
    assert found == [
        ("Ases1", 0, "train"), ("Ases2", 0, "train"), ("B", 0, "val"), ("Cses2", 0, "test"),
    ]  # fmt: skip
