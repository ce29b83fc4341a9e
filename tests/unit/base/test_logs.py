"""What a script leaves behind: a log, one sentence for the user, a traceback for a defect."""

import re
import subprocess
import sys
import time

import psutil
import pytest
import torch
from conftest import ROOT

from uad.base import logs
from uad.base.errors import InputError
from uad.base.files import replacing


def test_user_error_ends_with_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as end, logs.job(tmp_path / "logs/job.log"):
        raise InputError("scan.nii: no such file")
    assert end.value.code == 1
    assert capsys.readouterr().err == "Error: scan.nii: no such file\n"
    log = (tmp_path / "logs/job.log").read_text()
    assert "scan.nii: no such file" in log and "Traceback" not in log


def test_defect_keeps_its_traceback(tmp_path):
    with pytest.raises(ZeroDivisionError), logs.job(tmp_path / "job.log"):
        _ = 1 / 0
    assert "ZeroDivisionError" in (tmp_path / "job.log").read_text()


def test_full_disk_is_one_sentence(tmp_path, capsys):
    with (
        pytest.raises(SystemExit) as stop,
        logs.job(tmp_path / "job.log"),
        open("/dev/full", "w") as file,
    ):
        file.write("x" * 10**6)
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert error == f"Error: {tmp_path}: no space left on this disk, or a quota is used up\n"


def test_full_disk_under_a_model_file_is_one_sentence(tmp_path, capsys):
    # torch answers with an error of its own.
    target = tmp_path / "model.pt"
    with pytest.raises(SystemExit), logs.job(tmp_path / "job.log"), replacing(target) as temporary:
        temporary.symlink_to("/dev/full")
        with open(temporary, "wb") as file:
            torch.save({"weights": torch.zeros(10**6)}, file)
    error = capsys.readouterr().err
    assert error == f"Error: {target}: no space left on this disk, or a quota is used up\n"
    assert not list(tmp_path.glob("*.pt"))


def test_full_disk_is_named_by_the_file(tmp_path, capsys):
    target = tmp_path / "out/table.tsv"
    with pytest.raises(SystemExit), logs.job(tmp_path / "job.log"), replacing(target) as temporary:
        temporary.symlink_to("/dev/full")
        temporary.write_text("x" * 10**6)
    assert capsys.readouterr().err.startswith(f"Error: {target}: no space left on this disk")


def test_log_says_how_long_it_took_and_what_memory(tmp_path):
    with logs.job(tmp_path / "job.log") as log:
        log.info("working")
    text = (tmp_path / "job.log").read_text()
    assert "working" in text and "finished after" in text
    peak = int(re.search(r"at most (\d+) MiB of memory", text)[1])
    assert peak >= psutil.Process().memory_info().rss // 2**20 - 1


def test_progress_passes_items_on():
    assert list(logs.progress(range(3), "test")) == [0, 1, 2]


def test_job_ends_with_the_process_that_started_it(tmp_path):
    job = f"""
import sys, time; sys.path.insert(0, {str(ROOT / "src")!r})
from uad.base import logs
with logs.job({str(tmp_path / "job.log")!r}):
    print("working", flush=True); time.sleep(60)
"""
    parent = f"""
import subprocess, sys, time
job = subprocess.Popen([sys.executable, "-c", {job!r}], stdout=subprocess.PIPE)
job.stdout.readline(); print(job.pid, flush=True); time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    job = psutil.Process(int(process.stdout.readline()))
    process.kill()
    process.wait()
    end = time.monotonic() + 10
    while job.is_running() and job.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the job lives on"
        time.sleep(0.05)
