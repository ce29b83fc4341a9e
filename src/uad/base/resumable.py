"""An .npy file that grows volume by volume and survives being killed.

Volumes are appended to a hidden file next to the result, and the digest of each to a second one. A
restarted job resumes after the last volume that still has its digest, so that nothing is kept of
what a power cut took; the file is renamed once all volumes are written. A job that outlives its
Snakemake holds a lock: its successor waits for it to end.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from uad.base import locks
from uad.base.files import naming, settle
from uad.base.logs import log, progress

DIGEST = 16  # bytes


def write_resumable(
    path: str | os.PathLike,
    n: int,
    shape: tuple[int, ...],
    dtype: np.typing.DTypeLike,
    compute: Callable[[int], np.ndarray],
    fingerprint: str,
    label: str,
) -> None:
    """Write an array of `n` volumes, one `compute(i)` after the other.

    Parameters
    ----------
    path : path-like
    n : int
    shape : tuple of int
        Of one volume.
    dtype : numpy dtype
    compute : callable
        From a position to a volume; must not depend on the order of calls.
    fingerprint : str
        Volumes computed under another fingerprint (other model, settings, data or code) are
        discarded.
    label : str
        For the progress bar.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part, digests = (
        path.with_name(f".{path.name}.{fingerprint}.{kind}") for kind in ("part", "digests")
    )
    dtype = np.dtype(dtype)
    volume_bytes = int(np.prod(shape)) * dtype.itemsize
    header = _header((n, *shape), dtype)
    with naming(path), _alone(path):
        _discard_others(path, fingerprint)
        for of in (part, digests):
            of.touch()
        with open(part, "r+b") as volumes, open(digests, "r+b") as known:
            done = _intact(volumes, known, header, volume_bytes)
            if done:
                log.info("resuming after %d of %d volumes", done, n)
            for i in progress(range(done, n), label):
                volume = np.ascontiguousarray(compute(i), dtype)
                if volume.shape != tuple(shape):
                    raise ValueError(f"volume {i} has shape {volume.shape}, expected {shape}")
                content = volume.tobytes()
                volumes.write(content)
                volumes.flush()
                known.write(_digest(content))
                known.flush()
        settle(part)
        part.replace(path)
        digests.unlink()


def _discard_others(path, fingerprint):
    """Delete what was computed under other fingerprints."""
    others = [
        other
        for other in path.parent.glob(f".{path.name}.*.*")
        if not other.name.startswith(f".{path.name}.{fingerprint}.")
        and other.suffix in (".part", ".digests")
    ]
    if others:
        log.info(
            "starting over: settings, code or inputs have changed since a part of %s was saved",
            path,
        )
    for other in others:
        other.unlink()


def _intact(volumes: BinaryIO, known: BinaryIO, header: bytes, volume_bytes: int) -> int:
    """How many volumes are as they were written; both files are cut behind them."""
    written = max(0, volumes.seek(0, os.SEEK_END) - len(header)) // volume_bytes
    volumes.seek(0)
    done = 0
    if volumes.read(len(header)) == header:
        while (content := volumes.read(volume_bytes)) and known.read(DIGEST) == _digest(content):
            done += 1
    if done < written:
        log.warning("of %d saved volumes only the first %d are as they were written", written, done)
    volumes.seek(0)
    volumes.write(header)
    volumes.truncate(volumes.seek(len(header) + done * volume_bytes))
    known.truncate(known.seek(done * DIGEST))
    return done


def _digest(content):
    return hashlib.blake2b(content, digest_size=DIGEST).digest()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from writing `path`; wait for one that does."""
    # A file next to it is locked, since the one that is written is renamed.
    of = path.with_name(f".{path.name}.lock")
    lock = locks.acquire(of)
    if lock is None:
        log.info("waiting for the end of another job that writes %s", path)
        lock = locks.acquire(of, wait=True)
    with lock:
        try:
            yield
        finally:
            of.unlink(missing_ok=True)  # filelock handles processes that wait for it


def _header(shape, dtype):
    """The bytes NumPy puts before the data of an array in C order."""
    buffer = io.BytesIO()
    description = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()
