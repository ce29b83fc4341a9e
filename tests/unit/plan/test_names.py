"""Names of data sets, methods and rows are the configuration's: nothing generic depends on one."""

import ast

import yaml
from conftest import ROOT

from uad.base import modules
from uad.data import datasets
from uad.models import methods

# What is about certain ones, and why.
ABOUT = {
    "src/uad/base/paths.py": "where IXI's spreadsheet is simulated",
    "src/uad/data/released.py": "the authors' lists",
    "src/uad/engine/authors_checkpoints.py": "the authors' checkpoints",
    "src/uad/evaluation/settings.py": "methods whose maps are probabilities of a lesion",
    "src/uad/plan/cohort.py": "the paper's split of ATLAS v2",
    "src/uad/plan/check_rows.py": "which checkpoints can be imported",
    "src/uad/plan/figures.py": "IXI's spreadsheet, which has sexes",
    "src/uad/report/departures.py": "departures from paper and released code",
    "workflow/scripts/simulate_demographics.py": "IXI's spreadsheet",
}
OWN = "src/uad/data/datasets/"
GENERIC = ("base", "data", "engine", "evaluation", "imaging", "report", "predict", "plan")


def names():
    """Data sets, methods and rows of the project, but words that say something else too."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    known = {*modules.names(datasets.__path__), *methods.built_in(), *config["rows"]}
    controls = {name for name, row in config["rows"].items() if row["block"] == "control"}
    return known - controls


def generic():
    for package in GENERIC:
        yield from sorted((ROOT / "src/uad" / package).rglob("*.py"))
    yield from sorted((ROOT / "workflow/scripts").glob("*.py"))


def named(text, known):
    """Names in strings of a file, whole or with something behind them, without docstrings."""
    tree = ast.parse(text)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in docstrings and text.rstrip("-") in known:
            yield text


def test_nothing_generic_names_a_data_set_or_a_row():
    known = names()
    found = {
        path.relative_to(ROOT).as_posix(): set(named(path.read_text(), known)) for path in generic()
    }
    found = {place: of for place, of in found.items() if of and not place.startswith(OWN)}
    assert set(found) == set(ABOUT), found


def test_names_are_noticed():
    text = '"""ixi"""\nx = f"sadm_res-{y}"\ndef f():\n    "cddpm"\n    return "ixi"\n'
    assert set(named(text, {"ixi", "sadm_res", "cddpm"})) == {"sadm_res-", "ixi"}
