"""Preflight: one table of all that a run needs."""

import pytest
import torch
from conftest import LINE

import phantoms
from uad.plan import preflight


@pytest.fixture
def atlas(tmp_path, rng):
    image, brain, _ = phantoms.head(rng)
    paths = [tmp_path / "T1.nii", tmp_path / "T1_brain.nii"]
    for path, array in zip(paths, (image, image * brain)):
        phantoms.save(array, path)
    return (*paths, list(phantoms.SHAPE), 4)


def test_everything_is_there(tmp_path, atlas):
    sentences, good = preflight.check([LINE], atlas, None, {}, "cpu", tmp_path, 1)
    assert good
    assert "atlas: ok" in sentences and "device: cpu" in sentences


@pytest.mark.parametrize("spacing", [1, 4.1])
def test_atlas_of_another_spacing(tmp_path, atlas, spacing):
    sentences, good = preflight.check([LINE], (*atlas[:3], spacing), None, {}, "cpu", tmp_path, 1)
    assert not good
    assert any("voxels of 4 x 4 x 4 mm or is turned" in sentence for sentence in sentences)


def test_each_lack_is_told(tmp_path, atlas):
    (tmp_path / "T1.nii").unlink()
    line = {**LINE, "missing": "data/IXI-T1: no such folder"}
    sentences, good = preflight.check(
        [line], atlas, tmp_path / "weights", {"fae": "data/none.pth"}, "cuda", tmp_path, 1e12
    )
    text = "\n".join(sentences)
    assert not good
    assert "IXI: request it at" in text
    assert "atlas: " in text and "T1.nii: no such file" in text
    assert "weights of fae: data/none.pth: no such file" in text
    assert "HD-BET: " in text and "dataset.json: no such file" in text
    if not torch.cuda.is_available():
        assert "device: accelerator: cuda is configured, but torch sees no GPU" in text


def test_space_by_hand():
    # 10 subjects of 8 MB and 2.7648 MB; 3 + 1 levels of 0.9216 MB and a map of 1.8432 MB, twice.
    found = preflight.disk_mb(10, [3, 1], 2)
    assert found == pytest.approx(10 * (8 + 2.7648 + 4 * 0.9216 * 2 + 1.8432 * 2))


def test_space_of_a_folder_that_is_not_there_yet(tmp_path):
    assert preflight.disk(tmp_path / "not/yet/there", 1)[1]
    assert not preflight.disk(tmp_path, 1e12)[1]
