"""An .npy file that grows volume by volume and survives being killed.

Volumes are appended to a hidden file beside the result; its length says how many are complete. A
job that starts again goes on behind the last complete one, and the file gets its name when all
are there. A job that outlived its Snakemake keeps the file locked: its successor waits for its end.
"""

import fcntl
import io
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from uad.base.files import naming
from uad.base.logs import log, progress


def write_resumable(path, n, shape, dtype, compute, fingerprint, label):
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
    for stale in path.parent.glob(f".{path.name}.*.part"):
        if stale != part:
            stale.unlink()
    dtype = np.dtype(dtype)
    volume_bytes = int(np.prod(shape)) * dtype.itemsize
    header = _header((n, *shape), dtype)
    with naming(path), _alone(part) as file:
        if file.tell() < len(header):
            file.truncate(0)
            file.write(header)
        done = (file.tell() - len(header)) // volume_bytes
        file.truncate(len(header) + done * volume_bytes)
        if done:
            log.info("resuming behind %d of %d volumes", done, n)
        for i in progress(range(done, n), label):
            volume = np.ascontiguousarray(compute(i), dtype)
            if volume.shape != tuple(shape):
                raise ValueError(f"volume {i} has shape {volume.shape}, expected {tuple(shape)}")
            file.write(volume.tobytes())
            file.flush()
        part.replace(path)


@contextmanager
def _alone(path):
    """A file opened for appending by this process only; waits for another that has it."""
    waited = False
    while True:
        with open(path, "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not waited:
                    log.info("waiting for the end of another job that writes %s", path)
                waited = True
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError:
                log.info("this file system has no locks")
            # While this process waited the file may have got its final name, or been deleted.
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                file.seek(0, os.SEEK_END)
                yield file
                return


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
