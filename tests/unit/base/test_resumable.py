"""Arrays that grow volume by volume and go on where they were."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import ROOT

from uad.base import resumable

SHAPE = (3, 4)


def volume(i):
    return np.full(SHAPE, i, np.float32)


def test_result_is_a_plain_npy_file(tmp_path):
    resumable.write_resumable(tmp_path / "out.npy", 5, SHAPE, np.float32, volume, "x", "test")
    found = np.load(tmp_path / "out.npy", mmap_mode="r")
    assert found.shape == (5, 3, 4)
    assert found.dtype == np.float32
    assert found[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert [p.name for p in tmp_path.iterdir()] == ["out.npy"]


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
    (part,) = tmp_path.iterdir()
    with open(part, "ab") as file:  # killed in the middle of a write
        file.write(b"half")
    computed = []

    def compute(i):
        computed.append(i)
        return volume(i)

    resumable.write_resumable(path, 5, SHAPE, np.float32, compute, "x", "test")
    assert computed == [3, 4]
    assert np.load(path)[:, 0, 0].tolist() == [0, 1, 2, 3, 4]


def test_starts_over_under_another_fingerprint(tmp_path):
    path = tmp_path / "out.npy"
    interrupted(path, at=3)
    computed = []

    def compute(i):
        computed.append(i)
        return volume(i)

    resumable.write_resumable(path, 5, SHAPE, np.float32, compute, "y", "test")
    assert computed == [0, 1, 2, 3, 4]
    assert [p.name for p in tmp_path.iterdir()] == ["out.npy"]


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
