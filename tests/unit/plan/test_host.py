"""Where the workflow cannot run, said in one sentence."""

import threading

import pytest

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
