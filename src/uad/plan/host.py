"""What Snakemake and the workflow cannot do on a machine, said before anything is planned."""

import os
from pathlib import Path

from uad.base.errors import InputError


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
