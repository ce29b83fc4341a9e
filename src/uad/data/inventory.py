"""Inventory of each data set: cases found, left out and unreadable."""

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from uad.base import digests
from uad.base.errors import because

CHUNK = 1 << 20


def unreadable(path: Path | str) -> str | None:
    """Why a NIfTI file cannot be used, or None.

    Reads to the end, since an interrupted download or a full disk shows only there; much faster
    than decoding the voxels.
    """
    try:
        image = nib.load(path)
        header = image.header
        expected = image.dataobj.offset + int(np.prod(header.get_data_shape(), dtype=np.int64)) * (
            header.get_data_dtype().itemsize
        )
        with (gzip.open if str(path).endswith(".gz") else open)(path, "rb") as file:
            size = 0
            while chunk := file.read(CHUNK):
                size += len(chunk)
    except Exception as error:  # nibabel, gzip and zlib raise a dozen kinds
        return because(f"cannot be read as NIfTI ({error})")
    if size < expected:
        return because(f"is cut off: {size} of {expected} bytes")
    shape = [n for n in image.shape[3:] if n != 1]
    if len(image.shape) < 3 or shape:
        return because(f"is not one 3-D volume: {image.shape}")
    return None


def take(files: Sequence[Path | str], threads: int) -> list[tuple[str, str]]:
    """Unreadable files among `files`: pairs of path and reason, sorted."""
    with ThreadPoolExecutor(threads) as pool:
        reasons = list(pool.map(unreadable, files))
    return sorted((str(path), reason) for path, reason in zip(files, reasons) if reason)


def digest(files: Sequence[Path | str], folder: Path | str, threads: int) -> str | None:
    """SHA-256 of the files of a data set and of their names in its folder; None without files.

    The order of the files does not count.
    """
    if not files:
        return None
    with ThreadPoolExecutor(threads) as pool:
        sums = list(pool.map(digests.sha256, files))
    names = [Path(path).relative_to(folder).as_posix() for path in files]
    lines = sorted(f"{name} {sha256}\n" for name, sha256 in zip(names, sums))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def state(line: Mapping[str, Any]) -> str:
    """`ok`, or the reason why a data set cannot be used.

    Parameters
    ----------
    line : mapping
        `missing` (sentence or None), `found`, `needed`, `unreadable`.
    """
    if line["missing"]:
        return line["missing"]
    if line["unreadable"]:
        return f"{len(line['unreadable'])} unreadable file(s)"
    if line["found"] < line["needed"]:
        return f"{line['found']} cases, but the splits need {line['needed']}"
    return "ok"


def needed(counts: Mapping[str, int | None]) -> int:
    """Fewest subjects that a block of `splits` can be drawn from."""
    return counts["train"] + counts["val"] + (counts["test"] or 1)


def text(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """The inventory as lines of text for the terminal."""
    table = [("data set", "archive", "found", "needed", "left out", "unreadable", "state")]
    for line in lines:
        counts = (line["cases"], line["found"], line["needed"])
        lost = (len(line["left_out"]), len(line["unreadable"]))
        table.append((line["title"], *map(str, counts + lost), state(line)))
    widths = [max(len(row[i]) for row in table) for i in range(6)]
    found = [
        "  ".join(
            [row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, 6)), row[6]]
        )
        for row in table
    ]
    for line in lines:
        if state(line) != "ok":
            found.append(
                f"  {line['title']}: request it at {line['source']}, unpack it to {line['folder']}"
            )
        for name, reason in [*line["left_out"], *line["unreadable"]][:20]:
            found.append(f"  {line['title']}: {name}: {reason}")
    return found
