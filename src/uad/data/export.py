"""Packed data sets for programs outside of the workflow: nnU-Net's raw format and BIDS derivatives.

Images are those that the networks here see. Lesion masks are of subjects that train or validate in
some fold; those of subjects that only ever test stay here.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from uad.base.files import write_json
from uad.data import splits
from uad.data.external.maps import packed_grid
from uad.data.packed import Pack
from uad.imaging import volumes
from uad.imaging.volumes import Volume

LABELS = {"background": 0, "lesion": 1}


def labelled(split: pd.DataFrame, folds: Sequence[int]) -> list[str]:
    """Subjects that train or validate in some fold, whose masks may be seen."""
    found = (splits.subjects(split, fold, role) for fold in folds for role in ("train", "val"))
    return list(dict.fromkeys(subject for subjects in found for subject in subjects))


def nnunet(
    folder: Path | str,
    pack: Pack,
    split: pd.DataFrame,
    folds: Sequence[int],
    spacing_mm: float,
    modality: str,
) -> None:
    """Write a data set in nnU-Net's raw format.

    `imagesTr` and `labelsTr` are of the subjects that train or validate in some fold, `imagesTs` of
    all, since each fold needs maps of its own subjects. `splits_final.json` belongs into nnU-Net's
    folder of preprocessed data; its entries are the folds that run, in their order.

    Parameters
    ----------
    folder : path-like
        `DatasetNNN_NAME`.
    pack : Pack
    split : DataFrame
        Columns of `splits.COLUMNS`.
    folds : sequence of int
    spacing_mm : float
    modality : str
        Name of the channel.
    """
    folder = Path(folder)
    with_mask = labelled(split, folds)
    for subject in dict.fromkeys(split["subject"]):
        image, _, lesion = _volumes(pack, subject, spacing_mm)
        _write(image, folder / f"imagesTs/{subject}_0000.nii.gz")
        if subject in with_mask:
            _write(image, folder / f"imagesTr/{subject}_0000.nii.gz")
            _write(lesion, folder / f"labelsTr/{subject}.nii.gz")
    about = {
        "channel_names": {"0": modality},
        "labels": LABELS,
        "numTraining": len(with_mask),
        "file_ending": ".nii.gz",
    }
    write_json(about, folder / "dataset.json")
    listed = [{r: splits.subjects(split, f, r) for r in ("train", "val")} for f in folds]
    (folder / "splits_final.json").write_text(json.dumps(listed, indent=1), encoding="utf-8")


def bids(
    folder: Path | str,
    pack: Pack,
    split: pd.DataFrame,
    folds: Sequence[int],
    spacing_mm: float,
    modality: str,
) -> None:
    """Write a data set as BIDS derivatives: image, brain mask, and lesion mask as in `nnunet`.

    Parameters
    ----------
    folder : path-like
        Its last part is the name of the data set.
    pack, split, folds, spacing_mm, modality
        As for `nnunet`.
    """
    folder = Path(folder)
    with_mask = labelled(split, folds)
    about = {
        "Name": f"{folder.name}, preprocessed",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "uad"}],
    }
    for subject in dict.fromkeys(split["subject"]):
        image, brain, lesion = _volumes(pack, subject, spacing_mm)
        start = f"sub-{subject}/anat/sub-{subject}_res-{spacing_mm:g}mm"
        _write(image, folder / f"{start}_desc-preproc_{modality}w.nii.gz")
        _write(brain, folder / f"{start}_desc-brain_mask.nii.gz")
        if subject in with_mask:
            _write(lesion, folder / f"{start}_label-lesion_mask.nii.gz")
    write_json(about, folder / "dataset_description.json")
    # Beside the description they are of all subjects' files that bear their names.
    grid = {"Resolution": f"{spacing_mm:g} mm along each axis"}
    image = f"res-{spacing_mm:g}mm_desc-preproc_{modality}w.json"
    write_json({**grid, "SkullStripped": True}, folder / image)
    for kind, label in (("Brain", "desc-brain"), ("Lesion", "label-lesion")):
        write_json({**grid, "Type": kind}, folder / f"res-{spacing_mm:g}mm_{label}_mask.json")
    split.to_csv(folder / "splits.tsv", sep="\t", index=False)
    (folder / ".bidsignore").write_text("splits.tsv\n", encoding="utf-8")


def _volumes(pack, subject, spacing_mm):
    """Image, brain and lesion mask of a subject, (X, Y, Z)."""
    volume = pack.volume(subject)
    grid = packed_grid(volume.image.shape, spacing_mm)
    arrays = (volume.image, volume.brain, volume.lesion)
    return [grid.like(np.ascontiguousarray(array.transpose(1, 2, 0))) for array in arrays]


def _write(volume: Volume, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    volumes.write(volume, path)
