"""An .npy file that grows volume by volume and survives being killed.

Volumes are appended to a hidden file beside the result; its length says how many are complete. A
job that starts again goes on behind the last complete one, and the file gets its name when all
are there.
"""

import io
from pathlib import Path

import numpy as np

from uad.logs import log, progress


def grow(path, n, shape, dtype, compute, fingerprint, label):
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
    with open(part, "ab") as file:
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
