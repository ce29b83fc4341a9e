"""Unpacking archives, with an eye on where their members would be written."""

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from uad.data.transfer import CHUNK, NotThereError, require_space


class WrongFileError(NotThereError):
    """What arrived is not what was asked for; it is deleted."""


@contextmanager
def unpacked(archive: Path, kind: str, holds: str, target: Path) -> Iterator[Path]:
    """Unpack an archive next to `target`; delete the folder after the block unless it was renamed.

    The folder in the archive that contains `holds` becomes the top; anything outside is left out.

    Parameters
    ----------
    archive : Path
    kind : str
        `tar` (compressed or not) or `zip`.
    holds : str
        Path of a file that must be in it, relative to the top.
    target : Path
        For the name and place.

    Raises
    ------
    WrongFileError
        If the archive is damaged, lacks `holds`, or has a member that is a link or would leave the
        folder.
    """
    folder = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        sizes = {name: size for name, size, _ in _members(archive, kind)}
        tops = [name.removesuffix(holds) for name in sizes if f"/{name}".endswith(f"/{holds}")]
        if not tops:
            raise WrongFileError(f"{target}: the archive that was downloaded has no {holds} in it")
        top = min(tops, key=len)
        require_space(target.parent, sum(sizes.values()), target)
        for name, _, open_member in _members(archive, kind):
            if name.startswith(top):
                path = folder / name.removeprefix(top)
                path.parent.mkdir(parents=True, exist_ok=True)
                with open_member() as source, open(path, "wb") as copy:
                    shutil.copyfileobj(source, copy, CHUNK)
        yield folder
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise WrongFileError(
            f"{target}: what was downloaded is not a whole {kind} archive ({error})"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _members(archive, kind):
    """Name, size in bytes and opener of every file in an archive; nothing but files and folders."""
    if kind == "zip":
        with zipfile.ZipFile(archive) as file:
            for member in file.infolist():
                if not member.is_dir():
                    name = _inside(member.filename, archive)
                    yield name, member.file_size, lambda member=member: file.open(member)
    else:
        with tarfile.open(archive) as file:
            for member in file:
                name = _inside(member.name, archive)
                if member.isfile():
                    yield name, member.size, lambda member=member: file.extractfile(member)
                elif not member.isdir():
                    raise WrongFileError(f"{archive}: {name} is neither a file nor a folder")


def _inside(name, archive):
    """The name of a member without `./`, which must not lead out of the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise WrongFileError(f"{archive}: the member {name} would be written outside its folder")
    return str(path)
