"""How a scan that gets no map leaves the other scans alone.

The jobs of a scan hand its reason on: instead of a result, a file holds ``{"refused": "..."}``. No
format that the jobs write begins so. What comes after such a file writes the same into its own
outputs, and the summary lists the reason.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from uad.base.errors import InputError
from uad.base.files import replacing
from uad.base.logs import log

BEGINNING = b'{"refused": '


def reason(path: Path | str) -> str | None:
    """Why the scan of a file was refused; None if the file holds a result."""
    with open(path, "rb") as file:
        if file.read(len(BEGINNING)) != BEGINNING:
            return None
    return json.loads(Path(path).read_text(encoding="utf-8"))["refused"]


def write(path: Path | str, why: str) -> None:
    """Write a reason in the place of a result."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"refused": why}) + "\n", encoding="utf-8")


def run(
    step: Callable[[], None], inputs: Iterable[Path | str], outputs: Iterable[Path | str]
) -> None:
    """Run a step of a scan, or hand on why there is nothing to run it on.

    Parameters
    ----------
    step : callable
        Writes the outputs; an `InputError` from it is a reason.
    inputs : iterable of path-like
        Results of earlier steps, or reasons.
    outputs : iterable of path-like
    """
    why = next(filter(None, map(reason, inputs)), None)
    if why is None:
        try:
            step()
            return
        except InputError as error:
            why = str(error)
    log.info("refused: %s", why)
    for path in outputs:
        write(path, why)
