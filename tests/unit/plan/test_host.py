"""Where the workflow cannot run, said in one sentence."""

import logging
import os
import threading
import time

import pytest

from uad.base import logs
from uad.base.errors import InputError
from uad.plan import host


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_ordinary_machines_pass(platform):
    host.check(platform, "/opt/uad/.venv/bin/python", "/data/Köhler's files/uad")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("win32", "C:\\python.exe", "C:\\uad"), "run the workflow in WSL"),
        (("linux", "/my drive/.venv/bin/python", "/my drive"), "make setup VENV="),
        (("linux", "/usr/bin/python", "/a:b"), "please move the workflow"),
    ],
)
def test_what_cannot_work_is_said(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        host.check(*arguments)


def test_nothing_waits_for_a_timer_that_is_cancelled():
    timers = [threading.Timer(60, print) for _ in range(3)]
    for timer in timers:
        timer.start()
    host.cancel_timers()
    for timer in timers:
        timer.join(timeout=5)
        assert not timer.is_alive()


def test_files_from_the_future_are_named(tmp_path):
    paths = [tmp_path / name for name in ("a.nii", "b.nii", "c.nii", "none.nii")]
    for path in paths[:3]:
        path.touch()
    host.check_dates([*paths, tmp_path])
    ahead = time.time() + 3 * 3600
    os.utime(tmp_path, (ahead, ahead))  # a folder is no input
    host.check_dates([*paths, tmp_path])
    os.utime(paths[1], (ahead, ahead))
    with pytest.raises(InputError, match=rf"^{paths[1]} is dated in the future \(20.*`touch`"):
        host.check_dates(paths)
    os.utime(paths[0], (ahead, ahead))
    with pytest.raises(InputError, match=rf"^{paths[0]} and 1 more files are dated in the future"):
        host.check_dates(paths)


def test_verdict_passes_through_the_log(tmp_path):
    path = tmp_path / "check.log"
    assert host.verdict(path) is None
    with logs.job(path) as log:
        log.info("nothing to say")
    assert host.verdict(path) is None
    with logs.job(path) as log:
        host.write_verdict(log, "it cannot be run here")
    assert host.verdict(path) == "it cannot be run here"
    logging.captureWarnings(False)
