"""The page and figure of claims: what is said of each verdict, of simulated data, and of a part."""

import re

import numpy as np
import pandas as pd
import pytest

from uad.evaluation import claims
from uad.report import canvas, claims_page

CONTENT = {
    "paper": "Somebody & al., 2024",
    "claims": {
        "true": {
            "title": "SADM_res is better", "quote": "SADM_res <outperforms> it.",
            "source": "Sec. 5", "reading": "Above the cDDPM.", "published": "3.4 %",
            "kind": "above", "metric": "dice_best", "margin": 0,
            "compare": [{"row": "sadm_res-brats", "than": ["cddpm"],
                         "test_sets": ["brats", "atlas"]}],
        },
        "reversed": {
            "title": "The cDDPM is better", "quote": "b", "source": "Sec. 6", "reading": None,
            "published": None, "kind": "above", "metric": "auprc", "margin": 0,
            "compare": [{"row": "cddpm", "than": ["sadm_res-brats"], "test_sets": ["brats"]}],
        },
        "kept": {
            "title": "No worse", "quote": "c", "source": "App. D", "reading": None,
            "published": None, "kind": "not_below", "metric": "dice_best", "margin": 0.1,
            "compare": [{"row": "cddpm", "than": ["sadm_res-brats"], "test_sets": ["brats"]}],
        },
        "absent": {
            "title": "Another", "quote": "d", "source": "App. D", "reading": None,
            "published": None, "kind": "above", "metric": "dice_best", "margin": 0,
            "compare": [{"row": "unet-atlas", "than": ["cddpm"], "test_sets": ["atlas"]}],
        },
    },
}  # fmt: skip
LABELS = {"cddpm": "cDDPM", "sadm_res-brats": "SADM_res"}
VERDICTS = [claims.HOLDS, claims.FAILS, claims.FAILS, claims.ABSENT]


def results(rng, n=20, gain=0.2):
    """Comparisons and verdicts of a planted cohort."""
    lines = []
    for test_set in ("brats", "atlas"):
        base = rng.normal(0.5, 0.05, n)
        for row, values in {"cddpm": base, "sadm_res-brats": base + gain}.items():
            values = values + rng.normal(0, 0.01, n)
            lines += [
                {"row": row, "test_set": test_set, "subject": f"S{i}", "fold": 0,
                 "dice_best": value, "dice_val": value, "auprc": value}
                for i, value in enumerate(values)
            ]  # fmt: skip
    table1 = pd.DataFrame(
        {"method": ["cddpm", "sadm_res"], "d_unhealthy": ["none", "brats"], "test_set": "brats",
         "paper_dice_mean": [0.5, 0.6123], "paper_auprc_mean": [0.5, 0.6]}
    )  # fmt: skip
    compared = claims.compare(pd.DataFrame(lines), CONTENT["claims"], table1, seed=1)
    return compared, claims.judge(compared, CONTENT["claims"])


def page(tmp_path, compared, verdicts, simulated=False):
    path = tmp_path / "claims.html"
    claims_page.write(path, CONTENT, compared, verdicts, LABELS, simulated)
    return path.read_text(encoding="utf-8")


def sections(text):
    """What the page says of each claim, without tags."""
    found = re.findall(r"<section class=.*?</section>", text, flags=re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", section).split()) for section in found]


def test_a_real_run(tmp_path, rng):
    compared, verdicts = results(rng)
    assert verdicts["verdict"].tolist() == VERDICTS
    text = page(tmp_path, compared, verdicts)
    assert "imulat" not in text
    assert "Of 4 claims, 1 holds, 2 do not hold, 1 is not in this run." in text
    assert "Somebody &amp; al." in text and "SADM<sub>res</sub> &lt;outperforms&gt; it." in text
    true, false, kept, absent = sections(text)
    assert true.startswith("✓ SADM res is better: holds")
    assert "Sec. 5 Read as: Above the cDDPM. The paper names: 3.4 %" in true
    assert re.search(
        r"\[DICE\]: 2 of 2 differences are as claimed; the weakest, SADM res \(BRATS\) − cDDPM on "
        r"(ATLAS|BRATS): \+\d\d\.\d \[\d\d\.\d, \d\d\.\d\], 20 subjects\.",
        true,
    )
    assert "published" in true and "+11.2" in true  # 61.23 - 50.00
    assert false.startswith("✗") and "AUPRC: cDDPM − SADM res (BRATS) on BRATS: −" in false
    assert "limit −7" in kept and "limit" not in false
    assert absent.startswith("–") and "Not in this run: unet (ATLAS)." in absent
    assert page(tmp_path, compared, verdicts) == text


def test_a_simulated_run_says_so_first_and_compares_nothing_with_the_paper(tmp_path, rng):
    compared, verdicts = results(rng)
    text = page(tmp_path, compared, verdicts, simulated=True)
    body = text.partition("<h1>")[2]
    first, second = re.findall(r'<p class="warning">(.*?)</p>', body)
    assert first.startswith("Computed on simulated scans")
    assert "of patients" in second and "not compared" in second
    assert body.index(second) < body.index("Claims of")
    assert '<th scope="col">paper, on patients</th>' in text and "<th>published</th>" not in text
    assert "Black strokes" not in text
    figure = claims_page.forest(compared, verdicts, simulated=True)
    real = claims_page.forest(compared, verdicts, simulated=False)

    def strokes(found):
        return sum(line.get_marker() == "|" for line in found.axes[0].lines)

    assert strokes(figure) == 0 and strokes(real) == 3  # published on BRATS only
    canvas.heading(figure, "The paper's claims", simulated=True)
    canvas.save(figure, tmp_path / "claims.svg")
    assert "(simulated data)" in (tmp_path / "claims.svg").read_text()


def test_few_subjects(tmp_path, rng):
    compared, verdicts = results(rng, n=3)
    true, false, *_ = sections(page(tmp_path, compared, verdicts))
    assert true.startswith("… SADM res is better: too few subjects")
    assert "2 of 2 differences are as claimed" in true and "3 subjects" in true
    assert "too few subjects" in false and "[" not in false.replace("[DICE]", "")
    assert re.search(r"on BRATS: −\d\d\.\d, 3 subjects", false)
    shown = claims_page.forest(compared, verdicts, simulated=True).axes[0]
    lines = [line.get_xdata() for line in shown.lines if line.get_marker() == "None"]
    assert all(np.isnan(x).all() or len(set(x)) == 1 for x in lines)  # none but bounds
    compared, verdicts = results(rng, n=1)
    assert ", 1 subject." in sections(page(tmp_path, compared, verdicts))[1]


def test_the_figure_shows_every_comparison_where_it_is(rng):
    compared, verdicts = results(rng)
    panel = claims_page.forest(compared, verdicts, simulated=True).axes[0]
    drawn = [line for line in panel.lines if line.get_marker() in claims_page.MARKERS]
    there = compared[compared["n"] > 0]
    assert [line.get_xdata()[0] for line in drawn] == pytest.approx(100 * there["effect"])
    heights = [line.get_ydata()[0] for line in drawn]
    assert heights == sorted(heights) and len(set(heights)) == len(heights)
    low, high = panel.get_xlim()
    assert low < 100 * there["low"].min() and high > 100 * there["high"].max()
    bold = [line for line in drawn if line.get_alpha() == 1]
    assert len(bold) == (verdicts["n"] > 0).sum()
    words = [text.get_text() for text in panel.texts]
    assert words[1::2] == VERDICTS and words[0] == "SADM$_{res}$ is better"


def test_a_run_with_none_of_the_claims(tmp_path, rng):
    compared, verdicts = results(rng)
    compared = compared.assign(n=0, verdict=claims.ABSENT)
    compared[["effect", "low", "high", "bound", "p", "p_holm", "published"]] = np.nan
    verdicts = claims.judge(compared, CONTENT["claims"])
    text = page(tmp_path, compared, verdicts)
    assert "Of 4 claims, 4 are not in this run." in text


def test_a_run_that_defines_none_of_them(tmp_path, rng):
    compared, verdicts = results(rng)
    compared = compared.assign(n=0, verdict=claims.NO_VALUE)
    compared[["effect", "low", "high", "bound", "p", "p_holm"]] = np.nan
    verdicts = claims.judge(compared, CONTENT["claims"])
    text = page(tmp_path, compared, verdicts)
    assert "Of 4 claims, 4 are not defined." in text and "nan" not in text
    assert "Not defined on BRATS" in text and "Not in this run" not in text


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (["holds"] * 2 + ["does not hold"], "2 hold, 1 does not hold"),
        (["undecided", "holds"], "1 holds, 1 is undecided"),
        (["too few subjects"] * 3, "3 have too few subjects"),
        (["too few subjects", "not in this run"], "1 has too few subjects, 1 is not in this run"),
    ],
)
def test_counts(verdicts, words):
    assert claims_page.counts(pd.DataFrame({"verdict": verdicts})) == words
