"""Intervals, tests and verdicts against SciPy and by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from uad.evaluation import statistics

ROWS = {
    "cddpm": {"block": "I"},
    "unet-brats": {"block": "III"},
    "sadm_res-brats": {"block": "III"},
    "sadm-brats": {"block": "III"},
}


def metrics(values, test_set="brats", lesion_ml=None):
    """Metrics of rows: row to an array (subjects, folds) of [DICE]."""
    lines = []
    for row, array in values.items():
        for (i, fold), value in np.ndenumerate(np.asarray(array, float)):
            volume = 5.0 + i if lesion_ml is None else lesion_ml[i]
            lines.append(
                {"row": row, "test_set": test_set, "subject": f"S{i:02}", "fold": fold,
                 "dice_best": value, "dice_best_released": value, "dice_val": value / 2,
                 "auprc": value if volume > 0 else np.nan, "lesion_ml": volume}
            )  # fmt: skip
    return pd.DataFrame(lines)


def known(n, **columns):
    return {"brats": pd.DataFrame({"subject": [f"S{i:02}" for i in range(n)], **columns})}


# Intervals.


def test_bootstrap_by_hand(rng):
    # Of two values 0 and 1 the resampled mean is 0 or 1 a quarter of the time each.
    low, high = statistics.bootstrap(np.array([[0.0, 3], [1, 3]]), rng)
    assert list(low) == [0, 3] and list(high) == [1, 3]


def test_bootstrap_by_counting(rng):
    """Of few values all resamples can be listed, each as likely as any other."""
    values = rng.beta(2, 5, 6)
    means = np.mean(list(itertools.product(values, repeat=6)), axis=1)
    low, high = statistics.bootstrap(values[:, None], rng)
    within = [np.mean(means < end) for end in (low[0], high[0])]
    assert within == pytest.approx([0.025, 0.975], abs=0.01)


def test_a_column_does_not_depend_on_what_others_miss(rng):
    values = rng.beta(2, 5, (30, 4))
    values[:9, 1], values[3:, 2] = np.nan, np.nan
    together = np.array(statistics.bootstrap(values, np.random.default_rng(3)))
    for i in range(4):
        alone = statistics.bootstrap(values[:, [i]], np.random.default_rng(3))
        np.testing.assert_allclose(np.ravel(alone), together[:, i], rtol=1e-14)
    present = statistics.bootstrap(values[9:, [1]], np.random.default_rng(3))
    np.testing.assert_allclose(np.ravel(present), together[:, 1], rtol=1e-14)


def test_interval_holds_the_mean_nineteen_times_of_twenty(rng):
    held = []
    for _ in range(40):
        low, high = statistics.bootstrap(rng.normal(1, 1, (60, 10)), rng)
        held += list((low <= 1) & (high >= 1))
    assert 0.9 < np.mean(held) < 0.98


def test_missing_values_are_left_out_and_one_value_has_no_interval(rng):
    values = np.array([[0.2, 0.5], [0.4, np.nan], [np.nan, np.nan], [0.6, np.nan]])
    low, high = statistics.bootstrap(values, rng)
    assert 0.2 <= low[0] < 0.4 < high[0] <= 0.6
    assert np.isnan([low[1], high[1]]).all()


def test_a_subject_s_value_is_its_mean_over_folds():
    table = metrics({"cddpm": [[0.1, 0.3], [0.5, 0.7]]})
    found = statistics.intervals(table, known(2), seed=1).query("stratum == 'all'")
    line = found.query("metric == 'dice_best'").iloc[0]
    # Means 0.2 and 0.6, so that resampling folds would have reached below and above them.
    assert (line["n"], line["mean"]) == (2, pytest.approx(0.4))
    assert (line["low"], line["high"]) == (pytest.approx(0.2), pytest.approx(0.6))


def test_intervals_are_reproducible_and_do_not_depend_on_other_rows(rng):
    table = metrics({"cddpm": rng.random((9, 2)), "unet-brats": rng.random((9, 2))})
    both = statistics.intervals(table, known(9), seed=1)
    assert both.equals(statistics.intervals(table, known(9), seed=1))
    alone = statistics.intervals(table[table["row"] == "unet-brats"], known(9), seed=1)
    again = both[both["row"] == "unet-brats"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, again)
    other = statistics.intervals(table, known(9), seed=2)
    assert not np.allclose(both["low"], other["low"])


def test_strata_by_hand():
    volumes = [0, 0.5, 2, 4, 8, 16, 32]
    table = metrics({"cddpm": [[0.1 * i] for i in range(7)]}, lesion_ml=volumes)
    about = known(7, site=list("AABBBCC"), age_group=["20-40"] * 7, voxel_ml=0.008)
    found = statistics.intervals(table, about, seed=1).query("metric == 'dice_best'")
    means = {(line["stratum"], line["level"]): (line["n"], round(line["mean"], 6))
             for _, line in found.iterrows()}  # fmt: skip
    assert means == {
        ("all", "all"): (7, 0.3),
        ("lesion", "any voxel"): (6, 0.35),
        ("lesion", "no voxel"): (1, 0.0),
        ("lesion_ml", "<1"): (1, 0.1),
        ("lesion_ml", "smallest third (0.5 to 2)"): (2, 0.15),
        ("lesion_ml", "middle third (4 to 8)"): (2, 0.35),
        ("lesion_ml", "largest third (16 to 32)"): (2, 0.55),
        ("site", "A"): (2, 0.05),
        ("site", "B"): (3, 0.3),
        ("site", "C"): (2, 0.55),
        ("age_group", "20-40"): (7, 0.3),
    }


def test_strata_without_any_lesion():
    table = metrics({"cddpm": [[0.0], [0.0]]}, lesion_ml=[0, 0])
    found = statistics.intervals(table, known(2), seed=1)
    assert set(found["stratum"]) == {"all", "lesion"}
    assert found.query("metric == 'auprc'")["mean"].isna().all()


# Tests.


def test_holm_by_hand():
    # 4 x 0.01, 3 x 0.02, then 2 x 0.03 = 0.06 and 1 x 0.04, which may not be below it.
    found = statistics.holm([0.04, 0.01, 0.03, 0.02])
    assert list(found) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert list(statistics.holm([0.9, 0.4])) == pytest.approx([0.9, 0.8])
    assert list(statistics.holm([0.7, 0.8])) == pytest.approx([1, 1])
    corrected = statistics.holm([0.02, np.nan, 0.3])
    assert corrected[0] == pytest.approx(0.04) and np.isnan(corrected[1]) and corrected[2] == 0.3


def test_comparisons_against_scipy(rng):
    values = {row: rng.random((30, 2)) for row in ROWS}
    values["sadm-brats"] = values["sadm_res-brats"] - 0.1 * rng.random((30, 1))
    found = statistics.comparisons(metrics(values), ROWS, ["sadm_res-brats", "cddpm"])
    found = found.query("metric == 'dice_best'")
    # The cDDPM is alone in its block, which has a reference: itself.
    assert set(found["reference"]) == {"sadm_res-brats"}
    found = found.set_index("row")
    assert list(found.index) == ["unet-brats", "sadm-brats"] and set(found["n"]) == {30}
    ours = values["sadm_res-brats"].mean(axis=1)
    for row, line in found.iterrows():
        theirs = values[row].mean(axis=1)
        assert line["p"] == pytest.approx(stats.wilcoxon(ours, theirs).pvalue)
        assert line["median_difference"] == pytest.approx(np.median(ours - theirs))
    assert found.loc["sadm-brats", "p_holm"] == pytest.approx(2 * found.loc["sadm-brats", "p"])
    assert found.loc["sadm-brats", "median_difference"] > 0


def test_wilcoxon_by_hand():
    # Five positive differences: of 32 sign patterns two are as extreme.
    assert statistics.wilcoxon(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == 2 / 32
    assert statistics.wilcoxon(np.zeros(4)) == 1
    assert np.isnan(statistics.wilcoxon(np.array([])))


def test_without_references_there_is_nothing_to_compare(rng):
    rows = {"cddpm": {"block": "I"}}
    found = statistics.comparisons(metrics({"cddpm": rng.random((3, 1))}), rows, [])
    assert len(found) == 0 and "p_holm" in found


MORE = {**ROWS, "mine": {"block": "Ours"}, "other": {"block": "Ours"}, "perfect": {
    "block": "control"}}  # fmt: skip


def test_rows_of_a_block_without_a_reference_are_compared_with_all(rng):
    """As a family of their own: a row that somebody adds changes no p value of the paper's."""
    table = metrics({row: rng.random((20, 2)) for row in MORE})
    references = ["cddpm", "sadm_res-brats"]
    found = statistics.comparisons(table, MORE, references)
    pairs = set(zip(found["reference"], found["row"]))
    own = {(reference, row) for reference in references for row in ("mine", "other")}
    assert pairs == own | {("sadm_res-brats", "unet-brats"), ("sadm_res-brats", "sadm-brats")}
    paper = statistics.comparisons(table, ROWS, references)
    key = ["reference", "row", "test_set", "metric"]
    same = found.set_index(key).loc[pd.MultiIndex.from_frame(paper[key])]
    assert same["p_holm"].tolist() == paper["p_holm"].tolist()
    # Two rows are compared with each reference.
    family = found.query("reference == 'cddpm' and metric == 'auprc'")
    assert family["p_holm"].tolist() == list(statistics.holm(family["p"]))


def test_all_pairs_are_one_family(rng):
    table = metrics({row: rng.random((20, 2)) for row in MORE})
    found = statistics.pairs(table, MORE).query("metric == 'dice_val'")
    assert len(found) == 6 * 5 / 2 and "perfect" not in {*found["reference"], *found["row"]}
    assert found["p_holm"].tolist() == list(statistics.holm(found["p"]))
    first = found.iloc[0]
    means = table.groupby(["row", "subject"])["dice_val"].mean().unstack(0)
    assert (first["reference"], first["row"]) == ("cddpm", "unet-brats")
    expected = stats.wilcoxon(means["cddpm"], means["unet-brats"]).pvalue
    assert first["p"] == pytest.approx(expected)


# The paper.


def ours(n=15, mean=0.66, low=0.60, high=0.70):
    return {"n": n, "mean": mean, "low": low, "high": high}


@pytest.mark.parametrize(
    ("paper", "word"),
    [(0.57, "above"), (0.58, "within"), (0.65, "within"), (0.72, "within"), (0.73, "below")],
)  # fmt: skip
def test_distance_by_hand(paper, word):
    # Interval 0.60 to 0.70, widened by 0.01 of ours and 0.012 of the paper's spread.
    found = statistics.distance(ours(), 0.01, paper, 0.012, simulated=False)
    assert found.verdict == word
    expected = (0.66 - paper, 0.578 - paper, 0.722 - paper)
    assert found[:3] == pytest.approx(expected)
    assert (word == "within") == (found.low <= 0 <= found.high)


def test_distance_of_one_fold_has_no_spread():
    found = statistics.distance(ours(), np.nan, 0.59, np.nan, simulated=False)
    assert found.verdict == "above" and found.low == pytest.approx(0.01)


def test_few_subjects_have_a_difference_but_no_interval_and_no_verdict():
    few = ours(n=statistics.FEWEST - 1, mean=0.206, low=0.0, high=0.5)
    found = statistics.distance(few, 0.1, 0.392, 0.01, simulated=False)
    assert found.verdict == "too few subjects" and np.isnan([found.low, found.high]).all()
    assert found.difference == pytest.approx(-0.186)
    enough = few | {"n": statistics.FEWEST}
    assert statistics.distance(enough, 0.1, 0.392, 0.01, simulated=False).verdict == "within"


def test_simulated_scans_are_not_compared_with_published_values():
    found = statistics.distance(ours(n=500), 0.01, 0.65, 0.01, simulated=True)
    assert found.verdict == "simulated" and np.isnan(found[:3]).all()


@pytest.mark.parametrize(("mean", "paper"), [(np.nan, 0.59), (0.66, np.nan)])
@pytest.mark.parametrize("simulated", [False, True])
def test_nothing_to_compare(mean, paper, simulated):
    found = statistics.distance(ours(mean=mean), np.nan, paper, 0.01, simulated)
    assert found.verdict == "no data" and np.isnan(found[:3]).all()


def test_simulated_rows_do_not_count_as_agreement():
    columns = {"dice_best_released_mean": [0.1, 0.2], "paper_dice_mean": [0.1, 0.2]}
    columns |= {"auprc_mean": 0.5, "paper_auprc_mean": np.nan}
    first = pd.DataFrame({"test_set": "brats", **columns})
    second = pd.DataFrame({"dice_best_verdict": ["simulated"] * 2, "auprc_verdict": "no data"})
    for line in statistics.agreement(first, second).to_dict("records"):
        assert (line["n_rows"], line["within"], line["above"], line["below"]) == (0, 0, 0, 0)
        assert np.isnan(line["tau_b"])


def test_agreement_by_hand():
    # Ours 1 2 3 4, paper 1 3 2 2: three pairs agree, one does not... 4 - 1 of sqrt(6 * 5).
    first = pd.DataFrame(
        {
            "test_set": "brats",
            "dice_best_mean": [0.4, 0.3, 0.2, 0.1, 0.9],
            "dice_best_released_mean": [0.1, 0.2, 0.3, 0.4, 0.9],  # the paper's estimator
            "paper_dice_mean": [0.1, 0.3, 0.2, 0.2, np.nan],
            "auprc_mean": 0.5,
            "paper_auprc_mean": np.nan,
        }
    )
    second = pd.DataFrame(
        {"dice_best_verdict": ["within", "below", "above", "above", "no data"],
         "auprc_verdict": "no data"}
    )  # fmt: skip
    dice, auprc = statistics.agreement(first, second).to_dict("records")
    # Concordant: 1-2, 1-3, 1-4; discordant: 2-3, 2-4; tied in the paper: 3-4.
    assert dice["tau_b"] == pytest.approx((3 - 2) / np.sqrt(6 * 5))
    assert (dice["n_rows"], dice["within"], dice["above"], dice["below"]) == (4, 1, 2, 1)
    assert auprc["n_rows"] == 0 and np.isnan(auprc["tau_b"])


def of_rows(n, **levels):
    """Metrics of rows whose values are level and noise, and the rows' blocks."""
    rng = np.random.default_rng(4)
    lines = [
        {"row": row, "test_set": "brats", "subject": f"S{i}", "fold": 0, "dice_best": value,
         "dice_val": value, "auprc": value}
        for row, level in levels.items()
        for i, value in enumerate(level + 0.1 * rng.standard_normal(n))
    ]  # fmt: skip
    return pd.DataFrame(lines), {row: {"block": "I"} for row in levels}


def test_ranks_are_sure_of_rows_far_apart_and_not_of_equals():
    subjects, rows = of_rows(40, low=0.1, high=0.9, one=0.5, other=0.5)
    rows["other"]["block"] = rows["one"]["block"] = "II"
    found = statistics.ranks(subjects, rows, 1).query("metric == 'auprc'").set_index("row")
    assert tuple(found.loc["high", ["rank", "low", "high"]]) == (1, 1, 1)
    assert tuple(found.loc["low", ["rank", "low", "high"]]) == (4, 4, 4)
    assert sorted(found.loc[["one", "other"], "rank"]) == [2, 3]
    assert (found.loc[["one", "other"], "low"] == 2).all()
    assert (found.loc[["one", "other"], "high"] == 3).all()


def test_ranks_of_controls_ties_and_few_subjects():
    subjects, rows = of_rows(14, a=0.2, perfect=1.0)
    same = subjects[subjects["row"] == "a"].assign(row="b")
    rows |= {"b": {"block": "I"}, "perfect": {"block": "control"}}
    found = statistics.ranks(pd.concat([subjects, same]), rows, 1)
    assert set(found["row"]) == {"a", "b"} and set(found["rank"]) == {1.5}
    assert found[["low", "high"]].isna().all(axis=None)  # fewer than 15
    # Without any value there is no place.
    lost = statistics.ranks(subjects.assign(auprc=np.nan), {"a": {"block": "I"}}, 1)
    assert lost.query("metric == 'auprc'")["rank"].isna().all()


def test_rank_intervals_do_not_depend_on_the_order_of_rows():
    subjects, rows = of_rows(20, a=0.5, b=0.52, c=0.48)
    found = statistics.ranks(subjects, rows, 1).set_index(["metric", "row"])
    turned = statistics.ranks(subjects, dict(reversed(rows.items())), 1)
    turned = turned.set_index(["metric", "row"]).loc[found.index]
    pd.testing.assert_frame_equal(found, turned)
    assert (found["high"] > found["low"]).any()
