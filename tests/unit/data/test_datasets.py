"""Native layouts to subjects: real names, errors, and the simulated names."""

import pytest
import xlwt

from uad.base.errors import InputError
from uad.data import datasets
from uad.simulation import names

ATLAS = "sub-r009s085_ses-1_space-MNI152NLin2009aSym"


@pytest.mark.parametrize("prefix", ["", "unpacked/IXI-T1/"])
def test_ixi(prefix):
    files = [f"{prefix}IXI105-HH-1471-T1.nii.gz", f"{prefix}IXI002-Guys-0828-T1.nii.gz", "IXI.xls",
             f"{prefix}IXI002-Guys-0828-T2.nii.gz"]  # fmt: skip
    found, left_out = datasets.find("ixi", files, "data")
    assert list(found) == ["IXI002", "IXI105"]
    assert found["IXI105"] == ("IXI105", files[0], None, None)
    assert left_out == []
    found, left_out = datasets.find("ixi", files, "data", "T2")
    assert list(found) == ["IXI002"] and left_out == []


def test_brats21():
    case = "BraTS2021_00538/BraTS2021_00538"
    files = [f"{case}_{name}.nii.gz" for name in ("t1", "t1ce", "t2", "flair", "seg")]
    found, left_out = datasets.find("brats21", files, "data")
    assert found == {"BraTS00538": ("BraTS00538", f"{case}_t1.nii.gz", f"{case}_seg.nii.gz", None)}
    assert left_out == []


def test_brats21_unpacked_flat_as_the_authors_scripts_want_it():
    files = ["t2/BraTS2021_00538_t2.nii", "seg/BraTS2021_00538_seg.nii"]
    found, _ = datasets.find("brats21", files, "data", "T2")
    assert found == {"BraTS00538": ("BraTS00538", *files, None)}


def test_atlas_v2():
    folder = "Training/R009/sub-r009s085/ses-1/anat"
    files = [f"{folder}/{ATLAS}_T1w.nii.gz", f"{folder}/{ATLAS}_label-L_desc-T1lesion_mask.nii.gz"]
    found, left_out = datasets.find("atlas_v2", files, "data")
    assert found == {"r009s085": ("r009s085", *files, None)}
    assert left_out == []


@pytest.mark.parametrize(
    ("first", "label"), [("BraTS20_Training_001", "BraTS20Training001"), ("BraTS2021_01", None)]
)
def test_brats_of_2020(first, label):
    other = "BraTS20_Training_369"
    files = [f"{s}/{s}_{name}.nii" for s in (first, other) for name in ("t1", "t1ce", "t2", "seg")]
    found, left_out = datasets.find("brats21", files, "data")
    assert list(found) == [*([label] if label else []), "BraTS20Training369"]
    assert found["BraTS20Training369"].lesion == f"{other}/{other}_seg.nii"
    assert [path for path, _ in left_out] == ([] if label else sorted(files[:4]))


GLI = [
    f"BraTS-GLI-{case}/BraTS-GLI-{case}-{name}.nii.gz"
    for case in ("00000-000", "00002-000", "00002-001")
    for name in ("t1n", "t1c", "t2w", "t2f", "seg")
]


@pytest.mark.parametrize(("modality", "tag"), [("T1", "t1n"), ("T2", "t2w")])
def test_brats_of_2023_and_its_first_sessions(modality, tag):
    found, left_out = datasets.find("brats21", GLI, "data", modality)
    assert list(found) == ["BraTSGLI00000", "BraTSGLI00002"]
    case = "BraTS-GLI-00002-000/BraTS-GLI-00002-000"
    assert found["BraTSGLI00002"].image == f"{case}-{tag}.nii.gz"
    assert found["BraTSGLI00002"].lesion == f"{case}-seg.nii.gz"
    reason = "another session than datasets.brats21.sessions wants"
    other = case.replace("02-000", "02-001")
    assert left_out == [(f"{other}-{tag}.nii.gz", reason)]


@pytest.mark.parametrize(
    ("sessions", "labels"),
    [
        (["all"], ["BraTSGLI00000ses000", "BraTSGLI00002ses000", "BraTSGLI00002ses001"]),
        (["001"], ["BraTSGLI00002ses001"]),
        (["000", "001"], ["BraTSGLI00000ses000", "BraTSGLI00002ses000", "BraTSGLI00002ses001"]),
    ],
)
def test_sessions_that_are_asked_for(sessions, labels):
    found, left_out = datasets.find("brats21", GLI, "data", sessions=sessions)
    assert list(found) == labels
    assert [datasets.person(label) for label in labels] == [label[:13] for label in labels]
    assert all(label[-3:] in found[label].lesion for label in labels)
    assert len(left_out) == 3 - len(labels)


def test_sessions_that_nobody_has_are_named():
    with pytest.raises(InputError, match=r"datasets.brats21.sessions names 1, but there are only"):
        datasets.find("brats21", GLI, "data", sessions=["1"])


def test_first_session_with_an_image_counts():
    stem = "sub-r001s001_ses-{}_space-MNI152NLin2009aSym_"
    mask = "label-L_desc-T1lesion_mask.nii.gz"
    files = [stem.format(1) + mask, stem.format(2) + mask, stem.format(2) + "T1w.nii.gz"]
    found, left_out = datasets.find("atlas_v2", files, "data")
    assert found["r001s001"][1:3] == (files[2], files[1]) and left_out == []


def test_two_years_of_brats_are_not_mixed():
    files = ["BraTS20_Training_001_t1.nii", "BraTS20_Training_001_seg.nii"]
    newer = ["BraTS2021_00001_t1.nii.gz", "BraTS2021_00001_seg.nii.gz"]
    found, left_out = datasets.find("brats21", [*files, *newer], "data")
    assert list(found) == ["BraTS00001"]
    assert left_out == [("BraTS 2020", "2 file(s): only the BraTS 2021 ones are used")]


@pytest.mark.parametrize("folder", ["", "patient05/"])
@pytest.mark.parametrize(("modality", "tag"), [("T1", "T1W"), ("T2", "T2W")])
def test_mslub(folder, modality, tag):
    names = (tag, "FLAIR", "consensus_gt", "brainmask")
    files = [f"{folder}patient05_{name}.nii.gz" for name in names]
    found, left_out = datasets.find("mslub", files, "data", modality)
    assert found == {"patient05": ("patient05", files[0], files[2], None)}
    assert left_out == []


@pytest.mark.parametrize("above", ["", "cross_sectional/coregistered/", "raw/"])
def test_mslub_by_patients_folders(above):
    names = ("T1W", "T1WKS", "T2W", "FLAIR", "consensus_gt", "brainmask")
    files = [f"{above}patient{n}/{name}.nii.gz" for n in ("01", "30") for name in names]
    found, left_out = datasets.find("mslub", files, "data")
    assert list(found) == ["patient01", "patient30"] and left_out == []
    assert found["patient30"][1:3] == (files[6], files[10])


def test_mslub_raw_beside_co_registered_takes_those_on_the_grid_of_the_masks():
    # The archive itself, and the layout of the repository on GitHub.
    own = ["patient01/patient01_T1W.nii.gz", "patient01/patient01_consensus_gt.nii.gz"]
    raw = "patient01/raw/patient01_T1W.nii.gz"
    found, left_out = datasets.find("mslub", [*own, raw], "data")
    assert found == {"patient01": ("patient01", *own, None)}
    assert left_out == [("raw", "1 file(s): only the co-registered ones are used")]

    kinds = ("raw", "coregistered", "coregistered_resampled")
    files = [
        f"cross_sectional/{kind}/patient01/{name}.nii.gz"
        for kind in kinds
        for name in ("T1W", "consensus_gt")
    ]
    more = [
        "longitudinal/raw/patient01/study1_T1W.nii.gz",
        "cross_sectional/MNI/patient01/T1.nii.gz",
    ]
    found, left_out = datasets.find("mslub", [*files, *more], "data")
    assert found["patient01"][1:3] == tuple(files[2:4])
    unused = "1 file(s) in a part of the archive that is not used"
    other = "2 file(s): only the co-registered ones are used"
    assert left_out == [
        ("MNI", unused), ("longitudinal", unused),
        ("coregistered_resampled", other), ("raw", other),
    ]  # fmt: skip


def test_the_whole_archive_of_wmh_gives_its_training_part():
    files = []
    for part, n in (("training", 20), ("test", 30)):
        for site in ("Utrecht", "Singapore", "Amsterdam/GE3T"):
            for k in range(n):
                case = f"{part}/{site}/{k}"
                files += [f"{case}/{name}.nii.gz" for name in ("pre/T1", "orig/T1", "wmh")]
    files += [f"test/Amsterdam/GE1T5/{k}/wmh.nii.gz" for k in range(10)]
    files += [f"additional_annotations/observer_o3/{files[0].replace('pre/T1', 'result')}"]
    found, left_out = datasets.find("wmh", files, "data")
    assert len(found) == 60 == datasets.load("wmh").CASES["T1"]
    assert not any("test/" in s.image for s in found.values())
    unused = "file(s) in a part of the archive that is not used"
    assert left_out == [("additional_annotations", f"1 {unused}"), ("test", f"280 {unused}")]


def test_suffixes_in_capitals():
    found, left_out = datasets.find("ixi", ["IXI002-Guys-0828-T1.NII.GZ"], "data")
    assert list(found) == ["IXI002"] and left_out == []


@pytest.mark.parametrize(
    ("case", "label"),
    [
        ("Utrecht/0", "Utrecht0"),
        ("Singapore/64", "Singapore64"),
        ("Amsterdam/GE3T/100", "GE3T100"),
    ],
)
def test_wmh(case, label):
    names = ("pre/T1", "pre/FLAIR", "orig/3DT1", "orig/T1", "wmh")
    files = [f"public/{case}/{name}.nii.gz" for name in names]
    found, left_out = datasets.find("wmh", files, "data")
    assert found == {label: (label, files[0], files[4], None)}
    assert left_out == []


PREPARED = [
    ("ixi", "T1", "Train/ixi", "IXI002-Guys-0828", "IXI002"),
    ("brats21", "T2", "Test/Brats21", "BraTS2021_00538", "BraTS00538"),
    ("atlas_v2", "T1", "Test/ATLAS_v2", "sub-r009s085_ses-1_space-MNI152NLin2009aSym", "r009s085"),
    ("mslub", "T1", "Test/MSLUB", "patient26", "patient26"),
    ("wmh", "T1", "Test/WMH", "Singapore_64", "Singapore64"),
]


@pytest.mark.parametrize("level", ["", "Data/"])
@pytest.mark.parametrize(("name", "modality", "folder", "stem", "label"), PREPARED)
def test_authors_preprocessed_data(level, name, modality, folder, stem, label):
    kinds = (modality.lower(), "mask", *([] if name == "ixi" else ["seg"]))
    files = [f"{level}{folder}/{kind}/{stem}_{kind}.nii.gz" for kind in kinds]
    lesion = None if name == "ixi" else files[2]
    found, left_out = datasets.find(name, [*files, "splits/x.csv"], "d", modality, "prepared")
    assert found == {label: (label, files[0], lesion, files[1])}
    assert left_out == []


# What is left out, and why.


def test_incomplete_cases_are_listed():
    files = ["BraTS2021_00001_t1.nii.gz", "BraTS2021_00001_seg.nii.gz",
             "BraTS2021_00002_t1.nii.gz", "BraTS2021_00003_seg.nii.gz"]  # fmt: skip
    found, left_out = datasets.find("brats21", files, "data")
    assert list(found) == ["BraTS00001"]
    assert left_out == [
        ("BraTS00002", "the lesion mask is missing"),
        ("BraTS00003", "the T1 image is missing"),
    ]


def test_repeated_subjects_are_listed():
    files = ["a/IXI002-Guys-0828-T1.nii.gz", "b/IXI002-Guys-0828-T1.nii", "IXI003-HH-1-T1.nii.gz",
             "IXI004-HH-0001-T1.nii.gz"]  # fmt: skip
    found, left_out = datasets.find("ixi", files, "data")
    assert list(found) == ["IXI004"]
    assert left_out == [
        ("IXI003-HH-1-T1.nii.gz", "not a file of IXI"),
        ("IXI002", f"occurs twice: {files[0]}, {files[1]}"),
    ]


ODD = "its name has braces, or characters that cannot be printed"
OUTSIDE = "it leads out of the data set's folder"
NO_LABEL = "is no label: letters and digits, without 'ses'"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("{subject}/IXI002-Guys-0828-T1.nii.gz", ODD),
        ("a\nb/IXI002-Guys-0828-T1.nii.gz", ODD),
        ("IXI002-Guys-0828-T1.nii.gz\n", None),  # no NIfTI
        ("a\udcff/IXI002-Guys-0828-T1.nii.gz", ODD),  # not UTF-8
        ("../../x/IXI002-Guys-0828-T1.nii.gz", OUTSIDE),
        ("x/../../IXI002-Guys-0828-T1.nii.gz", OUTSIDE),
        ("/etc/IXI002-Guys-0828-T1.nii.gz", OUTSIDE),
        ("IXI\u0660\u0660\u0662-Guys-0828-T1.nii.gz", f"'IXI٠٠٢' {NO_LABEL}"),
        ("IXI0/2-Guys-0828-T1.nii.gz", "not a file of IXI"),
        ("IXI0.2-Guys-0828-T1.nii.gz", "not a file of IXI"),
    ],
)
def test_names_that_are_not_safe_are_listed(path, reason):
    found, left_out = datasets.find("ixi", [path, "IXI004-HH-0001-T1.nii.gz"], "data")
    assert list(found) == ["IXI004"]
    assert left_out == [(path, reason)] * bool(reason)


def test_names_that_are_odd_but_safe_are_taken():
    folder = 'it\'s "a" $(touch x) `y` ; # & | * ? [z] é'
    found, left_out = datasets.find("ixi", [f"{folder}/IXI004-HH-0001-T1.nii.gz"], "data")
    assert found["IXI004"].image == f"{folder}/IXI004-HH-0001-T1.nii.gz" and not left_out


def test_labels_are_letters_and_digits_whatever_a_module_says(monkeypatch):
    module = datasets.load("ixi")
    monkeypatch.setattr(module, "label", lambda match: "../../x" if match["site"] == "HH" else "a")
    files = ["IXI004-HH-0001-T1.nii.gz", "IXI005-IOP-0001-T1.nii.gz"]
    found, left_out = datasets.find("ixi", files, "data")
    assert list(found) == ["a"]
    assert left_out == [(files[0], f"'../../x' {NO_LABEL}")]
    monkeypatch.setattr(module, "label", lambda match: match["site"].lower() + "sess")
    with pytest.raises(InputError, match="no IXI T1 image found"):
        datasets.find("ixi", files, "data")


def test_missing_modality_is_named():
    with pytest.raises(InputError, match="ATLAS v2.0 has no T2 images, only T1"):
        datasets.find("atlas_v2", [], "data", "T2")


def test_empty_folder_says_what_is_expected(tmp_path):
    with pytest.raises(
        InputError, match="no BraTS21 T1 image found; expected files like BraTS2021"
    ):
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


@pytest.mark.parametrize("name", ["ixi", "brats21", "atlas_v2", "mslub", "wmh"])
def test_simulated_files_have_native_names(name):
    scans = names.scans(name, 30, seed=1)
    for contrast in datasets.load(name).IMAGE:
        files = [path for scan in scans for path in names.files(name, scan, contrast=contrast)]
        found, left_out = datasets.find(name, files, "simulated", contrast)
        assert len(found) == 30 and left_out == []
        assert all(label.isalnum() for label in found)
    assert names.scans(name, 30, seed=1) == scans != names.scans(name, 30, seed=2)


def test_paper_sized_cohorts_can_be_named():
    for name, n in (("ixi", 581), ("brats21", 1251), ("atlas_v2", 655)):
        scans = names.scans(name, n, seed=1)
        files = [path for scan in scans for path in names.files(name, scan)]
        assert len(datasets.find(name, files, "simulated").subjects) == n


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


@pytest.mark.parametrize("name", ["ixi", "brats21", "atlas_v2", "mslub", "wmh"])
def test_modules_say_where_the_data_come_from(name):
    module = datasets.load(name)
    assert module.SOURCE.startswith("https://")
    assert module.TITLE and module.LICENCE and module.CITATION and module.EXAMPLE
