"""Weights of the fusion and pooled precision-recall curves, against the exact metrics."""

import numpy as np
import pandas as pd
import pytest
from conftest import write_pack
from sklearn.metrics import precision_recall_curve

from uad.base import tsv
from uad.base.paths import Paths
from uad.data import packed
from uad.evaluation import curves, histogram, metrics
from uad.evaluation.scores import Cohort, RowScore, Stored
from uad.report import canvas, plots

ROWS = {
    "cddpm": ["cddpm"],
    "unet_res-brats": ["unet_res-brats"],
    "sadm_res-brats": ["cddpm", "unet_res-brats"],
}


@pytest.fixture
def results(tmp_path):
    """Results with one test set, one validation and three test subjects, two models' maps."""
    rng = np.random.default_rng(3)
    pack = write_pack(tmp_path / "packed/brats21", 4)
    lines = [(f"S{i}", 0, "test" if i else "val") for i in range(4)]
    split = pd.DataFrame(lines, columns=["subject", "fold", "role"])
    tsv.write(split, tmp_path / "splits/brats21.tsv")
    brain, lesion = np.asarray(pack.brain) > 0, np.asarray(pack.lesion) > 0
    for model, quality in (("cddpm", 0.3), ("unet_res-brats", 0.7)):
        maps = (rng.random(brain.shape) + quality * lesion) * brain
        folder = tmp_path / f"scores/{model}/fold-0/brats21"
        folder.mkdir(parents=True)
        np.save(folder / "anomaly_map.npy", maps.astype(np.float32))
    return tmp_path


def cohort_of(results):
    paths = Paths(str(results))
    maps = {name: paths.anomaly_map(name, 0, "brats21") for name in ("cddpm", "unet_res-brats")}
    packed_files, split = paths.packed("brats21"), paths.split("brats21")
    return Cohort(Stored("brats21", packed_files, split, maps), 0)


def curve_of(results, row):
    """Precision and recall of a row's test voxels."""
    pooled = histogram.ScoreHistogram()
    for volume, score in RowScore(ROWS[row], cohort_of(results), {}, seed=1).of("test"):
        pooled.add(score, volume.lesion)
    return curves.precision_recall(pooled.counts())


def test_ends_and_middle_are_rows_of_the_table(results):
    table = curves.weight_table(
        "sadm_res-brats", ROWS["sadm_res-brats"], {"brats": cohort_of(results)}, {}, seed=1
    )
    assert table["subject"].nunique() == 3 and len(table) == 3 * 11
    table = plots.mean_weights(table)
    assert table["beta"].tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    assert set(table["d_unhealthy"]) == {"brats"} and set(table["n_subjects"]) == {3}
    by_beta = table.set_index("beta")["dice_best"]
    cohort = cohort_of(results)
    for beta, row in ((0, "unet_res-brats"), (0.5, "sadm_res-brats"), (1, "cddpm")):
        score = RowScore(ROWS[row], cohort, {}, seed=1)
        exact = [metrics.best_dice(metrics.count(x, v.lesion))[0] for v, x in score.of("test")]
        assert by_beta[beta] == pytest.approx(np.mean(exact), abs=1e-12), row
    assert len({round(value, 6) for value in by_beta}) > 5


def test_weights_by_hand():
    residual_map = np.array([[[0, 0.2, 1.0, 0.4]]], np.float32)
    prediction = np.array([[[0, 1.0, 0.2, 0.4]]], np.float32)
    lesion = np.array([[[True, True, False, False]]])
    dice = dict(zip(curves.WEIGHTS, curves.weighted_dice(residual_map, prediction, lesion)))
    # The lesion voxel outside the brain (score 0) is never found: the prediction alone finds the
    # other one and nothing else, 2 * 1 / (1 + 2); the residual map ranks it last of three.
    assert dice[0] == pytest.approx(2 / 3)
    assert dice[1] == pytest.approx(2 / 5)
    # At equal weight voxels 1 and 2 tie at 0.6, above the 0.4 of voxel 3.
    assert dice[0.5] == pytest.approx(2 / 4)
    assert curves.weighted_dice(residual_map, prediction, np.zeros_like(lesion)) == [0] * 11


def test_curve_is_that_of_scikit_learn(results):
    table = curve_of(results, "cddpm")
    pack = packed.Pack(results / "packed/brats21")
    maps = np.load(results / "scores/cddpm/fold-0/brats21/anomaly_map.npy")[1:]
    lesion = np.asarray(pack.lesion[1:]) > 0
    precision, recall, _ = precision_recall_curve(lesion.ravel(), maps.ravel())
    assert len(table) <= curves.POINTS
    # At each recall the curve has its highest precision, where the last lesion voxel was found.
    highest = pd.Series(precision).groupby(recall).max()
    expected = np.interp(table["recall"], highest.index, highest)
    np.testing.assert_allclose(table["precision"], expected, atol=0.02)
    best, _ = metrics.best_dice(metrics.count(maps, lesion))
    dice = 2 * table["precision"] * table["recall"] / (table["precision"] + table["recall"])
    assert dice.max() == pytest.approx(best, abs=2e-3)


def test_a_score_of_zeros_has_no_curve():
    pooled = histogram.ScoreHistogram()
    pooled.add(np.zeros((2, 4, 4), np.float32), np.ones((2, 4, 4), bool))
    found = curves.precision_recall(pooled.counts())
    assert len(found) == 1 and found.isna().all(axis=None)


def test_figures_of_a_test_set_without_lesions_say_so(results, tmp_path):
    path = results / "packed/brats21/lesion.npy"
    np.save(path, np.zeros_like(np.load(path)))
    row = "sadm_res-brats"
    table = curves.weight_table(row, ROWS[row], {"brats": cohort_of(results)}, {}, seed=1)
    assert len(table) == 3 * 11 and table["dice_best"].isna().all()
    curve = curve_of(results, row).assign(row=row, test_set="brats", prevalence=0.0)
    metrics = pd.DataFrame(
        {"subject": ["S1", "S2"], "fold": 0, "lesion_ml": 0.0, "dice_best": np.nan}
    )
    for figure in (
        plots.weights(plots.mean_weights(table), {"brats": "#0072B2"}, "abc"),
        plots.precision_recall(curve, {row: "SADM"}, {"brats": "#0072B2"}),
        plots.lesion_volume({"brats": {"cDDPM": metrics}}),
    ):
        canvas.save(figure, tmp_path / "f.svg")
        text = (tmp_path / "f.svg").read_text()
        assert "no lesion" in text and "nan" not in text


def test_line_of_weights_is_the_mean_over_folds(tmp_path):
    lines = [("brats", "atlas", fold, b, 0.2 + 0.2 * fold, 5) for fold in (0, 1) for b in (0, 1)]
    columns = ["d_unhealthy", "test_set", "fold", "beta", "dice_best", "n_subjects"]
    ends = ["net", "SADM_res", "cDDPM"]
    figure = plots.weights(pd.DataFrame(lines, columns=columns), {"brats": "#0072B2"}, ends)
    (panel,) = figure.axes
    found = [label.get_text() for label in panel.get_xticklabels()]
    assert found == ["0\nnet", "", "0.5\nSADM$_{res}$", "", "1\ncDDPM"]
    np.testing.assert_allclose(panel.lines[0].get_ydata(), [30, 30])
    canvas.heading(figure, "Weights", simulated=True)
    canvas.save(figure, tmp_path / "weights.svg")
    assert "(simulated data)" in (tmp_path / "weights.svg").read_text()


def test_precision_recall_is_drawn_for_every_row(results):
    parts = [curve_of(results, row).assign(row=row, test_set="brats") for row in ROWS]
    table = pd.concat(parts).assign(prevalence=0.1)
    of_one_map = [row for row in ROWS if not row.startswith("sadm")]
    figure = plots.precision_recall(table, dict(zip(ROWS, "abc")), {"brats": "#0072B2"}, of_one_map)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert [lines[label].get_linestyle() for label in "abc"] == ["-", "--", "-"]
    assert [lines[label].get_color() for label in "abc"] == ["black", "#0072B2", "#0072B2"]


def test_volumes_are_averaged_over_folds():
    metrics = pd.DataFrame(
        [("S0", 0, 2.0, 0.2), ("S0", 1, 2.0, 0.4), ("S1", 0, 0.0, 0.0), ("S2", 0, 1.0, 0.6)],
        columns=["subject", "fold", "lesion_ml", "dice_best"],
    )
    figure = plots.lesion_volume({"brats": {"cDDPM": metrics}})
    (line,) = figure.axes[0].lines
    np.testing.assert_allclose(line.get_xydata(), [[1, 60], [2, 30]])  # S1 has no lesion


def test_medians_of_a_crowd():
    n = np.arange(1, 31)
    metrics = pd.DataFrame({"subject": n, "fold": 0, "lesion_ml": n * 1.0, "dice_best": n / 30})
    figure = plots.lesion_volume({"brats": {"cDDPM": metrics}})
    medians = figure.axes[0].lines[1].get_xydata()
    np.testing.assert_allclose(medians[:, 0], [3.5, 9.5, 15.5, 21.5, 27.5])
    np.testing.assert_allclose(medians[:, 1], medians[:, 0] / 0.3)


@pytest.mark.parametrize(
    ("low", "high"), [(11.2, 34.2), (28, 80), (1900, 2400), (0.13, 0.5), (0.004, 0.4), (0.01, 600)]
)
def test_logarithmic_axis_has_numbers_to_read_off(low, high):
    figure, ((panel,),) = canvas.grid(1, 1, (2.5, 2.5))
    panel.plot([low, high], [0, 1], "o")
    canvas.log_scale(panel, "x")
    figure.canvas.draw()
    left, right = panel.get_xlim()
    ticks = [*panel.xaxis.get_major_ticks(), *panel.xaxis.get_minor_ticks()]
    texts = {t.label1.get_text() for t in ticks if left <= t.get_loc() <= right}
    canvas.plt.close(figure)
    assert len(texts - {""}) >= 2 and not any("times" in text for text in texts)
    assert left < low and high < right
