"""Text files are UTF-8 whatever the locale: every call that opens one says so."""

import ast

import pytest
from conftest import ROOT

FILES = sorted(
    path for folder in ("src", "workflow", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)
# Functions that open text files, and which of their arguments is the mode, if any is.
TEXT = {"read_text": None, "write_text": None, "FileHandler": None}
MODULES = {"os", "io", "gzip", "lzma", "bz2"}  # whose `open` takes the mode behind the file
OPEN = {"open": 1, "fdopen": 1, "NamedTemporaryFile": 0, "TemporaryFile": 0}


def without_encoding(source):
    """Lines of calls that open a text file in the locale's encoding."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(k.arg == "encoding" for k in node.keywords):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", None))
        if name in TEXT or (name in OPEN and is_text(node, name)):
            yield node.lineno


def is_text(node, name):
    """Whether a call of a function of `OPEN` opens text; a mode that is no constant may."""
    at = OPEN[name]
    owner = getattr(getattr(node.func, "value", None), "id", None)
    if name == "open" and isinstance(node.func, ast.Attribute) and owner not in MODULES:
        # Of a path, with the mode in front, or of something that opens other things than text.
        at = 0
        if owner == "Image" or any(not isinstance(arg, ast.Constant) for arg in node.args[:1]):
            return False
    modes = [k.value for k in node.keywords if k.arg == "mode"] + node.args[at : at + 1]
    default = "w+b" if name.endswith("File") else "r"
    mode = getattr(modes[0], "value", "") if modes else default
    return "b" not in mode


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_text_files_are_utf_8(path):
    assert not list(without_encoding(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open(p)", True),
        ("open(p, 'w')", True),
        ("open(p, mode='a', newline='')", True),
        ("open(p, 'rb')", False),
        ("open(p, mode='wb')", False),
        ("open(p, encoding='utf-8')", False),
        ("p.open()", True),
        ("p.open('rb')", False),
        ("p.open('w')", True),
        ("os.fdopen(n, 'w')", True),
        ("gzip.open(p, 'rt')", True),
        ("gzip.open(p, 'rb')", False),
        ("p.read_text()", True),
        ("p.write_text(x)", True),
        ("p.read_text(encoding='utf-8')", False),
        ("logging.FileHandler(p)", True),
        ("tempfile.NamedTemporaryFile()", False),
        ("tempfile.NamedTemporaryFile('w')", True),
        ("Image.open(p)", False),
        ("archive.open(member)", False),
    ],
)
def test_calls_are_told_apart(source, found):
    assert bool(list(without_encoding(source))) == found
