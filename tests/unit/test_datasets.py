"""Native layouts to subjects: real names, errors, and the simulated names."""

import pytest
import xlwt

from uad import datasets
from uad.errors import InputError
from uad.simulation import names

ATLAS = "sub-r009s085_ses-1_space-MNI152NLin2009aSym"


@pytest.mark.parametrize("prefix", ["", "unpacked/IXI-T1/"])
def test_ixi(prefix):
    files = [f"{prefix}IXI105-HH-1471-T1.nii.gz", f"{prefix}IXI002-Guys-0828-T1.nii.gz", "IXI.xls",
             f"{prefix}IXI002-Guys-0828-T2.nii.gz"]  # fmt: skip
    found = datasets.find("ixi", files, "data")
    assert list(found) == ["IXI002", "IXI105"]
    assert found["IXI105"] == ("IXI105", files[0], None)


def test_brats21():
    case = "BraTS2021_00538/BraTS2021_00538"
    files = [f"{case}_{name}.nii.gz" for name in ("t1", "t1ce", "t2", "flair", "seg")]
    found = datasets.find("brats21", files, "data")
    assert found == {"BraTS00538": ("BraTS00538", f"{case}_t1.nii.gz", f"{case}_seg.nii.gz")}


def test_atlas_v2():
    folder = "Training/R009/sub-r009s085/ses-1/anat"
    files = [f"{folder}/{ATLAS}_T1w.nii.gz", f"{folder}/{ATLAS}_label-L_desc-T1lesion_mask.nii.gz"]
    found = datasets.find("atlas_v2", files, "data")
    assert found == {"r009s085": ("r009s085", *files)}


def test_missing_lesion_mask_is_named():
    with pytest.raises(InputError, match=r"data/.*_seg.nii.gz: the lesion mask of .*_t1.nii.gz"):
        datasets.find("brats21", ["BraTS2021_00538_t1.nii.gz"], "data")


def test_repeated_subject_is_named():
    files = ["a/IXI002-Guys-0828-T1.nii.gz", "b/IXI002-Guys-0828-T1.nii.gz"]
    with pytest.raises(InputError, match="subject IXI002 occurs twice, a/IXI002.* and b/IXI002"):
        datasets.find("ixi", files, "data")


def test_empty_folder_says_what_is_expected(tmp_path):
    with pytest.raises(InputError, match="no BraTS21 image found; expected files like BraTS2021_"):
        datasets.find("brats21", datasets.list_files(tmp_path, "key"), tmp_path)


def test_missing_folder_names_the_key(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder .*datasets.ixi.folder"):
        datasets.list_files(tmp_path / "nowhere", "datasets.ixi.folder")


def test_unknown_data_set():
    with pytest.raises(InputError, match="unknown data set oasis"):
        datasets.load("oasis")


def test_listing_is_relative(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file.nii").touch()
    (tmp_path / "top.nii").touch()
    assert sorted(datasets.list_files(tmp_path, "key")) == ["a/b/file.nii", "top.nii"]


@pytest.mark.parametrize("name", ["ixi", "brats21", "atlas_v2"])
def test_simulated_files_have_native_names(name):
    scans = names.scans(name, 30, seed=1)
    files = [path for scan in scans for path in names.files(name, scan)]
    found = datasets.find(name, files, "simulated")
    assert len(found) == 30
    assert all(label.isalnum() for label in found)
    assert names.scans(name, 30, seed=1) == scans != names.scans(name, 30, seed=2)


def test_paper_sized_cohorts_can_be_named():
    for name, n in (("ixi", 581), ("brats21", 1251), ("atlas_v2", 655)):
        scans = names.scans(name, n, seed=1)
        files = [path for scan in scans for path in names.files(name, scan)]
        assert len(datasets.find(name, files, "simulated")) == n


def test_ixi_demographics(tmp_path):
    book = xlwt.Workbook()
    sheet = book.add_sheet("Table")
    lines = [
        ("IXI_ID", "SEX_ID (1=m, 2=f)", "AGE"),
        (2, 2, 35.8),
        (12, 1, 38.78),
        (12, 1, 99),
        (15, 1, None),
    ]
    for i, line in enumerate(lines):
        for j, value in enumerate(line):
            sheet.write(i, j, value)
    book.save(str(tmp_path / "IXI.xls"))
    subjects = [
        datasets.Subject(f"IXI{n:03d}", f"IXI{n:03d}-HH-0001-T1.nii.gz", None)
        for n in (2, 12, 15, 16)
    ]
    table = datasets.load("ixi").metadata(subjects, tmp_path / "IXI.xls")
    assert table["age"].tolist()[:2] == [35.8, 38.78]
    assert table["age_group"].tolist() == ["20-40", "20-40", "unknown", "unknown"]
    assert set(table["site"]) == {"HH"}


def test_damaged_demographics_are_named(tmp_path):
    (tmp_path / "IXI.xls").write_text("not a spreadsheet")
    subjects = [datasets.Subject("IXI002", "IXI002-HH-0001-T1.nii.gz", None)]
    with pytest.raises(InputError, match="IXI.xls: cannot be read"):
        datasets.load("ixi").metadata(subjects, tmp_path / "IXI.xls")


@pytest.mark.parametrize("name", ["ixi", "brats21", "atlas_v2"])
def test_modules_say_where_the_data_come_from(name):
    module = datasets.load(name)
    assert module.SOURCE.startswith("https://")
    assert module.TITLE and module.LICENCE and module.CITATION and module.EXAMPLE
