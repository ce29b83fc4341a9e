"""Quality of a data set: outliers by hand, order and content of the page, thousands of subjects."""

import re
import time

import numpy as np
import pandas as pd
import pytest

from uad.base import tsv
from uad.report import pages, quality_page

NOBODY = pd.DataFrame({"subject": [], "similarity": [], "status": []})
EVERYONE = np.ones(7, bool)


def rows(n, **columns):
    """Rows of `n` subjects S0, S1, ... in good order, with columns replaced."""
    rng = np.random.default_rng(5)
    values = {
        "similarity": 0.75 + 0.01 * rng.uniform(-1, 1, n),
        "brain_ml": 1400 + 50 * rng.uniform(-1, 1, n),
        "lesion_ml": 10 ** rng.uniform(-0.5, 1.5, n),
        "lesion_inside": np.ones(n),
    } | columns
    return [
        {"subject": f"S{i}", "status": "ok"} | {k: v[i] for k, v in values.items()}
        for i in range(n)
    ]


def with_outlier(n, where, **values):
    found = rows(n)
    found[where].update(values)
    return found


def test_robust_z_by_hand():
    # Median 4, absolute deviations 3 2 1 0 1 2 96: their median is 2.
    z = quality_page.robust_z(np.array([1.0, 2, 3, 4, 5, 6, 100]), EVERYONE)
    np.testing.assert_allclose(z, np.array([-3, -2, -1, 0, 1, 2, 96]) / (1.4826 * 2))


def test_missing_and_excluded_values_do_not_count():
    values = np.array([1.0, 2, 3, np.nan, 1000, 4, 5])
    kept = np.array([1, 1, 1, 1, 0, 1, 1], bool)
    z = quality_page.robust_z(values, kept)
    assert np.isnan(z[3])
    assert z[2] == 0 and z[4] == pytest.approx(997 / 1.4826)


def test_more_than_half_equal_values():
    # Mean absolute deviation 0.7 / 7.
    z = quality_page.robust_z(np.array([1, 1, 1, 1, 1, 1, 0.3]), EVERYONE)
    assert z[-1] == pytest.approx(-0.7 / (1.2533 * 0.1))
    assert (z[:-1] == 0).all()


def test_all_but_equal_values_flag_nobody():
    z = quality_page.robust_z(np.array([1, 1, 1, 1, 1, 1, 0.9999]), EVERYONE)
    assert abs(z).max() == pytest.approx(0.0001 / 0.005)
    assert (quality_page.robust_z(np.full(7, 2.0), EVERYONE) == 0).all()
    assert np.isnan(quality_page.robust_z(np.full(7, np.nan), EVERYONE)).all()


def test_worst_first():
    found = with_outlier(20, 7, brain_ml=900.0)
    found[12]["brain_ml"] = 1900.0 + 600
    excluded = pd.DataFrame({"subject": ["S3"], "similarity": [0.1], "status": ["it failed"]})
    subjects, scores, _ = quality_page.table(found, excluded)
    assert list(subjects["subject"][:3]) == ["S3", "S12", "S7"]
    assert subjects["worst_z"][1:].is_monotonic_decreasing
    assert subjects["excluded"][0] == "it failed" and (subjects["excluded"][1:] == "").all()
    assert subjects["worst_z"][1] == scores["brain_ml"][1]
    assert re.fullmatch(r"brain 2500 ml is far above the median 1\d\d\d", subjects["remarks"][1])
    assert (subjects["remarks"][3:] == "").all()


def test_a_good_value_is_no_outlier():
    subjects, *_ = quality_page.table(with_outlier(20, 4, similarity=0.99), NOBODY)
    assert (subjects["remarks"] == "").all()
    subjects, *_ = quality_page.table(with_outlier(20, 4, similarity=0.5), NOBODY)
    assert subjects["subject"][0] == "S4"
    assert subjects["remarks"][0].startswith("similarity 0.500 is far below the median 0.7")


def test_lesions_are_compared_by_orders_of_magnitude():
    # 300 ml is ten times the largest other lesion, and no outlier; no lesion at all is one.
    found = with_outlier(40, 4, lesion_ml=300.0)
    found[5].update(lesion_ml=0.0, lesion_inside=None)
    subjects, *_ = quality_page.table(found, NOBODY)
    assert list(subjects["subject"][subjects["remarks"] != ""]) == ["S5"]
    assert subjects["remarks"][0].startswith("lesion 0.00 ml is far below")


def test_healthy_data_sets_have_no_lesion_columns():
    healthy = rows(9, lesion_ml=np.zeros(9), lesion_inside=[None] * 9)
    _, scores, _ = quality_page.table(healthy, NOBODY)
    assert list(scores.columns) == ["similarity", "brain_ml"]


def test_lesion_kept_by_hand(tmp_path):
    found = rows(12, lesion_ml=np.array([27.8, 0.0, 10.0] + [5.0] * 9))
    packed = {"subject": [f"S{i}" for i in range(11)], "lesion_ml": [23.6, 0.0, 10.1] + [5.0] * 8}
    kept = quality_page.with_lesion_kept(found, pd.DataFrame(packed))
    values = [row["lesion_kept"] for row in kept]
    assert values[0] == pytest.approx(100 * 23.6 / 27.8) and values[2] == pytest.approx(101)
    assert values[1] is None and values[11] is None  # no lesion; not packed
    subjects, *_ = quality_page.table(kept, NOBODY)
    remark = subjects.set_index("subject").loc["S0", "remarks"]
    assert "lesion kept 84.9 % is far below the median 100.0" in remark
    assert "lesion kept, %" in page(tmp_path, kept)


def test_numbers_that_are_not_known_here_are_shown_and_flagged(tmp_path):
    found = rows(12, mutual_information=[0.3] * 11 + [0.1], attempts=[{"a": 1}] * 12)
    found[0]["restarted"] = True
    subjects, scores, _ = quality_page.table(found, NOBODY)
    assert list(scores.columns)[-1] == "mutual_information"
    assert subjects["subject"][0] == "S11"
    assert "mutual information 0.100 is far below" in page(tmp_path, found)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_subjects(tmp_path, n):
    assert f"<b>{n}</b> subjects" in page(tmp_path, rows(n))


def page(tmp_path, found, excluded=NOBODY, simulated=False, picture=b"picture"):
    """Write a page as the rule does and return it."""
    quality = quality_page.table(found, excluded)
    pictures = {}
    for row in found:
        path = tmp_path / f"preprocessed/ixi/sub-{row['subject']}/{row['subject']}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
        pictures[row["subject"]] = path
    path = tmp_path / "qc/ixi.html"
    quality_page.write(path, quality, pictures, "IXI <1>", simulated)
    return path.read_text()


def test_page(tmp_path):
    excluded = pd.DataFrame(
        {
            "subject": ["S3", "never-registered"],
            "similarity": [0.1, np.nan],
            "status": ["similarity 0.10 < 0.45", "the lesion mask is missing"],
        }
    )
    text = page(tmp_path, with_outlier(20, 7, brain_ml=900.0), excluded)
    assert "Quality of preprocessing: IXI &lt;1&gt;" in text
    assert (
        "<b>20</b> subjects registered, <b>2</b> excluded, <b>1</b> of the others flagged" in text
    )
    assert "<li><b>S3</b>: similarity 0.10 &lt; 0.45</li>" in text
    assert "<li><b>never-registered</b>: the lesion mask is missing</li>" in text
    assert "imulated" not in text
    # Worst first in the gallery and in the table.
    assert re.findall(r'<figure class="(\w+)"', text)[:3] == ["excluded", "flagged", "unremarkable"]
    assert re.findall(r'<img alt="(\w+):', text)[:2] == ["S3", "S7"]
    assert re.findall(r">(S\d+)</a>", text)[:2] == ["S3", "S7"]
    assert "<em>900</em>" in text and "<em>brain 900 ml</em>" in text
    # Of four numbers one has a flagged subject, who is named in its chart.
    assert text.count("<svg") == 4 and text.count('<rect class="marked"') == 1
    assert "flagged: S7" in text
    home, *links = re.findall(r'href="([^"]+)"', text)
    assert home == "../index.html" and links
    for link in links:
        assert (tmp_path / "qc" / link).exists()


def test_simulated_data_are_called_so(tmp_path):
    assert pages.SIMULATED in page(tmp_path, rows(5), simulated=True)


def test_the_page_needs_no_other_file(tmp_path):
    text = page(tmp_path, rows(5))
    assert text.count("data:image/jpeg;base64,cGljdHVyZQ==") == 5
    assert not re.search(r'(src|href)="(https?:|//)|<link|@import', text)


def test_table_reads_back(tmp_path):
    subjects, *_ = quality_page.table(with_outlier(20, 7, brain_ml=900.0), NOBODY)
    quality_page.write_table(subjects, tmp_path / "ixi.tsv")
    again = tsv.read(tmp_path / "ixi.tsv")
    assert list(again["subject"]) == list(subjects["subject"])
    assert again["brain_ml"][0] == 900 and again["excluded"].isna().all()
    assert again["remarks"].notna().sum() == 1


def test_thousands_of_subjects(tmp_path):
    n = 2500
    rng = np.random.default_rng(1)
    found = rows(
        n,
        **{f"number_{i}": rng.normal(100, 10, n) for i in range(6)},
        noise_percent=rng.exponential(1, n),
    )
    began = time.process_time()
    text = page(tmp_path, found, picture=rng.bytes(40_000))
    assert time.process_time() - began < 20
    assert len(text.encode()) < 5e6
    assert text.count("data:image/jpeg") == text.count("<figure") == 60
    assert text.count("</a>") == n + 1  # and the front page
    assert "The 60 worst, worst first" in text
