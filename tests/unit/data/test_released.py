"""Released split lists: every layout, planted repeats and leaks, the paper's ids, the leak report.

With the environment variable UAD_RELEASED_SPLITS naming the folder of the real lists, their counts
are checked too.
"""

import os
import re

import pandas as pd
import pytest
from conftest import ROOT, write_list

from uad.base import tsv
from uad.base.errors import InputError
from uad.data import datasets, drawing, leakage, released, splits
from uad.report import leak_page

PAPER_IDS = ROOT / "workflow/resources/atlas_v2_paper_split.txt"
REAL = os.environ.get("UAD_RELEASED_SPLITS")

# Per fold of the real lists: subjects that are trained on and test, trained on and validate,
# validate and test; rows of the training list that are repeated.
TRAIN_TEST = (9, 9, 9, 7, 8)
TRAIN_VAL = (0, 0, 2, 3, 3)
VAL_TEST = (0, 0, 0, 2, 1)
REPEATED = (13, 13, 11, 10, 10)


def ixi(*numbers):
    return [f"IXI{n:03d}-Guys-0700_t1.nii.gz" for n in numbers]


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """Lists with as many rows, repeats and leaks as the real ones, in names that are made up."""
    folder = tmp_path_factory.mktemp("lists")
    test = list(range(157))
    write_list(folder / "IXI_test.csv", ixi(*test, 3, 14, 15))
    for fold in range(5):
        shared, val_only = VAL_TEST[fold], list(range(200, 244 - VAL_TEST[fold]))
        val = test[-shared:] * (shared > 0) + val_only
        n_own = 387 - REPEATED[fold] - TRAIN_TEST[fold] - TRAIN_VAL[fold]
        train = test[: TRAIN_TEST[fold]] + val_only[: TRAIN_VAL[fold]]
        train += range(300, 300 + n_own)
        train += train[-REPEATED[fold] :]
        write_list(folder / f"IXI_train_fold{fold}.csv", ixi(*train))
        write_list(folder / f"IXI_val_fold{fold}.csv", ixi(*val))
    return folder


def sizes(split):
    """Subjects per role, fold by fold."""
    table = split.groupby(["role", "fold"])["subject"].nunique().unstack()
    return {role: tuple(table.loc[role]) for role in table.index}


def shared_counts(line):
    return line["train_test"], line["train_val"], line["val_test"]


def check_ixi(folder):
    """What is true of IXI's lists, the real ones and those made up."""
    rows = released.rows(folder, "ixi", 5)
    assert len(rows) == 5 * (387 + 44 + 160)
    everyone = sorted({subject for subject, _, _ in rows})
    purged = drawing.from_lists(rows, everyone, purge_leakage=True)
    assert sizes(purged) == {
        "train": (365, 365, 365, 367, 366),
        "val": (44, 44, 44, 42, 43),
        "test": (157,) * 5,
    }
    assert list(purged.columns) == splits.COLUMNS
    kept = drawing.from_lists(rows, everyone, purge_leakage=False)
    assert sizes(kept) == {
        "train": (374, 374, 376, 377, 377),
        "val": (44,) * 5,
        "test": (157,) * 5,
    }
    lines = leak_page.table({"ixi": kept}, {"ixi": rows})
    for stage in ("listed", "used"):
        of_stage = lines[lines["stage"] == stage]
        assert tuple(of_stage["train_test"]) == TRAIN_TEST
        assert tuple(of_stage["train_val"]) == TRAIN_VAL
        assert tuple(of_stage["val_test"]) == VAL_TEST
    listed = lines[lines["stage"] == "listed"]
    assert tuple(listed["repeated_train"]) == REPEATED
    assert set(listed["repeated_val"]) == {0} and set(listed["repeated_test"]) == {3}
    after = leak_page.table({"ixi": purged}, {})
    assert not after[[*leak_page.PAIRS, "repeated_train", "repeated_test"]].to_numpy().any()
    return lines


def test_planted_leaks_are_found_and_purged(leaky):
    lines = check_ixi(leaky)
    # Fold 3: 157 test subjects 0 to 156, of which the last two validate and the first seven train.
    fold = lines.query("fold == 3 and stage == 'used'").iloc[0]
    assert fold["train_test_subjects"] == " ".join(f"IXI{n:03d}" for n in range(7))
    assert fold["train_val_subjects"] == "IXI200 IXI201 IXI202"
    assert fold["val_test_subjects"] == "IXI155 IXI156"


@pytest.mark.skipif(not REAL, reason="UAD_RELEASED_SPLITS does not name the real lists")
def test_real_lists():
    lines = check_ixi(REAL)
    names = lines.query("fold == 3 and stage == 'listed'").iloc[0]
    numbers = (219, 237, 447, 512, 531, 549, 552)
    assert names["train_test_subjects"] == " ".join(f"IXI{n}" for n in numbers)
    assert names["val_test_subjects"] == "IXI493 IXI499"
    assert names["train_val_subjects"] == "IXI498 IXI536 IXI539"
    for dataset, (train, val, test) in {
        "brats21": (90, 10, 1151),
        "atlas_v2": (169, 6, 480),
        "mslub": (0, 10, 20),
        "wmh": (0, 15, 45),
    }.items():
        rows = released.rows(REAL, dataset, 5)
        assert len(rows) == len(set(rows)) == 5 * (train + val + test)
        split = drawing.from_lists(rows, {row[0] for row in rows}, purge_leakage=False)
        expected = {"train": train, "val": val, "test": test}
        assert sizes(split) == {role: (n,) * 5 for role, n in expected.items() if n}
        assert "shared" not in split
    atlas = released.rows(REAL, "atlas_v2", 1)
    paper = released.paper_rows(PAPER_IDS, "atlas_v2", sorted({row[0] for row in atlas}), 1)
    assert sum(role == "test" for _, _, role in paper) == 589


def test_names_that_nearly_fit_are_refused():
    for dataset, name in (
        ("ixi", "IXI105-HH-1471_t2.nii.gz"), ("brats21", "BraTS2021_538"),
        ("atlas_v2", "sub-r009s085_ses-1"), ("mslub", "patient1"), ("wmh", "Singapore_t1.nii.gz"),
    ):  # fmt: skip
        with pytest.raises(InputError, match="is not an image of"):
            released._label(name, dataset, "x.csv")


LAYOUTS = {
    "ixi": (
        "IXI105-HH-1471_t1.nii.gz", "IXI105", ",img_name,\"SEX_ID (1=m, 2=f)\",HEIGHT,age,img_path",
        "IXI105-HH-1471-T1.nii.gz",
    ),
    "brats21": (
        "BraTS2021_00538", "BraTS00538",
        ",img_name,Cohort Name (if publicly available),Local ID ,age,img_path",
        "BraTS2021_00538/BraTS2021_00538_t1.nii.gz",
    ),
    "atlas_v2": (
        "sub-r009s085", "r009s085", ",img_name,Session,# Lesions Other Location,age,img_path",
        datasets.load("atlas_v2").EXAMPLE.replace("r001s001", "r009s085"),
    ),
    "mslub": (
        "patient26", "patient26", ",img_name,age,sex,ms_type,label",
        "patient26/patient26_T1W.nii.gz",
    ),
    "wmh": (
        "Singapore_64_t1.nii.gz", "Singapore64", ",img_name,label,age,img_path",
        "Singapore/64/pre/T1.nii.gz",
    ),
}  # fmt: skip


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_every_layout_gives_the_workflow_s_labels(tmp_path, dataset):
    name, label, header, native = LAYOUTS[dataset]
    for role in ("train_fold0", "val_fold0", "test") if dataset == "ixi" else ("val", "test"):
        stem = "IXI" if dataset == "ixi" else released.FILES[dataset]
        # A quoted comma in another column must not shift the name.
        path = tmp_path / f"{stem}_{role}.csv"
        path.write_text(f'{header}\n17,{name},"Left, right",1,2,3\n')
    assert {row[0] for row in released.rows(tmp_path, dataset, 1)} == {label}
    module = datasets.load(dataset)
    assert module.label(re.search(module.NAME, native)) == label


def test_shared_list_is_cut_by_position(tmp_path):
    names = [f"BraTS2021_{n:05d}" for n in range(30, 0, -1)]
    write_list(tmp_path / "Brats21_val.csv", names)
    write_list(tmp_path / "Brats21_test.csv", ["BraTS2021_00099"])
    rows = released.rows(tmp_path, "brats21", 2)
    for fold in (0, 1):
        val = [s for s, f, role in rows if f == fold and role == "val"]
        assert val == [f"BraTS{n:05d}" for n in range(30, 20, -1)]
        assert sum(f == fold and role == "train" for _, f, role in rows) == 20
        assert ("BraTS00099", fold, "test") in rows


def test_the_papers_atlas_split():
    ids = PAPER_IDS.read_text().split()
    assert len(set(ids)) == len(ids) == 66
    everyone = [name[4:] for name in ids] + [f"r090s{n:03d}" for n in range(589)]
    rows = released.paper_rows(PAPER_IDS, "atlas_v2", everyone, 2)
    split = drawing.from_lists(rows, everyone, purge_leakage=False)
    assert sizes(split) == {"train": (60, 60), "val": (6, 6), "test": (589, 589)}
    first = ["r052s007", "r029s009", "r010s013", "r042s010", "r017s116", "r009s098"]
    assert splits.subjects(split, 1, "val") == first


# From rows to a table.

ROWS = [
    ("A", 0, "train"), ("B", 0, "train"), ("B", 0, "train"), ("C", 0, "train"), ("D", 0, "train"),
    ("C", 0, "val"), ("E", 0, "val"), ("F", 0, "val"),
    ("D", 0, "test"), ("E", 0, "test"), ("G", 0, "test"), ("G", 0, "test"),
]  # fmt: skip


def roles(split):
    return {role: splits.subjects(split, 0, role) for role in splits.ROLES}


def test_purged_by_hand():
    split = drawing.from_lists(ROWS, "ABCDEFG", purge_leakage=True)
    assert roles(split) == {"train": ["A", "B"], "val": ["C", "F"], "test": ["D", "E", "G"]}
    assert list(split.columns) == splits.COLUMNS


def test_leaks_are_kept_marked_and_told(tmp_path, caplog):
    caplog.set_level("WARNING")
    split = drawing.from_lists(ROWS, "ABCDEFG", purge_leakage=False)
    assert roles(split) == {
        "train": ["A", "B", "C", "D"], "val": ["C", "E", "F"], "test": ["D", "E", "G"],
    }  # fmt: skip
    assert set(split.loc[split["shared"], "subject"]) == {"C", "D", "E"}
    # Read back, it passes the check of every training.
    tsv.write(split, tmp_path / "s.tsv")
    splits.check(tsv.read(tmp_path / "s.tsv"))
    assert caplog.messages == [
        "released lists: up to 1 subjects of the test set are also trained on, up to 1 subjects of "
        "the validation set are also trained on, up to 1 subjects of the test set also validate"
    ]
    # Without the mark the same table is refused, and so is a mark that does not cover it all.
    with pytest.raises(InputError, match="subject C has more than one role in fold 0: train, val"):
        splits.check(split.drop(columns="shared"))
    with pytest.raises(InputError, match="subject D has more than one role in fold 0: train, test"):
        splits.check(split.assign(shared=split["shared"] & (split["subject"] != "D")))
    with pytest.raises(InputError, match="subject C has more than one role"):
        splits.check(pd.concat([split, split[split["subject"] == "C"]]))


def test_a_subject_that_validates_and_tests_is_computed_once():
    split = drawing.from_lists(ROWS, "ABCDEFG", purge_leakage=False)
    assert splits.evaluated(split, 0) == ["C", "E", "F", "D", "G"]
    synthetic = drawing.of_synthetic(split)
    assert roles(synthetic) == {"train": [], "val": ["C", "E", "F"], "test": ["D", "E", "G"]}
    splits.check(synthetic)


def test_absent_and_unlisted_subjects_have_no_role(caplog):
    caplog.set_level("INFO")
    split = drawing.from_lists(ROWS, "ABCEGXY", purge_leakage=True)
    assert roles(split) == {"train": ["A", "B"], "val": ["C"], "test": ["E", "G"]}
    assert "2 repeated rows of the lists are dropped" in caplog.messages
    assert "2 listed subjects are not packed and left out: D, F" in caplog.messages
    assert "2 packed subjects are not listed" in caplog.messages


def test_leaks_of_absent_subjects_are_none():
    split = drawing.from_lists(ROWS, "ABFG", purge_leakage=False)
    assert "shared" not in split and leakage.leak_warning(split) == ""


@pytest.mark.parametrize(
    ("subjects", "purge", "sentence"),
    [
        ("ABCD", False, "fold 0 has no test subject"),
        (
            "CDEFG",
            True,
            "fold 0 has no train subject: of the 5 rows of the lists none is a packed ",
        ),
    ],
)
def test_an_empty_role_is_an_error(subjects, purge, sentence):
    packed_subjects = set(subjects) - ({"D"} if not purge else set())
    with pytest.raises(InputError, match=sentence):
        drawing.from_lists(ROWS, packed_subjects, purge)


# Mistakes of the user.


def test_missing_folder_and_lists_are_named(leaky, tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such folder .*splits\.released\.folder"):
        released.paths(tmp_path / "nowhere", "ixi", 5)
    with pytest.raises(
        InputError, match=r"IXI_train_fold5\.csv: this released split list is missing"
    ):
        released.paths(leaky, "ixi", 6)
    with pytest.raises(InputError, match=r"Brats21_val\.csv: this released split list is missing"):
        released.paths(leaky, "brats21", 5)
    with pytest.raises(InputError, match="no released split lists of oasis; known: ixi, brats21"):
        released.paths(leaky, "oasis", 5)
    assert len(released.paths(leaky, "ixi", 5)) == 11


def test_folds_that_do_not_run_need_neither_lists_nor_subjects(tmp_path):
    for role, fold, number in (("train", 0, 0), ("val", 0, 10), ("train", 2, 9), ("val", 2, 10)):
        name = f"IXI{number:03d}-Guys-0001_t1.nii.gz"
        write_list(tmp_path / f"IXI_{role}_fold{fold}.csv", [name])
    write_list(tmp_path / "IXI_test.csv", ["IXI050-HH-0001_t1.nii.gz"])
    assert len(released.paths(tmp_path, "ixi", 3, [0])) == 5  # of fold 2 too, which are there
    with pytest.raises(InputError, match=r"IXI_train_fold1\.csv: .* is missing"):
        released.paths(tmp_path, "ixi", 3, [0, 1])
    rows = released.rows(tmp_path, "ixi", 3, [0])
    assert {fold for _, fold, _ in rows} == {0, 2}
    there = ["IXI000", "IXI010", "IXI050"]
    with pytest.raises(InputError, match="fold 2 has no train subject"):
        drawing.from_lists(rows, there, False)
    split = drawing.from_lists(rows, there, False, needed=[0])
    assert sorted(split.loc[split["fold"] == 0, "role"]) == ["test", "train", "val"]
    with pytest.raises(InputError, match="fold 0 has no val subject"):
        drawing.from_lists(rows, ["IXI000", "IXI050"], False, needed=[0])


FAULTS = {
    "no column": (",name\n0,patient01\n", "has no column img_name"),
    "empty": ("", "has no column img_name"),
    "no rows": (",img_name\n", "has no rows"),
    "other data set": (",img_name\n0,patient01\n1,IXI002-Guys-0828_t1.nii.gz\n", "'IXI002-Guys-08"),
    "no name": (",img_name\n0\n", "'' is not an image of mslub"),
    "binary": (b"PK\x03\x04\xff\xfe", "cannot be read as a released split list"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_list_that_is_none_is_named(tmp_path, fault):
    content, sentence = FAULTS[fault]
    path = tmp_path / "MSLUB_val.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    write_list(tmp_path / "MSLUB_test.csv", ["patient02"])
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        released.rows(tmp_path, "mslub", 1)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


# The report's page.


def test_page_of_the_leak_report(tmp_path):
    rows = [*ROWS, ("<b>", 0, "test")]
    split = drawing.from_lists(rows, {row[0] for row in rows}, purge_leakage=False)
    table = leak_page.table({"ixi": split}, {"ixi": rows})
    leak_page.write_html(table, True, tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert "ixi: released lists" in page and "ixi: used in this run" in page
    assert '<td class="n">4<br><span>+ 1 repeated</span></td>' in page
    assert '<td class="n">1<br><span>D</span></td>' in page  # trained on and tests
    assert "two roles in a fold; their names" in page and leak_page.pages.SIMULATED in page
    assert "nan" not in page


def test_page_without_leaks_has_no_warning(tmp_path):
    split = drawing.from_lists(ROWS, "ABCDEFG", purge_leakage=True)
    leak_page.write_html(leak_page.table({"ixi": split}, {}), False, tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert 'class="warning"' not in page and "released lists" not in page.split("<tbody>")[1]
    # Three pairs of roles, and listed subjects that are not used.
    assert page.count("<tr><td>") == 1 and page.count('<td class="n">0</td>') == 4
