"""Data sets for programs outside of the workflow."""

import json

import bids
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from uad.data import export, packed
from uad.data.external import maps

SHAPE = (5, 8, 6)  # (Z, X, Y)
SPLIT = pd.DataFrame(
    [("A", 0, "train"), ("B", 0, "val"), ("C", 0, "test"), ("D", 0, "test"),
     ("C", 1, "train"), ("B", 1, "val"), ("A", 1, "test"), ("D", 1, "test")],
    columns=["subject", "fold", "role"],
)  # fmt: skip


@pytest.fixture
def pack(tmp_path, rng):
    volumes = [
        {
            "image": rng.random(SHAPE, dtype=np.float32),
            "brain": np.ones(SHAPE, np.uint8),
            "lesion": (rng.random(SHAPE) > 0.8).astype(np.uint8),
        }
        for _ in "ABCD"
    ]
    table = pd.DataFrame({"subject": list("ABCD"), "voxel_ml": 0.027})
    packed.write(tmp_path / "pack", table, volumes, 4, SHAPE)
    return packed.Pack(tmp_path / "pack")


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_masks_are_of_subjects_that_train_or_validate_in_a_fold_that_runs():
    assert export.labelled(SPLIT, [0, 1]) == ["A", "B", "C"]
    assert export.labelled(SPLIT, [0]) == ["A", "B"]


def test_raw_format_of_nnunet(tmp_path, pack):
    folder = tmp_path / "Dataset501_brats21"
    export.nnunet(folder, pack, SPLIT, [0], 3, "T1")
    assert files(folder) == [
        "dataset.json",
        *(f"imagesTr/{s}_0000.nii.gz" for s in "AB"),
        *(f"imagesTs/{s}_0000.nii.gz" for s in "ABCD"),
        *(f"labelsTr/{s}.nii.gz" for s in "AB"), "splits_final.json",
    ]  # fmt: skip
    about = json.loads((folder / "dataset.json").read_text())
    assert about["numTraining"] == 2 and about["labels"] == {"background": 0, "lesion": 1}
    assert json.loads((folder / "splits_final.json").read_text()) == [
        {"train": ["A"], "val": ["B"]}
    ]
    image, label = (
        nib.load(folder / name) for name in ("imagesTr/A_0000.nii.gz", "labelsTr/A.nii.gz")
    )
    np.testing.assert_array_equal(image.affine, label.affine)
    assert set(np.unique(label.dataobj)) == {0, 1} and image.header.get_zooms() == (3, 3, 3)


def test_an_exported_image_comes_back_as_a_map(tmp_path, pack):
    export.nnunet(tmp_path / "d", pack, SPLIT, [0], 3, "T1")
    grid = maps.packed_grid(SHAPE, 3)
    for i, subject in enumerate("ABCD"):
        found = maps.read_packed(tmp_path / f"d/imagesTs/{subject}_0000.nii.gz", grid)
        np.testing.assert_array_equal(found, pack.image[i])


def test_bids_derivatives(tmp_path, pack):
    folder = tmp_path / "bids/brats21"
    export.bids(folder, pack, SPLIT, [0, 1], 3, "T1")
    of_d = [name for name in files(folder) if name.startswith("sub-D/")]
    assert of_d == [
        "sub-D/anat/sub-D_res-3mm_desc-brain_mask.nii.gz",
        "sub-D/anat/sub-D_res-3mm_desc-preproc_T1w.nii.gz",
    ]
    assert (folder / "sub-C/anat/sub-C_res-3mm_label-lesion_mask.nii.gz").exists()
    about = json.loads((folder / "dataset_description.json").read_text())
    assert about["DatasetType"] == "derivative" and about["Name"].startswith("brats21")
    # What the BIDS validator asks for of images with `res-`, and of images `desc-preproc`.
    sidecars = {path.name: json.loads(path.read_text()) for path in folder.glob("res-*.json")}
    assert len(sidecars) == 3 and all("Resolution" in sidecar for sidecar in sidecars.values())
    assert sidecars["res-3mm_desc-preproc_T1w.json"]["SkullStripped"] is True
    pd.testing.assert_frame_equal(pd.read_csv(folder / "splits.tsv", sep="\t"), SPLIT)


def test_bids_validator_finds_no_error(tmp_path, pack):
    folder = tmp_path / "bids/brats21"
    export.bids(folder, pack, SPLIT, [0, 1], 3, "T1")
    assert bids.errors(folder, tmp_path / "cache") == []
    (folder / "res-3mm_desc-preproc_T1w.json").unlink()
    assert {error[1] for error in bids.errors(folder, tmp_path / "cache")} == {
        "Resolution", "SkullStripped",
    }  # fmt: skip
