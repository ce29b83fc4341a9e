"""Method cards: what they must say, text that is not HTML, benchmarks that are not there."""

import json
import re

import numpy as np
import pytest

from uad.base import digests, modules
from uad.models import methods
from uad.report import method_page

DOCSTRING = """Unet: a method of its <own> (Somebody 2024).

It learns from `lesions` & slices,
over two lines.

Differs from the paper: nothing is "quoted".
"""
BLOCK = {
    "upstream": "cddpm",
    "pretrained": "data/weights/<file>.pth",
    "widths": [4, 8],
    "training": {"epochs": 4, "augment": False, "precision": "32-true"},
}
HISTORY = """epoch\tsteps\ttrain_loss\tval_loss\tval_dice\tseconds
1\t300\t0.9\tn/a\tn/a\t2
2\t300\t0.7\t0.5\t0.7\t2
3\t300\t0.6\tn/a\tn/a\t2
4\t300\t0.5\t0.25\t0.625\t4
"""


@pytest.fixture
def results(tmp_path):
    """Records of one model in two folds; the second has no benchmarks."""
    for fold in (0, 1):
        folder = tmp_path / f"models/unet-brats/fold-{fold}"
        folder.mkdir(parents=True)
        (folder / "history.tsv").write_text(HISTORY)
        about = {
            "code": "0123456789abcdef",
            "seed": 77 + fold,
            "revision": "abc<1>",
            "versions": {"torch": "2.13.0"},
            "parameters": {"trained": 1234567, "frozen": 89},
        }
        (folder / "about.json").write_text(json.dumps(about))
    benchmark(tmp_path, "train_model/unet-brats/fold-0", "4000.2", "2048.0")
    benchmark(tmp_path, "reconstruct/unet-brats/fold-0/brats21", "50", "100")
    benchmark(tmp_path, "reconstruct/unet-brats/fold-0/atlas_v2", "25.4", "1536")
    benchmark(tmp_path, "score/unet-brats/fold-0", "0.4", "-")
    return tmp_path


def benchmark(root, name, seconds, memory):
    path = root / f"benchmarks/{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\tmax_vms\n{seconds}\t0:00:00\t{memory}\t-\n")


def write(results, rows=("unet-brats", "sadm-brats"), block=BLOCK, simulated=True, epochs=4):
    folders = [results / f"models/unet-brats/fold-{fold}" for fold in (0, 1)]
    runs = method_page.read_runs(
        {"unet-brats": epochs},
        [0, 1],
        [folder / "about.json" for folder in folders],
        [folder / "history.tsv" for folder in folders],
        root=results,
    )
    method = method_page.Method("unet", DOCSTRING, block, rows)
    method_page.write(results / "methods/unet.html", method, runs, simulated)
    return (results / "methods/unet.html").read_text()


def cells(page, table):
    """Texts of the cells of a table, line by line."""
    body = re.search(rf'<table class="{table}">.*?<tbody>(.*?)</tbody>', page, re.S)[1]
    return [re.findall(r"<td>(.*?)</td>", line) for line in body.strip().split("\n")]


def test_card_says_what_it_must(results):
    page = write(results)
    for text in (
        "<h1>Method Unet</h1>",
        "<code>methods.unet</code>",
        "It learns from <code>lesions</code> &amp; slices, over two lines.",
        "unet-brats, sadm-brats",
        "0123456789abcdef",
        "torch 2.13.0",
        '<a href="cddpm.html">cddpm</a>',
        "Links work",
        "Computed on simulated scans",
        "<svg",
    ):
        assert text in page, text
    departures = page.partition("<h2>Departures</h2>")[2].partition("<h2>")[0]
    assert "Differs from the paper: nothing" in departures
    assert "Differs" not in page.partition("<h2>Departures</h2>")[0]
    settings = dict(cells(page, "settings"))
    assert settings["<code>widths</code>"] == "[4, 8]"
    assert settings["<code>training.augment</code>"] == "false"
    assert settings["<code>training.precision</code>"] == "32-true"


def test_the_title_is_the_name_in_the_docstring_or_the_key(results, monkeypatch):
    monkeypatch.setattr(f"{__name__}.DOCSTRING", "U-Net <b>: finds lesions: and so on.\n\nIdea.")
    assert "<h1>Method U-Net &lt;b&gt;</h1>" in write(results)
    monkeypatch.setattr(f"{__name__}.DOCSTRING", "Finds lesions.")
    assert "<h1>Method unet</h1>" in write(results)


def test_costs_and_a_missing_benchmark(results):
    first, second = cells(write(results), "models")
    best = ["unet-brats", "0", "1,234,567 + 89 frozen", "4", "1,200", "4", "0.25", "62.5", "2.5 s"]
    assert first[:9] == best
    assert first[9:] == ["1 h 6 min", "2.0 GiB", "1 min 15 s", "1.5 GiB", "0 s", "–"]
    assert second[9:] == ["–"] * 6


def test_an_imported_model_tells_neither_steps_nor_dice(results):
    for fold in (0, 1):
        path = results / f"models/unet-brats/fold-{fold}/history.tsv"
        columns = "epoch\tval_loss\tsteps\ttrain_loss\tval_dice\tskipped\tseconds"
        path.write_text(f"{columns}\n1\t0.25\tn/a\tn/a\tn/a\t0\t0.0\n")
    first, _ = cells(write(results, epochs=1), "models")
    assert first[3:9] == ["1", "–", "1", "0.25", "–", "0.0 s"]


def test_a_method_without_trained_weights_has_no_curve(results):
    for fold in (0, 1):
        path = results / f"models/unet-brats/fold-{fold}/history.tsv"
        path.write_text(HISTORY.partition("\n")[0] + "\n")
    page = write(results, epochs=0)
    assert "<svg" not in page and "Nothing is trained by gradient." in page
    first, _ = cells(page, "models")
    assert first[3:9] == ["0", *"–––––"] and first[9] == "1 h 6 min"


@pytest.mark.parametrize("content", ["", "s\n3\n", "\n"])
def test_a_damaged_benchmark_is_a_missing_one(results, content):
    (results / "benchmarks/train_model/unet-brats/fold-0.tsv").write_text(content)
    assert np.isnan(method_page.costs(results, "unet-brats", 0)["train_model"]).all()


def test_text_is_escaped(results):
    page = write(results, rows=["<b>row</b>"])
    assert "its &lt;own&gt;" in page and "<own>" not in page
    assert "<code>data/weights/&lt;file&gt;.pth</code>" in page
    assert "abc&lt;1&gt;" in page and "&lt;b&gt;row" in page


def test_page_needs_no_other_file_and_real_data_no_warning(results):
    page = write(results, simulated=False, block=BLOCK | {"upstream": None, "pretrained": None})
    assert 'warning">' not in page and "Links work" not in page
    assert re.findall(r'(?:src|href)="(?!#)([^"]*)', page) == ["../index.html"]
    assert page.count("<html") == 1 and "<!DOCTYPE svg" not in page


def test_same_records_same_page(results):
    assert write(results) == write(results)


def test_every_method_has_a_docstring_for_its_card():
    for name in modules.names(methods.__path__):
        title, idea, _ = method_page.sections(digests.docstring(f"uad.models.methods.{name}"))
        assert title.endswith(".") and idea, name
        assert title.partition(": ")[0].lower().replace("-", "_") == name
