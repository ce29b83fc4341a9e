"""Real runs of `uad predict` with a small bundle: bad scans, kills, a closed machine."""

import hashlib
import json
import os
import subprocess
import sys
import time

import bad_scans
import bids
import kills
import nibabel as nib
import numpy as np
import psutil
import pytest
import small_bundle
from conftest import ROOT

from uad.base import tsv
from uad.simulation import phantom, scans

CODE = "from uad.__main__ import predict; predict()"
WORDS = ("predict", "scans", "maps", "--bundle", "small.zip", "--atlas", "atlas", "--cores", "2")


def start(folder, *more):
    """Start `uad predict` in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *WORDS, *more], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip


def finish(process):
    """Exit status and output of a run."""
    output, _ = process.communicate(timeout=900)
    return process.returncode, output


def wait_for(what, process, limit=600):
    """Wait until a function finds something, while a run goes on."""
    end = time.monotonic() + limit
    while not (found := what()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def records(folder):
    """Records of finished scans."""
    return sorted((folder / "maps").glob("sub-*/anat/*_prediction.json"))


def states(record):
    """Of a scan's files: time of change and content."""
    return {
        path.name: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in record.parent.iterdir()
    }


@pytest.fixture
def folder(tmp_path):
    """A folder with the bundle, its atlas, and four scans."""
    small_bundle.write(tmp_path)
    for i in range(4):
        small_bundle.write_scan(tmp_path / f"scans/s{i}.nii.gz", i)
    return tmp_path


def test_killed_and_started_again(folder):
    """Snakemake is killed in mid-run, then a job; the same command ends it, and keeps what is
    finished."""
    first = start(folder)
    wait_for(lambda: records(folder), first)
    second = finish(start(folder))  # while the first one is running
    assert second == (1, "maps: another `uad predict` is writing here; please wait for it\n")
    first.kill()
    first.wait()
    done = {record: states(record) for record in records(folder)}
    assert 1 <= len(done) < 4

    process = start(folder)
    job, name = wait_for(lambda: kills._jobs(process.pid), process)[0]
    job.kill()
    status, output = finish(process)
    assert status != 0 and f"Error in rule {name}" in output
    # The other scans are done all the same.
    assert len(records(folder)) == 3
    assert {record: states(record) for record in done} == done
    done = {record: states(record) for record in records(folder)}

    status, output = finish(start(folder))
    assert status == 0, output
    assert len(records(folder)) == 4
    assert {record: states(record) for record in done} == done
    assert len(tsv.read(folder / "maps/summary.tsv")) == 4
    for record in records(folder):
        written = {path.name for path in record.parent.iterdir()}
        about = json.loads(record.read_text())
        # Nothing is left of writes that were cut off.
        assert written == {*about["files"], record.name, record.name.replace("json", "html")}
    again = finish(start(folder))
    assert again[0] == 0 and "Nothing to be done" in again[1]
    assert bids.errors(folder / "maps", folder / "cache") == []


def test_jobs_end_with_a_killed_run(folder):
    process = start(folder)
    # Until both have their logs they are importing, and would not notice.
    logs = folder / "maps/logs/register_scan"
    wait_for(lambda: len([*logs.rglob("*.log")]) == 2, process)
    jobs = kills._jobs(process.pid)
    process.kill()
    process.wait()
    gone, alive = psutil.wait_procs([job for job, _ in jobs], timeout=60)
    assert gone and not alive


@pytest.mark.tutorials
def test_bad_scans_leave_the_others_alone(folder):
    bad_scans.write(folder / "scans")
    (folder / "scans/notes.txt").write_text("no scan")
    status, output = finish(start(folder))
    assert status == 0, output
    table = tsv.read(folder / "maps/summary.tsv").set_index("file")
    assert len(table) == 4 + len(bad_scans.BAD) and "Traceback" not in output
    for name, (_, sentences) in bad_scans.BAD.items():
        file = name if name in bad_scans.LEFT_OUT else f"scans/{name}"
        said = table.loc[file, "refused"]
        assert any(sentence in said for sentence in sentences.split("|")), (name, said)
        if name not in bad_scans.LEFT_OUT:
            scan = table.loc[file, "scan"]
            (place,) = (folder / "maps").glob(f"sub-*/anat/{scan}_prediction.json")
            pages = {path.name for path in place.parent.glob(f"{scan}_*")}
            assert pages == {f"{scan}_prediction.json", f"{scan}_prediction.html"}
    for i in range(4):
        line = table.loc[f"scans/s{i}.nii.gz"]
        assert np.isnan(line["refused"]) and line["above_val_ml"] > 0
    again = finish(start(folder))
    assert again[0] == 0 and "Nothing to be done" in again[1]


@pytest.mark.deepbet
@pytest.mark.skipif(
    not (ROOT / ".venv-deepbet").exists(), reason="make setup-deepbet installs deepbet"
)
def test_brains_by_a_program_of_its_own(tmp_path):
    """deepbet finds the brain of a simulated head, on the atlas grid of 1 mm."""
    templates = scans.atlas(phantom.build())
    (tmp_path / "atlas").mkdir()
    (tmp_path / "scans").mkdir()
    files = {name: tmp_path / f"atlas/{name}.nii" for name in templates}
    for name, image in templates.items():
        nib.save(image, files[name])
    nib.save(templates["T1"], tmp_path / "scans/head.nii.gz")
    words = {"spacing_mm": 1, "crop": [192, 192, 96]}
    small_bundle.write(tmp_path, small_bundle.manifest_of(*files.values(), **words))
    status, output = finish(start(tmp_path, "--brain-mask", "deepbet"))
    assert status == 0, output
    line = tsv.read(tmp_path / "maps/summary.tsv").iloc[0]
    assert 1000 < line["brain_ml"] < 2000 and line["dice_atlas"] > 0.9
