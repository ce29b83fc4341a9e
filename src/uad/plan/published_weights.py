"""Published network weights that methods start from: found, or a sentence on how to get them."""

from pathlib import Path

from uad.base.errors import InputError


def find(path: Path | str, method: str) -> Path | str:
    """The path of a weight file, if it is there.

    Parameters
    ----------
    path : path-like
    method : str
        Whose configuration names it.

    Raises
    ------
    InputError
        Says how to get it.
    """
    if not Path(path).exists():
        raise InputError(
            f"{path}: no such file, but methods.{method}.pretrained names it; "
            "`snakemake --cores 1 download` fetches it"
        )
    return path
