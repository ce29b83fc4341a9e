"""A subject that cannot be used costs itself, not the run.

A step of preprocessing that cannot go on because of the subject's own data writes the reason in
place of each of its outputs. Whatever reads such a placeholder (`uad.imaging.volumes.read`) raises
the same reason again, so that later steps pass it on at once and packing leaves the subject out.
"""

import errno
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from uad.base.errors import InputError
from uad.base.files import replacing
from uad.base.logs import log

# A placeholder is one line of JSON, so that in place of a JSON file it is one with a `status`, as
# registration writes it for subjects that it excludes.
BEGINS = b'{"status": "'


@contextmanager
def recorded(outputs: Iterable[str | Path]) -> Iterator[None]:
    """Turn an `InputError` of the block into placeholders for all outputs of the job.

    Only what is wrong with the subject may be looked at inside: an atlas or weights that cannot be
    read concern all subjects and have to end the run. So do errors of the machine, such as a full
    disk or a server that does not answer, although reading reports them as an `InputError` too.
    """
    try:
        yield
    except InputError as error:
        if _of_the_machine(error):
            raise
        line = {"status": " ".join(str(error).splitlines())}
        log.warning("the subject is excluded: %(status)s", line)
        for path in outputs:
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(line) + "\n", encoding="utf-8")


def _of_the_machine(error):
    """Whether the system refused something.

    Errors of damaged files have no number, or that of an invalid argument, such as an offset in a
    header that leads nowhere.
    """
    while error:
        if isinstance(error, MemoryError):
            return True
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            return True
        error = error.__cause__ or error.__context__
    return False


def reason(path: str | Path) -> str | None:
    """Why the subject of a file is excluded, if the file is a placeholder; else None."""
    with open(path, "rb") as file:
        if file.read(len(BEGINS)) != BEGINS:
            return None
    return json.loads(Path(path).read_text(encoding="utf-8"))["status"]


def pass_on(*paths: str | Path) -> None:
    """Raise the reason of the first placeholder among files that `volumes.read` does not read."""
    for path in paths:
        why = reason(path)
        if why:
            raise InputError(why)
