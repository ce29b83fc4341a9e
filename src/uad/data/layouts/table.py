"""A cohort in a table: a TSV with a line per scan, `layout: table`.

Columns are `subject` and `image`; `lesion` where the data set has lesions; `brain` where brain
masks are given; `session` where a subject was scanned several times. Paths are relative to the
folder of the table, or absolute. `age`, `sex` and `site` are read later (`participants`); other
columns are left alone.

A table is the user's own word, so a mistake in it ends the run, with its line; a damaged file
excludes its subject, as everywhere.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from uad.base.errors import InputError
from uad.data import datasets
from uad.data.datasets import File, Listing
from uad.data.layouts import ABSENT, label, lines


def find(
    name: str,
    path: Path | str,
    kinds: Sequence[str],
    modality: str = "T1",
    sessions: Sequence[str] = ("first",),
) -> Listing:
    """Subjects of a table, sorted by label.

    Parameters
    ----------
    name : str
        Data set.
    path : path-like
        The table; paths in the listing are relative to its folder.
    kinds : sequence of str
        Files that every subject needs, out of ``image``, ``lesion`` and ``brain``.
    modality : {"T1", "T2", "FLAIR"}
        For messages.
    sessions : sequence of str
        As for `datasets.find`.

    Raises
    ------
    InputError
        If there is no such table, or it lacks a column, or names a scan twice, or a file that does
        not exist; with the line.
    """
    table = lines.read(path, ["subject", *kinds], f"datasets.{name}.table")
    if not table:
        raise InputError(f"{path}: has no line below the names of its columns")
    folder = Path(path).parent
    found, known, of = [], {}, {}
    for number, line in table:
        place = f"{path}, line {number}"
        subject, session = (line.get(key) or "" for key in ("subject", "session"))
        scan = (
            label(subject, f"{place}: the subject"),
            ("" if session in ABSENT else label(session, f"{place}: the session")),
        )
        shown = f"{subject}, session {session}" if scan[1] else subject
        if scan in known:
            raise InputError(
                f"{place}: subject {shown} is in line {known[scan]} already"
                + ("" if scan[1] else "; a column `session` tells several scans apart")
            )
        if (scan[0], not scan[1]) in of:
            raise InputError(
                f"{place}: subject {subject} has lines with a session and without; give all of "
                "them one"
            )
        known[scan], of[scan[0], bool(scan[1])] = number, True
        for kind in kinds:
            file = line[kind]
            if file in ABSENT:
                if kind == "image":
                    raise InputError(f"{place}: subject {shown} has no image")
                continue
            _check(folder, file, f"{place}, column {kind}")
            found.append(File(os.path.normpath(file), kind, *scan))
    left_out: list[tuple[str, str]] = []
    found = datasets.some_sessions(found, sessions, f"datasets.{name}.sessions", left_out)
    return datasets.complete(found, kinds, modality, left_out)


def _check(folder, file, place):
    """Raise `InputError` unless a file of the table is there and Snakemake can name it."""
    if set("{}") & set(file) or not file.isprintable():
        raise InputError(
            f"{place}: {file!r} has braces, or characters that cannot be printed; rename the file"
        )
    if not file.lower().endswith((".nii", ".nii.gz")):
        raise InputError(f"{place}: {file} is no NIfTI file (.nii or .nii.gz)")
    if not (folder / file).is_file():
        raise InputError(
            f"{place}: {file} does not exist; paths are relative to {folder}, or absolute"
        )
