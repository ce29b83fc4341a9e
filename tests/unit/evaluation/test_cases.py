"""Example cases: who is chosen, what is kept of them, how detections are coloured."""

import numpy as np
import pandas as pd
import pytest
from conftest import write_pack

from uad.base import tsv
from uad.base.errors import InputError
from uad.base.paths import Paths
from uad.data import packed
from uad.evaluation import cases, map_pictures, metrics, scored_cases, scored_maps
from uad.evaluation.scores import Cohort, RowScore, Stored
from uad.imaging import mosaic
from uad.report import canvas, pictures

SHAPE = (12, 48, 48)


def table(dice, lesion_ml=1.0):
    names = [f"S{i}" for i in range(len(dice))]
    return pd.DataFrame({"subject": names, "dice_best": dice, "lesion_ml": lesion_ml})


@pytest.mark.parametrize(
    ("dice", "chosen"),
    [
        # Nearest rank: of 3 subjects the 2nd and 3rd, of 4 the 2nd and 3rd, of 10 the 5th and 8th.
        ([0.3, 0.1, 0.2], ["S2", "S0"]),
        ([0.1, 0.2, 0.3, 0.4], ["S1", "S2"]),
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0], ["S5", "S2"]),
        ([0.2, 0.1], ["S1", "S0"]),
        ([0.2], ["S0"]),
        ([0.5, 0.5, 0.5, 0.5], ["S1", "S2"]),
    ],
)
def test_percentiles_by_hand(dice, chosen):
    assert cases.choose(table(dice)) == chosen


def test_choice_does_not_depend_on_the_order_of_subjects():
    metrics = table([0.5, 0.5, 0.1, 0.7])
    assert cases.choose(metrics) == cases.choose(metrics.iloc[::-1])


def test_subjects_without_a_lesion_are_not_chosen():
    assert cases.choose(table([0, 0, 0, 0.4, 0.6], [0, 0, 0, 1, 1])) == ["S3", "S4"]
    # Unless there are no others.
    assert cases.choose(table([np.nan] * 3, 0.0)) == ["S1", "S2"]


@pytest.fixture
def results(tmp_path):
    """Results with one test set: S0 validates, S1 and S2 test; maps of two models."""
    rng = np.random.default_rng(2)
    pack = write_pack(tmp_path / "packed/brats21", 3, shape=SHAPE)
    lines = [("S0", 0, "val"), ("S1", 0, "test"), ("S2", 0, "test")]
    split = pd.DataFrame(lines, columns=["subject", "fold", "role"])
    tsv.write(split, tmp_path / "splits/brats21.tsv")
    for model in ("cddpm", "unet_res-brats"):
        folder = tmp_path / f"scores/{model}/fold-0/brats21"
        folder.mkdir(parents=True)
        maps = rng.random((3, *SHAPE), dtype=np.float32) * (np.asarray(pack.brain) > 0)
        np.save(folder / "anomaly_map.npy", maps)
    levels = np.stack([pack.image, 3 * pack.image], axis=1).astype(np.float16)
    np.save(tmp_path / "reconstruction.npy", levels)
    return tmp_path


ROWS = {
    "cddpm": ["cddpm"],
    "unet_res-brats": ["unet_res-brats"],
    "sadm_res-brats": ["cddpm", "unet_res-brats"],
}


def stored_of(results):
    paths = Paths(str(results))
    maps = {name: paths.anomaly_map(name, 0, "brats21") for name in ("cddpm", "unet_res-brats")}
    return Stored(
        "brats21",
        paths.packed("brats21"),
        paths.split("brats21"),
        maps,
        {"cddpm": results / "reconstruction.npy"},
    )


def collect(results, row, parts=()):
    cohort = Cohort(stored_of(results), 0)
    return scored_cases.collect(row, ROWS[row], cohort, ["S2", "S1"], {}, 1, parts)


@pytest.fixture
def collected(results):
    return collect(results, "sadm_res-brats", parts=["cddpm", "unet_res-brats"])


def test_what_is_kept_of_a_case(results, collected):
    pack = packed.Pack(results / "packed/brats21")
    volume = pack.volume("S2")
    z = volume.lesion.sum(axis=(1, 2)).argmax()
    assert list(collected["subject"]) == ["S2", "S1"]
    np.testing.assert_array_equal(collected["image"][0], volume.image[z])
    np.testing.assert_array_equal(collected["lesion"][0], volume.lesion[z])
    # The mean of both levels, once and three times the image.
    np.testing.assert_allclose(collected["reconstruction"][0], 2 * volume.image[z], atol=2e-3)
    total = sum(
        np.load(results / f"scores/{model}/fold-0/brats21/anomaly_map.npy")[2]
        for model in ("cddpm", "unet_res-brats")
    )
    which = list(collected["names"]).index("sadm_res-brats")
    np.testing.assert_array_equal(collected["score"][0, which], total[z])
    assert collected["peak"][0, which] == total.max()
    dice, threshold = collected["dice"][0, which], collected["threshold"][0, which]
    assert metrics.dice(total > threshold, volume.lesion) == pytest.approx(dice)
    assert metrics.best_dice(metrics.count(total, volume.lesion))[0] == dice


def test_maps_of_every_test_subject_are_kept(results, tmp_path):
    """As the row scores them; what the pictures lose is little."""
    cohort, maps = Cohort(stored_of(results), 0), ROWS["sadm_res-brats"]
    kept = scored_maps.collect(maps, {"brats": cohort}, {}, 1, "cddpm")
    map_pictures.write(kept, tmp_path / "maps.zip")
    found = map_pictures.Kept(tmp_path / "maps.zip")
    tested = list(RowScore(maps, cohort, {}, 1).of("test"))
    assert len(tested) > 1
    for volume, score in tested:
        about = found.about("brats", volume.subject)
        assert about.peak == score.max()
        assert about.dice == map_pictures.dice_above(score, volume.lesion)
        shown = mosaic.decode(found.picture("brats", volume.subject), about.shape) / 255
        boxed = map_pictures.boxed(score, volume.brain) / about.peak
        assert shown.shape == boxed.shape and np.abs(shown - boxed).mean() < 0.06
        assert found.picture("brats", volume.subject, "healthy")


def test_cases_without_a_lesion_have_no_dice(results, tmp_path):
    path = results / "packed/brats21/lesion.npy"
    np.save(path, np.zeros_like(np.load(path)))
    found = collect(results, "sadm_res-brats", parts=["cddpm", "unet_res-brats"])
    assert np.isnan(found["dice"]).all() and np.isnan(found["threshold"]).all()
    assert (found["brain"].sum(axis=(1, 2)) > 100).all() and (found["peak"] > 0).all()
    for figure, words in (
        (pictures.cases(found, "sadm_res-brats"), "no lesion"),
        (pictures.comparison({"brats": found}, {"cddpm": "cDDPM"}), "–"),
    ):
        canvas.save(figure, tmp_path / "f.svg")
        text = (tmp_path / "f.svg").read_text()
        assert words in text and "Dice nan" not in text and ">nan" not in text


def test_written_and_read_again(collected, tmp_path):
    cases.write({"brats": collected, "atlas": collected}, tmp_path / "cases.npz")
    again = cases.read([tmp_path / "cases.npz"], "atlas")
    assert again.keys() == collected.keys()
    assert all(np.array_equal(again[kind], collected[kind]) for kind in collected)


def test_rows_are_read_side_by_side(results, tmp_path):
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    parts = [collect(results, row) for row in ("cddpm", "unet_res-brats")]
    for part, file in zip(parts, files):
        cases.write({"brats": part}, file)
    joined = cases.read(files, "brats")
    assert list(joined["names"]) == ["cddpm", "unet_res-brats"]
    for position, part in enumerate(parts):
        np.testing.assert_array_equal(joined["score"][:, position], part["score"][:, 0])
    cases.write({"brats": {**parts[1], "subject": np.array(["S1", "S2"])}}, files[1])
    with pytest.raises(InputError, match="show different subjects"):
        cases.read(files, "brats")


def test_detections_by_hand():
    score = np.array([0.1, 0.9, 0.1, 0.9])
    lesion = np.array([False, False, True, True])
    np.testing.assert_array_equal(pictures.detections(score, 0.5, lesion), [0, 1, 2, 3])
    # A threshold that the score equals predicts nothing there.
    assert pictures.detections(np.array([0.5]), 0.5, np.array([True])) == [2]


def test_window_holds_every_mask():
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 5, 10] = masks[1, 8, 2] = True
    assert canvas.window(masks, margin=3) == (slice(2, 12), slice(0, 14))
    assert canvas.window(np.zeros((1, 20, 30), bool), 0) == (slice(0, 21), slice(0, 31))


def test_pictures_are_drawn(collected, tmp_path):
    many = {f"row{i}": f"Row {i}" for i in range(9)}
    names = np.array([*collected["names"], *many])
    more = {
        kind: np.concatenate([collected[kind], collected[kind][:, :1].repeat(9, axis=1)], axis=1)
        for kind in ("score", "peak", "dice", "threshold")
    }
    drawn = {
        "cases": pictures.cases(collected, "sadm_res-brats"),
        "two_blocks": pictures.comparison({"brats": {**collected, **more, "names": names}}, many),
        "one_block": pictures.comparison({"brats": collected}, {"sadm_res-brats": "SADM_res"}),
    }
    for name, figure in drawn.items():
        canvas.heading(figure, name, simulated=True)
        assert figure.get_suptitle() == f"{name} (simulated data)"
        canvas.save(figure, tmp_path / f"{name}.png")
        assert 5000 < (tmp_path / f"{name}.png").stat().st_size < 500_000
