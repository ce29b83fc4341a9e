"""An .npy file that grows volume by volume and survives being killed.

Volumes are appended to a hidden file next to the result; its length says how many are complete. A
restarted job resumes after the last complete volume; the file is renamed once all volumes are
written. A job that outlives its Snakemake holds a lock: its successor waits for it to end.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from uad.base import locks
from uad.base.files import naming
from uad.base.logs import log, progress


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
        Volumes computed under another fingerprint (other model, data or code) are discarded.
    label : str
        For the progress bar.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{fingerprint}.part")
    dtype = np.dtype(dtype)
    volume_bytes = int(np.prod(shape)) * dtype.itemsize
    header = _header((n, *shape), dtype)
    with naming(path), _alone(path), open(part, "ab") as file:
        for stale in path.parent.glob(f".{path.name}.*.part"):
            if stale != part:
                stale.unlink()
        if file.tell() < len(header):
            file.truncate(0)
            file.write(header)
        done = (file.tell() - len(header)) // volume_bytes
        file.truncate(len(header) + done * volume_bytes)
        if done:
            log.info("resuming after %d of %d volumes", done, n)
        for i in progress(range(done, n), label):
            volume = np.ascontiguousarray(compute(i), dtype)
            if volume.shape != tuple(shape):
                raise ValueError(f"volume {i} has shape {volume.shape}, expected {tuple(shape)}")
            file.write(volume.tobytes())
            file.flush()
        part.replace(path)


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
