"""Which files are scans, and what they are called."""

import pytest

from uad.base.errors import InputError
from uad.predict import scans


def make(folder, *names, content=b""):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_one_file(tmp_path):
    make(tmp_path, "My scan (2).nii.gz")
    path = str(tmp_path / "My scan (2).nii.gz")
    assert scans.find(path, "T1").scans == {"sub-Myscan2/anat/sub-Myscan2": path}


def test_folder_of_any_names(tmp_path):
    make(tmp_path, "a.nii", "b/t1.NII.GZ", "notes.txt", ".hidden.nii", "sub-7_acq-x_T1w.nii")
    found = scans.find(str(tmp_path), "T1").scans
    assert list(found) == [
        "sub-a/anat/sub-a", "sub-bt1/anat/sub-bt1", "sub-7/anat/sub-7_acq-x",
    ]  # fmt: skip


def test_names_that_fall_together_stay_apart_and_do_not_depend_on_each_other(tmp_path):
    make(tmp_path, "a b.nii", "a_b.nii", "ü.nii")
    found = scans.find(str(tmp_path), "T1")
    assert len(found.scans) == 3 and len(set(found.scans.values())) == 3
    make(tmp_path, "a-b.nii")
    more = scans.find(str(tmp_path), "T1")
    assert set(found.scans.items()) < set(more.scans.items())
    for name in more.scans:
        assert name.isascii() and not set(name) & set(" {}")


def test_bids_folder(tmp_path):
    make(
        tmp_path, "dataset_description.json", "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_T2w.nii.gz", "sub-01/func/sub-01_task-rest_bold.nii.gz",
        "sub-02/ses-b/anat/sub-02_ses-b_run-1_T1w.nii",
        "derivatives/x/sub-01/anat/sub-01_T1w.nii.gz",
    )  # fmt: skip
    found = scans.find(str(tmp_path), "T1").scans
    assert list(found) == ["sub-01/anat/sub-01", "sub-02/ses-b/anat/sub-02_ses-b_run-1"]
    assert list(scans.find(str(tmp_path), "T2").scans) == ["sub-01/anat/sub-01"]


def test_dicom_gets_a_sentence(tmp_path):
    make(tmp_path, "series/IM0001", content=bytes(128) + b"DICM")
    for path in (tmp_path, tmp_path / "series/IM0001"):
        with pytest.raises(InputError, match="is DICOM; .*dcm2niix"):
            scans.find(str(path), "T1")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("gone", "no such file"), ("a.mgz", "is no NIfTI"), ("empty", "no NIfTI file")],
)
def test_nothing_to_predict_is_said(tmp_path, name, sentence):
    make(tmp_path, "a.mgz", "empty/readme.txt")
    with pytest.raises(InputError, match=sentence):
        scans.find(str(tmp_path / name), "T1")


def test_results_in_the_folder_of_scans_are_no_scans(tmp_path):
    make(tmp_path, "a.nii", "maps/sub-a/anat/sub-a_anomalymap.nii.gz", "more/maps/b.nii")
    found = scans.find(str(tmp_path), "T1", str(tmp_path / "maps"))
    assert list(found.scans) == ["sub-a/anat/sub-a", "sub-moremapsb/anat/sub-moremapsb"]


def test_links_are_followed_and_those_to_nothing_are_left_out(tmp_path):
    make(tmp_path, "elsewhere/x.nii", "scans/a.nii")
    (tmp_path / "scans/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "scans/b.nii.gz").symlink_to("gone.nii.gz")
    found = scans.find(str(tmp_path / "scans"), "T1")
    assert list(found.scans) == ["sub-a/anat/sub-a", "sub-morex/anat/sub-morex"]
    assert found.left_out == [("b.nii.gz", "is a link to nothing")]


def test_unusable_names_are_left_out_with_a_reason(tmp_path):
    make(tmp_path, "good.nii", "bad{x}.nii")
    found = scans.find(str(tmp_path), "T1")
    assert list(found.scans) == ["sub-good/anat/sub-good"]
    assert found.left_out[0][0] == "bad{x}.nii" and "braces" in found.left_out[0][1]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sub-1_T1w.nii.gz", None),
        ("anything.nii", None),
        ("sub-1_FLAIR.nii.gz", "says FLAIR, and the bundle is for T1"),
        ("sub-1_T2w.nii", "says T2"),
        ("sub-1_ce-gad_T1w.nii.gz", "contrast agent"),
    ],
)
def test_names_that_say_another_contrast(name, reason):
    found = scans.conflicting_name(f"folder/{name}", "T1")
    assert (found is None) if reason is None else reason in found
