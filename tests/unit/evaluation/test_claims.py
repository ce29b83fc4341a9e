"""Verdicts on claims: planted truths, what is missing, and how often chance gets one."""

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from scipy import stats

from uad.evaluation import claims, statistics
from uad.plan.claims import read_claims

FILES = {name: ROOT / f"workflow/resources/claims_{name}.yaml" for name in ("sadm", "cddpm")}
COLUMNS = ["row", "test_set", "subject", "fold", "dice_best", "dice_val", "auprc"]


def metrics(values, test_set="brats"):
    """Metrics of rows: row to an array (subjects,) or (subjects, folds) of every metric."""
    lines = []
    for row, array in values.items():
        array = np.asarray(array, float)
        for (i, fold), value in np.ndenumerate(array.reshape(len(array), -1)):
            lines.append((row, test_set, f"S{i:03}", fold, *[value] * 3))
    return pd.DataFrame(lines, columns=COLUMNS)


def claim(row, than, *test_sets, kind="above", margin=0, metric="dice_best"):
    others = [than] if isinstance(than, str) else list(than)
    part = {"row": row, "than": others, "test_sets": list(test_sets or ["brats"])}
    return {
        "title": f"{row} is better", "source": "Sec. 5", "kind": kind, "margin": margin,
        "metric": metric, "compare": [part],
    }  # fmt: skip


def table1(**means):
    """Published means of rows on BRATS."""
    lines = [
        {"method": row, "d_unhealthy": "none", "test_set": "brats", "paper_dice_mean": mean,
         "paper_auprc_mean": mean / 2}
        for row, mean in means.items()
    ]  # fmt: skip
    columns = ["method", "d_unhealthy", "test_set", "paper_dice_mean", "paper_auprc_mean"]
    return pd.DataFrame(lines, columns=columns)


def judged(subjects, found, weights=None, **published):
    """Comparisons, and the verdict on each claim."""
    compared = claims.compare(subjects, found, table1(**published), seed=3, weights=weights)
    verdicts = claims.judge(compared, found).set_index("claim")
    return compared, verdicts


def cohort(rng, n, **effects):
    """Values of rows: a subject's own difficulty, a row's effect, and noise."""
    difficulty = rng.normal(0.5, 0.15, n)
    return {row: difficulty + effect + rng.normal(0, 0.03, n) for row, effect in effects.items()}


def test_planted_truths(rng):
    values = cohort(rng, 24, good=0.1, bad=0.0)
    values["same"] = values["bad"] + 0.03 * (-1.0) ** np.arange(24)  # above and below in turn
    found = {
        "true": claim("good", "bad"),
        "reversed": claim("bad", "good"),
        "null": claim("same", "bad"),
        "true_of_both": claim("good", ["bad", "same"]),
        "true_of_one": claim("same", ["good", "bad"]),
        "open_of_one": claim("good", ["bad"]),
    }
    found["open_of_one"]["compare"] += claim("same", "bad")["compare"]
    compared, verdicts = judged(metrics(values), found)
    assert verdicts["verdict"].to_dict() == {
        "true": claims.HOLDS, "reversed": claims.FAILS, "null": claims.UNDECIDED,
        "true_of_both": claims.HOLDS, "true_of_one": claims.FAILS,
        "open_of_one": claims.UNDECIDED,
    }  # fmt: skip
    assert verdicts["comparisons"].tolist() == [1, 1, 1, 2, 2, 2]
    assert verdicts["as_claimed"].tolist()[:2] == [1, 0]
    assert verdicts.loc["true_of_one", "than"] == "good"  # which decides
    assert verdicts.loc["open_of_one", "row"] == "same"
    assert set(compared["n"]) == {24}


def test_effect_interval_and_test_by_hand(rng):
    values = {row: rng.random((20, 3)) for row in ("a", "b")}
    compared, _ = judged(metrics(values), {"x": claim("a", "b")}, a=0.5, b=0.3)
    (line,) = compared.to_dict("records")
    difference = (values["a"] - values["b"]).mean(axis=1)  # subjects, averaged over their folds
    exact = stats.bootstrap(
        (difference,), np.mean, n_resamples=20000, method="percentile", rng=rng
    ).confidence_interval
    assert line["effect"] == pytest.approx(difference.mean())
    assert [line["low"], line["high"]] == pytest.approx(list(exact), abs=0.01)
    assert line["p"] == line["p_holm"] == pytest.approx(stats.wilcoxon(difference).pvalue)
    assert line["published"] == pytest.approx(0.2) and line["bound"] == 0


def test_pairs_decide_and_not_means(rng):
    """A difference far below the spread of subjects is seen, since it is the same in all."""
    difficulty = rng.random(30)
    values = {"a": difficulty + 0.01 + rng.normal(0, 1e-3, 30), "b": difficulty}
    assert judged(metrics(values), {"x": claim("a", "b")})[1].loc["x", "verdict"] == claims.HOLDS
    shuffled = values | {"a": rng.permutation(values["a"])}
    verdict = judged(metrics(shuffled), {"x": claim("a", "b")})[1].loc["x", "verdict"]
    assert verdict == claims.UNDECIDED


@pytest.mark.parametrize(
    ("effect", "verdict"),
    [(-0.01, claims.HOLDS), (0.2, claims.HOLDS), (-0.2, claims.FAILS), (-0.05, claims.UNDECIDED)],
)
def test_a_margin_is_a_share_of_what_is_compared_with(rng, effect, verdict):
    reference = 0.5 + 0.1 * (-1.0) ** np.arange(40)
    noise = rng.normal(0, 0.005, 40)
    noise -= noise.mean()
    subjects = metrics({"a": reference + effect + noise, "b": reference})
    found = {"x": claim("a", "b", kind="not_below", margin=0.1)}
    compared, verdicts = judged(subjects, found)
    assert compared["bound"].tolist() == pytest.approx([-0.05])
    assert compared["effect"].tolist() == pytest.approx([effect])
    assert verdicts.loc["x", "verdict"] == verdict
    assert compared["p"][0] == pytest.approx(statistics.wilcoxon(effect + noise + 0.05))


def test_few_subjects_have_a_direction_and_no_verdict(rng):
    few = statistics.FEWEST - 1
    values = cohort(rng, few, good=0.3, bad=0.0)
    found = {"true": claim("good", "bad"), "reversed": claim("bad", "good")}
    compared, verdicts = judged(metrics(values), found)
    assert set(verdicts["verdict"]) == {statistics.TOO_FEW} and set(verdicts["n"]) == {few}
    assert verdicts["as_claimed"].tolist() == [1, 0]
    assert compared["effect"].tolist() == pytest.approx([0.3, -0.3], abs=0.05)
    assert compared[["low", "high", "p", "p_holm"]].isna().all(axis=None)
    enough = metrics(cohort(rng, statistics.FEWEST, good=0.3, bad=0.0))
    assert judged(enough, found)[1]["verdict"].tolist() == [claims.HOLDS, claims.FAILS]


def test_a_single_subject():
    found = {"x": claim("a", "b")}
    compared, verdicts = judged(metrics({"a": [0.5], "b": [0.4]}), found)
    assert verdicts.loc["x", ["verdict", "n"]].tolist() == [statistics.TOO_FEW, 1]
    assert compared["effect"][0] == pytest.approx(0.1) and np.isnan(compared["low"][0])


def test_one_test_set_with_few_subjects_keeps_a_claim_open_but_not_a_refutation(rng):
    large = metrics(cohort(rng, 30, good=0.2, bad=0.0))
    small = metrics(cohort(rng, 5, good=0.2, bad=0.0), "atlas")
    found = {
        "true": claim("good", "bad", "brats", "atlas"),
        "reversed": claim("bad", "good", "atlas", "brats"),
    }
    _, verdicts = judged(pd.concat([large, small]), found)
    assert verdicts["verdict"].tolist() == [statistics.TOO_FEW, claims.FAILS]
    assert verdicts["test_set"].tolist() == ["atlas", "brats"]


def test_what_this_run_does_not_have(rng):
    subjects = metrics(cohort(rng, 30, good=0.2, bad=0.0))
    found = {
        "row": claim("good", ["bad", "absent"]),
        "test_set": claim("good", "bad", "brats", "atlas"),
        "true": claim("good", "bad"),
    }
    compared, verdicts = judged(subjects, found)
    assert verdicts["verdict"].tolist() == [claims.ABSENT, claims.ABSENT, claims.HOLDS]
    assert compared["verdict"].tolist() == [
        claims.HOLDS, claims.ABSENT, claims.HOLDS, claims.ABSENT, claims.HOLDS,
    ]  # fmt: skip
    assert compared["n"].tolist() == [30, 0, 30, 0, 30]
    none = judged(subjects, {"row": claim("absent", "other", "atlas")})[1]
    assert none["verdict"].tolist() == [claims.ABSENT]


def test_what_is_not_defined_for_any_subject_is_not_absent(rng):
    subjects = metrics(cohort(rng, 30, good=0.2, bad=0.0))
    without = metrics({"good": [np.nan] * 3, "bad": [np.nan] * 3}, "atlas")
    found = {
        "both": claim("good", "bad", "brats", "atlas"),
        "weight": claim("good", "bad", "atlas", kind="best_weight"),
        "absent": claim("good", ["bad", "none"], "atlas"),
    }
    lines = [("", "atlas", 0, f"S{i}", b, np.nan) for i in range(3) for b in (0, 0.5, 1)]
    columns = ["d_unhealthy", "test_set", "fold", "subject", "beta", "dice_best"]
    weights = pd.DataFrame(lines, columns=columns)
    compared, verdicts = judged(pd.concat([subjects, without]), found, weights)
    assert verdicts["verdict"].tolist() == [claims.NO_VALUE, claims.NO_VALUE, claims.ABSENT]
    assert compared["n"].tolist() == [30, 0, 0, 0, 0]
    assert compared["effect"].notna().tolist() == [True] + [False] * 4


def test_subjects_without_a_value_are_left_out(rng):
    subjects = metrics(cohort(rng, 20, good=0.1, bad=0.0))
    without = subjects["subject"].isin(["S000", "S001"])
    subjects.loc[without & (subjects["row"] == "bad"), "auprc"] = np.nan
    compared, _ = judged(subjects, {"x": claim("good", "bad", metric="auprc")}, good=0.4, bad=0.2)
    assert compared["n"].tolist() == [18] and compared["published"].tolist() == [0.1]


def test_p_values_are_corrected_over_the_page(rng):
    values = cohort(rng, 20, a=0.02, b=0.0, c=0.01)
    found = {"x": claim("a", ["b", "c"]), "y": claim("c", "b")}
    compared, _ = judged(metrics(values), found)
    expected = statistics.holm(compared["p"])
    assert compared["p_holm"].tolist() == pytest.approx(expected)
    assert (compared["p_holm"] >= compared["p"]).all() and (expected > compared["p"]).any()


def test_another_claim_changes_no_interval(rng):
    subjects = metrics(cohort(rng, 20, a=0.02, b=0.0, c=0.01))
    alone, _ = judged(subjects, {"x": claim("a", "b")})
    among, _ = judged(subjects, {"y": claim("c", "b"), "x": claim("a", "b")})
    ends = ["effect", "low", "high", "p"]
    assert alone[ends].iloc[0].tolist() == among[ends].iloc[1].tolist()


@pytest.mark.parametrize(("n", "most"), [(15, 0.10), (22, 0.09), (100, 0.07)])
def test_verdicts_by_chance(n, most):
    """Between equals one verdict in twenty is expected, half of them each way; few subjects give
    more (in 2000 cohorts 7.7 % of 15, 7.0 % of 22, 5.1 % of 100)."""
    rng, n_cohorts = np.random.default_rng(n), 1000
    low, high = statistics.bootstrap(rng.normal(size=(n, n_cohorts)), rng)
    ends = pd.DataFrame({"low": low, "high": high}).assign(n=n, bound=0.0)
    share = ends.apply(claims._verdict, axis=1).value_counts(normalize=True)
    assert 0.03 < share[claims.HOLDS] + share[claims.FAILS] < most
    assert share[claims.HOLDS] > 0.01 and share[claims.FAILS] > 0.01
    assert statistics.TOO_FEW not in share


# The weight of the residual map.

BETAS = np.arange(11) / 10


def weights_of(curves, trained_on="brats", test_set="brats"):
    """Lines of `curves.weight_table`; curves of shape (subjects, weights)."""
    return pd.DataFrame(
        [
            (trained_on, test_set, 0, f"S{i:03}", beta, value)
            for i, curve in enumerate(curves)
            for beta, value in zip(BETAS, curve)
        ],
        columns=["d_unhealthy", "test_set", "fold", "subject", "beta", "dice_best"],
    )


def judged_weights(curves):
    subjects = metrics(
        {"unet_res-brats": curves[:, 0], "sadm_res-brats": curves[:, 5], "cddpm": curves[:, -1]}
    )
    found = {"x": claim("sadm_res-brats", ["unet_res-brats", "cddpm"], kind="best_weight")}
    compared, verdicts = judged(subjects, found, weights_of(curves))
    return compared, verdicts.loc["x", "verdict"]


def test_a_curve_with_its_summit_between_the_ends(rng):
    # At 0.5 it is below the end at 1: that there is a better weight, 0.8, must be found.
    curve = np.array([0.2, 0.2, 0.2, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.55, 0.5])
    curves = curve + rng.normal(0, 0.1, (20, 1)) + rng.normal(0, 0.01, (20, 11))
    compared, verdict = judged_weights(curves)
    assert verdict == claims.HOLDS
    assert compared["effect"].tolist() == pytest.approx([0.4, 0.1], abs=0.02)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_curve_with_its_summit_at_an_end(rng, direction):
    curve = np.linspace(0.2, 0.6, 11)[::direction]
    curves = curve + rng.normal(0, 0.1, (20, 1)) + rng.normal(0, 0.01, (20, 11))
    compared, verdict = judged_weights(curves)
    assert verdict == claims.FAILS
    assert compared["effect"].min() == pytest.approx(-0.04, abs=0.01)


def test_the_best_weight_of_a_flat_curve_is_not_better_by_choice():
    """Nine weights of noise: the best of them for all subjects is above the ends in most cohorts,
    that for the others' in half of them."""
    rng, above, flattered = np.random.default_rng(7), [], []
    for _ in range(400):
        curves = pd.DataFrame(rng.normal(size=(20, 11)), columns=BETAS)
        above.append((claims.at_best_weight(curves) - curves[0.0]).mean() > 0)
        flattered.append(curves.mean().iloc[1:-1].max() > curves[0.0].mean())
    assert np.mean(flattered) > 0.85
    assert np.mean(above) < 0.6


def test_the_best_weight_by_hand():
    curves = pd.DataFrame([[9, 1, 5, 9], [9, 2, 4, 9], [9, 9, 4, 9]], columns=[0, 0.3, 0.6, 1])
    # Others' sums: 11 and 8; 10 and 9; 3 and 9.
    assert claims.at_best_weight(curves).tolist() == [1, 2, 4]


# The files.


@pytest.fixture(scope="module")
def published():
    """The paper's table with the names of rows."""
    table = pd.read_csv(ROOT / "workflow/resources/table1_paper.csv")
    plain = table["d_unhealthy"] == "none"
    return table.assign(
        row=table["method"].where(plain, table["method"] + "-" + table["d_unhealthy"])
    )


def test_the_papers_own_means_bear_out_its_claims(published):
    """Every claim reads its sentence the right way round: of the published means each holds."""
    found = read_claims(str(FILES["sadm"]))["claims"]
    assert len(found) >= 15
    jitter = 1e-4 * np.tile([1, -1], 10)
    subjects = pd.concat(
        [
            metrics({line["row"]: line["dice_mean"] / 100 + jitter}, line["test_set"]).assign(
                auprc=line["auprc_mean"] / 100
            )
            for _, line in published.iterrows()
        ]
    )
    # The figure with the curves has no numbers: one that is highest at 0.7 stands for it.
    summits = [
        weights_of(np.where(BETAS == 0.7, 0.9, 0.1) + np.zeros((20, 1)), name, name)
        for name in ("draem", "brats", "atlas")
    ]
    as_table1 = (
        published.rename(columns=lambda name: f"paper_{name}")[
            ["paper_dice_mean", "paper_auprc_mean"]
        ]
        / 100
    )
    as_table1 = as_table1.assign(**published[["method", "d_unhealthy", "test_set"]])
    compared = claims.compare(subjects, found, as_table1, seed=1, weights=pd.concat(summits))
    verdicts = claims.judge(compared, found)
    assert set(verdicts["verdict"]) == {claims.HOLDS}
    others = compared[~compared["claim"].eq("weight_between_is_best")]
    np.testing.assert_allclose(others["effect"], others["published"], atol=1e-9)


def test_effects_that_the_paper_names_are_those_of_its_table(published):
    value = published.set_index(["row", "test_set"])
    found = read_claims(str(FILES["sadm"]))["claims"]

    def gain(row, than, test_set, metric="dice_mean"):
        return 100 * (value[metric][row, test_set] / value[metric][than, test_set] - 1)

    gains = [gain("sadm_res-draem", "cddpm", name) for name in ("brats", "atlas")]
    assert "{:.1f} % and {:.1f} %".format(*gains) in found["sadm_res_beats_cddpm"]["published"]
    lead = ("draem_net-draem", "sadm_res-draem", "draem")
    told = found["draem_net_leads_on_synthetic"]
    assert f"{gain(*lead, 'auprc_mean'):.1f} %" in told["published"]
    assert f"{gain(*lead):.1f} %" in told["reading"]
    for name, test_set in (("tumours_58_to_70", "brats"), ("strokes_25_to_27", "atlas")):
        ends = [value["dice_mean"][row, test_set] for row in ("cddpm", "sadm_res-brats")]
        assert "from {:.2f} % to {:.2f} %".format(*ends) == found[name]["published"]


@pytest.mark.parametrize("name", FILES)
def test_claims_are_told_apart(name):
    content = yaml.safe_load(FILES[name].read_text(encoding="utf-8"))
    titles = [claim["title"] for claim in content["claims"].values()]
    assert len(set(titles)) == len(titles) and max(map(len, titles)) < 100
    words = FILES[name].read_text(encoding="utf-8")
    assert words.count("\n    title:") == len(titles)  # no name twice, of which YAML keeps one
