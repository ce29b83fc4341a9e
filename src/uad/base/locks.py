"""Which of this machine's GPUs a job takes, agreed by file locks.

Each card has `per_card` lock files in a folder of the user's own. A job holds one of them until its
process ends, however it ends: the system then lets go of the lock. So several Snakemake runs of one
user share a machine, and no clean-up is needed after a crash. Jobs of other users are not seen.
"""

import fcntl
import os
import tempfile
import time
from pathlib import Path

from uad.base.logs import log

POLL_SECONDS = 1.0

# Locks of this process, kept open until it ends.
_held = []


def take(cards, per_card, folder=None):
    """Take a card, waiting until one is free.

    Empty cards come first; a card gets its second job only when every card has one.

    Parameters
    ----------
    cards : list of str
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
                if _lock(folder / f"{card}-{place}.lock"):
                    return position
        if not waiting:
            log.info("waiting for one of %d GPUs, %d jobs on each", len(cards), per_card)
            waiting = True
        time.sleep(POLL_SECONDS)


def _lock(path):
    """Whether the lock was free; then this process holds it now."""
    file = open(path, "w", encoding="utf-8")  # noqa: SIM115  (stays open on purpose)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _held.append(file)
    return True
