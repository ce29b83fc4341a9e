"""Rows: maps added up, thresholds from validation subjects only, empty references."""

import numpy as np
import pandas as pd
import pytest
from conftest import write_pack
from scipy import ndimage

from uad import evaluation, metrics, packed

FOLD = 1


@pytest.fixture
def results(tmp_path):
    """Results with one test set, two validation and two test subjects, and two models' maps."""
    pack = write_pack(tmp_path / "packed/brats21", 5)
    roles = {"S0": "train", "S1": "val", "S2": "test", "S3": "val", "S4": "test"}
    split = pd.DataFrame(
        [(s, FOLD, r) for s, r in roles.items()], columns=["subject", "fold", "role"]
    )
    packed.write_table(split, tmp_path / "splits/brats21.tsv")
    rng = np.random.default_rng(1)
    order = ["S1", "S3", "S2", "S4"]
    for model, quality in (("cddpm", 0.2), ("unet-brats", 0.8)):
        maps = np.stack(
            [
                (rng.random(pack.image.shape[1:]) + quality * pack.volume(s).lesion)
                * pack.volume(s).brain
                for s in order
            ]
        ).astype(np.float32)
        folder = tmp_path / f"scores/{model}/fold-{FOLD}/brats21"
        folder.mkdir(parents=True)
        np.save(folder / "anomaly_map.npy", maps)
    return tmp_path


def evaluate(results, maps):
    return evaluation.evaluate_row(results, maps, {"brats": "brats21"}, FOLD, seed=1)


def test_one_line_per_test_subject(results):
    table = evaluate(results, ["cddpm"])
    assert table["subject"].tolist() == ["S2", "S4"]
    assert set(table["test_set"]) == {"brats"} and set(table["fold"]) == {FOLD}


def test_score_is_the_sum_of_the_maps(results):
    table = evaluate(results, ["cddpm", "unet-brats"]).set_index("subject")
    volume = packed.Pack(results / "packed/brats21").volume("S4")
    total = sum(
        np.load(results / f"scores/{m}/fold-1/brats21/anomaly_map.npy")[3]
        for m in ("cddpm", "unet-brats")
    )
    counts = metrics.count(total, volume.lesion)
    assert table.loc["S4", "dice_best"] == pytest.approx(metrics.best_dice(counts)[0])
    assert table.loc["S4", "auprc"] == pytest.approx(metrics.average_precision(counts))


def test_threshold_comes_from_the_pooled_validation_subjects(results):
    table = evaluate(results, ["unet-brats"])
    pack = packed.Pack(results / "packed/brats21")
    maps = np.load(results / "scores/unet-brats/fold-1/brats21/anomaly_map.npy")
    lesions = np.stack([pack.volume(s).lesion for s in ("S1", "S3")])
    best, threshold = metrics.best_dice(metrics.count(maps[:2], lesions))
    assert set(table["threshold"]) == {threshold}
    by_hand = metrics.dice(maps[2] > threshold, pack.volume("S2").lesion)
    assert table.set_index("subject").loc["S2", "dice_val"] == pytest.approx(by_hand)
    assert (table["dice_val"] <= table["dice_best"] + 1e-12).all()
    assert best > 0.3


def test_small_components_do_not_count_for_the_thresholded_dice(results):
    volume = packed.Pack(results / "packed/brats21").volume("S2")
    path = results / "scores/unet-brats/fold-1/brats21/anomaly_map.npy"
    maps = np.load(path)
    far = ndimage.distance_transform_edt(~volume.lesion) * volume.brain
    maps[2].flat[far.argmax()] = 9  # one voxel away from all others that are found
    np.save(path, maps)
    table, found = (
        evaluation.evaluate_row(results, ["unet-brats"], {"brats": "brats21"}, FOLD, 1, size)
        for size in (0, 8)
    )
    predicted = maps[2] > table["threshold"][0]
    assert table["dice_val"][0] == pytest.approx(metrics.dice(predicted, volume.lesion))
    predicted.flat[far.argmax()] = False
    assert found["dice_val"][0] == pytest.approx(metrics.dice(predicted, volume.lesion))
    assert found["dice_val"][0] > table["dice_val"][0]
    columns = ["dice_best", "auprc", "threshold"]
    assert found[columns].equals(table[columns])


def test_threshold_ignores_test_subjects(results):
    before = evaluate(results, ["unet-brats"])["threshold"]
    path = results / "scores/unet-brats/fold-1/brats21/anomaly_map.npy"
    maps = np.load(path)
    maps[2:] = maps[2:] ** 3
    np.save(path, maps)
    assert (evaluate(results, ["unet-brats"])["threshold"] == before).all()


def test_controls(results):
    perfect = evaluate(results, ["perfect"])
    assert (perfect[["dice_best", "dice_val", "auprc"]] == 1).all(axis=None)
    chance = evaluate(results, ["chance"])
    np.testing.assert_allclose(chance["auprc"], chance["prevalence"], rtol=0.3)
    # The phantoms' lesions are darker than their surroundings, but not as dark as ventricles.
    intensity = evaluate(results, ["intensity"])
    assert (intensity["auprc"] > 1.5 * chance["auprc"]).all()


def test_controls_are_reproducible(results):
    assert evaluate(results, ["chance"]).equals(evaluate(results, ["chance"]))


def test_subject_without_lesion_counts_as_zero_and_lacks_precision(results):
    lesion = np.load(results / "packed/brats21/lesion.npy")
    lesion[4] = 0
    np.save(results / "packed/brats21/lesion.npy", lesion)
    line = evaluate(results, ["unet-brats"]).set_index("subject").loc["S4"]
    assert line["dice_best"] == 0 and line["lesion_ml"] == 0
    assert np.isnan(line["auprc"])
