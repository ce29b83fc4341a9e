"""Reading every file of a data set once, as its preprocessing will: what is refused, and why."""

import gzip
import hashlib
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

from uad.base import digests, logs
from uad.base.errors import InputError
from uad.imaging import masks, volumes

CHUNK = 1 << 20
DIGITS = 16  # of the digests that contents are compared by


class Case(NamedTuple):
    """A subject and its files by kind: `image`, `lesion` and `brain`, the last two if there are."""

    subject: str
    files: dict


class Reading(NamedTuple):
    """How a data set's files are read.

    Attributes
    ----------
    layout : {"native", "prepared", "bids", "table"}
    labels : list of int or None
        Values of a lesion mask that count, see `volumes.read_mask`.
    assume_orientation : str or None
        See `volumes.read`.
    code : str
        Digest of the code that reads.
    """

    layout: str
    labels: list | None
    assume_orientation: str | None
    code: str


def examine(
    cases: Sequence[Case], reading: Reading, processes: int, known: Mapping[str, Any]
) -> Iterator[dict]:
    """Read every file of some cases once, as their preprocessing will.

    Parameters
    ----------
    cases : sequence of Case
    reading : Reading
    processes : int
    known : dict
        What was found of cases before, by subject; those whose files are the same by name, size and
        time, and that were read in the same way, are not read again.

    Yields
    ------
    dict
        Of each case, in order, in plain values: `subject`; `key`, by which it is known again;
        `sha256` of its files by path; `contents`, digests of the voxels of `image` and `lesion`,
        without what cannot be read and without empty masks; `unreadable`, None or path and reason.
    """
    keys = {case.subject: _key(case, reading) for case in cases}
    old = {subject: known[subject] for subject in keys if subject in known}
    old = {subject: one for subject, one in old.items() if one["key"] == keys[subject]}
    new = [case for case in cases if case.subject not in old]
    # Forked: a new interpreter would run the script that is the main program here once more.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(processes, context, logs.end_with_parent) as pool:
        found = pool.map(_examine, new, [reading] * len(new), chunksize=4)
        for subject, key in logs.progress(keys.items(), "reading"):
            yield old[subject] if subject in old else {"key": key, **next(found)}


def _key(case, reading):
    paths = sorted(case.files.values())
    try:
        states = digests.file_states(paths)
    except OSError:  # told by reading
        states = None
    return digests.fingerprint(paths=paths, states=states, reading=reading)


def _examine(case, reading):
    files = case.files
    found = {"subject": case.subject, "sha256": {}, "contents": {}, "unreadable": None}
    try:
        for path in files.values():
            found["sha256"][path] = _sha256_to_the_end(path)
        found["contents"] = _contents(files, reading)
    except Exception as error:  # whatever a damaged file happens to raise
        path, _, reason = str(error).partition(": ")
        if path not in files.values():
            path, reason = files["image"], f"cannot be read ({error})"
        found["unreadable"] = path, reason
    return found


def _sha256_to_the_end(path):
    """SHA-256 of a file, of which a compressed one is unpacked to its end.

    An interrupted download or a full disk shows only there, a damaged one in the checksum behind
    it, which NIfTI readers do not reach.
    """
    try:
        found = digests.sha256(path)
        if str(path).lower().endswith(".gz"):
            with gzip.open(path, "rb") as file:
                while file.read(CHUNK):
                    pass
    except Exception as error:  # gzip and zlib raise a dozen kinds
        raise InputError(f"{path}: cannot be read to its end ({error})") from error
    return found


def _contents(files, reading):
    """Digests of the voxels of an image and its lesion mask, read as preprocessing reads them."""
    sides = reading.assume_orientation
    if reading.layout != "prepared":
        image, lesion = volumes.read_scan(
            files["image"], files.get("lesion"), reading.labels, sides
        )
        if "brain" in files:
            brain = volumes.read_mask(files["brain"], assume_orientation=sides)
            volumes.check_same_grid(image, brain)
            volumes.check_not_empty(brain)
        if conflict := volumes.header_conflict(files["image"]):
            raise InputError(f"{files['image']}: {conflict}")
    else:
        image = volumes.read(files["image"], assume_orientation=sides)
        brain = volumes.read_soft_mask(files["brain"], sides)
        lesion = image.empty_mask()
        if "lesion" in files:
            lesion = volumes.read_soft_mask(files["lesion"], sides)
        for mask in (brain, lesion):
            volumes.check_same_grid(image, mask)
        volumes.check_not_empty(brain)
        masks.check_lesion(lesion, brain)
    found = {"image": image.array}
    if lesion.array.any():
        found["lesion"] = lesion.array
    sums = {kind: hashlib.sha256(repr(array.shape).encode()) for kind, array in found.items()}
    for kind, array in found.items():
        sums[kind].update(array)
    return {kind: found.hexdigest()[:DIGITS] for kind, found in sums.items()}
