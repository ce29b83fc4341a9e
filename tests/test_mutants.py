"""The list of mutants fits the code, and its harness tells caught from survived."""

import ast
from pathlib import Path

import mutants
import pytest
from conftest import ROOT

ALL = mutants.read(ROOT)


@pytest.mark.parametrize("mutant", ALL, ids=lambda m: f"{Path(m.path).stem}: {m.title}")
def test_mutant_fits_the_code(mutant):
    source = (ROOT / mutant.path).read_text()
    changed = mutant.applied(source)
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))


def test_list_is_complete():
    assert len(ALL) >= 40
    assert len({(m.path, m.title) for m in ALL}) == len(ALL)
    assert len({(m.path, m.text, m.becomes) for m in ALL}) == len(ALL)
    assert len({m.path for m in ALL}) == len({(m.path, m.tests) for m in ALL})  # each file once
    assert sum(bool(m.survives) for m in ALL) <= 2
    packages = {Path(m.path).parts[2] for m in ALL}
    assert {"imaging", "data", "models", "engine", "evaluation"} <= packages
    for test in {test for m in ALL for test in m.tests}:
        assert (ROOT / test).is_file(), test


CODE = "def third(x):\n    return x / 3\n\n\ndef odd(x):\n    return x % 2 == 1\n"
TESTS = "import a\n\n\ndef test_third():\n    assert a.third(6) == 2\n    assert a.odd(3)\n"
MUTANT = """
[[file.mutant]]
title = "{}"
text = '''{}'''
becomes = '''{}'''
"""
HALF = MUTANT.format("half", "x / 3", "x / 2")
FLOOR = MUTANT.format("floor", "x / 3", "x // 3")
ABSENT = MUTANT.format("absent", "x / 4", "x / 5")
TWICE = MUTANT.format("twice", "return x", "return 0")
SYNTAX = MUTANT.format("syntax", "return x / 3", "return x /")
WHY = 'survives = "whole numbers only"\n'


@pytest.fixture
def project(tmp_path):
    """A checkout of one module; gives a function that makes its list of mutants."""
    for name in mutants.NEEDED[:-1]:
        (tmp_path / name).mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['src']\n")
    (tmp_path / "src/a.py").write_text(CODE)
    (tmp_path / "tests/test_a.py").write_text(TESTS)

    def listing(*listed):
        head = '[[file]]\npath = "src/a.py"\ntests = ["tests/test_a.py"]\n'
        (tmp_path / mutants.LIST).write_text(head + "".join(listed))
        return tmp_path

    return listing


@pytest.mark.parametrize(
    ("listed", "status", "said"),
    [
        ([HALF], 0, ["caught    src/a.py: half  [test_third]", "1 mutants: 1 caught"]),
        ([HALF, FLOOR], 1, ["SURVIVED  src/a.py: floor", "1 survived (0 explained)"]),
        ([HALF, FLOOR, WHY], 0, ["as explained: whole numbers only", "1 survived (1 explained)"]),
        ([HALF, WHY], 1, ["but it is said to survive"]),
        ([SYNTAX], 1, ["BROKEN    src/a.py: syntax", "1 broken"]),
        ([ABSENT], 2, ["src/a.py: 'absent': its text occurs 0 times"]),
        ([HALF, TWICE], 2, ["src/a.py: 'twice': its text occurs 2 times"]),
    ],
    ids=["caught", "survived", "explained", "wrongly explained", "broken", "absent", "twice"],
)
def test_verdicts_and_exit_status(project, capsys, listed, status, said):
    root = project(*listed)
    assert mutants.main(root) == status
    found = capsys.readouterr().out
    for words in said:
        assert words in found
    assert (root / "src/a.py").read_text() == CODE  # the checkout itself is never changed


def test_tests_that_fail_anyway_prove_nothing(project, capsys):
    root = project(HALF)
    (root / "tests/test_a.py").write_text(TESTS.replace("== 2", "== 9"))
    assert mutants.main(root) == 2
    assert "tests fail without a fault" in capsys.readouterr().out


def test_a_test_that_does_not_end_is_broken(project, capsys, monkeypatch):
    root = project(MUTANT.format("endless", "return x / 3", "while True:\n        pass"))
    monkeypatch.setattr(mutants, "MOST_SECONDS", 4)
    assert mutants.main(root) == 1
    assert "BROKEN    src/a.py: endless  [took more than 4 s]" in capsys.readouterr().out
