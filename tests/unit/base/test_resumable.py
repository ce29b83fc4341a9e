"""Arrays that grow volume by volume and go on where they were."""

import errno
import fcntl
import itertools
import os
import pathlib
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import ROOT

from uad.base import files, resumable

SHAPE = (3, 4)
SIZE = 48  # bytes of a volume


def volume(i):
    return np.full(SHAPE, i, np.float32)


def test_result_is_a_plain_npy_file(tmp_path):
    resumable.write_resumable(tmp_path / "out.npy", 5, SHAPE, np.float32, volume, "x", "test")
    found = np.load(tmp_path / "out.npy", mmap_mode="r")
    assert found.shape == (5, 3, 4)
    assert found.dtype == np.float32
    assert found[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert [p.name for p in tmp_path.iterdir()] == ["out.npy"]


def resumed(path, fingerprint="x"):
    """Finish the array that was `interrupted`; which volumes were computed for it."""
    computed = []

    def compute(i):
        computed.append(i)
        return volume(i)

    resumable.write_resumable(path, 5, SHAPE, np.float32, compute, fingerprint, "test")
    assert np.load(path)[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert [p.name for p in path.parent.iterdir()] == ["out.npy"]
    return computed


def interrupted(path, at, fingerprint="x"):
    """Fill an array until volume `at` fails."""

    def compute(i):
        if i == at:
            raise KeyboardInterrupt
        return volume(i)

    with pytest.raises(KeyboardInterrupt):
        resumable.write_resumable(path, 5, SHAPE, np.float32, compute, fingerprint, "test")


def test_goes_on_behind_the_last_complete_volume(tmp_path):
    path = tmp_path / "out.npy"
    interrupted(path, at=3)
    assert not path.exists()
    (part,) = tmp_path.glob(".*.part")
    with open(part, "ab") as file:  # killed in the middle of a write
        file.write(b"half")
    assert resumed(path) == [3, 4]


def test_starts_over_under_another_fingerprint(tmp_path, caplog):
    path = tmp_path / "out.npy"
    interrupted(path, at=3)
    with caplog.at_level("INFO"):
        assert resumed(path, "y") == [0, 1, 2, 3, 4]
    assert f"settings, code or inputs have changed since a part of {path}" in caplog.text


def zeros_in_volume_1(part, digests):
    with open(part, "r+b") as file:
        file.seek(-2 * SIZE, os.SEEK_END)
        file.write(bytes(SIZE))


def one_bit_in_volume_1(part, digests):
    content = bytearray(part.read_bytes())
    content[-SIZE - 1] ^= 1
    part.write_bytes(content)


def zeros_for_everything(part, digests):
    part.write_bytes(bytes(part.stat().st_size))


def zeros_in_the_header(part, digests):
    with open(part, "r+b") as file:
        file.write(bytes(8))


def digests_lost(part, digests):
    digests.write_bytes(b"")


def digests_gone(part, digests):
    digests.unlink()


def digest_of_volume_1_cut(part, digests):
    digests.write_bytes(digests.read_bytes()[: resumable.DIGEST + 3])


def volumes_lost(part, digests):
    part.write_bytes(part.read_bytes()[: -2 * SIZE])


def volumes_gone(part, digests):
    part.unlink()


def volumes_swapped(part, digests):
    content = part.read_bytes()
    part.write_bytes(content[: -2 * SIZE] + content[-SIZE:] + content[-2 * SIZE : -SIZE])


@pytest.mark.parametrize(
    ("harm", "first"),
    [
        (zeros_in_volume_1, 1), (one_bit_in_volume_1, 1), (zeros_for_everything, 0),
        (zeros_in_the_header, 0), (digests_lost, 0), (digests_gone, 0),
        (digest_of_volume_1_cut, 1), (volumes_lost, 1), (volumes_gone, 0), (volumes_swapped, 1),
    ],
)  # fmt: skip
def test_what_a_power_cut_took_is_computed_again(tmp_path, caplog, harm, first):
    """File systems may keep a file's length and lose its blocks."""
    path = tmp_path / "out.npy"
    interrupted(path, at=3)
    harm(*(next(tmp_path.glob(f".*.{kind}")) for kind in ("part", "digests")))
    assert resumed(path) == list(range(first, 5))
    if harm not in (volumes_lost, volumes_gone):
        assert f"of 3 saved volumes only the first {first} are as they were" in caplog.text


def test_the_content_is_on_the_disk_before_a_file_has_its_name(tmp_path, monkeypatch):
    events = []

    def watch(module, name):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a: events.append(name) or original(*a))

    watch(os, "fsync")
    watch(os, "replace")
    watch(pathlib.Path, "replace")
    resumable.write_resumable(tmp_path / "a.npy", 2, SHAPE, np.float32, volume, "x", "test")
    files.write_json({}, tmp_path / "b.json")
    # `Path.replace` may or may not call `os.replace`.
    assert [name for name, _ in itertools.groupby(events)] == ["fsync", "replace"] * 2


def test_wrong_shape_is_a_defect(tmp_path):
    with pytest.raises(ValueError, match="volume 0 has shape"):
        resumable.write_resumable(tmp_path / "a.npy", 2, (9,), np.float32, volume, "x", "test")


def test_two_at_once_do_not_mix(tmp_path):
    # As when Snakemake alone was killed: its job lives on, and the next run starts the same job.
    path, begun, go_on = tmp_path / "out.npy", threading.Event(), threading.Event()

    def slow(i):
        begun.set()
        assert go_on.wait(20)
        return volume(i)

    def grow(compute):
        resumable.write_resumable(path, 5, SHAPE, np.float32, compute, "x", "test")

    first = threading.Thread(target=grow, args=[slow])
    first.start()
    assert begun.wait(20)
    second = threading.Thread(target=grow, args=[volume])
    second.start()
    second.join(0.3)
    assert second.is_alive()  # waits
    go_on.set()
    for thread in (first, second):
        thread.join(20)
    assert np.load(path)[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert [p.name for p in tmp_path.iterdir()] == ["out.npy"]


# Writes an array of two volumes, but never finishes the second.
WRITER = """
import sys, time
import numpy as np
from uad.base import resumable

def volume(i):
    if i:
        print("second", flush=True)
        time.sleep(60)
    return np.full((3, 4), 7, np.float32)

resumable.write_resumable(sys.argv[1], 2, (3, 4), np.float32, volume, "x", "test")
"""


def test_a_killed_writer_s_successor_goes_on_behind_it(tmp_path):
    path, finished = tmp_path / "out.npy", threading.Event()
    command = [sys.executable, "-c", WRITER, path]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}

    def go_on():
        resumable.write_resumable(path, 2, SHAPE, np.float32, volume, "x", "test")
        finished.set()

    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as writer:
        assert writer.stdout.readline() == b"second\n"
        successor = threading.Thread(target=go_on)
        successor.start()
        assert not finished.wait(0.3)  # while the writer lives
        writer.send_signal(signal.SIGKILL)
        assert finished.wait(20)
    successor.join()
    assert np.load(path)[:, 0, 0].tolist() == [7, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["out.npy"]


@pytest.mark.parametrize("answer", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_on_a_file_system_without_locks_it_writes_and_says_so(
    tmp_path, monkeypatch, caplog, answer
):
    def flock(fd, operation):
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, "flock", flock)
    resumable.write_resumable(tmp_path / "out.npy", 5, SHAPE, np.float32, volume, "x", "test")
    assert np.load(tmp_path / "out.npy")[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert [p.name for p in tmp_path.iterdir()] == ["out.npy"]
    assert caplog.messages == [
        f"{tmp_path}/.out.npy.lock: this file system has no locks ({os.strerror(answer)}), so two "
        "jobs at once would not see each other"
    ]


def test_a_full_disk_is_not_taken_for_a_lack_of_locks(tmp_path, monkeypatch):
    def flock(fd, operation):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="No space left"):
        resumable.write_resumable(tmp_path / "out.npy", 5, SHAPE, np.float32, volume, "x", "test")
