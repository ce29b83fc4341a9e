"""Scans of one subject with two roles: by label, by session, by content, across data sets."""

import pandas as pd
import pytest

from uad.data import leakage, splits
from uad.report import leak_page


def table(**roles):
    """A split of one fold: subjects by role, separated by blanks."""
    lines = [(label, 0, role) for role, labels in roles.items() for label in labels.split()]
    return pd.DataFrame(lines, columns=splits.COLUMNS)


SPLITS = {
    "ixi": table(train="IXI002 IXI012", val="IXI013", test="IXI014 IXI015"),
    "mslub": table(val="patient01", test="patient02 patient03"),
}


def test_labels_of_their_own_do_not_overlap():
    for dataset in SPLITS:
        assert not any(leakage.overlaps(SPLITS, dataset, 0).values())


def test_one_scan_under_two_names_trains_and_tests():
    same = leakage.Same([[("ixi", "IXI012"), ("ixi", "IXI014")]])
    found = leakage.overlaps(SPLITS, "ixi", 0, same)
    assert found == {
        ("train", "val"): [], ("train", "test"): ["IXI014=IXI012"], ("val", "test"): [],
    }  # fmt: skip
    lines = leak_page.table(SPLITS, {}, same).set_index("dataset")
    assert lines.loc["ixi", "train_test"] == 1 and lines.loc["mslub", "train_test"] == 0
    assert lines.loc["ixi", "train_test_subjects"] == "IXI014=IXI012"


def test_one_scan_in_two_data_sets():
    same = leakage.Same([[("ixi", "IXI002"), ("mslub", "patient03")]])
    found = leakage.overlaps(SPLITS, "mslub", 0, same)
    assert found["train", "test"] == ["patient03=ixi/IXI002"]
    assert not any(leakage.overlaps(SPLITS, "ixi", 0, same).values())


def test_sessions_of_a_subject_are_one_subject():
    tables = {"brats21": table(train="BraTSGLI00001ses000", test="BraTSGLI00001ses001 BraTSGLI2")}
    found = leakage.overlaps(tables, "brats21", 0)
    assert found["train", "test"] == ["BraTSGLI00001ses001=BraTSGLI00001ses000"]
    assert "up to 1 subjects of the test set" in leakage.leak_warning(tables["brats21"])


@pytest.mark.parametrize("order", [1, -1])
def test_twins_of_twins_are_one_subject(order):
    groups = [
        [("a", "x1ses1"), ("a", "y")],
        [("a", "z"), ("b", "w")],
        [("a", "x1ses2"), ("b", "w")],
    ]
    same = leakage.Same(groups[::order])
    assert len({same.subject(scan) for group in groups for scan in group}) == 1
    assert same.subject(("b", "y")) == ("b", "y")
