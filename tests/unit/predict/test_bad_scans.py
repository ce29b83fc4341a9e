"""Each kind of scan that cannot be predicted gets its own sentence, which names the file."""

import dataclasses

import bad_scans
import pytest
import small_bundle

import phantoms
from uad.base import settings
from uad.base.errors import InputError
from uad.imaging import volumes
from uad.imaging.settings import Registration
from uad.predict import prepare

LOOKED_AT = [name for name in bad_scans.BAD if name not in bad_scans.LEFT_OUT]


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """Head and brain of the small atlas."""
    folder = tmp_path_factory.mktemp("atlas")
    return volumes.read_atlas(*small_bundle.write_atlas(folder), phantoms.SHAPE, 4)


def predicted(path, atlas):
    """A scan as the networks see it, by the steps of the rules."""
    head, brain = atlas
    block = small_bundle.manifest_of(head.path, brain.path)["preprocessing"]
    search = settings.build(Registration, block["registration"], "registration")
    image = prepare.register(str(path), "T1", head, brain, search).image
    # As it is read from the file that the first rule writes.
    image = dataclasses.replace(image, path=str(path))
    mask = prepare.find_brain(image, brain, "atlas")
    return prepare.prepare(image, mask, brain, block, "T1", stripped=False)[0]


def test_there_are_more_than_twenty_kinds():
    assert len(bad_scans.BAD) > 20


@pytest.mark.parametrize("name", LOOKED_AT)
def test_refused_in_one_sentence(atlas, tmp_path, name):
    write, sentences = bad_scans.BAD[name]
    write(tmp_path / name)
    with pytest.raises(InputError) as refused:
        predicted(tmp_path / name, atlas)
    text = str(refused.value)
    assert any(sentence in text for sentence in sentences.split("|")), text
    assert text.startswith(f"{tmp_path / name}: ") and "\n" not in text


@pytest.mark.parametrize("seed", range(4))
def test_heads_are_not_refused(atlas, tmp_path, seed):
    found = predicted(small_bundle.write_scan(tmp_path / "head.nii.gz", seed), atlas)
    assert 0 < found.brain.array.mean() < 1
