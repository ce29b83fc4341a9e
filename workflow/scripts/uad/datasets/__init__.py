"""Data sets: one file each, from a native folder to subjects.

A data set module has

`TITLE`, `LICENCE`, `SOURCE`, `CITATION`
    what the report says of it,
`SUBJECT`
    regular expression of native image paths, relative to the folder, with the group `subject`; the
    label is alphanumeric, as BIDS asks,
`lesion(image)`
    path of the lesion mask that belongs to an image path; None for healthy data sets,
`STRATUM`
    column by which splits are stratified, None for none; `metadata(subjects, demographics)` fills
    it (and any other column).

Only file names are looked at here, so thousands of subjects are listed in a moment, and names of
files that a rule has yet to make will do as well. Nothing but the standard library is imported,
since this runs where only Snakemake is installed.
"""

import importlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from uad.errors import InputError


class Subject(NamedTuple):
    """One subject of a data set; paths are relative to the data set's folder."""

    subject: str
    image: str
    lesion: str | None


def load(name):
    """The module of a data set."""
    try:
        return importlib.import_module(f"uad.datasets.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"uad.datasets.{name}":
            raise
        raise InputError(f"unknown data set {name}: there is no uad/datasets/{name}.py") from error


def find(name, files, folder):
    """Subjects of a data set among the files of its folder, sorted by label.

    Parameters
    ----------
    name : str
        Data set.
    files : iterable of str
        Paths relative to the folder.
    folder : str
        For messages.

    Returns
    -------
    dict of str to Subject

    Raises
    ------
    InputError
        If no file fits, a subject occurs twice, or a lesion mask is missing.
    """
    module = load(name)
    present = set(files)
    subjects = {}
    for image in sorted(present):
        match = re.fullmatch(module.SUBJECT, image)
        if not match:
            continue
        label = module.label(match)
        if label in subjects:
            raise InputError(
                f"{folder}: subject {label} occurs twice, {subjects[label].image} and {image}"
            )
        lesion = module.lesion(image)
        if lesion is not None and lesion not in present:
            raise InputError(f"{folder}/{lesion}: the lesion mask of {image} is missing")
        subjects[label] = Subject(label, image, lesion)
    if not subjects:
        raise InputError(
            f"{folder}: no {module.TITLE} image found; expected files like {module.EXAMPLE}. "
            f"Data: {module.SOURCE}"
        )
    return subjects


def list_files(folder, key):
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
