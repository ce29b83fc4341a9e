"""Files that are complete or absent: written under a temporary name, then renamed.

The content is on the disk before the name is, so that a power cut leaves no file of zeros.
"""

import glob
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any


def write_json(content: Any, path: Path | str) -> None:
    """Write plain values as JSON, complete or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Add this file name to write errors that lack one, such as those of a full disk."""
    try:
        yield
    except Exception as error:
        behind = error  # torch raises an error of its own on top
        while behind:
            if isinstance(behind, OSError) and behind.filename is None:
                behind.filename = str(path)
            behind = behind.__context__
        raise


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary name next to `path`; rename it to `path` when the block succeeds.

    The suffixes are kept, since writers choose the format by them. Nothing is left on failure;
    leftovers of killed processes are deleted first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        with naming(path):
            yield temporary
            settle(temporary)
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def settle(path: Path | str) -> None:
    """Wait until the content of a file is on the disk."""
    # Of any descriptor: not all that is renamed was written through a file object of ours.
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def discard(path: Path | str) -> None:
    """Delete a file, if it exists, and the temporary files that killed processes left of it."""
    Path(path).unlink(missing_ok=True)
    _sweep(Path(path))


def _sweep(path):
    """Delete temporary files of `path` whose process is gone."""
    for stale in path.parent.glob(f".*.{glob.escape(path.name)}"):
        pid = stale.name[1 : -len(path.name) - 1]
        if pid.isdigit() and not _lives(int(pid)):
            stale.unlink(missing_ok=True)


def _lives(pid):
    """Whether a process with this id exists on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def from_the_future(paths: Iterable[Path | str]) -> list[tuple[str, str]]:
    """Files that were changed later than now by their dates: pairs of path and date, sorted.

    Snakemake ends a job whose output is older than an input of it. Folders, and files that are not
    there, are left out.
    """
    now, found = datetime.now(), []
    for path in map(Path, paths):
        changed = datetime.fromtimestamp(path.stat().st_mtime) if path.is_file() else now
        if changed > now:
            found.append((str(path), f"{changed:%Y-%m-%d %H:%M:%S}"))
    return sorted(found)
