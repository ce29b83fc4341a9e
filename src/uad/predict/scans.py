"""The scans that a user names: one file, a folder with any names, or a BIDS folder.

Only names are looked at, and the first bytes of what may be DICOM. Standard library only, since
runs are planned with it.
"""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from uad.base.errors import InputError, because
from uad.data import datasets

NIFTI = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
# Name of a raw image in BIDS: subject, session, other entities, suffix.
BIDS = re.compile(
    r"(?P<name>sub-[A-Za-z0-9]+(?:_ses-[A-Za-z0-9]+)?(?:_[a-z]+-[A-Za-z0-9]+)*)_(?P<suffix>\w+)"
)
NOT_RAW = ("derivatives", "sourcedata", "code", "stimuli")  # folders of BIDS
# Suffixes of BIDS that say what a scan is, and the contrast that each is.
OTHER_CONTRASTS = {
    "T1w": "T1", "T2w": "T2", "FLAIR": "FLAIR", "PDw": "proton density", "T2starw": "T2*",
    "bold": "functional", "dwi": "diffusion", "angio": "angiography", "ct": "CT",
}  # fmt: skip


class Found(NamedTuple):
    """Scans by name, such as ``sub-01/anat/sub-01``, and pairs of what is left out and why."""

    scans: dict[str, str]
    left_out: list[tuple[str, str]]


def find(path: str, modality: str, out: str | None = None) -> Found:
    """Find scans.

    Parameters
    ----------
    path : str
        File or folder.
    modality : {"T1", "T2"}
        Of a BIDS folder, only images of this contrast are taken.
    out : str, optional
        Folder of results, which holds no scans, also where it is in the folder of scans.

    Returns
    -------
    Found

    Raises
    ------
    InputError
        If there is nothing of that name, or nothing in NIfTI.
    """
    place = Path(path)
    if not place.exists():
        raise InputError(f"{path}: no such file or folder (predict.scans)")
    if place.is_file():
        if not NIFTI.search(place.name):
            raise InputError(_not_nifti(place))
        reason = datasets.unsafe(place.name)
        if reason:
            raise InputError(f"{path}: {reason}; please rename it")
        return Found({_name(place.name): path}, [])
    own = Path(out).resolve() if out else None
    every = sorted(
        file
        for file in datasets.list_files(place, "predict.scans")
        if not any(part[0] == "." for part in Path(file).parts)
        and own not in (place / file).resolve().parents
    )
    images = [file for file in every if NIFTI.search(file)]
    if not images:
        first = next(((place / file) for file in every if _is_dicom(place / file)), None)
        raise InputError(
            _not_nifti(first) if first else f"{path}: holds no NIfTI file (.nii, .nii.gz)"
        )
    if (place / "dataset_description.json").is_file():
        images = [file for file in images if _is_raw(file, f"{modality}w")]
        if not images:
            raise InputError(
                f"{path}: is a BIDS folder without an image anat/sub-…_{modality}w.nii.gz"
            )
    scans, left_out = {}, []
    names = [_name(file) for file in images]
    for file, name in zip(images, names):
        reason = datasets.unsafe(file)
        if not (place / file).is_file():
            reason = because("is a link to nothing")
        if reason:
            left_out.append((file.encode("ascii", "backslashreplace").decode(), reason))
            continue
        if names.count(name) > 1:  # which of them is which must not depend on the others
            name += f"_acq-{hashlib.sha256(file.encode()).hexdigest()[:8]}"
        scans[name] = str(place / file)
    return Found(scans, left_out)


def _is_raw(file, suffix):
    *folders, name = file.split("/")
    match = BIDS.fullmatch(NIFTI.sub("", name))
    return bool(
        match and match["suffix"] == suffix and folders[-1:] == ["anat"]
        and folders[0] not in NOT_RAW
    )  # fmt: skip


def _name(file):
    """BIDS name of a scan with its folder: its own name if that is one, else made of its path."""
    stem = NIFTI.sub("", file)
    match = BIDS.fullmatch(stem.rpartition("/")[2])
    if match:
        name = match["name"]
        subject, _, rest = name.partition("_")
        session = rest.partition("_")[0]
        folders = [subject, *([session] if session.startswith("ses-") else []), "anat"]
        return "/".join([*folders, name])
    label = re.sub("[^A-Za-z0-9]", "", stem) or hashlib.sha256(file.encode()).hexdigest()[:8]
    return f"sub-{label}/anat/sub-{label}"


def _is_dicom(path):
    try:
        with open(path, "rb") as file:
            return path.suffix.lower() in (".dcm", ".ima") or file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _not_nifti(path):
    if _is_dicom(path):
        return (
            f"{path}: is DICOM; please convert the series to NIfTI first, for example with "
            "dcm2niix -z y -o FOLDER_OF_SCANS FOLDER_OF_DICOM"
        )
    return f"{path}: is no NIfTI file (.nii, .nii.gz)"


def conflicting_name(path: str, modality: str) -> str | None:
    """Why a scan's own name says that a bundle was not made for it, or None."""
    match = BIDS.fullmatch(NIFTI.sub("", Path(path).name))
    if match is None:
        return None
    contrast = OTHER_CONTRASTS.get(match["suffix"], modality)
    if contrast != modality:
        return because(f"its name says {contrast}, and the bundle is for {modality}")
    if "_ce-" in match["name"]:
        return because("its name says that a contrast agent was given (ce-)")
    return None
