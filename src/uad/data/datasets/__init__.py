"""Data sets: one module each, which finds the subjects in an unpacked folder.

A data set module has

`TITLE`, `LICENCE`, `SOURCE`, `CITATION`
    what the report says about it,
`CASES`
    subjects in the complete archive, per modality that it has,
`NAME`
    regular expression of what identifies a subject in all its paths, with named groups; `session`
    where a subject may have been scanned several times,
`IMAGE`, `LESION`
    regular expressions of the rest of a native path, after the subject's name; `IMAGE` per
    modality, `LESION` None for healthy data sets,
`OTHERS`
    the same for images of the archive that are not used,
`PARTS`
    parts of the archive that are not used: their names, with regular expressions of whole paths,
`VERSIONS`
    kinds of the same images that may lie side by side, the preferred one first: names, with regular
    expressions of whole paths; one kind is used of the whole data set,
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
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import NamedTuple

from uad.base import modules
from uad.base.errors import InputError, because

NIFTI = r"\.(?i:nii(?:\.gz)?)"
# Between a subject's label and the session's, where not only the first is used.
SESSION = "ses"


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
    sessions: Sequence[str] = ("first",),
) -> Listing:
    """Subjects of a data set among the files of its folder, sorted by label.

    Where the same images are there in several kinds (`VERSIONS`), the preferred one of those that
    were found is used. Where all sessions or some by name are used, each is a subject of its own
    here, with a label of which `person` tells whose it is.

    Parameters
    ----------
    name : str
        Data set.
    files : iterable of str
        Paths relative to the folder.
    folder : path-like
        For messages.
    modality : {"T1", "T2", "FLAIR"}
    layout : {"native", "prepared"}
        As distributed, or the authors' preprocessed `<DATA_DIR>`, registered, stripped and bias
        corrected, with brain masks.
    sessions : sequence of str
        Of subjects that were scanned several times: `first`, `all`, or names.

    Returns
    -------
    Listing
        Subjects that are complete and unique; the others, images that do not belong to the
        archive, what is not used of it, and names that are not safe to use, are listed with the
        reason.

    Raises
    ------
    InputError
        If the data set does not have the modality, no file fits, or no subject has the sessions.
    """
    module = load(name)
    if modality not in module.IMAGE:
        raise InputError(f"{module.TITLE} has no {modality} images, only {', '.join(module.IMAGE)}")
    *kinds, others = patterns(module, modality, layout)
    kinds = {k: p for k, p in zip(("image", "lesion", "brain"), kinds) if p}
    found, left_out, parts = [], [], Counter()
    for path in sorted(files):
        if not re.search(rf"{NIFTI}\Z", path):
            continue
        if unsafe(path):
            left_out.append((path, unsafe(path)))
        elif layout == "native" and (part := _first_match(module.PARTS, path)):
            parts[part] += 1
        elif match := next(_matches(kinds, path), None):
            label = module.label(match[1])
            if re.fullmatch("[A-Za-z0-9]+", label) and SESSION not in label:
                session = match[1].groupdict().get("session") or ""
                found.append(File(path, match[0], label, session))
            else:
                reason = because(f"{label!r} is no label: letters and digits, without {SESSION!r}")
                left_out.append((path, reason))
        elif not re.fullmatch(others, path):
            left_out.append((path, because(f"not a file of {module.TITLE}")))
    for part, n in sorted(parts.items()):
        left_out.append((part, because(f"{n} file(s) in a part of the archive that is not used")))
    if not any(file.kind == "image" for file in found):
        example = module.EXAMPLE if layout == "native" else f"{module.PREPARED}/t1/…_t1.nii.gz"
        raise InputError(
            f"{folder}: no {module.TITLE} {modality} image found; expected files like {example}. "
            f"Data: {module.SOURCE}"
        )
    if layout == "native":
        found = _one_version(module, found, left_out)
    found = some_sessions(found, sessions, f"datasets.{name}.sessions", left_out)
    return complete(found, list(kinds), modality, left_out)


def complete(
    found: Sequence["File"], kinds: Sequence[str], modality: str, left_out: list[tuple[str, str]]
) -> Listing:
    """Subjects that have one file of each kind, sorted by label; the others are left out.

    Parameters
    ----------
    found : sequence of File
    kinds : sequence of str
        Out of ``image``, ``lesion`` and ``brain``.
    modality : str
        For messages.
    left_out : list of (str, str)
        Others that are left out; the result has them too.
    """
    files: dict[str, dict[str, list[str]]] = {}
    for file in found:
        files.setdefault(file.label, {kind: [] for kind in kinds})[file.kind].append(file.path)
    subjects = {}
    for label, paths in sorted(files.items()):
        reason = _incomplete(paths, modality)
        if reason:
            left_out.append((label, reason))
        else:
            one = {kind: path for kind, (path,) in paths.items()}
            subjects[label] = Subject(label, one["image"], one.get("lesion"), one.get("brain"))
    return Listing(subjects, left_out)


def person(label: str) -> str:
    """Label of the subject that a session's label belongs to."""
    return label.partition(SESSION)[0]


def pooled_label(dataset: str, label: str) -> str:
    """Label of a subject where several data sets are one: theirs may have equal names."""
    return dataset.replace("_", "") + label


class File(NamedTuple):
    """A file of a subject; `session` is empty where the names tell none."""

    path: str
    kind: str
    label: str
    session: str


def _matches(kinds, path):
    """Kinds of file whose pattern fits a path, with the match."""
    for kind, pattern in kinds.items():
        if match := re.fullmatch(pattern, path):
            yield kind, match


def _first_match(patterns, path):
    """Name of the first of some patterns that fits a whole path; None if none does."""
    return next((name for name, pattern in patterns.items() if re.fullmatch(pattern, path)), None)


def _one_version(module, found, left_out):
    """Files of the preferred kind of images among those found; the others are `left_out`."""
    if not module.VERSIONS:
        return found
    of = {file.path: _first_match(module.VERSIONS, file.path) for file in found}
    there = {of[file.path] for file in found if file.kind == "image"}
    used = next(version for version in module.VERSIONS if version in there)
    others = Counter(version for version in of.values() if version != used)
    for version, n in sorted(others.items()):
        left_out.append((version, because(f"{n} file(s): only the {used} ones are used")))
    return [file for file in found if of[file.path] == used]


def some_sessions(
    found: Sequence[File], sessions: Sequence[str], key: str, left_out: list[tuple[str, str]]
) -> list[File]:
    """Files of the sessions that are wanted, with labels of their own unless it is the first.

    Parameters
    ----------
    found : sequence of File
    sessions : sequence of str
        `first`, `all`, or names.
    key : str
        Configuration key that names them.
    left_out : list of (str, str)
        Images of others are added to it.

    Raises
    ------
    InputError
        If none of the named sessions is there.
    """
    first, every = list(sessions) == ["first"], list(sessions) == ["all"]
    imaged = {}
    for file in found:
        if file.session and file.kind == "image":
            imaged.setdefault(file.label, set()).add(file.session)
    there = set().union(*imaged.values())
    if there and not (first or every or there & set(sessions)):
        raise InputError(
            f"{key} names {', '.join(sessions)}, but there are only {', '.join(sorted(there))}"
        )
    kept = []
    for file in found:
        names = imaged.get(file.label, {file.session})
        wanted = {min(names)} if first else {file.session} if every else set(sessions)
        if not file.session or file.session in wanted:
            own = f"{SESSION}{file.session}" if file.session and not first else ""
            kept.append(file._replace(label=file.label + own))
        elif file.kind == "image":
            left_out.append((file.path, because(f"another session than {key} wants")))
    return kept


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
    for kind, found in paths.items():
        if not found:
            return because(f"the {shown(kind, modality)} is missing")
        if len(found) > 1:
            return because(f"occurs twice: {', '.join(found)}")
    return None


def shown(kind: str, modality: str) -> str:
    """A kind of file in words."""
    names = {"image": f"{modality} image", "lesion": "lesion mask", "brain": "brain mask"}
    return names[kind]


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
