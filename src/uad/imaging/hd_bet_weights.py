"""HD-BET's weights: are they there, and whole? Standard library only, so `check` can ask too."""

import hashlib
import json
import zipfile
from pathlib import Path

from uad.base.errors import InputError

CHECKPOINT = "fold_all/checkpoint_final.pth"
FILES = ("dataset.json", "plans.json", CHECKPOINT)


def check(folder: Path | str) -> dict[str, str]:
    """Raise `InputError` unless a folder holds HD-BET's weights, complete and readable.

    Parameters
    ----------
    folder : path-like
        Holds `FILES`, as unpacked from the published archive.

    Returns
    -------
    dict of str to str
        SHA-256 of each file.
    """
    folder = Path(folder)
    digests = {}
    for name in FILES:
        path = folder / name
        if not path.is_file():
            raise InputError(
                f"{path}: no such file; HD-BET's weights belong in the folder hd_bet.weights of "
                "the configuration, and snakemake --cores all download puts them there"
            )
        try:
            if name == CHECKPOINT:
                damaged = zipfile.ZipFile(path).testzip()  # torch's format; every CRC is checked
                if damaged:
                    raise ValueError(f"bad checksum of {damaged}")
            else:
                json.loads(path.read_text(encoding="utf-8"))
            with path.open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path}: this file of HD-BET's weights is damaged ({error}); delete {folder} and "
                "run snakemake --cores all download"
            ) from error
    return digests
