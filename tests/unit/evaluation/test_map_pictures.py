"""Pictures of anomaly maps: the Dice that is kept beside them, and damaged files."""

import numpy as np
import pytest

from uad.base.errors import InputError
from uad.evaluation import map_pictures, metrics
from uad.evaluation.map_pictures import Kept, MapPicture
from uad.imaging import mosaic


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def score(rng):
    found = rng.random((6, 8, 9)).astype(np.float32)
    found[0] = 0
    return found


def test_dice_is_that_of_what_lies_above_each_threshold(score, rng):
    lesion = rng.random(score.shape) > 0.8
    found = map_pictures.dice_above(score, lesion)
    cuts = map_pictures.thresholds(float(score.max()))
    assert len(found) == len(cuts) == map_pictures.STEPS and cuts[0] == 0 < cuts[1]
    assert cuts[-1] < score.max()
    for dice, cut in zip(found, cuts):
        assert dice == pytest.approx(metrics.dice(score > cut, lesion), abs=1e-4)
    assert max(found) <= metrics.best_dice(metrics.count(score, lesion))[0] + 1e-4
    assert map_pictures.dice_above(score, np.zeros_like(lesion)) is None


def test_a_map_that_is_zero_has_a_dice_of_zero(score):
    found = map_pictures.dice_above(np.zeros_like(score), score > 0.5)
    assert set(found) == {0.0}


def test_the_box_is_turned_to_the_order_of_pictures(score):
    brain = np.zeros(score.shape, bool)
    brain[1:4, 2:7, 3:8] = True
    shown = map_pictures.boxed(score, brain)
    assert shown.shape == (5, 5, 3) and shown[0, 1, 2] == score[3, 2, 4]
    assert map_pictures.boxed(score, np.zeros_like(brain)).shape == (8, 9, 6)


def test_what_is_written_is_read(score, tmp_path):
    about = MapPicture([8, 9, 6], 0.5, [0.1, 0.2])
    picture = mosaic.encode(map_pictures.scaled(score.transpose(1, 2, 0), 1.0), "PNG")
    kept = [("brats", "A", about, {"map": picture}), ("atlas", "A", about, {"map": b"other"})]
    path = tmp_path / "maps.zip"
    map_pictures.write(kept, path)
    found = Kept(path)
    assert found.about("brats", "A") == about
    assert found.picture("brats", "A") == picture and found.picture("atlas", "A") == b"other"
    assert found.picture("brats", "A", "healthy") is None
    with pytest.raises(InputError, match="maps.zip: lacks brats B"):
        found.about("brats", "B")
    first = path.read_bytes()
    map_pictures.write(kept, path)
    assert path.read_bytes() == first
    path.write_bytes(first[:-30])
    with pytest.raises(InputError, match="maps.zip: is damaged"):
        Kept(path)
