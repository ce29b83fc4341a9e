"""Provenance of a run: equal for equal runs, other for another configuration, input or code."""

import copy
import hashlib
import json
import re
import shutil

import pytest
from conftest import ROOT

from uad.base import digests
from uad.data import inventory
from uad.report import run_record

CONFIG = {"seed": 7, "simulation": None, "folds": [0]}
ABOUT = {
    "model": "unet",
    "fold": 0,
    "seed": 77,
    "code": "abc",
    "revision": "r",
    "device": "cpu",
    "versions": {"torch": "2.13.0"},
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write the record of a small run, with changes; returns its bytes."""
    monkeypatch.chdir(tmp_path)
    for name in ("atlas.nii", "weights/a.pth", "split.tsv", "table1.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)

    def run(**changes):
        arguments = {
            "config": CONFIG,
            "code": {"all": "0"},
            "inventories": {"ixi": {"sha256": "1"}},
            "inputs": ["atlas.nii", "weights"],
            "splits": ["split.tsv"],
            "abouts": [ABOUT],
            "results": ["table1.csv"],
        }
        path = tmp_path / "provenance.json"
        run_record.write(run_record.run(**(copy.deepcopy(arguments) | changes)), path)
        return path.read_bytes()

    return run


def test_equal_runs_have_equal_bytes(write):
    first = write()
    assert write() == first
    other_order = dict(reversed(CONFIG.items()))
    assert write(config=other_order) == first


@pytest.mark.parametrize(
    "changes",
    [
        {"config": CONFIG | {"folds": [1]}},
        {"config": CONFIG | {"seed": 8}},
        {"code": {"all": "1"}},
        {"inventories": {"ixi": {"sha256": "2"}}},
        {"abouts": [ABOUT | {"seed": 78}]},
        {"abouts": [ABOUT | {"versions": {"torch": "2.14.0"}}]},
    ],
)
def test_other_runs_have_other_bytes(write, changes):
    assert write(**changes) != write()


@pytest.mark.parametrize("name", ["atlas.nii", "weights/a.pth", "split.tsv", "table1.csv"])
def test_a_changed_file_is_seen(write, tmp_path, name):
    before = write()
    (tmp_path / name).write_text("other")
    assert write() != before


def test_content(write):
    content = json.loads(write())
    assert content["inputs"]["weights/a.pth"] == hashlib.sha256(b"weights/a.pth").hexdigest()
    assert content["seeds"] == {"run": 7, "simulation": None}
    assert content["models"]["unet/fold-0"]["seed"] == 77
    assert content["config"] == CONFIG
    assert "numpy" in content["packages"] and content["python"].startswith("3.")
    assert not re.search(r"\d\d:\d\d", json.dumps(content))  # no time of day


def test_code_sees_rules_and_modules_but_no_remark(tmp_path, monkeypatch):
    for name in ("Snakefile", "src", "workflow"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, tmp_path / name)
    monkeypatch.setattr(digests, "LIBRARY", tmp_path / "src/uad")

    def code():
        digests._counted.cache_clear()
        return run_record.code(tmp_path)

    before = code()
    assert "train_model" in before["scripts"] and "workflow/rules/train.smk" in before["rules"]
    module = tmp_path / "src/uad/models/methods/pii/__init__.py"
    text = module.read_text()
    module.write_text(text + "\n# A remark.\n")
    assert code() == before
    module.write_text(text + "\nx = 1\n")
    assert code()["all"] != before["all"]
    rules = tmp_path / "workflow/rules/train.smk"
    text = rules.read_text()
    rules.write_text(f"# A remark.\n\n{text}\n")
    assert code()["rules"] == before["rules"]
    assert "of_training(720" in text
    rules.write_text(text.replace("of_training(720", "of_training(721"))
    assert code()["rules"] != before["rules"]
    style = tmp_path / "src/uad/report/templates/style.css"
    style.write_text(style.read_text() + "p { margin: 0; }\n")
    assert code()["templates"] != before["templates"] and code()["all"] != before["all"]


def test_digest_of_a_data_set():
    sums = {"data/a.nii": "1" * 64, "data/sub/b.nii": "2" * 64}
    found = inventory.digest(sums, "data")
    by_hand = f"a.nii {'1' * 64}\nsub/b.nii {'2' * 64}\n"
    assert found == hashlib.sha256(by_hand.encode()).hexdigest()
    assert inventory.digest(dict(reversed(sums.items())), "data") == found
    assert inventory.digest({**sums, "data/a.nii": "3" * 64}, "data") != found
    assert inventory.digest({}, "data") is None
