"""Zip archives that end with a check sum of themselves.

The comment of such an archive, the last bytes of the file, is the SHA-256 of all that comes before
it, so that any changed byte is noticed. Equal content gives equal bytes. Standard library only.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from uad.base.files import replacing

SEAL = b"sha256:"
SEAL_BYTES = len(SEAL) + 64
BLOCK = 1 << 20


def write(path: Path | str, members: Mapping[str, Path | str | bytes], compressed: bool) -> None:
    """Write an archive, complete or not at all.

    Parameters
    ----------
    path : path-like
    members : mapping of str to path-like or bytes
        Names in the archive, in this order, to files or to contents.
    compressed : bool
        Weights of networks do not get smaller, tables do.
    """
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with replacing(path) as temporary:
        with zipfile.ZipFile(temporary, "w", kind) as archive:
            for name, content in members.items():
                content = content if isinstance(content, bytes) else Path(content).read_bytes()
                archive.writestr(_entry(name, kind), content)
            archive.comment = SEAL + bytes(64)
        digest = _digest(temporary)
        with open(temporary, "r+b") as file:
            file.seek(-64, 2)
            file.write(digest)


def is_whole(path: Path | str) -> bool:
    """Whether no byte of an archive has changed since it was written."""
    with open(path, "rb") as file:
        file.seek(0, 2)
        file.seek(max(file.tell() - SEAL_BYTES, 0))
        seal = file.read()
    return seal == SEAL + _digest(path)


def _entry(name, kind):
    """A member without the time and the user of its making."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = kind
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry


def _digest(path):
    """SHA-256, in hexadecimal, of all but the seal."""
    left = Path(path).stat().st_size - SEAL_BYTES
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while left > 0 and (block := file.read(min(left, BLOCK))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest().encode()
