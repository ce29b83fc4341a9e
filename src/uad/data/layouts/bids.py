"""A cohort in a BIDS folder, `layout: bids`.

Images are those in `sub-*/[ses-*/]anat` whose names end in the suffix of the modality, `_T1w`,
`_T2w` or `_FLAIR`. Masks are looked for in the same places and in those below `derivatives`: lesion
masks have the suffix `mask`, `dseg` or `roi` and *lesion* in the value of an entity, as in
``sub-01_label-lesion_mask`` or ``sub-01_desc-lesion_roi``; brain masks are ``…_desc-brain_mask``.
Other names are given as patterns. Of several runs the first is used.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from uad.base.errors import InputError, because
from uad.data import datasets
from uad.data.datasets import NIFTI, SESSION, File, Listing

SUFFIX = {"T1": "T1w", "T2": "T2w", "FLAIR": "FLAIR"}
PARTICIPANTS = "participants.tsv"
# Where a file is, and whose it is.
FILE = re.compile(
    r"(?P<above>(?:.*/)?)sub-(?P<subject>[A-Za-z0-9]+)/(?:ses-(?P<session>[A-Za-z0-9]+)/)?anat/"
    rf"(?P<stem>sub-(?P=subject)_[^/]*){NIFTI}"
)
LESION = re.compile(
    r".*_[a-z]+-[A-Za-z0-9+]*lesion[A-Za-z0-9+]*(?:_[^/]*)?_(?:mask|dseg|roi)", re.I
)
BRAIN = re.compile(r".*_desc-brain(?:_[^/]*)?_mask")
RUN = re.compile(r"_run-(\d+)")


def find(
    name: str,
    files: Iterable[str],
    folder: Path | str,
    kinds: Sequence[str],
    modality: str = "T1",
    sessions: Sequence[str] = ("first",),
    patterns: Mapping[str, str | None] | None = None,
) -> Listing:
    """Subjects of a BIDS folder among its files, sorted by label.

    Parameters
    ----------
    name : str
        Data set.
    files : iterable of str
        Paths relative to the folder.
    folder : path-like
        For messages.
    kinds : sequence of str
        Files that every subject needs, out of ``image``, ``lesion`` and ``brain``.
    modality : {"T1", "T2", "FLAIR"}
    sessions : sequence of str
        As for `datasets.find`.
    patterns : mapping, optional
        By kind, what names of files without ``.nii.gz`` must match instead, such as
        ``*_acq-mprage_T1w``; None as by default.

    Returns
    -------
    Listing
        As from `datasets.find`. What is neither image nor mask is not mentioned.

    Raises
    ------
    InputError
        If there is no image, no mask of a kind that is needed, or no subject has the sessions.
    """
    chosen = {kind: (patterns or {}).get(kind) for kind in kinds}
    found, left_out = [], []
    for path in sorted(files):
        match = FILE.fullmatch(path)
        kind = match and _kind(match, chosen, modality)
        if not kind:
            continue
        if reason := datasets.unsafe(path):
            left_out.append((path, reason))
        elif SESSION in match["subject"] or SESSION in (match["session"] or ""):
            left_out.append((path, because(f"labels with {SESSION!r} in them cannot be used")))
        else:
            found.append(File(path, kind, match["subject"], match["session"] or ""))
    for kind in kinds:
        if not any(file.kind == kind for file in found):
            raise InputError(
                f"{folder}: no {datasets.shown(kind, modality)} found; expected files like "
                f"{_expected(kind, chosen[kind], modality)} (configuration key datasets.{name})"
            )
    found = datasets.some_sessions(
        _first_runs(found, left_out), sessions, f"datasets.{name}.sessions", left_out
    )
    return datasets.complete(found, kinds, modality, left_out)


def _kind(match, chosen, modality):
    """What a file is: one of the kinds that are looked for, or None."""
    stem = match["stem"]
    ways = {
        "image": lambda: stem.endswith(f"_{SUFFIX[modality]}"),
        "lesion": lambda: LESION.fullmatch(stem),
        "brain": lambda: BRAIN.fullmatch(stem),
    }
    for kind, pattern in chosen.items():
        # Images below another folder are derivatives of these, or the sources.
        if kind == "image" and match["above"]:
            continue
        if fnmatchcase(stem, pattern) if pattern else ways[kind]():
            return kind
    return None


def _first_runs(found, left_out):
    """The images without those of later runs; `left_out` says which."""
    runs = {}
    for file in found:
        run = RUN.search(Path(file.path).name)
        if file.kind == "image" and run:
            # Names that differ in nothing else.
            key = file.label, file.session, RUN.sub("", Path(file.path).name)
            runs.setdefault(key, []).append((int(run[1]), file))
    later = []
    for of in runs.values():
        (_, first), *others = sorted(of)
        for _, file in others:
            later.append(file)
            left_out.append((file.path, because(f"only the first run is used, {first.path}")))
    return [file for file in found if file not in later]


def _expected(kind, pattern, modality):
    """A path that would do, for messages."""
    names = {
        "image": SUFFIX[modality],
        "lesion": "label-lesion_mask",
        "brain": "desc-brain_mask",
    }
    start = "sub-01/anat" if kind == "image" else "derivatives/masks/sub-01/anat"
    return f"{start}/{pattern}.nii.gz" if pattern else f"{start}/sub-01_{names[kind]}.nii.gz"
