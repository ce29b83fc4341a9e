"""Rows: maps added up, thresholds from validation subjects, healthy subjects, empty references."""

from functools import partial

import jsonschema
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import ROOT, write_pack
from scipy import ndimage

from uad.base import tsv
from uad.base.errors import InputError
from uad.base.paths import Paths
from uad.data import packed
from uad.evaluation import metrics, row_metrics
from uad.evaluation.scores import Stored
from uad.models import residuals

FOLD = 1
SSIM = {"kind": "ssim", "erosion": 0}
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/metrics.schema.yaml").read_text())
ORDER = ["S1", "S3", "S2", "S4"]  # two validation, two test subjects


@pytest.fixture
def results(tmp_path):
    """Results with one test set, healthy subjects, two models' maps, and reconstructions."""
    roles = {"S0": "train", "S1": "val", "S2": "test", "S3": "val", "S4": "test"}
    split = pd.DataFrame(
        [(s, FOLD, r) for s, r in roles.items()], columns=["subject", "fold", "role"]
    )
    rng = np.random.default_rng(1)
    for seed, dataset in enumerate(("brats21", "ixi")):
        pack = write_pack(tmp_path / "packed" / dataset, 5, seed)
        if dataset == "ixi":
            np.save(tmp_path / "packed/ixi/lesion.npy", np.zeros(pack.lesion.shape, np.uint8))
            pack = packed.Pack(tmp_path / "packed/ixi")
        tsv.write(split, tmp_path / f"splits/{dataset}.tsv")
        volumes = [pack.volume(s) for s in ORDER]
        for model, quality in (("cddpm", 0.2), ("unet-brats", 0.8)):
            maps = [(rng.random(v.brain.shape) + quality * v.lesion) * v.brain for v in volumes]
            save(tmp_path, "scores", model, dataset, "anomaly_map", np.float32(maps))
        levels = [[v.image + 0.1 + 0.4 * v.lesion, v.image - 0.3 + 0.4 * v.lesion] for v in volumes]
        save(tmp_path, "reconstructions", "cddpm", dataset, "reconstruction", np.float16(levels))
    return tmp_path


def save(root, stage, model, dataset, name, array):
    folder = root / stage / model / f"fold-{FOLD}" / dataset
    folder.mkdir(parents=True)
    np.save(folder / f"{name}.npy", array)


def load_maps(root, model, dataset="brats21"):
    return np.load(root / f"scores/{model}/fold-{FOLD}/{dataset}/anomaly_map.npy")


def change_maps(root, model, change, dataset="brats21"):
    maps = load_maps(root, model, dataset)
    change(maps)
    np.save(root / f"scores/{model}/fold-{FOLD}/{dataset}/anomaly_map.npy", maps)


def stored(results, without=()):
    """Files of both data sets; `without` names models whose maps are not stored."""
    paths = Paths(str(results))
    return {
        dataset: Stored(
            dataset,
            paths.packed(dataset),
            paths.split(dataset),
            {
                model: paths.anomaly_map(model, FOLD, dataset)
                for model in ("cddpm", "unet-brats")
                if model not in without
            },
            {"cddpm": paths.reconstruction("cddpm", FOLD, dataset)},
        )
        for dataset in ("brats21", "ixi")
    }


def evaluate_all(results, maps, reconstruction=None, without=(), residual=SSIM, **settings):
    row = row_metrics.Row("a_row", maps, reconstruction, residual, FOLD, seed=1)
    return row_metrics.evaluate_row(
        row, stored(results, without), {"brats": "brats21"}, "ixi", 2.0, **settings
    )


def evaluate(results, maps):
    return evaluate_all(results, maps).subjects


def without_lesions(results, subjects):
    lesion = np.load(results / "packed/brats21/lesion.npy")
    lesion[[int(subject[1:]) for subject in subjects]] = 0
    np.save(results / "packed/brats21/lesion.npy", lesion)


# One subject without a lesion, so that everything that may be missing is; all of a role.
@pytest.mark.parametrize("empty", [["S4"], ["S1", "S3"], ["S2", "S4"], ["S1", "S2", "S3", "S4"]])
@pytest.mark.parametrize("maps", [["cddpm", "unet-brats"], ["perfect"]])
def test_tables_are_as_the_schema_says(results, maps, tmp_path, empty):
    without_lesions(results, empty)
    reconstruction = "cddpm" if "cddpm" in maps else None
    for name, table in evaluate_all(results, maps, reconstruction)._asdict().items():
        schema = SCHEMA["$defs"][name]
        assert list(table.columns) == schema["required"] == list(schema["properties"])
        tsv.write(table, tmp_path / "t.tsv", sealed=True)
        again = tsv.read(tmp_path / "t.tsv")
        validator = jsonschema.Draft202012Validator(
            {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{name}"}
        )
        assert len(again) == {"subjects": 2, "healthy": 2, "pooled": 1}.get(name, len(table))
        for line in again.astype(object).where(again.notna(), None).to_dict("records"):
            validator.validate(line)


def test_one_line_per_test_subject(results):
    table = evaluate(results, ["cddpm"])
    assert table["subject"].tolist() == ["S2", "S4"]
    assert set(table["test_set"]) == {"brats"} and set(table["fold"]) == {FOLD}
    assert set(table["row"]) == {"a_row"}


def test_score_is_the_sum_of_the_maps(results):
    table = evaluate(results, ["cddpm", "unet-brats"]).set_index("subject")
    volume = packed.Pack(results / "packed/brats21").volume("S4")
    total = sum(load_maps(results, model)[3] for model in ("cddpm", "unet-brats"))
    counts = metrics.count(total, volume.lesion)
    assert table.loc["S4", "dice_best"] == pytest.approx(metrics.best_dice(counts)[0])
    assert table.loc["S4", "auprc"] == pytest.approx(metrics.average_precision(counts))


def test_threshold_comes_from_the_pooled_validation_subjects(results):
    table = evaluate(results, ["unet-brats"])
    pack = packed.Pack(results / "packed/brats21")
    maps = load_maps(results, "unet-brats")
    lesions = np.stack([pack.volume(s).lesion for s in ("S1", "S3")])
    best, exact = metrics.best_dice(metrics.count(maps[:2], lesions))
    (threshold,) = set(table["threshold"])
    assert threshold == pytest.approx(exact, rel=2e-4)  # a bin's width
    assert metrics.dice(maps[:2] > threshold, lesions) == pytest.approx(best, abs=1e-3)
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
        evaluate_all(results, ["unet-brats"], min_component=size).subjects for size in (0, 8)
    )
    predicted = maps[2] * volume.brain > table["threshold"][0]
    assert table["dice_val"][0] == pytest.approx(metrics.dice(predicted, volume.lesion))
    predicted.flat[far.argmax()] = False
    assert found["dice_val"][0] == pytest.approx(metrics.dice(predicted, volume.lesion))
    assert found["dice_val"][0] > table["dice_val"][0]
    columns = ["dice_best", "auprc", "threshold"]
    assert found[columns].equals(table[columns])


def test_released_threshold_is_tuned_on_training_subjects_too(results):
    pack = packed.Pack(results / "packed/brats21")
    maps = load_maps(results, "unet-brats")
    training = pack.volume("S0")
    scored = np.float32((3 + 2 * training.lesion) * training.brain)
    maps = np.concatenate([maps, scored[None]])  # training subjects come last
    np.save(results / f"scores/unet-brats/fold-{FOLD}/brats21/anomaly_map.npy", maps)

    def run(threshold):
        return evaluate_all(results, ["unet-brats"], threshold=threshold)

    lesions = np.stack([pack.volume(s).lesion for s in ("S1", "S3", "S0")])
    _, exact = metrics.best_dice(metrics.count(maps[[0, 1, 4]], lesions))
    ours, theirs = run("validation").subjects, run("released").subjects
    assert theirs["threshold"][0] == pytest.approx(exact, rel=2e-4)
    assert abs(ours["threshold"][0] - exact) > 1e-3
    assert theirs["subject"].tolist() == ours["subject"].tolist()
    untouched = ["dice_best", "auprc", "auroc", "dice_fpr1", "dice_fpr5", "dice_fpr10"]
    assert theirs[untouched].equals(ours[untouched])


def test_thresholds_ignore_test_subjects(results):
    def lower_test(maps):
        maps[2:] = maps[2:] ** 3

    before = evaluate_all(results, ["unet-brats"]).pooled.filter(like="threshold")
    for dataset in ("brats21", "ixi"):
        change_maps(results, "unet-brats", lower_test, dataset)
    assert evaluate_all(results, ["unet-brats"]).pooled.filter(like="threshold").equals(before)


def test_thresholds_of_false_positive_rates_are_of_healthy_brains(results):
    evaluated = evaluate_all(results, ["unet-brats"])
    pack, maps = packed.Pack(results / "packed/ixi"), load_maps(results, "unet-brats", "ixi")
    scores = np.concatenate([maps[i][pack.volume(s).brain] for i, s in enumerate(ORDER[:2])])
    line = evaluated.pooled.iloc[0]
    truth = packed.Pack(results / "packed/brats21").volume("S4").lesion
    score = load_maps(results, "unet-brats")[3]
    for rate, share in (("fpr1", 0.01), ("fpr5", 0.05), ("fpr10", 0.1)):
        threshold = line[f"threshold_{rate}"]
        assert threshold == pytest.approx(np.quantile(scores, 1 - share), rel=1e-3)
        assert (scores > threshold).mean() <= share
        found = evaluated.subjects.set_index("subject").loc["S4", f"dice_{rate}"]
        assert found == pytest.approx(metrics.dice(score > threshold, truth))


def test_healthy_subjects_by_hand(results):
    change_maps(results, "unet-brats", lambda maps: np.multiply(maps, 1.5, out=maps), "ixi")
    evaluated = evaluate_all(results, ["unet-brats"])
    maps, brain = load_maps(results, "unet-brats", "ixi"), packed.Pack(results / "packed/ixi").brain
    threshold = evaluated.subjects["threshold"].iloc[0]
    expected = [(maps[i] > threshold).sum() * 0.008 for i in (2, 3)]
    assert list(evaluated.healthy["fp_ml"]) == pytest.approx(expected) and min(expected) > 0
    means = [maps[i][brain[row] > 0].mean() for i, row in ((2, 2), (3, 4))]
    assert list(evaluated.healthy["score_mean"]) == pytest.approx(means)


def test_mean_score_of_a_patient_is_that_of_the_brain(results):
    table = evaluate(results, ["unet-brats"])
    maps, pack = load_maps(results, "unet-brats"), packed.Pack(results / "packed/brats21")
    means = [maps[i][pack.volume(s).brain].mean() for i, s in ((2, "S2"), (3, "S4"))]
    assert list(table["score_mean"]) == pytest.approx(means)


def test_pooled_metrics_are_those_of_all_test_voxels(results):
    evaluated = evaluate_all(results, ["unet-brats"])
    lesion = packed.Pack(results / "packed/brats21").lesion[[2, 4]] > 0
    counts = metrics.count(load_maps(results, "unet-brats")[2:], lesion)
    line = evaluated.pooled.iloc[0]
    # As exact as the bins are narrow (`test_histogram`).
    assert 0 <= metrics.best_dice(counts)[0] - line["dice_pooled_best"] < 1e-3
    assert line["auprc_pooled"] == pytest.approx(metrics.average_precision(counts), abs=1e-3)
    patients, healthy = evaluated.subjects["score_mean"], evaluated.healthy["score_mean"]
    wins = np.mean([p > h for p in patients for h in healthy])
    assert line["auroc_subjects"] == wins


def test_prediction_and_reference_are_not_swapped(results):
    # The score finds the lesion and, away from it, a false component of 27 voxels.
    pack = packed.Pack(results / "packed/brats21")

    def plant(maps):
        for score, subject in zip(maps, ORDER):
            volume, cube = pack.volume(subject), np.ones((3, 3, 3))
            near = ndimage.binary_dilation(volume.lesion, cube, iterations=4)
            z, x, y = np.argwhere(ndimage.binary_erosion(volume.brain, cube) & ~near)[0]
            score[:] = 0.9 * volume.lesion
            score[z - 1 : z + 2, x - 1 : x + 2, y - 1 : y + 2] = 0.9

    change_maps(results, "unet-brats", plant)
    for _, line in evaluate(results, ["unet-brats"]).iterrows():
        assert line["n_lesions"] == 1 and line["lesion_recall"] == 1
        assert line["lesion_precision"] == 0.5
        assert line["volume_error_ml"] == pytest.approx(27 * 0.008)
        prediction = load_maps(results, "unet-brats")[ORDER.index(line["subject"])] > 0
        lesion = pack.volume(line["subject"]).lesion
        assert line["hd95_mm"] == metrics.hd95(prediction, lesion, 2) > 0


def test_what_a_model_says_outside_the_brain_does_not_count(results):
    before = evaluate_all(results, ["unet-brats"])
    for dataset in ("brats21", "ixi"):
        outside = packed.Pack(results / "packed" / dataset).brain[[1, 3, 2, 4]] == 0
        change_maps(results, "unet-brats", partial(np.putmask, mask=outside, values=9), dataset)
    after = evaluate_all(results, ["unet-brats"])
    assert all(a.equals(b) for a, b in zip(after, before))


# Needs the threshold of the best Dice, or a lesion in the test set.
AT_THRESHOLD = ["dice_val", "lesion_recall", "lesion_precision", "hd95_mm", "volume_error_ml"]
OF_LESIONS = ["dice_best", *AT_THRESHOLD, "auprc", "auroc", "dice_fpr1", "dice_fpr5", "dice_fpr10"]
ROWS = [["unet-brats"], ["cddpm", "unet-brats"], ["perfect"], ["chance"], ["intensity"]]


@pytest.mark.parametrize("maps", ROWS)
def test_without_lesions_in_the_validation_nothing_at_a_threshold_is_a_number(results, maps):
    before = evaluate_all(results, maps)
    without_lesions(results, ["S1", "S3"])
    found = evaluate_all(results, maps)
    assert found.subjects[["threshold", *AT_THRESHOLD]].isna().all(axis=None)
    assert found.pooled["threshold_val"].isna().all() and found.healthy["fp_ml"].isna().all()
    others = found.subjects.columns.difference(["threshold", *AT_THRESHOLD])
    if maps != ["intensity"]:  # whose sign is chosen by the validation
        pd.testing.assert_frame_equal(found.subjects[others], before.subjects[others])
    assert found.subjects[["dice_best", "auprc", "dice_fpr5"]].notna().all(axis=None)


@pytest.mark.parametrize("maps", ROWS)
def test_without_lesions_in_the_test_set_nothing_that_compares_is_a_number(results, maps):
    before = evaluate_all(results, maps)
    without_lesions(results, ["S2", "S4"])
    found = evaluate_all(results, maps)
    assert found.subjects[OF_LESIONS].isna().all(axis=None)
    assert found.pooled[["dice_pooled_best", "auprc_pooled"]].isna().all(axis=None)
    assert found.curve[["recall", "precision"]].isna().all(axis=None) and len(found.curve) == 1
    assert (found.subjects[["lesion_ml", "prevalence", "n_lesions"]] == 0).all(axis=None)
    kept = [column for column in before.pooled if column.startswith("threshold")]
    pd.testing.assert_frame_equal(found.pooled[kept], before.pooled[kept])
    pd.testing.assert_frame_equal(found.healthy, before.healthy)


def test_a_lesion_outside_of_what_is_scored_is_missed_and_not_undefined(results):
    """There is a lesion, and no threshold finds it: the highest Dice is 0."""
    brain = np.load(results / "packed/brats21/brain.npy")
    lesion = np.load(results / "packed/brats21/lesion.npy")
    brain[lesion > 0] = 0
    np.save(results / "packed/brats21/brain.npy", brain)
    found = evaluate_all(results, ["unet-brats"])
    assert (found.subjects[["dice_best", "dice_val", "lesion_recall"]] == 0).all(axis=None)
    assert found.pooled["dice_pooled_best"].tolist() == [0]
    assert found.curve[["recall", "precision"]].isna().all(axis=None)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_map_that_is_not_finite_is_named(results, value):
    change_maps(results, "unet-brats", lambda maps: maps.__setitem__((3, 6, 24, 24), value))
    with pytest.raises(InputError, match="brats21/anomaly_map.npy: subject S4 has values that are"):
        evaluate(results, ["cddpm", "unet-brats"])


@pytest.mark.parametrize("place", range(4))
def test_a_map_that_says_nothing_is_named(results, place):
    """Of the first and last validation and test subjects."""
    change_maps(results, "unet-brats", lambda maps: maps.__setitem__(place, 0.5))
    where = f"brats21, subject {ORDER[place]}, fold 1: the anomaly map of unet-brats is the same, "
    with pytest.raises(InputError, match=f"{where}0.5, in the whole brain"):
        evaluate(results, ["cddpm", "unet-brats"])


def test_a_map_that_finds_nothing_is_scored(results):
    change_maps(results, "unet-brats", lambda maps: maps.__setitem__(2, 0))
    found = evaluate(results, ["unet-brats"]).set_index("subject")
    assert found.loc["S2", "dice_val"] == 0 < found.loc["S4", "dice_val"]


def test_a_residual_that_says_nothing_is_named(results):
    path = results / f"reconstructions/cddpm/fold-{FOLD}/brats21/reconstruction.npy"
    levels, image = np.load(path), packed.Pack(results / "packed/brats21").volume("S2").image
    levels[2] = image
    np.save(path, levels)
    image = np.load(results / "packed/brats21/image.npy")
    image[2] = levels[2, 0]
    np.save(results / "packed/brats21/image.npy", image)
    with pytest.raises(
        InputError, match="subject S2, fold 1: the anomaly map of cddpm is the same"
    ):
        evaluate_all(results, ["cddpm"], "cddpm", ["cddpm"], {"kind": "l1", "erosion": 0})


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def one_subject_less(path):
    np.save(path, np.load(path)[:-1])


def one_slice_less(path):
    np.save(path, np.load(path)[..., :-1, :, :])


@pytest.mark.parametrize("harm", [cut, one_subject_less, one_slice_less])
@pytest.mark.parametrize("of", ["scores", "reconstructions"])
def test_a_file_that_does_not_fit_the_split_is_named(results, harm, of):
    name = {"scores": "anomaly_map", "reconstructions": "reconstruction"}[of]
    path = results / of / f"cddpm/fold-{FOLD}/brats21/{name}.npy"
    harm(path)
    with pytest.raises(InputError, match=f"^{path}: "):
        evaluate_all(results, ["cddpm"], "cddpm")


def test_reconstruction_error_by_hand(results):
    # The levels are off by +0.1 and -0.3, inside the lesion by 0.4 more each.
    found = evaluate_all(results, ["cddpm"], "cddpm").subjects
    np.testing.assert_allclose(found["recon_l1_healthy"], 0.1, atol=1e-3)
    np.testing.assert_allclose(found["recon_l1_lesion"], 0.3, atol=1e-3)
    assert evaluate(results, ["cddpm"]).filter(like="recon").isna().all(axis=None)


@pytest.mark.parametrize("residual", [SSIM, {"kind": "l1", "erosion": 2}])
def test_residual_of_a_reconstruction_is_computed_where_it_is_used(results, residual):
    found = evaluate_all(results, ["cddpm"], without=("cddpm",), residual=residual)
    folder = results / f"reconstructions/cddpm/fold-{FOLD}"
    for dataset in ("brats21", "ixi"):
        pack, levels = packed.Pack(results / "packed" / dataset), folder / dataset
        levels = np.load(levels / "reconstruction.npy").astype(np.float32)
        maps = [
            residuals.anomaly_map(
                torch.from_numpy(pack.volume(subject).image),
                torch.from_numpy(of).mean(dim=0),
                pack.volume(subject).brain,
                **residual,
            )
            for subject, of in zip(ORDER, levels)
        ]
        change_maps(results, "cddpm", partial(np.copyto, src=np.stack(maps)), dataset)
    for table, expected in zip(found, evaluate_all(results, ["cddpm"])):
        pd.testing.assert_frame_equal(table, expected)


def test_curve_of_the_pooled_voxels_ends_where_the_best_dice_is(results):
    evaluated = evaluate_all(results, ["unet-brats"])
    curve, pooled = evaluated.curve, evaluated.pooled.iloc[0]
    dice = 2 * curve["precision"] * curve["recall"] / (curve["precision"] + curve["recall"])
    assert dice.max() == pytest.approx(pooled["dice_pooled_best"], rel=1e-6)
    pack = packed.Pack(results / "packed/brats21")
    lesion, brain = pack.lesion[[2, 4]].sum(), pack.brain[[2, 4]].sum()
    assert set(curve["prevalence"]) == {lesion / brain}


def test_controls(results):
    perfect = evaluate(results, ["perfect"])
    ones = ["dice_best", "dice_val", "auprc", "auroc", "lesion_recall", "lesion_precision"]
    assert (perfect[ones] == 1).all(axis=None)
    assert (perfect[["hd95_mm", "volume_error_ml"]] == 0).all(axis=None)
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
    assert line[["auprc", "auroc", "lesion_recall", "hd95_mm"]].isna().all()
    assert line["volume_error_ml"] > 0


def test_released_search_for_dice_and_threshold(results):
    exact = evaluate_all(results, ["unet-brats"])
    assert (exact.subjects["dice_best_released"] <= exact.subjects["dice_best"] + 1e-12).all()
    dice = evaluate_all(results, ["unet-brats"], dice_search="interval")
    assert list(dice.subjects["dice_best"]) == list(exact.subjects["dice_best_released"])
    assert list(dice.subjects["threshold"]) == list(exact.subjects["threshold"])
    cut = evaluate_all(results, ["unet-brats"], threshold_search="interval")
    assert list(cut.subjects["dice_best"]) == list(exact.subjects["dice_best"])
    # 2^-i of the highest score of the validation subjects, and so on: none of its own scores.
    maps = load_maps(results, "unet-brats")[:2]
    share = cut.subjects["threshold"][0] / maps.max() * 2**11
    assert share == pytest.approx(round(share), abs=0.5) and 0 < share < 2**11
    assert cut.subjects["threshold"][0] != exact.subjects["threshold"][0]
    assert cut.pooled["dice_tuned"][0] <= exact.pooled["dice_tuned"][0]


def test_dice_tuned_is_that_of_the_validation_subjects_at_the_threshold(results):
    found = evaluate_all(results, ["unet-brats"])
    lesion = np.load(results / "packed/brats21/lesion.npy")[[1, 3]] > 0
    maps = load_maps(results, "unet-brats")[:2]
    expected = metrics.dice(maps > found.subjects["threshold"][0], lesion)
    assert found.pooled["dice_tuned"][0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("empty", "expected"), [("zero", 0.0), ("left_out", np.nan)])
def test_neither_lesion_nor_prediction(results, empty, expected):
    """S2 has no lesion and no score, S4 both."""
    lesion = np.load(results / "packed/brats21/lesion.npy")
    lesion[2] = 0
    np.save(results / "packed/brats21/lesion.npy", lesion)
    change_maps(results, "unet-brats", lambda maps: maps[2].fill(0))
    subjects = evaluate_all(results, ["unet-brats"], empty=empty).subjects.set_index("subject")
    np.testing.assert_equal(subjects.loc["S2", "dice_val"], expected)
    assert subjects.loc["S4", "dice_val"] > 0


def test_no_lesion_but_a_prediction_is_zero_in_any_case(results):
    lesion = np.load(results / "packed/brats21/lesion.npy")
    lesion[4] = 0
    np.save(results / "packed/brats21/lesion.npy", lesion)
    for empty in ("zero", "left_out"):
        subjects = evaluate_all(results, ["unet-brats"], empty=empty).subjects.set_index("subject")
        assert subjects.loc["S4", "dice_val"] == 0 < subjects.loc["S4", "volume_error_ml"]


def test_scores_are_weighted_by_a_fractional_brain_mask(results):
    """Stored in parts of 255: where the mask has a half, so has the score."""
    brain = np.load(results / "packed/brats21/brain.npy")
    binary = evaluate(results, ["unet-brats"])
    weighed = np.where(brain > 0, 255, 0).astype(np.uint8)
    np.save(results / "packed/brats21/brain.npy", weighed)
    pd.testing.assert_frame_equal(evaluate(results, ["unet-brats"]), binary)
    z, x, y = np.argwhere(brain[2] > 0)[0]
    weighed[2, z, x, y] = 51
    np.save(results / "packed/brats21/brain.npy", weighed)
    pack = packed.Pack(results / "packed/brats21")
    volume = pack.volume("S2")
    assert volume.brain[z, x, y] and volume.weight[z, x, y] == np.float32(0.2)
    change_maps(results, "unet-brats", lambda maps: maps[2].fill(1))
    score = float(evaluate(results, ["unet-brats"]).set_index("subject").loc["S2", "score_mean"])
    n = np.count_nonzero(volume.brain)
    assert score == pytest.approx((n - 0.8) / n, abs=1e-7)


def test_extent_of_healthy_validation_subjects(results):
    evaluation = evaluate_all(results, ["unet-brats"])
    table, cuts = evaluation.validation, evaluation.pooled.iloc[0]
    assert table["subject"].tolist() == ["S1", "S3"] and table["test_set"].tolist() == ["brats"] * 2
    pack, maps = packed.Pack(results / "packed/ixi"), load_maps(results, "unet-brats", "ixi")
    for line, score in zip(table.to_dict("records"), maps):
        for name in ("val", "fpr1", "fpr5", "fpr10"):
            n = np.count_nonzero(score > cuts[f"threshold_{name}"])
            assert line[f"above_{name}_ml"] == pytest.approx(n * 0.008)
        labels, _ = ndimage.label(score > cuts["threshold_val"], np.ones((3, 3, 3)))
        assert line["largest_ml"] == pytest.approx(
            np.bincount(labels.flat)[1:].max(initial=0) * 0.008
        )
        brain = pack.volume(line["subject"]).brain
        assert line["score_max"] == score.max()
        assert line["score_mean"] == pytest.approx(score[brain].mean())
    # Shares of the voxels of both together, as the thresholds promise.
    brain_ml = sum(pack.volume(s).brain.sum() for s in ("S1", "S3")) * 0.008
    assert table["above_fpr5_ml"].sum() <= 0.05 * brain_ml
    assert table["above_fpr10_ml"].sum() > 0.05 * brain_ml
    assert metrics.largest(np.zeros((2, 2, 2), bool)) == 0
