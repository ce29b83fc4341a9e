"""What Snakemake and the workflow cannot do on a machine, said before anything is planned."""

import json
import logging
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from uad.base.errors import InputError
from uad.base.files import from_the_future
from uad.base.paths import FORMAT

VERDICT = "Verdict:"


def check(platform: str, interpreter: str, home: Path | str) -> None:
    """Raise `InputError` where no job could be started.

    Parameters
    ----------
    platform : str
        `sys.platform`.
    interpreter : str
        Path of the Python that runs Snakemake, and with it all jobs outside of conda environments.
    home : path-like
        Folder of the workflow.
    """
    if platform == "win32":
        raise InputError(
            "Windows itself is not supported; please run the workflow in WSL (Windows Subsystem "
            "for Linux)"
        )
    if any(character.isspace() for character in interpreter):
        raise InputError(
            f"{interpreter}: Snakemake cannot start jobs with a Python below a folder with a blank "
            "in its name; please make the environment elsewhere, for example `make setup "
            "VENV=$HOME/uad-venv`"
        )
    if os.pathsep in str(home):
        raise InputError(
            f"{home}: Python cannot import from a folder with {os.pathsep!r} in its name; please "
            "move the workflow"
        )


def check_dates(paths: Iterable[Path | str]) -> None:
    """Raise `InputError` if a file that is given to the workflow was changed later than now.

    Snakemake would end every job that reads it.
    """
    found = from_the_future(paths)
    if found:
        (path, date), *others = found
        more = f" and {len(others)} more files are" if others else " is"
        raise InputError(
            f"{path}{more} dated in the future ({date}), where no job can use it: what is made of "
            "it would be older; set its date to today with `touch`, or wait"
        )


def offer_library(folder: Path | str) -> None:
    """Let the jobs of this run import from a folder, before what is installed."""
    others = filter(None, [os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *others])


def cancel_timers() -> None:
    """Let Snakemake end at once, not after the time in which it counts jobs.

    For each job that ends it sets an alarm to look for more jobs when that time is over
    (`max-jobs-per-timespan`, see `profiles/default`), and waits for the last alarm.
    """
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


def write_verdict(log: logging.Logger, verdict: str) -> None:
    """Say in the log of rule `check` what `verdict` reads there."""
    log.warning("%s %s", VERDICT, verdict)


def verdict(path: Path | str) -> str | None:
    """Why this configuration cannot be run, from the log of rule `check`; None if it can."""
    text = Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
    found = [line.partition(VERDICT)[2].strip() for line in text.splitlines() if VERDICT in line]
    return found[-1] if found else None


def check_results(root: Path | str) -> None:
    """Raise `InputError` if a results folder holds models of another version of the workflow.

    Everything in it would be computed again, trainings of weeks included.
    """
    for path in sorted(Path(root).glob("models/*/fold-*/about.json")):
        about = json.loads(path.read_text(encoding="utf-8"))
        if about.get("format") != FORMAT:
            raise InputError(
                f"{root}: holds results of an earlier version (models/{about.get('model')}, git "
                f"revision {about.get('revision')}), which this version would all compute again; "
                "please set `results` to another folder, or finish and read them with that version"
            )
