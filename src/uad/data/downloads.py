"""Fetching public files: resumed when cut, checked against a checksum, complete or not at all.

While a file is being downloaded it is `.<name>.part`, next to its destination; what has arrived
survives an interruption. pooch moves the bytes and computes digests; resuming, checking and
unpacking are here, since it does not resume and unpacks without looking at the members' paths.
"""

import errno
import json
import os
import re
import shutil
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from uad.base.errors import InputError
from uad.base.logs import log

if TYPE_CHECKING:  # imported where it is needed
    import requests

TIMEOUT_S = 30  # without a byte
ATTEMPTS = 5  # in a row that bring nothing new
PAUSE_S = 2  # before the second attempt; doubled each time
CHUNK = 1 << 16  # bytes; the last, unfinished one is lost when the connection is cut
DIGITS = {"md5": 32, "sha256": 64}


class WrongFileError(InputError):
    """What arrived is not what was asked for; it is deleted."""


def read_items(path: str | os.PathLike) -> dict[str, dict]:
    """What can be fetched, from `workflow/resources/downloads.yaml`.

    Returns
    -------
    dict of str to dict
        By name: `url`, `to`, `checksum` (``md5:…``, ``sha256:…``, of which the first digits will
        do, or None), `licence`; of an archive `unpack` (`tar` or `zip`) and `holds`, a file that
        must be in it; `size_mb` where it is large.
    """
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    items = dict(content["items"])
    lists = content["released_splits"]
    for file, sha256 in lists["sha256"].items():
        items[f"splits-{Path(file).stem}"] = {
            "url": f"{lists['url']}/{file}",
            "to": f"{lists['to']}/{file}",
            "checksum": f"sha256:{sha256}",
            "licence": lists["licence"],
        }
    return items


def fetch(
    name: str,
    item: dict,
    record: str | os.PathLike,
    lock: str | os.PathLike,
    timeout_s: float = TIMEOUT_S,
    attempts: int = ATTEMPTS,
    pause_s: float = PAUSE_S,
) -> None:
    """Fetch an item unless it is there, check it, unpack it, and write its record.

    A file that is there already is checked like a download, but never deleted; of a folder only
    `holds` is looked for.

    Parameters
    ----------
    name : str
    item : dict
        See `read_items`.
    record : path-like
        JSON that is written in the end: where the item came from and how it was checked. One that
        is there tells where a folder came from.
    lock : path-like
        SHA-256 of first downloads, see `read_lock`.
    timeout_s : float
        A server that sends nothing for this long has stalled.
    attempts : int
        Give up after so many in a row that bring nothing new.
    pause_s : float

    Raises
    ------
    InputError
        If the server or the disk fails, or the file is not what was expected.
    """
    record, target = Path(record), Path(item["to"])
    part = target.with_name(f".{target.name}.part")
    if target.exists():
        _discard(part)  # left by a job that was killed after renaming
        content = _found(name, item, target, record, lock)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _explaining_a_full_disk(target.parent):
                download(item, part, timeout_s, attempts, pause_s)
                checked = verify(part, name, item, lock)
                content = _describe(part, item, checked, "first download, no checksum is published")
                _put_in_place(part, target, name, item, lock, content["sha256"])
        except InputError as error:
            if isinstance(error, WrongFileError) or not _size(part):
                _discard(part)
            raise
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"item": name, **content}, indent=1) + "\n", encoding="utf-8")
    log.info("%s: %s", item["to"], content["verified"])


def _found(name, item, target, record, lock):
    """Record of an item that is in place already."""
    if target.is_dir() != bool(item.get("unpack")):
        kind = "folder" if item.get("unpack") else "file"
        raise InputError(f"{target} is there but is not a {kind}; move it away and start again")
    if target.is_dir():
        if not (target / item["holds"]).exists():
            raise InputError(
                f"{target} is there but has no {item['holds']}; move it away and start again"
            )
        known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
        if known.get("url") == item["url"]:
            return known
        return _describe(target, item, {}, "found in place, not verified")
    try:
        checked = verify(target, name, item, lock)
    except WrongFileError as error:
        raise InputError(f"{error}; it was there before, move it away and start again") from None
    _remember(name, item, checked["sha256"], lock)
    return _describe(target, item, checked, "found in place, no checksum is published")


def _describe(path, item, checked, otherwise):
    """What a record says; `otherwise` if the file was compared with nothing."""
    return {
        "url": item["url"],
        "to": item["to"],
        "licence": item["licence"],
        "bytes": path.stat().st_size if path.is_file() else None,
        "date": date.today().isoformat(),
        "sha256": checked.get("sha256"),
        "verified": checked.get("verified") or otherwise,
    }


def _put_in_place(part, target, name, item, lock, sha256):
    """Rename a verified download to its destination, unpacked if it is an archive."""
    if not item.get("unpack"):
        _remember(name, item, sha256, lock)
        os.replace(part, target)
    else:
        with unpacked(part, item["unpack"], item["holds"], target) as folder:
            # Not before it is known to be an archive: some servers send a page with status 200.
            _remember(name, item, sha256, lock)
            os.replace(folder, target)
    _discard(part)


# Checksums.


def verify(path: Path, name: str, item: dict, lock: str | os.PathLike) -> dict[str, str | None]:
    """Compare a file with its published checksum and with its first download.

    Returns
    -------
    dict
        `sha256`, and `verified`: against what; None if there is nothing to compare with.

    Raises
    ------
    WrongFileError
        Names file, expected and found.
    """
    from pooch import file_hash

    sha256 = file_hash(path)
    verified = None
    if item["checksum"]:
        algorithm, _, expected = item["checksum"].partition(":")
        found = sha256 if algorithm == "sha256" else file_hash(path, algorithm)
        digits = len(expected)
        if found[:digits] != expected:
            raise WrongFileError(
                f"{item['to']}: {algorithm} is {found}, but expected {expected} ({item['url']})"
            )
        verified = f"published {algorithm}"
        if digits < DIGITS[algorithm]:
            verified += f", first {digits} digits"
    first = read_lock(lock).get(name)
    if first and sha256 != first:
        raise WrongFileError(
            f"{item['to']}: sha256 is {sha256}, but the first download had {first}; if the file "
            f"was replaced on purpose, remove the line {name} from {lock}"
        )
    if first and not verified:
        verified = "same as the first download, no checksum is published"
    return {"sha256": sha256, "verified": verified}


def read_lock(path: str | os.PathLike) -> dict[str, str]:
    """SHA-256 of first downloads by name of the item, one `<sha256>  <item>` per line.

    Items whose whole checksum is published have no line, since that is stronger.
    """
    found = {}
    lines = Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []
    for number, line in enumerate(lines, start=1):
        match = re.fullmatch(r"([0-9a-f]{64})  (\S+)", line)
        if not match:
            raise InputError(f"{path}: line {number} is not a SHA-256, two blanks and a name")
        found[match[2]] = match[1]
    return found


def _remember(name, item, sha256, lock):
    """Append to the lock what has no whole published checksum, if it is not in it.

    One short write at the end of the file, so that parallel jobs cannot disturb each other.
    """
    algorithm, _, expected = (item["checksum"] or "").partition(":")
    if len(expected) != DIGITS.get(algorithm) and name not in read_lock(lock):
        with open(lock, "a", encoding="utf-8") as file:
            file.write(f"{sha256}  {name}\n")


# Transfer.


def download(item: dict, part: Path, timeout_s: float, attempts: int, pause_s: float) -> None:
    """Download into `part`, going on where an earlier attempt stopped if the server can do that.

    Raises
    ------
    InputError
        If the server refuses, or keeps failing.
    """
    import requests

    url = item["url"]
    if not re.match("https?://", url):
        raise InputError(f"{url}: only http and https addresses can be fetched")
    most, failures = 0, 0
    while True:
        try:
            return _attempt(item, part, timeout_s)
        except requests.HTTPError as error:
            status = error.response.status_code
            if status == 416:  # no bytes beyond those that are here
                if error.response.headers.get("Content-Range") == f"bytes */{_size(part)}":
                    return None
                _discard(part)
            elif status < 500 and status not in (408, 429):
                raise InputError(
                    f"{url}: the server answers {status} {error.response.reason}; see whether the "
                    "address in workflow/resources/downloads.yaml is still right"
                ) from error
            reason = f"the server answers {status} {error.response.reason}"
        except requests.RequestException as error:
            reason = f"the connection failed ({error})"
            if isinstance(error, requests.Timeout) or "timed out" in str(error):
                reason = f"nothing arrived for {timeout_s:g} s"
        arrived = _size(part)
        failures = 0 if arrived > most else failures + 1
        most = max(most, arrived)
        if failures >= attempts:
            raise InputError(
                f"{url}: {reason}; gave up after {failures} attempts in a row without progress. "
                "Start again later: what has arrived is kept"
            )
        log.warning("%s: %s; trying again, %s have arrived", url, reason, _megabytes(arrived))
        time.sleep(pause_s * 2 ** max(failures - 1, 0))


def _attempt(item, part, timeout_s):
    """One request for what is missing in `part`, appended to it."""
    import requests
    from pooch import HTTPDownloader
    from tqdm import tqdm

    # The version that `part` belongs to, as the server calls it: without it, parts of two versions
    # could be joined, and a first download has no checksum that would tell.
    version = part.with_suffix(".version")
    have = _size(part)
    headers = {"Accept-Encoding": "identity", "User-Agent": "sadm-workflow"}
    if have and version.exists():
        headers |= {"Range": f"bytes={have}-", "If-Range": version.read_text(encoding="utf-8")}

    def begin(response: "requests.Response", **_: Any) -> None:
        """Before the first byte is written: is it the whole file or the rest, and is there room?"""
        if response.status_code == 206:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                version.unlink()
                raise requests.ConnectionError("the server sent another part than asked for")
        elif response.status_code == 200:
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise InputError(
                    f"{item['url']}: the server sent a web page instead of the file; fetch it by "
                    f"hand and put it (unpacked if it is an archive) at {item['to']}"
                )
            if have:
                file.truncate(0)
            _note_version(response, version)
        else:
            return
        arriving = int(response.headers.get("Content-Length", item.get("size_mb", 0) * 10**6))
        size = arriving + (have if response.status_code == 206 else 0)
        require_space(part.parent, arriving + (size if item.get("unpack") else 0), item["to"])
        log.info("%s: %s of %s to come", item["url"], _megabytes(arriving), _megabytes(size))

    bar = tqdm(
        total=1,  # pooch sets the true one; none at all would count as no bar
        desc=Path(item["to"]).name,
        unit="B",
        unit_scale=True,
        disable=None,
        leave=False,
        dynamic_ncols=True,
    )
    transfer = HTTPDownloader(
        progressbar=bar,
        chunk_size=CHUNK,
        timeout=timeout_s,
        headers=headers,
        hooks={"response": begin},
    )
    with bar, open(part, "ab") as file:
        transfer(item["url"], file, None)


def _note_version(response, version):
    """Keep what identifies the file's version; weak tags do not vouch for every byte."""
    tag = response.headers.get("ETag", "")
    tag = response.headers.get("Last-Modified") if tag.startswith("W/") or not tag else tag
    if tag:
        version.write_text(tag, encoding="utf-8")
    else:
        version.unlink(missing_ok=True)


def _discard(part):
    """Delete a download that is not needed any more."""
    part.unlink(missing_ok=True)
    part.with_suffix(".version").unlink(missing_ok=True)


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _megabytes(size):
    return f"{size / 1e6:.1f} MB"


# Disk and archives.


def require_space(folder: Path, size: int, what: str | os.PathLike) -> None:
    """Raise `InputError` unless `size` bytes are free where `folder` is."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(
            f"{folder}: not enough space for {what}: {_megabytes(size)} are needed, "
            f"{_megabytes(free)} are free"
        )


@contextmanager
def _explaining_a_full_disk(folder):
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(
            f"{folder}: the disk is full; make room and start again, what has arrived is kept"
        ) from error


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
