"""Locks between the processes of a machine: on files and, through them, on its GPUs.

A lock is held until it is released or its process ends, for whatever reason; the system then frees
it. So several Snakemake runs of one user can share a machine, and no clean-up is needed after a
crash. Jobs of other users are not considered.
"""

import errno
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from uad.base.logs import log

POLL_SECONDS = 1.0

# Errors of file systems without locks, such as some network mounts.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)

# Locks of this process, held until it ends.
_held = []


def acquire(path: str | os.PathLike, wait: bool = False) -> AbstractContextManager | None:
    """Take the lock of a file, which is created if it does not exist.

    Parameters
    ----------
    path : path-like
    wait : bool
        Wait as long as another process holds it.

    Returns
    -------
    context manager or None
        The lock, released when the context is left or nothing refers to it. None if another process
        has it. Where there are no locks the log says so, and the context holds nothing.
    """
    try:
        from filelock import FileLock, Timeout
    except ImportError:
        return _without(path, "the package filelock is not installed")
    try:
        return FileLock(path, fallback_to_soft=False).acquire(timeout=-1 if wait else 0)
    except Timeout:
        return None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return _without(path, f"this file system has no locks ({error.strerror})")


def _without(path, reason):
    log.warning("%s: %s, so two jobs at once would not see each other", path, reason)
    return nullcontext()


def take(cards: Sequence[str], per_card: int, folder: str | os.PathLike | None = None) -> int:
    """Take a card, one of this machine's GPUs, until this process ends; waits until one is free.

    Each card has `per_card` lock files in a folder of the user's own. Empty cards come first; a
    card gets its second job only when every card has one.

    Parameters
    ----------
    cards : sequence of str
        Names of the cards, as all processes of this machine know them.
    per_card : int
        Jobs that may share a card.
    folder : path-like, optional
        Where lock files are, one folder for all that share the cards; by default one of this
        user's below the system's temporary folder.

    Returns
    -------
    int
        Position in `cards`.
    """
    folder = Path(folder or f"{tempfile.gettempdir()}/uad-gpus-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    waiting = False
    while True:
        for place in range(per_card):
            for position, card in enumerate(cards):
                lock = acquire(folder / f"{card}-{place}.lock")
                if lock is not None:
                    _held.append(lock)
                    return position
        if not waiting:
            log.info("waiting for one of %d GPUs, %d jobs on each", len(cards), per_card)
            waiting = True
        time.sleep(POLL_SECONDS)
