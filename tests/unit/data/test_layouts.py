"""Cohorts of the user's own: BIDS folders and tables; what is found, and what mistakes say."""

import re

import numpy as np
import pandas as pd
import pytest

from uad.base.errors import InputError
from uad.data.datasets import Subject, person
from uad.data.layouts import bids, excluded, label, participants, table

IMAGE, LESION, BRAIN = ["image"], ["image", "lesion"], ["image", "brain"]


def bids_files(*names):
    return [f"{name}.nii.gz" for name in names]


PATIENTS = bids_files(
    "sub-01/anat/sub-01_T1w",
    "sub-01/anat/sub-01_FLAIR",
    "sub-01/func/sub-01_task-rest_bold",
    "sub-02/ses-a/anat/sub-02_ses-a_T1w",
    "sub-02/ses-b/anat/sub-02_ses-b_T1w",
    "derivatives/lesions/sub-01/anat/sub-01_label-lesion_mask",
    "derivatives/lesions/sub-01/anat/sub-01_label-WM_mask",
    "derivatives/lesions/sub-02/ses-a/anat/sub-02_ses-a_desc-lesion_mask",
    "derivatives/lesions/sub-02/ses-b/anat/sub-02_ses-b_T2w_desc-lesion_mask",
    "derivatives/prep/sub-01/anat/sub-01_desc-preproc_T1w",
    "derivatives/prep/sub-01/anat/sub-01_desc-brain_mask",
    "sourcedata/sub-01/anat/sub-01_T1w",
)


def found_in(files, kinds=LESION, **more):
    return bids.find("mine", files, "data/mine", kinds, **more)


def test_images_of_a_bids_folder_and_masks_of_its_derivatives():
    subjects, left_out = found_in(PATIENTS)
    assert list(subjects) == ["01", "02"]
    assert subjects["01"].image == "sub-01/anat/sub-01_T1w.nii.gz"
    assert subjects["01"].lesion.endswith("sub-01_label-lesion_mask.nii.gz")
    assert subjects["02"].lesion.endswith("sub-02_ses-a_desc-lesion_mask.nii.gz")
    assert [path for path, _ in left_out] == [subjects["02"].image.replace("ses-a", "ses-b")]


def test_all_sessions_of_a_bids_folder_or_some():
    subjects, _ = found_in(PATIENTS, sessions=["all"])
    assert list(subjects) == ["01", "02sesa", "02sesb"]
    assert subjects["02sesb"].lesion.endswith("sub-02_ses-b_T2w_desc-lesion_mask.nii.gz")
    assert person("02sesb") == "02"
    assert list(found_in(PATIENTS, sessions=["b"]).subjects) == ["01", "02sesb"]
    with pytest.raises(InputError, match="sessions names c, but there are only a, b"):
        found_in(PATIENTS, sessions=["c"])


def test_healthy_subjects_need_no_masks_and_others_are_left_out_without():
    files = bids_files("sub-01/anat/sub-01_T1w", "sub-02/anat/sub-02_T1w")
    assert list(found_in(files, IMAGE).subjects) == ["01", "02"]
    mask = bids_files("derivatives/x/sub-02/anat/sub-02_label-lesion_roi")
    subjects, left_out = found_in([*files, *mask])
    assert list(subjects) == ["02"] and left_out == [("01", "the lesion mask is missing")]


@pytest.mark.parametrize(("modality", "suffix"), [("T1", "T1w"), ("T2", "T2w"), ("FLAIR", "FLAIR")])
def test_modalities_of_a_bids_folder(modality, suffix):
    files = bids_files(*[f"sub-01/anat/sub-01_{s}" for s in ("T1w", "T2w", "FLAIR", "PDw")])
    subjects, left_out = found_in(files, IMAGE, modality=modality)
    assert subjects["01"].image == f"sub-01/anat/sub-01_{suffix}.nii.gz" and not left_out


@pytest.mark.parametrize(
    ("ending", "is_lesion"),
    [
        ("label-lesion_mask", True),
        ("label-Lesion_dseg", True),
        ("desc-lesion_roi", True),
        ("space-T1w_label-L_desc-T1lesion_mask", True),
        ("acq-tfl3_run-3_T2w_desc-lesion_mask", True),
        ("label-lesion_space-T1w_mask", True),
        ("desc-brain_mask", False),
        ("label-lesion_probseg", False),
        ("lesion_mask", False),
        ("label-lesion_T1w", False),
    ],
)
def test_names_of_lesion_masks(ending, is_lesion):
    assert bool(bids.LESION.fullmatch(f"sub-01_{ending}")) == is_lesion


def test_names_of_a_bids_folder_can_be_given():
    files = bids_files(
        *[f"sub-01/anat/sub-01_{n}_T1w" for n in ("acq-fast", "acq-mprage")],
        "derivatives/x/sub-01/anat/sub-01_tumour",
        "derivatives/x/sub-01/anat/sub-01_label-lesion_mask",
    )
    subjects, left_out = found_in(files)
    assert not subjects and left_out[0][1].startswith("occurs twice: sub-01/anat/sub-01_acq-fast")
    names = {"image": "*_acq-mprage_T1w", "lesion": "*_tumour", "brain": None}
    subjects, left_out = found_in(files, patterns=names)
    assert subjects["01"] == Subject(
        "01",
        "sub-01/anat/sub-01_acq-mprage_T1w.nii.gz",
        "derivatives/x/sub-01/anat/sub-01_tumour.nii.gz",
    )


def test_the_first_of_several_runs_is_used():
    files = bids_files(*[f"sub-01/anat/sub-01_run-{n}_T1w" for n in ("10", "2", "3")])
    subjects, left_out = found_in(files, IMAGE)
    assert subjects["01"].image == files[1]
    assert {path for path, _ in left_out} == {files[0], files[2]}
    assert all(files[1] in reason for _, reason in left_out)


def test_given_brain_masks_of_a_bids_folder():
    subjects, _ = found_in(PATIENTS, BRAIN)
    assert subjects["01"].brain == "derivatives/prep/sub-01/anat/sub-01_desc-brain_mask.nii.gz"


def test_labels_that_cannot_be_used_are_named():
    files = bids_files("sub-01/anat/sub-01_T1w", "sub-Moses1/anat/sub-Moses1_T1w")
    subjects, left_out = found_in(files, IMAGE)
    assert list(subjects) == ["01"] and left_out[0][0] == files[1]
    with_braces = [*files, "sub-03/anat/sub-03_acq-{x}_T1w.nii.gz"]
    assert list(found_in(with_braces, IMAGE).subjects) == ["01"]


def test_a_bids_folder_without_what_is_needed():
    sentence = (
        "data/mine: no T2 image found; expected files like sub-01/anat/sub-01_T2w.nii.gz "
        "(configuration key datasets.mine)"
    )
    with pytest.raises(InputError, match=re.escape(sentence)):
        found_in(PATIENTS, modality="T2")
    with pytest.raises(InputError, match=r"no lesion mask found; .*sub-01_label-lesion_mask.nii"):
        found_in(PATIENTS[:2])


# Tables.


@pytest.fixture
def scans(tmp_path):
    """A folder with some scans, and a function that writes a table beside them."""
    for name in ("a.nii.gz", "b.nii", "sub/c.nii.gz", "m.nii.gz"):
        path = tmp_path / "cohort" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def write(*lines, name="cohort/scans.tsv"):
        path = tmp_path / name
        path.write_text("".join("\t".join(line.split()) + "\n" for line in lines))
        return path

    return write


def test_subjects_of_a_table(scans, tmp_path):
    elsewhere = tmp_path / "x.nii.gz"
    elsewhere.touch()
    path = scans(
        "subject image lesion colour age",
        "sub-02 a.nii.gz m.nii.gz red 30",
        f"P_01 {elsewhere} n/a blue n/a",
        "P_03 ./sub/../sub/c.nii.gz m.nii.gz blue n/a",
    )
    subjects, left_out = table.find("mine", path, IMAGE)
    assert list(subjects) == ["02", "P01", "P03"] and not left_out
    assert subjects["P01"].image == str(elsewhere) and subjects["P01"].lesion is None
    assert subjects["P03"].image == "sub/c.nii.gz"
    subjects, left_out = table.find("mine", path, LESION)
    assert subjects["02"] == Subject("02", "a.nii.gz", "m.nii.gz")
    assert left_out == [("P01", "the lesion mask is missing")]


def test_sessions_of_a_table(scans):
    path = scans("subject session image", "A 1 a.nii.gz", "A ses-2 b.nii", "B 1 sub/c.nii.gz")
    assert list(table.find("mine", path, IMAGE).subjects) == ["A", "B"]
    assert list(table.find("mine", path, IMAGE, sessions=["all"]).subjects) == [
        "Ases1", "Ases2", "Bses1",
    ]  # fmt: skip


def test_a_table_as_spreadsheets_write_it(scans, tmp_path):
    path = tmp_path / "cohort/scans.tsv"
    path.write_bytes("\ufeffsubject \timage\r\nA\ta.nii.gz \r\n".encode())
    assert table.find("mine", path, IMAGE).subjects["A"].image == "a.nii.gz"


MISTAKES = {
    "no image column": (
        ["subject file", "A a.nii.gz"],
        "has no column 'image', only subject, file",
    ),
    "no lesion column": (["subject image", "A a.nii.gz"], "has no column 'lesion', only subject"),
    "commas": (["subject,image,lesion", "A,a.nii.gz,m.nii.gz"], "columns are separated by tabs"),
    "a column twice": (["subject image image lesion", "A a b c"], "has the column 'image' twice"),
    "nobody": (["subject image lesion"], "has no line below the names of its columns"),
    "a subject twice": (
        ["subject image lesion", "A a.nii.gz m.nii.gz", "A b.nii m.nii.gz"],
        "line 3: subject A is in line 2 already; a column `session` tells",
    ),
    "two names of one label": (
        ["subject image lesion", "A_1 a.nii.gz m.nii.gz", "A-1 b.nii m.nii.gz"],
        "line 3: subject A-1 is in line 2 already",
    ),
    "a session twice": (
        ["subject session image lesion", "A 1 a.nii.gz m.nii.gz", "A 1 b.nii m.nii.gz"],
        "line 3: subject A, session 1 is in line 2 already$",
    ),
    "a session and none": (
        ["subject session image lesion", "A 1 a.nii.gz m.nii.gz", "A n/a b.nii m.nii.gz"],
        "line 3: subject A has lines with a session and without",
    ),
    "no image": (["subject image lesion", "A n/a m.nii.gz"], "line 2: subject A has no image"),
    "no such image": (
        ["subject image lesion", "A d.nii.gz m.nii.gz"],
        "line 2, column image: d.nii.gz does not exist; paths are relative to .*cohort, or",
    ),
    "no such mask": (
        ["subject image lesion", "A a.nii.gz d.nii.gz"],
        "line 2, column lesion: d.nii.gz does not exist",
    ),
    "another format": (
        ["subject image lesion", "A a.mgz m.nii.gz"],
        r"column image: a.mgz is no NIfTI file",
    ),
    "braces": (
        ["subject image lesion", "A {a}.nii.gz m.nii.gz"],
        "column image: '{a}.nii.gz' has braces",
    ),
    "no letters": (
        ["subject image lesion", "__ a.nii.gz m.nii.gz"],
        "line 2: the subject has the name '__', but names need a letter or digit",
    ),
    "too few cells": (
        ["subject image lesion", "A a.nii.gz"],
        "line 2: has 2 cells, but there are 3",
    ),
    "too many cells": (
        ["subject image lesion", "A a b c d"],
        "line 2: has 5 cells, but there are 3",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_a_table_are_named(scans, name):
    lines, sentence = MISTAKES[name]
    path = scans(*lines)
    with pytest.raises(InputError, match=sentence) as error:
        table.find("mine", path, LESION)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_tables_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"no such table \(configuration key datasets.mine.table"):
        table.find("mine", tmp_path / "no.tsv", IMAGE)
    (tmp_path / "x.tsv").write_bytes(b"subject\timage\n\xff\xfe\t\n")
    with pytest.raises(InputError, match="cannot be read as a table in UTF-8"):
        table.find("mine", tmp_path / "x.tsv", IMAGE)


# Subjects that are left out.


def test_a_table_of_excluded_subjects(tmp_path):
    path = tmp_path / "excluded.tsv"
    path.write_text("reason\tsubject\tby\nmoved a lot \tIXI012\tAB\nclipped\tIXI013\t\n")
    assert excluded.read(path, "x") == {"IXI012": "moved a lot", "IXI013": "clipped"}
    path.write_text("subject\treason\n")
    assert excluded.read(path, "x") == {}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["subject why", "A moved"], "has no column 'reason', only subject, why"),
        (["label reason", "A moved"], "has no column 'subject', only label, reason"),
        (["subject reason", "A moved", "A clipped"], "line 3: subject A is in line 2 already"),
        (["subject reason", "A n/a"], "line 2: has no reason"),
        (["subject reason", "n/a moved"], "line 2: has no subject"),
        (["subject reason", "A moved", "B"], "line 3: has 1 cells, but there are 2 columns"),
    ],
)
def test_mistakes_in_a_table_of_excluded_subjects_are_named(scans, lines, sentence):
    path = scans(*lines)
    with pytest.raises(InputError, match=sentence) as error:
        excluded.read(path, "datasets.mine.exclude")
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"no such table \(configuration key datasets.mine.excl"):
        excluded.read(path.with_name("no.tsv"), "datasets.mine.exclude")


@pytest.mark.parametrize(
    ("name", "expected"), [("sub-01", "01"), ("P_012", "P012"), ("ses-2", "2"), ("a.b c", "abc")]
)
def test_labels(name, expected):
    assert label(name, "x") == expected


# What is known of the subjects.


def test_ages_sex_and_site_of_a_table(scans):
    path = scans(
        "participant_id age sex site", "sub-A1 30 F n/a", "sub-B 89+ M Oslo", "sub-B 20 M Oslo"
    )
    subjects = [Subject(name, "x", None) for name in ("B", "A1ses2", "C")]
    known = participants.metadata(subjects, path)
    expected = pd.DataFrame(
        {
            "site": ["Oslo", "unknown", "unknown"],
            "sex": ["M", "F", "unknown"],
            "age": [89.0, 30.0, np.nan],
            "age_group": ["80+", "20-40", "unknown"],
        }
    )
    pd.testing.assert_frame_equal(known, expected)
    assert set(participants.metadata(subjects, None)["age_group"]) == {"unknown"}


def test_tables_of_subjects_that_cannot_be_read(scans):
    with pytest.raises(InputError, match="neither a column 'subject' nor 'participant_id'"):
        participants.metadata([], scans("name age", "A 3"))
    with pytest.raises(InputError, match="the age 'old' is no number of years"):
        participants.metadata([Subject("A", "x", None)], scans("subject age", "A old"))
