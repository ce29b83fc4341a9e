"""Captions as one text: every one, in order, as Markdown."""

import pytest
import yaml
from conftest import ROOT

from uad.plan import config
from uad.report import captions

FOLDER = ROOT / "workflow/report"
WILDCARDS = {
    "dataset": ["ixi", "brats21", "atlas_v2"],
    "test_set": ["brats", "draem"],
    "method": ["unet"],
}


@pytest.fixture(scope="module")
def settings():
    found = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config.check(found)
    return found


def names():
    return [name for part in captions.ORDER.values() for name in part]


def test_every_caption_has_its_place():
    written = {path.stem for path in FOLDER.glob("*.rst")}
    assert written == {*names(), captions.INTRODUCTION, *captions.FRONT}
    assert len(names()) == len(set(names()))


def test_every_caption_is_there_in_order(settings):
    docstrings = {"unet": "Unet: ``code``.\n\nDiffers from\nthe paper."}
    text = captions.text(FOLDER, settings, WILDCARDS, [], docstrings)
    places = [0]
    for name in names():
        caption = captions.render(FOLDER / f"{name}.rst", settings, WILDCARDS)
        assert len(caption) > 40, name
        places.append(text.index(caption, places[-1]))
    assert places == sorted(places)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# Methods",
        "## Data",
        "## Training",
        "## Methods",
        "### unet",
        "## Figures",
        "## Tables",
    ]
    assert "Unet: `code`.\n\nDiffers from the paper.\n" in text
    assert "{{" not in text and "{%" not in text and ":sub:" not in text
    assert "imulated" not in text


def test_captions_of_what_is_not_there_are_left_out(settings):
    text = captions.text(FOLDER, settings, WILDCARDS, ["synthetic"], {})
    assert "Synthetic anomalies of the DRAEM test set" not in text


def test_what_data_sets_share_is_said_once(settings):
    text = captions.render(FOLDER / "cohort.rst", settings, WILDCARDS)
    for dataset in WILDCARDS["dataset"]:
        assert text.count(f"The first subjects of {dataset} ") == 1
    assert text.count("Good: the blue line") == 1
    assert text.count("the brain is masked") == 2  # by two ways


def test_simulated_data_are_said_to_be(settings):
    simulated = settings | {
        "simulation": {"seed": 1, "subjects": dict.fromkeys(settings["datasets"], 9)}
    }
    text = captions.text(FOLDER, simulated, WILDCARDS, [], {})
    assert text.count("**Warning:** All data in this run are **simulated**") == 1
    assert "**Simulated data.**" not in text


def test_markdown_of_the_little_that_captions_use():
    text = "Dice\\ :sub:`val` of\n``a.tsv``, *so*.\n\n.. warning:: Do\n\n   not.\n"
    assert (
        captions.markdown(text) == "Dice<sub>val</sub> of `a.tsv`, *so*.\n\n**Warning:** Do\n\nnot."
    )


def test_pieces_of_captions():
    text = "*Sure* & `a_b.tsv` <x>, Dice<sub>val</sub>, 2 * 3 * 4.\n\n**All**. Good: up. Bad: down."
    assert captions.pieces(text) == [
        [
            ("italic", "Sure"), ("", " & "), ("code", "a_b.tsv"), ("", " <x>, Dice"),
            ("lowered", "val"), ("", ", 2 * 3 * 4."),
        ],
        [("bold", "All"), ("", ". "), ("look", "Good:"), ("", " up. "), ("look", "Bad:"),
         ("", " down.")],
    ]  # fmt: skip


def test_no_mark_of_a_caption_is_left_over(settings):
    for name in names():
        caption = captions.render(FOLDER / f"{name}.rst", settings, WILDCARDS)
        for _, text in (piece for paragraph in captions.pieces(caption) for piece in paragraph):
            assert "`" not in text and "**" not in text and "<sub>" not in text, (name, text)


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("cases_brats", "cases of BRATS"),
        ("synthetic", "synthetic anomalies"),
        ("cohort_atlas_v2", "cohort atlas v2"),
    ],
)
def test_what_figures_are_called(stem, name):
    assert captions.named(stem) == name
