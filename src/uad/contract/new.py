"""``python -m uad.contract.new NAME [FOLDER]``: a method that works, to start from.

Writes NAME.py and NAME.yaml, its overlay of the configuration, into a folder (`own`).
"""

import re
import sys
from pathlib import Path

from uad.base.errors import InputError
from uad.models import methods

SKELETON = Path(__file__).with_name("skeleton.py")
NAME = re.compile(r"[a-z][a-z0-9_]*")


def write(name: str, folder: Path) -> tuple[Path, Path]:
    """Write a method and its overlay.

    Parameters
    ----------
    name : str
    folder : Path
        Made if need be.

    Returns
    -------
    code, overlay : Path

    Raises
    ------
    InputError
        If the name cannot be a method's, or there is such a file.
    """
    if not NAME.fullmatch(name) or name in methods.built_in():
        raise InputError(
            f"{name!r} cannot be the name of a new method: it takes lower-case letters, digits and "
            f"_, the first a letter, and none of {', '.join(methods.built_in())}"
        )
    words = "".join(word.capitalize() for word in name.split("_"))
    texts = {
        folder / f"{name}{source.suffix}": source.read_text(encoding="utf-8")
        .replace("skeleton", name)
        .replace("Skeleton", words)
        for source in (SKELETON, SKELETON.with_suffix(".yaml"))
    }
    for path in texts:
        if path.exists():
            raise InputError(f"{path} exists already; nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    code, overlay = texts
    return code, overlay


def main(arguments: list[str]) -> None:
    """Write the files and say how to go on."""
    if len(arguments) not in (1, 2):
        sys.exit("usage: python -m uad.contract.new NAME [FOLDER]")
    name, folder = [*arguments, "own"][:2]
    try:
        code, overlay = write(name, Path(folder))
    except InputError as mistake:
        sys.exit(str(mistake))
    print(f"{code}: the method\n{overlay}: its overlay\nNext: make try OVERLAY={overlay}")


if __name__ == "__main__":
    main(sys.argv[1:])
