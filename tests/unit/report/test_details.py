"""Pages of rows and subjects: what they say, where they lead, what a wrong file does."""

import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from uad.base.errors import InputError
from uad.data.packed import PackedVolume
from uad.evaluation import map_pictures
from uad.evaluation.map_pictures import Kept, MapPicture
from uad.imaging import mosaic
from uad.report import chosen, details, row_page, subject_page, subjects_page

ROWS = {
    "cddpm": {"label": "cDDPM", "block": "I", "maps": ["cddpm"]},
    "sadm_res-brats": {"label": "SADM_res", "block": "III", "maps": ["cddpm", "unet_res-brats"]},
    "chance": {"label": "chance", "block": "control", "maps": ["chance"]},
}
RUN = details.Run(ROWS, {"brats": "brats21"}, 0, [0, 1], True, ["brats"])
SUBJECTS = ["A1", "A2", "A3"]
SHAPE = (4, 6, 8)  # (Z, X, Y)


class Scans:
    """In the place of a packed data set; the last subject has no lesion."""

    def volume(self, subject):
        rng = np.random.default_rng(list(subject.encode()))
        brain = np.zeros(SHAPE, bool)
        brain[1:, 1:5, 2:7] = True
        lesion = np.zeros(SHAPE, bool)
        lesion[2, 2:4, 3:6] = subject != "A3"
        return PackedVolume(subject, rng.random(SHAPE, np.float32), brain, lesion, brain)


@pytest.fixture
def metrics():
    lines = [
        {"row": row, "test_set": "brats", "subject": subject, "fold": fold,
         "dice_best": 0.1 * (k + 1) + 0.02 * fold, "dice_val": 0.05, "auprc": 0.2,
         "threshold": 0.25 + 0.5 * fold, "lesion_ml": 0.0 if subject == "A3" else 3.25,
         "hd95_mm": np.nan, "lesion_recall": 0.5, "lesion_precision": 1.0}
        for row in ROWS for fold in (0, 1) for k, subject in enumerate(SUBJECTS)
    ]  # fmt: skip
    return pd.DataFrame(lines)


def kept_of(row, tmp_path, shape=None):
    pictures = []
    for subject in SUBJECTS:
        volume = Scans().volume(subject)
        score = volume.image * volume.brain * 0.5
        shown = map_pictures.boxed(score, volume.brain)
        about = MapPicture(
            list(shape or shown.shape), float(score.max()),
            map_pictures.dice_above(score, volume.lesion),
        )  # fmt: skip
        made = {"map": mosaic.encode(map_pictures.scaled(shown, score.max()), "PNG")}
        if row == "cddpm":
            made["healthy"] = made["map"]
        pictures.append(("brats", subject, about, made))
    path = tmp_path / f"{row}.zip"
    map_pictures.write(pictures, path)
    return Kept(path)


@pytest.fixture
def kept(tmp_path):
    return {row: kept_of(row, tmp_path) for row in RUN.scored}


@pytest.fixture
def page(metrics, kept, tmp_path):
    """The page of A2, and what its viewer reads."""
    per_subject = chosen.means(metrics)
    linked = chosen.choose(per_subject, RUN.scored, {"brats": {"A2": "noise <b>"}})["brats"]
    subject_page.write(tmp_path, RUN, "brats", per_subject, linked, kept, Scans(), metrics)
    assert {path.stem for path in tmp_path.glob("A*.html")} == set(SUBJECTS)
    text = (tmp_path / "A2.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'id="volumes">(.*?)</script>', text, re.S)
    return text, json.loads(data)


def test_page_of_a_subject(page, tmp_path):
    text, _ = page
    links = re.findall(r'href="(?!#)([^"]*)"', text)
    assert links[:5] == [
        "../../index.html", "../brats.html", "A1.html", "A3.html", "../../qc/brats21.html",
    ]  # fmt: skip
    assert set(links[5:]) == {f"../../rows/{row}.html" for row in ROWS}
    assert "Lesion of 3.25 ml" in text and "noise &lt;b&gt;" in text
    assert "SADM<sub>res</sub> · BRATS" in text
    # Mean over folds; with the lesion-free subject, which is higher, it is the second of three.
    assert '<td class="n">21.0</td>' in text and '<td class="n">2 of 3</td>' in text
    assert '<td class="n">–</td>' in text  # no HD95
    best = (tmp_path / "A3.html").read_text(encoding="utf-8")
    assert '<td class="n">1 of 3</td>' in best and '<td class="n">3 of 3</td>' not in best
    assert not re.search(r"""(?:src|href)=["'](?:http|/)""", text)


def test_the_page_of_a_subject_begins_with_the_row_that_does_best_on_it(metrics, kept, tmp_path):
    per_subject = chosen.means(metrics)
    worse = per_subject.copy()
    worse.loc[("cddpm", "brats", "A2"), "dice_best"] = 0.01
    for values, label in ((per_subject, "cDDPM"), (worse, "SADM_res · BRATS")):
        names = {subject: [] for subject in SUBJECTS}
        subject_page.write(tmp_path, RUN, "brats", values, names, kept, Scans(), metrics)
        text = (tmp_path / "A2.html").read_text(encoding="utf-8")
        assert re.findall(r"<option [^>]*selected>(.*?)</option>", text) == [label]


def test_viewer_of_a_subject(page):
    _, viewer = page
    volume = Scans().volume("A2")
    assert viewer["shape"] == [4, 5, 3] and viewer["lesion"].startswith("data:image/png")
    x, y, z = viewer["start"]
    assert map_pictures.boxed(volume.lesion, volume.brain)[x, y, z]
    assert set(viewer["pictures"]) == {"scan", "cddpm"}
    cddpm, sadm = viewer["maps"]
    assert (cddpm["label"], sadm["label"]) == ("cDDPM", "SADM_res · BRATS")
    # The reconstruction is the cDDPM's in both.
    assert cddpm["picture"] == sadm["picture"] == "cddpm"
    validation, best = cddpm["cuts"]
    assert (validation["value"], validation["dice"]) == (0.25, 0.05)
    assert best["dice"] == max(cddpm["dice"])


def test_a_subject_without_a_lesion(metrics, kept):
    of_fold = metrics[metrics["fold"] == 0].set_index(["row", "subject"])
    found = subject_page.viewer(
        RUN, "brats", Scans().volume("A3"), kept, of_fold[["threshold", "dice_val"]], "cddpm"
    )
    assert found["lesion"] is None and found["maps"][0]["dice"] is None
    assert [cut["name"] for cut in found["maps"][0]["cuts"]] == ["validation threshold"]


def test_a_map_of_another_shape_ends_the_job(metrics, kept, tmp_path):
    wrong = kept | {"cddpm": kept_of("cddpm", tmp_path, shape=(1, 2, 3))}
    of_fold = metrics[metrics["fold"] == 0].set_index(["row", "subject"])
    with pytest.raises(InputError, match="The map of cddpm for brats A2 has the shape"):
        subject_page.viewer(
            RUN, "brats", Scans().volume("A2"), wrong, of_fold[["threshold", "dice_val"]], "cddpm"
        )


def test_table_of_all_subjects(metrics, tmp_path):
    per_subject = chosen.means(metrics)
    subjects_page.write(tmp_path / "brats.html", RUN, "brats", per_subject, {"A2": []})
    text = (tmp_path / "brats.html").read_text(encoding="utf-8")
    assert re.findall(r'href="(brats/[^"]*)"', text) == ["brats/A2.html"]
    assert "1 of 3 subjects have a page" in text
    (line,) = re.findall(r"<tr><th scope=\"row\"><a [^>]*>A2</a></th>(.*?)</tr>", text)
    assert line == "<td>3.2" + "<td class=s6>21.0" * 3  # 0.21 of 0.31, in ten steps


def row_of(metrics, kept, tmp_path, row="cddpm", linked=("A1",)):
    pooled = pd.DataFrame(
        [{"row": row, "test_set": "brats", "fold": fold, "threshold_val": 0.125,
          "threshold_fpr1": 0.5, "threshold_fpr5": np.nan, "threshold_fpr10": 0.1}
         for fold in (0, 1)]
    )  # fmt: skip
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1.0], "val_loss": [2.0, 1.5]})
    learnt = {"cddpm": [history, history]} if row == "cddpm" else {}
    row_page.write(
        tmp_path / "r.html", RUN, row, chosen.means(metrics), pooled,
        {"brats": dict.fromkeys(linked)}, kept.get(row), {"brats": Scans()}, learnt,
        list(learnt), tmp_path,
    )  # fmt: skip
    return (tmp_path / "r.html").read_text(encoding="utf-8")


def test_page_of_a_row(metrics, kept, tmp_path):
    path = tmp_path / "benchmarks/evaluate/cddpm/fold-0.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("s\th:m:s\tmax_rss\n12.3\t0:00:12\t512\n")
    text = row_of(metrics, kept, tmp_path)
    # A3 has no lesion, so of two the lower is the median too.
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text, re.S)
    assert [" ".join(re.sub("<.*?>", "", caption).split()) for caption in captions] == [
        "Best: A2, [DICE] 21.0", "Median: A1, [DICE] 11.0", "Worst: A1, [DICE] 11.0",
    ]  # fmt: skip
    assert text.count('href="../subjects/brats/A1.html"') == 3 and "brats/A2.html" not in text
    assert 'href="../methods/cddpm.html"' in text and 'href="../tables/table1.html"' in text
    assert "0.1250" in text and "12 s" in text and "0.5 GiB" in text
    assert text.count("data:image/webp") == 3 and "by gradient" not in text


def test_page_of_a_control_has_no_examples_and_no_training(metrics, kept, tmp_path):
    text = row_of(metrics, kept, tmp_path, "chance")
    assert "<img" not in text and "Nothing of it is trained by gradient." in text


class LargeLesion:
    """In the place of a packed data set: a lesion of five by five voxels in one slice."""

    def volume(self, subject):
        brain = np.ones((4, 12, 10), bool)
        lesion = np.zeros_like(brain)
        lesion[2, 3:8, 2:7] = True
        return PackedVolume(subject, np.full(brain.shape, 0.5, np.float32), brain, lesion, brain)


class NoScores:
    """In the place of the kept maps: a score of zero everywhere."""

    def about(self, test_set, subject):
        return MapPicture([12, 10, 4], 1.0, None)

    def picture(self, test_set, subject):
        return mosaic.encode(np.zeros((12, 10, 4), np.uint8), "PNG")


def test_an_example_is_the_slice_with_the_lesion_which_is_outlined():
    url = row_page.example(NoScores(), "brats", "A1", LargeLesion())
    data = base64.b64decode(url.partition(",")[2])
    rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)
    assert rgb.shape == (20, 2 * 24, 3)  # both halves, twice as large
    scan, score = rgb[:, :24], rgb[:, 24:]

    def at(picture, x, y):
        return picture[2 * y, 2 * x]

    red, _, blue = at(scan, 3, 4)
    assert red - blue > 80  # on the outline
    assert abs(at(scan, 5, 4) - 128).max() < 40 and abs(at(scan, 10, 9) - 128).max() < 40
    assert at(score, 3, 4).min() > 150 and at(score, 5, 4).max() < 90


def test_strips_show_where_a_value_is():
    found = details.strip([0.0, 0.5, 1.0, np.nan], 0.5, 1.0)
    assert found.here == found.middle == details.WIDTH / 2
    assert details.MARGIN <= found.low < found.left < found.middle < found.right < found.high
    assert details.strip([0.5], 3.0, 1.0).here == details.WIDTH - details.MARGIN
    nothing = details.strip([np.nan], np.nan, 1.0)
    assert set(nothing) == {None}


@pytest.mark.parametrize(
    ("dice", "top"), [([0.05, 0.31], 0.31), ([0.05, np.nan], 0.1), ([np.nan], 1)]
)
def test_axes_reach_the_highest_value_and_a_tenth_at_least(dice, top):
    assert details.top_of(pd.DataFrame({"dice_best": dice})) == top


def test_names_are_lowered_in_the_heading_not_in_the_title(metrics, kept, tmp_path):
    text = row_of(metrics, kept, tmp_path, row="sadm_res-brats")
    assert "<h1>SADM<sub>res</sub> · BRATS</h1>" in text and "<title>SADM_res · BRATS" in text
