"""Whom a row fails: groups, what is pooled, and how often chance is taken for an effect."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from uad.evaluation import statistics, strata

DRAWS = 400
QUESTIONS = {question.column: question for question in strata.QUESTIONS}


def series(values):
    return pd.Series(values, index=[f"S{i:03d}" for i in range(len(values))], dtype=object)


def sizes(found):
    return {level: len(of) for level, of in found.subjects.items()}


def test_small_sites_are_pooled_and_named():
    found = strata.levels(series(["A"] * 9 + ["B"] * 2 + ["C"] * 3 + [None]), QUESTIONS["site"], 5)
    assert sizes(found) == {"A": 9, "others": 5}
    assert found.pooled == ["B (n = 2)", "C (n = 3)"] and found.unknown == 1


def test_small_sites_that_stay_too_small_are_left_out_and_counted():
    found = strata.levels(series(["A"] * 9 + ["B"] * 2 + ["C"] * 2), QUESTIONS["site"], 5)
    assert sizes(found) == {"A": 9} and found.unknown == 4
    assert found.pooled == ["B (n = 2)", "C (n = 2)"]


def test_decades_are_pooled_with_a_neighbour():
    ages = [23, 25, 28, 31, 34, 38, 39, 45, 61, 62, 63, 86]
    found = strata.levels(series(ages), QUESTIONS["age"], 3)
    assert sizes(found) == {"20 to 29": 3, "30 to 39": 4, "40 to 89": 5}
    assert found.pooled == ["40 to 49 (n = 1)", "80 to 89 (n = 1)"]
    assert found.subjects["40 to 89"] == [f"S{i:03d}" for i in range(7, 12)]


def test_thirds_and_counts():
    found = strata.levels(series([0.5, 1, 2, 3, 4, 50]), QUESTIONS["lesion_ml"], 2)
    assert sizes(found) == {"0.5 to 1": 2, "2 to 3": 2, "4 to 50": 2} and found.pooled == []
    found = strata.levels(series([0.5, 1, 2, 3, 4, 50]), QUESTIONS["lesion_ml"], 3)
    assert sizes(found) == {"0.5 to 2": 3, "3 to 50": 3} and found.pooled == []  # halves
    found = strata.levels(series([1, 1, 2, 4, 5, 9]), QUESTIONS["n_lesions"], 2)
    assert sizes(found) == {"1": 2, "2 to 4": 2, "5 to 9": 2}
    found = strata.levels(series([1, 1, 2]), QUESTIONS["n_lesions"], 4)
    assert found.subjects == {} and found.unknown == 3


def test_a_difference_is_of_the_level_from_all_others(rng):
    values = pd.DataFrame({"ae": [1.0, 2, 3, 10, 11, 12, 20]}, index=[*"abcdefg"])
    found = strata.compared(values, {"x": [*"abc"], "y": [*"de"], "z": [*"fg"]}, rng)
    line = found.set_index("level").loc["y"]
    assert line["mean"] == 10.5 and line["n"] == 2 and line["n_others"] == 5
    assert line["difference"] == pytest.approx(10.5 - 38 / 5)
    wanted = stats.mannwhitneyu([10, 11], [1, 2, 3, 12, 20]).pvalue
    assert line["p"] == pytest.approx(wanted)
    assert line["difference_low"] < line["difference"] < line["difference_high"]


def test_of_two_levels_one_is_compared(rng):
    values = pd.DataFrame({"ae": np.arange(8.0)}, index=[*"abcdefgh"])
    found = strata.compared(values, {"f": [*"abcd"], "m": [*"efgh"]}, rng)
    assert found["p"].notna().tolist() == [True, False]


def test_subjects_without_a_value_are_left_out(rng):
    values = pd.DataFrame({"ae": [1.0, np.nan, 3, 4], "no": np.nan}, index=[*"abcd"])
    found = strata.compared(values, {"x": ["a", "b"], "y": ["c", "d"]}, rng)
    assert set(found["row"]) == {"ae"} and found["n"].tolist() == [1, 2]
    assert np.isnan(found["difference_low"]).all()  # no interval of a single subject
    assert strata.compared(values[["no"]], {"x": [*"ab"], "y": [*"cd"]}, rng).empty


def cohort(rng, effect=0.0):
    """Skewed Dice-like values of 60 patients in 4 rows; women have `effect` less in the first."""
    subjects = [f"S{i:02d}" for i in range(60)]
    values = pd.DataFrame(rng.beta(2, 5, (60, 4)), subjects, ["ae", "vae", "dae", "rd"])
    sex = pd.Series(rng.permutation(np.repeat(["f", "m"], [20, 40])), subjects)
    values.loc[sex == "f", "ae"] -= effect
    about = {"sex": sex, "age": rng.uniform(20, 80, 60), "site": rng.choice([*"ABC"], 60)}
    return values, pd.DataFrame(about, subjects)


def p_values(seed, effect=0.0):
    values, about = cohort(np.random.default_rng(seed), effect)
    place = ("patients", "brats")
    return strata.table({place: values}, {place: about}, 10, seed)[0]


@pytest.fixture
def without_intervals(monkeypatch):
    """P values alone, for many draws."""
    monkeypatch.setattr(statistics, "bootstrap", lambda values, rng: (np.nan, np.nan))
    monkeypatch.setattr(strata, "_interval", lambda inside, others, seed: (np.nan, np.nan))


def test_without_an_effect_there_are_false_findings_as_stated(without_intervals):
    draws = [p_values(seed) for seed in range(DRAWS)]
    low, high = stats.binom(DRAWS, strata.FINDING).ppf([0.005, 0.995])
    single = [found.query("row == 'vae' and question == 'sex'")["p"].min() for found in draws]
    assert low <= np.less(single, strata.FINDING).sum() <= high
    families = [found["p_holm"].min() for found in draws]  # any finding at all on the page
    assert low / 2 <= np.less(families, strata.FINDING).sum() <= high


def test_an_effect_is_found_in_its_row_and_question_only(without_intervals):
    found = pd.concat(p_values(seed, 0.25) for seed in range(100))
    findings = found[found["p_holm"] < strata.FINDING]
    right = findings.query("row == 'ae' and question == 'sex'")
    assert len(right) >= 80 and (right.query("level == 'f'")["difference"] < -0.1).all()
    assert len(findings) - len(right) <= stats.binom(100, 2 * strata.FINDING).ppf(0.999)


def test_intervals_of_differences_cover_the_truth(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 400)
    covered = 0
    for seed in range(200):
        values, about = cohort(np.random.default_rng(seed), 0.25)
        groups = {level: list(part.index) for level, part in about.groupby("sex")}
        line = strata.compared(values[["ae"]], groups, np.random.default_rng(seed)).iloc[0]
        covered += line["difference_low"] <= -0.25 <= line["difference_high"]
    assert covered >= stats.binom(200, 0.93).ppf(0.005)


def test_the_family_is_one_measure_on_one_test_set():
    values, about = cohort(np.random.default_rng(1))
    places = [("patients", "brats"), ("healthy", "brats")]
    found, grouping = strata.table(
        dict.fromkeys(places, values), dict.fromkeys(places, about), 10, 1
    )
    for _, part in found.groupby("of"):
        np.testing.assert_allclose(part["p_holm"], statistics.holm(part["p"]))
    assert list(grouping["question"]) == ["site", "age", "sex"] * 2


def test_nothing_to_compare():
    place = ("patients", "brats")
    values, about = cohort(np.random.default_rng(1))
    found, grouping = strata.table({place: values}, {place: about}, 61, 1)
    assert found.empty and (grouping["unknown"] == 60).all()


@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_rates_of_exchangeable_subjects_are_in_their_band(rate):
    outside, shares = 0, []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        found = strata.flagged(rng.gamma(2, size=39), rng.gamma(2, size=80), rate)
        outside += not found.low <= found.share <= found.high
        shares.append(found.share)
    assert outside <= stats.binom(DRAWS, 0.05).ppf(0.995)
    assert np.mean(shares) == pytest.approx(rate, abs=0.01)  # 40 divides both rates exactly


def test_subjects_that_show_more_leave_the_band():
    rng = np.random.default_rng(1)
    found = strata.flagged(rng.normal(size=39), 2 + rng.normal(size=80), 0.05)
    assert found.share > found.high


def test_too_few_validation_subjects_support_no_rate():
    assert strata.flagged(np.arange(18.0), np.arange(5.0), 0.05) is None
    assert strata.flagged(np.arange(19.0), np.array([30, 17.5]), 0.05).share == 0.5
    assert strata.flagged(np.array([1.0, np.nan] * 20), np.arange(5.0), 0.1) is None
