"""Preflight: one table of all that a run needs."""

import os
import time

import pytest
import torch
from conftest import LINE

import phantoms
from uad.plan import preflight


@pytest.fixture
def atlas(tmp_path):
    paths = [tmp_path / "T1.nii", tmp_path / "T1_brain.nii"]
    for path, array in zip(paths, phantoms.atlas()):
        phantoms.save(array, path)
    return (*paths, list(phantoms.SHAPE), 4)


def check(tmp_path, lines=(LINE,), atlas=None, **changes):
    """Sentences as one text, and the verdict."""
    arguments = {
        "weights": None, "pretrained": {}, "given": [], "fetched": [], "accelerator": "cpu",
        "results": tmp_path, "megabytes": 1,
    }  # fmt: skip
    found = preflight.check(lines, atlas, **{**arguments, **changes})
    return "\n".join(found.sentences()), found.good


def test_everything_is_there(tmp_path, atlas):
    text, good = check(tmp_path, atlas=atlas, given=[str(atlas[0])])
    assert good
    for sentence in ("atlas: ok by its content", "device: cpu", "dates: ok"):
        assert sentence in text


@pytest.mark.parametrize("spacing", [1, 4.1])
def test_atlas_of_another_spacing(tmp_path, atlas, spacing):
    text, good = check(tmp_path, atlas=(*atlas[:3], spacing))
    assert not good and "voxels of 4 x 4 x 4 mm or is turned" in text


def test_exchanged_templates(tmp_path, atlas):
    text, good = check(tmp_path, atlas=(atlas[1], atlas[0], *atlas[2:]))
    assert not good and "atlas.head and atlas.brain exchanged?" in text


def test_each_lack_is_told(tmp_path, atlas):
    (tmp_path / "T1.nii").unlink()
    missing = {**LINE, "missing": "data/IXI-T1: no such folder"}
    lacks = {
        "lines": [missing], "atlas": atlas, "weights": tmp_path / "weights",
        "pretrained": {"fae": "data/none.pth"}, "accelerator": "cuda", "megabytes": 1e12,
    }  # fmt: skip
    text, good = check(tmp_path, **lacks)
    assert not good
    assert "IXI: request it at" in text
    assert "atlas: " in text and "T1.nii: no such file" in text
    assert "weights of fae: data/none.pth: no such file" in text
    assert "HD-BET: " in text and "dataset.json: no such file" in text
    assert "snakemake download" not in text
    if not torch.cuda.is_available():
        assert "device: accelerator: cuda is configured, but torch sees no GPU" in text
    places = ["data/IXI-T1", str(tmp_path / "T1.nii"), str(tmp_path / "weights"), "data/none.pth"]
    text, good = check(tmp_path, **lacks, fetched=places)
    assert text.count("`snakemake download` fetches it") == 4 and not good


def test_a_file_from_the_future(tmp_path):
    path = tmp_path / "IXI.xls"
    path.touch()
    ahead = time.time() + 3600
    os.utime(path, (ahead, ahead))
    text, good = check(tmp_path, given=[str(path)])
    assert not good and f"dates: {path} is dated in the future" in text


def test_a_scan_in_two_data_sets(tmp_path):
    lines = [
        {**LINE, "title": title, "contents": {"image": {"A": "1"}, "lesion": {}}}
        for title in ("IXI", "MSLUB")
    ]
    text, good = check(tmp_path, lines)
    assert not good and "IXI: A: the same scan as A of MSLUB" in text


def test_space_by_hand():
    # 10 subjects of 8 MB and 2.7648 MB; 3 + 1 levels of 0.9216 MB and a map of 1.8432 MB, twice.
    found = preflight.disk_mb(10, [3, 1], 2)
    assert found == pytest.approx(10 * (8 + 2.7648 + 4 * 0.9216 * 2 + 1.8432 * 2))


def test_space_of_a_folder_that_is_not_there_yet(tmp_path):
    assert preflight.disk(tmp_path / "not/yet/there", 1)[1]
    assert not preflight.disk(tmp_path, 1e12)[1]
