"""Data sets: one module each, which finds the subjects in an unpacked folder.

A data set module has

`TITLE`, `LICENCE`, `SOURCE`, `CITATION`
    what the report says about it,
`CASES`
    subjects in the complete archive, per modality that it has,
`NAME`
    regular expression of what identifies a subject in all its file names, with named groups,
`IMAGE`, `LESION`
    regular expressions of the rest of a native path, after the subject's name; `IMAGE` per
    modality, `LESION` None for healthy data sets,
`OTHERS`
    the same for images of the archive that are not used,
`LESION_LABELS`
    values of the lesion mask that count, None for all above zero,
`PREPARED`
    folder of the data set in the authors' preprocessed data,
`EXAMPLE`
    a native path, for messages,
`label(match)`
    the subject's label from a match of `NAME`; ASCII letters and digits, as BIDS asks,
`STRATUM`
    column by which splits are stratified, None for none; `metadata(subjects, demographics)` fills
    it (and any other column).

Only file names are looked at here, so thousands of subjects are listed in a moment, and names of
files that a rule has yet to make will do as well. Nothing but the standard library is imported,
since this runs where only Snakemake is installed.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import NamedTuple

from uad.base import modules
from uad.base.errors import InputError, because

NIFTI = r"\.nii(?:\.gz)?"


class Subject(NamedTuple):
    """One subject of a data set; paths are relative to the data set's folder."""

    subject: str
    image: str
    lesion: str | None
    brain: str | None = None


class Listing(NamedTuple):
    """What a folder holds: subjects by label, and pairs of what is left out and why."""

    subjects: dict
    left_out: list


def load(name: str) -> ModuleType:
    """The module of a data set; `InputError` if there is none of that name."""
    return modules.load(__name__, name, "data set")


def patterns(
    module: ModuleType, modality: str, layout: str
) -> tuple[str, str | None, str | None, str]:
    """Regular expressions of a data set's paths: image, lesion or None, brain or None, others."""
    if layout == "native":
        anywhere = rf"(?:.*/)?{module.NAME}"
        image = rf"{anywhere}{module.IMAGE[modality]}{NIFTI}"
        lesion = rf"{anywhere}{module.LESION}{NIFTI}" if module.LESION else None
        known = [*module.IMAGE.values(), *([module.OTHERS] if module.OTHERS else [])]
        return image, lesion, None, rf"{anywhere}(?:{'|'.join(known)}){NIFTI}"
    # The authors' preprocessed data; their code expects one folder more than their read-me says.
    folder = rf"(?:Data/)?{module.PREPARED}"
    image, brain, lesion = (
        rf"{folder}/{kind}/{module.PREPARED_NAME}_{kind}{NIFTI}"
        for kind in (modality.lower(), "mask", "seg")
    )
    return image, lesion if module.LESION else None, brain, r".*"


def find(
    name: str,
    files: Iterable[str],
    folder: Path | str,
    modality: str = "T1",
    layout: str = "native",
) -> Listing:
    """Subjects of a data set among the files of its folder, sorted by label.

    Parameters
    ----------
    name : str
        Data set.
    files : iterable of str
        Paths relative to the folder.
    folder : path-like
        For messages.
    modality : {"T1", "T2"}
    layout : {"native", "prepared"}
        As distributed, or the authors' preprocessed `<DATA_DIR>`, registered, stripped and bias
        corrected, with brain masks.

    Returns
    -------
    Listing
        Subjects that are complete and unique; the others, images that do not belong to the
        archive, and names that are not safe to use, are listed with the reason.

    Raises
    ------
    InputError
        If the data set does not have the modality, or no file fits.
    """
    module = load(name)
    if modality not in module.IMAGE:
        raise InputError(f"{module.TITLE} has no {modality} images, only {', '.join(module.IMAGE)}")
    image, lesion, brain, others = patterns(module, modality, layout)
    found = {"image": {}, "lesion": {}, "brain": {}}
    left_out = []
    for path in sorted(files):
        if not re.search(rf"{NIFTI}\Z", path):
            continue
        if unsafe(path):
            left_out.append((path, unsafe(path)))
            continue
        for kind, pattern in (("image", image), ("lesion", lesion), ("brain", brain)):
            match = re.fullmatch(pattern, path) if pattern else None
            if match:
                label = module.label(match)
                if re.fullmatch("[A-Za-z0-9]+", label):
                    found[kind].setdefault(label, []).append(path)
                else:
                    reason = because(f"{label!r} has more than letters and digits")
                    left_out.append((path, reason))
                break
        else:
            if not re.fullmatch(others, path):
                left_out.append((path, because(f"not a file of {module.TITLE}")))
    if not found["image"]:
        example = module.EXAMPLE if layout == "native" else f"{module.PREPARED}/t1/…_t1.nii.gz"
        raise InputError(
            f"{folder}: no {module.TITLE} {modality} image found; expected files like {example}. "
            f"Data: {module.SOURCE}"
        )
    needed = ["image", *(["lesion"] if lesion else []), *(["brain"] if brain else [])]
    subjects = {}
    for label in sorted({label for kind in needed for label in found[kind]}):
        paths = {kind: found[kind].get(label, []) for kind in needed}
        reason = _incomplete(paths, modality)
        if reason:
            left_out.append((label, reason))
        else:
            one = {kind: path for kind, (path,) in paths.items()}
            subjects[label] = Subject(label, one["image"], one.get("lesion"), one.get("brain"))
    return Listing(subjects, left_out)


def unsafe(path: str) -> str | None:
    """Why a path in a data set's folder cannot be used, or None.

    Snakemake reads braces as wildcards; what cannot be printed (line breaks, broken encodings) can
    be written to no table or log.
    """
    if set("{}") & set(path) or not path.isprintable():
        return because("its name has braces, or characters that cannot be printed")
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return because("it leads out of the data set's folder")
    return None


def _incomplete(paths, modality):
    """Why a subject with these files cannot be used, or None."""
    names = {"image": f"{modality} image", "lesion": "lesion mask", "brain": "brain mask"}
    for kind, found in paths.items():
        if not found:
            return because(f"the {names[kind]} is missing")
        if len(found) > 1:
            return because(f"occurs twice: {', '.join(found)}")
    return None


def list_files(folder: Path | str, key: str) -> list[str]:
    """All files below a folder, relative to it.

    Raises
    ------
    InputError
        If the folder does not exist; `key` is the configuration key that names it.
    """
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: no such folder (configuration key {key})")
    found = []
    for parent, _, names in os.walk(folder, followlinks=True):
        prefix = os.path.relpath(parent, folder)
        found += [name if prefix == "." else f"{prefix}/{name}" for name in names]
    return found
