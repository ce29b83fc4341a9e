"""Examples in docstrings are run, and print what they say."""

import doctest
import importlib

import pytest
from conftest import ROOT

SOURCE = ROOT / "src"
MODULES = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed


def test_there_are_examples_of_what_users_call():
    assert {"uad.evaluation.metrics", "uad.models.residuals", "uad.predict.conformal"} <= {*MODULES}
