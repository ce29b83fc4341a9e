"""Moving the bytes of one file from an address into a part file, going on where it was cut.

pooch moves them; resuming is here, since it does not resume.
"""

import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uad.base.errors import InputError
from uad.base.logs import log

if TYPE_CHECKING:  # imported where it is needed
    import requests

CHUNK = 1 << 16  # bytes; the last, unfinished one is lost when the connection is cut


class NotThereError(InputError):
    """A source does not give what was asked for; another may."""


def download(item: dict, part: Path, timeout_s: float, attempts: int, pause_s: float) -> None:
    """Download into `part`, going on where an earlier attempt stopped if the server can do that.

    Parameters
    ----------
    item : dict
        `url`, and for messages and for the space that is needed `to`, `unpack`, `size_mb`.
    part : Path
    timeout_s : float
        A server that sends nothing for this long has stalled.
    attempts : int
        Give up after so many in a row that bring nothing new.
    pause_s : float
        Before the second attempt; doubled each time.

    Raises
    ------
    NotThereError
        If the server refuses, keeps failing, or sends a page.
    InputError
        If the disk is too small.
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
                if error.response.headers.get("Content-Range") == f"bytes */{size_of(part)}":
                    return None
                discard(part)
            elif status < 500 and status not in (408, 429):
                raise NotThereError(
                    f"{url}: the server answers {status} {error.response.reason}; see whether the "
                    "address in workflow/resources/downloads.yaml is still right"
                ) from error
            reason = f"the server answers {status} {error.response.reason}"
        except requests.RequestException as error:
            reason = f"the connection failed ({error})"
            if isinstance(error, requests.Timeout) or "timed out" in str(error):
                reason = f"nothing arrived for {timeout_s:g} s"
        arrived = size_of(part)
        failures = 0 if arrived > most else failures + 1
        most = max(most, arrived)
        if failures >= attempts:
            raise NotThereError(
                f"{url}: {reason}; gave up after {failures} attempts in a row without progress "
                "(start again later: what has arrived is kept)"
            )
        log.warning("%s: %s; trying again, %s have arrived", url, reason, megabytes(arrived))
        time.sleep(pause_s * 2 ** max(failures - 1, 0))


def _attempt(item, part, timeout_s):
    """One request for what is missing in `part`, appended to it."""
    import requests
    from pooch import HTTPDownloader
    from tqdm import tqdm

    # The version that `part` belongs to, as its server calls it: without it, parts of two versions
    # could be joined, and a first download has no checksum that would tell.
    version = part.with_suffix(".version")
    have = size_of(part)
    headers = {"Accept-Encoding": "identity", "User-Agent": "sadm-workflow"}
    if have and version.exists():
        url, _, tag = version.read_text(encoding="utf-8").partition("\n")
        if url == item["url"]:
            headers |= {"Range": f"bytes={have}-", "If-Range": tag}

    def begin(response: "requests.Response", **_: Any) -> None:
        """Before the first byte is written: is it the whole file or the rest, and is there room?"""
        if response.status_code == 206:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                version.unlink()
                raise requests.ConnectionError("the server sent another part than asked for")
        elif response.status_code == 200:
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise NotThereError(
                    f"{item['url']}: the server sent a web page instead of the file"
                )
            if have:
                file.truncate(0)
            _note_version(response, version, item["url"])
        else:
            return
        arriving = int(response.headers.get("Content-Length", item.get("size_mb", 0) * 10**6))
        size = arriving + (have if response.status_code == 206 else 0)
        require_space(part.parent, arriving + (size if item.get("unpack") else 0), item["to"])
        log.info("%s: %s of %s to come", item["url"], megabytes(arriving), megabytes(size))

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


def _note_version(response, version, url):
    """Keep what identifies the file's version; weak tags do not vouch for every byte."""
    tag = response.headers.get("ETag", "")
    tag = response.headers.get("Last-Modified") if tag.startswith("W/") or not tag else tag
    if tag:
        version.write_text(f"{url}\n{tag}", encoding="utf-8")
    else:
        version.unlink(missing_ok=True)


def discard(part: Path) -> None:
    """Delete a download that is not needed any more."""
    part.unlink(missing_ok=True)
    part.with_suffix(".version").unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Bytes of a file; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def megabytes(size: int) -> str:
    """A number of bytes for messages."""
    return f"{size / 1e6:.1f} MB"


def require_space(folder: Path, size: int, what: str | os.PathLike) -> None:
    """Raise `InputError` unless `size` bytes are free where `folder` is."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(
            f"{folder}: not enough space for {what}: {megabytes(size)} are needed, "
            f"{megabytes(free)} are free"
        )
