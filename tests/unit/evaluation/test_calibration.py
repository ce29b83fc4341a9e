"""Rates above thresholds and probabilities in bins, counted by hand and on calibrated maps."""

from types import SimpleNamespace

import numpy as np
import pytest

from uad.data.packed import PackedVolume
from uad.evaluation import calibration, reliability, row_metrics


class Scores:
    """Stands for `RowScore`: given volumes and scores."""

    def __init__(self, pairs, fold=1):
        self.pairs, self.cohort = pairs, SimpleNamespace(fold=fold)

    def of(self, role):
        assert role == "test"
        return iter(self.pairs)


def pair(score, lesion=None, brain=None, subject="S"):
    score = np.asarray(score, np.float32).reshape(1, 1, -1)
    brain = np.ones(score.shape, bool) if brain is None else np.reshape(brain, score.shape) > 0
    lesion = np.zeros(score.shape, bool) if lesion is None else np.reshape(lesion, score.shape) > 0
    return PackedVolume(subject, score, brain, lesion, brain), score


def test_rates_are_those_of_the_evaluation():
    assert reliability.RATES == row_metrics.FALSE_POSITIVE_RATES


def test_rates_are_of_the_brain():
    cuts = {"fpr1": 0.9, "fpr5": 0.5, "fpr10": 0.2}
    table = calibration.rates(Scores([pair([0.1, 0.3, 0.6, 0.95, 1], brain=[1, 1, 1, 1, 0])]), cuts)
    assert table.to_dict("records") == [
        {"subject": "S", "fold": 1, "fpr1": 0.25, "fpr5": 0.5, "fpr10": 0.75}
    ]


def test_bins_count_voxels_probabilities_and_lesions():
    table = calibration.bins(
        Scores([pair([0, 0.05, 0.11, 1, 0.95, 1], [0, 1, 0, 1, 0, 1], [1, 1, 1, 1, 1, 0])])
    ).set_index("bin")
    assert table["voxels"].tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert table.loc[0, "lesion"] == 1 and table.loc[9, "lesion"] == 1
    assert table.loc[9, "probability"] == pytest.approx(1.95)
    with pytest.raises(ValueError, match="subject S has a probability of 1.5"):
        calibration.bins(Scores([pair([0.5, 1.5])]))


def test_a_map_that_means_what_it_says_has_no_error(rng):
    p = rng.beta(0.5, 2, 200_000)
    lesion = rng.random(p.size) < p
    curve, error = reliability.curve(calibration.bins(Scores([pair(p, lesion)])))
    assert error < 0.005
    np.testing.assert_allclose(curve["probability"], curve["lesion"], atol=0.03)


def test_a_map_that_says_twice_as_much(rng):
    true = rng.uniform(0, 0.5, 200_000)
    lesion = rng.random(true.size) < true
    _, error = reliability.curve(calibration.bins(Scores([pair(2 * true, lesion)])))
    assert error == pytest.approx(0.25, abs=0.005)  # the mean of p - p / 2
