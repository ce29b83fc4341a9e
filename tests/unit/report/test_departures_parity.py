"""The page on parity with the authors' code names tests that exist."""

import ast
import re

import pytest
from conftest import ROOT

from uad.plan import docs

PAGE = ROOT / "docs/parity.md"
KINDS = {"oracle", "by hand", "count", "property"}


def comparisons(text):
    """Lines of the table of comparisons: what, against, difference, guards."""
    _, _, rest = text.partition("| What | Against | Largest difference | Guards |\n")
    lines = rest.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def missing(text):
    """Tests that a text names as `file::test`, with the file below `tests/`, but that are not."""
    absent = []
    for name in re.findall(r"`([^`\s]+::[^`\s]+)`", text):
        file, _, test = name.partition("::")
        path = ROOT / "tests" / file
        body = ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
        if test not in {node.name for node in body if isinstance(node, ast.FunctionDef)}:
            absent.append(name)
    return absent


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text(encoding="utf-8")


def test_named_tests_exist(page):
    assert missing(page) == []


def test_every_comparison_is_guarded(page):
    lines = comparisons(page)
    assert len(lines) >= 24
    for what, against, difference, guards in lines:
        assert against.partition(" ")[0] in ("authors", "original") and difference, what
        kinds = set(re.findall(r"\*([^*]+)\*", guards))
        assert kinds and kinds <= KINDS and "::" in guards, what


def test_a_test_that_is_gone_is_seen():
    here = "unit/report/test_departures_parity.py"
    text = f"`{here}::page` `{here}::gone` `unit/gone.py::test_x`"
    assert missing(text) == [f"{here}::gone", "unit/gone.py::test_x"]


def test_other_pages_lead_to_it():
    assert "(docs/parity.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(../docs/parity.md)" in (ROOT / "config/README.md").read_text(encoding="utf-8")


def test_table_of_configurations_is_up_to_date(page, tmp_path):
    """Made by `make docs`; every switch that `released.yaml` turns is in it, with the new value."""
    copied = tmp_path / "parity.md"
    copied.write_text(re.sub(r"(?s)(configurations: begin -->\n).*?(<!-- conf)", r"\1\2", page))
    docs.update_parity_page(copied, ROOT / "config")
    assert copied.read_text(encoding="utf-8") == page
    _, _, rest = page.partition(
        "| Topic | Paper | Released code | `config.yaml` | `released.yaml` |"
    )
    lines = [line.strip("| ").split(" | ") for line in rest.partition("\n<!--")[0].splitlines()[2:]]
    assert len(lines) > 20
    for topic, _, code, paper, released in lines:
        assert paper != released, topic
        # What this line tells of the released code, but for what is told in other words.
        assert released == code or topic in {
            "Healthy subjects per fold", "Slope of the leaky ReLU, AE and VAE",
            "Smoothing of RD's map (sigma)", "Updates per epoch, cDDPM", "Patches of PII",
        }, topic  # fmt: skip
