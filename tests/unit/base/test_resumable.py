"""Arrays that grow volume by volume and go on where they were."""

import threading

import numpy as np
import pytest

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
