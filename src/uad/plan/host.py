"""What Snakemake and the workflow cannot do on a machine, said before anything is planned."""

import json
import os
import threading
from pathlib import Path

from uad.base.errors import InputError
from uad.base.paths import FORMAT


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
