"""What every script needs around its work: log file, progress bar, one sentence per user error."""

import ctypes
import errno
import gc
import logging
import re
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uad.base.errors import InputError

if TYPE_CHECKING:  # need not be installed
    from tqdm import tqdm

log = logging.getLogger("uad")


@contextmanager
def job(path: Path | str, verbose: bool = False) -> Iterator[logging.Logger]:
    """Run the body of a script, with its log in `path`.

    An `InputError` or a full disk ends the script with status 1 and one sentence on standard error,
    any other exception with a traceback; both are in the log.

    Parameters
    ----------
    path : path-like
        Log file, overwritten.
    verbose : bool
        Repeat log lines on standard error.
    """
    end_with_parent()
    gc.freeze()  # imported objects live as long as the process
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handlers = [logging.FileHandler(path, mode="w", encoding="utf-8")]
    if verbose:
        handlers.append(logging.StreamHandler(sys.stderr))
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers, force=True
    )
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a log that cannot be written does not hide the first error
    began = time.monotonic()
    try:
        yield log
        log.info("at most %.0f MiB of memory", _peak_mib())
        log.info("finished after %.1f s", time.monotonic() - began)
    except InputError as error:
        _end(error, verbose)
    except Exception as error:
        full = _full_disk(error)
        if full:
            where = full.filename or Path(path).parent
            _end(f"{where}: no space left on this disk, or a quota is used up", verbose)
        log.error(traceback.format_exc())
        raise
    finally:
        # The process ends. Collecting garbage among torch's objects would take half a second.
        gc.freeze()


def end_with_parent():
    """Send this process SIGTERM when its parent dies (Linux only).

    Otherwise the jobs of a killed Snakemake keep running next to their replacements.
    """
    if sys.platform == "linux":
        parent_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGTERM)


def _peak_mib():
    """Highest resident memory of this process so far, or of one that it waited for."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own, children = (
        resource.getrusage(who).ru_maxrss / unit
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    if sys.platform == "linux":  # where the other number begins with that of Snakemake
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        own = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / unit
    return max(own, children)


def failure(path: Path | str) -> str | None:
    """Why the job that wrote a log did not finish, in one sentence; None if it did."""
    lines = Path(path).read_text(errors="replace", encoding="utf-8").splitlines()
    if any(re.search(r" finished after [\d.]+ s$", line) for line in lines):
        return None
    for line in reversed(lines):
        if "Error: " in line:  # ours, or the last line of a traceback
            return line.partition("Error: ")[2]
    return "ended without a reason in its log: killed, or out of memory?"


def _full_disk(error):
    """The disk-full error that an exception is or was raised while handling; None without one."""
    while error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return error
        error = error.__context__
    return None


def _end(sentence, verbose):
    log.error("Error: %s", sentence)
    if not verbose:
        print(f"Error: {sentence}", file=sys.stderr)
    sys.exit(1)


def progress(items: Iterable, description: str) -> "tqdm | _NoBar":
    """A progress bar over `items` on a terminal; none elsewhere, so that logs stay short.

    Nor is there one where `tqdm` is not installed.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        return _NoBar(items)
    return tqdm(items, desc=description, disable=None, leave=False, dynamic_ncols=True)


class _NoBar:
    """The part of `tqdm` that is used here, without any output."""

    def __init__(self, items):
        self._items = items

    def __iter__(self):
        return iter(self._items)

    def set_postfix(self, **_: Any) -> None:
        pass
