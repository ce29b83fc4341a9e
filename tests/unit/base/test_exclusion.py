"""Placeholders of excluded subjects: written for the subject's mistakes, and for nothing else."""

import errno
import json

import numpy as np
import pytest

import phantoms
from uad.base import exclusion, files
from uad.base.errors import InputError
from uad.imaging import volumes


def outputs(folder):
    return [folder / "sub-A/image.nii.gz", folder / "sub-A/qc.json"]


def test_a_subject_s_mistake_is_written_in_place_of_every_output(tmp_path):
    with exclusion.recorded(outputs(tmp_path)):
        raise InputError("scan.nii: the “image” is blank\nand more")
    for path in outputs(tmp_path):
        assert exclusion.reason(path) == "scan.nii: the “image” is blank and more"
    assert json.loads(outputs(tmp_path)[1].read_text())["status"].startswith("scan.nii")
    assert len(list((tmp_path / "sub-A").iterdir())) == 2


def test_the_next_step_passes_the_reason_on(tmp_path):
    with exclusion.recorded(outputs(tmp_path)):
        raise InputError("scan.nii: the image is blank")
    later = tmp_path / "mask.nii.gz"
    with exclusion.recorded([later]):
        volumes.read(outputs(tmp_path)[0])
    assert exclusion.reason(later) == "scan.nii: the image is blank"
    assert later.read_bytes() == outputs(tmp_path)[0].read_bytes()


def test_nothing_is_written_when_all_is_well(tmp_path):
    with exclusion.recorded(outputs(tmp_path)):
        pass
    assert not list(tmp_path.iterdir())


REFUSALS = [errno.ENOSPC, errno.EIO, errno.EACCES, errno.ESTALE, errno.ENOENT]
FULL = OSError(errno.ENOSPC, "No space left on device", "out.nii")


@pytest.mark.parametrize("error", [KeyError("bug"), MemoryError(), FULL, RuntimeError("bug")])
def test_other_errors_end_the_job(tmp_path, error):
    with pytest.raises(type(error)), exclusion.recorded(outputs(tmp_path)):
        raise error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", REFUSALS)
def test_what_the_machine_refuses_is_not_the_subject_s_mistake(tmp_path, monkeypatch, number):
    path = phantoms.save(np.ones((4, 4, 4), np.float32), tmp_path / "in/image.nii")

    def refuse(*_):
        raise OSError(number, "refused", str(path))

    monkeypatch.setattr(volumes.nib, "load", refuse)
    with pytest.raises(InputError, match=r"image\.nii"), exclusion.recorded([tmp_path / "out.nii"]):
        volumes.read(path)
    assert not (tmp_path / "out.nii").exists()


def test_volumes_and_records_are_no_placeholders(tmp_path):
    path = phantoms.save(np.ones((4, 4, 4), np.float32), tmp_path / "image.nii")
    assert exclusion.reason(path) is None
    files.write_json({"status": "ok", "similarity": 0.7}, tmp_path / "qc.json")
    assert exclusion.reason(tmp_path / "qc.json") is None
