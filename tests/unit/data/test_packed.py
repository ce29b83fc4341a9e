"""Packed data sets: layout, exclusion of subjects, and damaged files."""

import numpy as np
import pandas as pd
import pytest

import phantoms
from uad.base import exclusion, files, tsv
from uad.base.errors import InputError
from uad.data import datasets, packed, packing


def files_of(folder, rng, n):
    """Downsampled volumes of `n` subjects as NIfTI."""
    paths, arrays = [], []
    for i in range(n):
        image, brain, lesion = phantoms.head(rng, (10, 12, 8))
        volumes = (image, brain.astype(np.uint8), lesion.astype(np.uint8))
        affine = np.diag([-2.0, -2, 2, 1])
        names = ("image", "brain", "lesion")
        paths.append(
            [phantoms.save(v, folder / f"{i}_{k}.nii.gz", affine) for k, v in zip(names, volumes)]
        )
        arrays.append(volumes)
    return paths, arrays


def test_axial_slices_are_contiguous(tmp_path, rng):
    paths, arrays = files_of(tmp_path, rng, 2)
    packing.pack(tmp_path / "packed", pd.DataFrame({"subject": ["A", "B"]}), paths)
    pack = packed.Pack(tmp_path / "packed")
    assert pack.image.shape == (2, 8, 10, 12)
    assert pack.image.dtype == np.float32 and pack.lesion.dtype == np.uint8
    np.testing.assert_array_equal(pack.image[1, 3], arrays[1][0][:, :, 3])
    assert pack.image[1, 3].flags["C_CONTIGUOUS"]
    volume = pack.volume("A")
    assert volume.lesion.dtype == bool and volume.lesion.sum() == arrays[0][2].sum()
    table = pack.subjects.set_index("subject")
    assert table.loc["A", "voxel_ml"] == pytest.approx(0.008)
    assert table.loc["B", "brain_ml"] == pytest.approx(arrays[1][1].sum() * 0.008)


def test_other_shape_is_named(tmp_path, rng):
    paths, _ = files_of(tmp_path, rng, 2)
    phantoms.save(np.zeros((10, 12, 9), np.float32), paths[1][0], np.diag([-2.0, -2, 2, 1]))
    with pytest.raises(InputError, match=r"1_image.nii.gz: shape \(10, 12, 9\) differs"):
        packing.pack(tmp_path / "packed", pd.DataFrame({"subject": ["A", "B"]}), paths)
    assert not list((tmp_path / "packed").glob("*.npy"))


BRATS = datasets.load("brats21")


def written(folder, statuses, reasons):
    """Records of registration and downsampled images; a reason makes a placeholder of either."""
    qc, images = [], []
    for i, (status, reason) in enumerate(zip(statuses, reasons)):
        qc.append(folder / f"{i}.json")
        files.write_json({"similarity": 0.1 * i, "starts": 1, "status": status}, qc[-1])
        images.append(phantoms.save(np.ones((2, 2, 2)), folder / f"{i}.nii.gz"))
        if reason:
            placeholders = images[-1:] if status == "ok" else [qc[-1], images[-1]]
            with exclusion.recorded(placeholders):
                raise InputError(reason)
    return qc, images


def subjects(n):
    return [datasets.Subject(f"BraTS0000{i}", "a", "b") for i in range(n)]


def test_subjects_are_excluded_with_the_reason_of_the_step_that_did(tmp_path):
    statuses = ["", "ok", "turned", "ok", "turned"]  # the first was never registered
    reasons = ["is blank", None, None, "N4 diverged", None]
    qc, images = written(tmp_path, statuses, reasons)
    table, excluded = packing.subject_table(BRATS.metadata, subjects(5), images, qc, None)
    assert table["subject"].tolist() == ["BraTS00001"] and "status" not in table
    assert table["similarity"].tolist() == [0.1]
    assert table["starts"].tolist() == [1] and table["starts"].dtype == int
    lines = excluded.set_index("subject")
    assert lines["status"].to_dict() == {
        "BraTS00000": "is blank",
        "BraTS00002": "turned",
        "BraTS00003": "N4 diverged",
        "BraTS00004": "turned",
    }
    assert np.isnan(lines.loc["BraTS00000", "similarity"])
    assert lines.loc["BraTS00002", "similarity"] == pytest.approx(0.2)


def test_data_that_came_registered_are_excluded_too(tmp_path):
    _, images = written(tmp_path, ["ok", "ok"], [None, "is blank"])
    table, excluded = packing.subject_table(BRATS.metadata, subjects(2), images, [], None)
    assert table["subject"].tolist() == ["BraTS00000"] and table["similarity"].isna().all()
    assert excluded["status"].tolist() == ["is blank"]


def test_nobody_left(tmp_path):
    qc, images = written(tmp_path, ["bad", "ok"], [None, "is blank"])
    table, excluded = packing.subject_table(BRATS.metadata, subjects(2), images, qc, None)
    assert table.empty and list(excluded["status"]) == ["bad", "is blank"]


def test_without_exclusions_the_table_of_them_has_its_columns(tmp_path):
    qc, images = written(tmp_path, ["ok"], [None])
    _, excluded = packing.subject_table(BRATS.metadata, subjects(1), images, qc, None)
    assert list(excluded.columns) == ["subject", "similarity", "status"] and excluded.empty


def test_damaged_array_is_named(tmp_path, pack):
    path = tmp_path / "packed/brats21/lesion.npy"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="lesion.npy: cannot be read as a packed array"):
        packed.Pack(path.parent)


def test_table_and_arrays_must_agree(tmp_path, pack):
    folder = tmp_path / "packed/brats21"
    tsv.write(pack.subjects.iloc[:3], folder / "subjects.tsv")
    with pytest.raises(InputError, match="holds 4 volumes, but .* lists 3"):
        packed.Pack(folder)


def test_unknown_subject_is_named(pack):
    with pytest.raises(InputError, match="subject S9 is in the split but not in the packed data"):
        pack.rows(["S1", "S9"])


def test_labels_that_look_like_numbers_stay_text(tmp_path):
    tsv.write(pd.DataFrame({"subject": ["00012", "00100"]}), tmp_path / "t.tsv")
    assert tsv.read(tmp_path / "t.tsv")["subject"].tolist() == ["00012", "00100"]


def test_missing_values_survive(tmp_path):
    tsv.write(pd.DataFrame({"subject": ["A"], "age": [np.nan]}), tmp_path / "t.tsv")
    assert "n/a" in (tmp_path / "t.tsv").read_text()
    assert tsv.read(tmp_path / "t.tsv")["age"].isna().all()
