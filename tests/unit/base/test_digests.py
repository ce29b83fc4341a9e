"""The code digest: blind to remarks and words; sensitive to code and imports; the same anywhere."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from uad.base import digests, syntax
from uad.base.digests import code_digest

SCRIPTS = ROOT / "workflow/scripts"
# All that versions of Python parse differently. Its digest is the same on all of them.
AWKWARD = Path(__file__).with_name("awkward.txt")
AWKWARD_DIGEST = "f855cd1259b778a5"
VERSIONS = ("3.11", "3.12", "3.13")

# Prints the digest of the awkward file, of every script, and of all there is; no packages needed.
PRINT_DIGESTS = f"""
import locale, sys
sys.path.insert(0, {str(ROOT / "src")!r})
from pathlib import Path
from uad.base.digests import code_digest
root = Path({str(ROOT)!r})
scripts = sorted((root / "workflow/scripts").glob("*.py"))
print(*sys.version_info[:2], locale.getpreferredencoding(False), file=sys.stderr)
print(code_digest(Path({str(AWKWARD)!r})), *map(code_digest, scripts))
print(code_digest(*scripts, *(root / "src").rglob("*.py"), *(root / "tests").rglob("*.py")))
"""


def digests_of(python, **environment):
    """What a Python prints, and its version and encoding."""
    done = subprocess.run(
        [python, "-c", PRINT_DIGESTS],
        capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.split()


@pytest.fixture(scope="module")
def here():
    """The digests on this Python, in UTF-8."""
    return digests_of(sys.executable, PYTHONUTF8="1")[0]


def find_python(version):
    """A Python of a version: one on the path, or one of pyenv's."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(root.glob(f"versions/{version}.*/bin/python"))
    return str(installed[-1]) if installed else shutil.which(f"python{version}")


@pytest.mark.parametrize("version", VERSIONS)
def test_same_digests_on_every_python(here, version):
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    found, (major, minor, _) = digests_of(python)
    assert f"{major}.{minor}" == version
    assert found == here


def test_the_digest_of_an_awkward_file_is_known():
    assert code_digest(AWKWARD) == AWKWARD_DIGEST


def test_same_digests_in_an_ascii_locale(here):
    found, (*_, encoding) = digests_of(
        sys.executable, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"
    )
    assert encoding == "ANSI_X3.4-1968"
    assert found == here


def test_same_digests_in_a_latin_1_locale(here, tmp_path):
    command = ["localedef", "-f", "ISO-8859-1", "-i", "de_DE", str(tmp_path / "de_DE")]
    if not shutil.which("localedef") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this machine cannot make a Latin-1 locale")
    found, (*_, encoding) = digests_of(
        sys.executable, LOCPATH=str(tmp_path), LC_ALL="de_DE", PYTHONUTF8="0"
    )
    assert encoding == "ISO-8859-1"
    assert found == here


def text(source):
    return syntax.counted(source.encode()).text


# Each pair of sources is the same but for what the key says.
EQUAL = {
    "a comment": ("x = 1", "x = 1  # why"),
    "layout": ("x = [1, 2]", "x = [\n    1,\n    2,\n]"),
    "quotes": ("x = 'a' 'b'", 'x = "ab"'),
    "parts of an f-string": ('x = f"a{y}b"', 'x = "a" f"{y}" f"b" ""'),
    "a docstring": ("def f():\n    return 1", 'def f():\n    """Say."""\n    return 1'),
    "a docstring that is all": ("class A:\n    pass", 'class A:\n    """Say."""'),
    "annotations": ("def f(x, *y):\n    z = x", "def f(x: int, *y: A) -> B:\n    z: C = x"),
    "a declared name": ("def f():\n    x = 1", "def f():\n    x: int\n    x = 1"),
    "an import for annotations": (
        "def f(x):\n    pass",
        "from typing import Any\ndef f(x: Any):\n    pass",
    ),
    "an import for quoted annotations": (
        "def f(x):\n    pass",
        'import pandas as pd\ndef f(x: "pd.DataFrame"):\n    pass',
    ),
    "an import for type checkers": (
        "def f(x):\n    pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\n"
        'def f(x: "a.B"):\n    pass',
    ),
    "the type of a field": (
        "class A:\n    x: int = 1",
        "from typing import Literal\nclass A:\n    x: Literal[1, 2] = 1",
    ),
    "the order of imports": (
        "import b\nfrom c import d, e\nimport a",
        "import a\nimport b\nfrom c import e\nfrom c import d",
    ),
    "__future__": ("x = 1", "from __future__ import annotations\nx = 1"),
    "an error": (
        'if x:\n    raise E("old")',
        'import os\nif x:\n    raise E(f"new {x} of {os.sep}", y) from z',
    ),
    "an error about another": (
        "try:\n    f()\nexcept A:\n    raise B('no')",
        "try:\n    f()\nexcept A as a:\n    raise B(f'{a}') from a",
    ),
    "an assertion": ("assert x", 'assert x, f"no {x}"'),
    "a log line": ("f()", 'f()\nlog.info("%d of %d", n, len(g(y)))'),
    "a warning": ('warnings.warn("a")\nf()', 'warnings.warn("b", C, stacklevel=2)\nf()'),
    "what is printed": ('print("a", x, f"b{y}")', 'print(x, f"{y} c")'),
    "last words": ('sys.exit("a")', 'sys.exit(f"b")'),
    "a key": (
        'class A:\n    x: int = key("old", unit="mm", default=1)',
        'class A:\n    x: int = key("new", default=1, source="App. B", ge=0)',
    ),
    "what a page says": ('INFO = {"paper": "a"}\nx = 1', 'INFO = {"paper": "b"}\nx = 1'),
}
DIFFERENT = {
    "a number": ("x = 1", "x = 2"),
    "a type": ("x = 1", "x = 1.0"),
    "another type": ("x = 1", "x = True"),
    "bytes": ("x = 'a'", "x = b'a'"),
    "an operator": ("x = a + b", "x = a - b"),
    "a name": ("x = a", "x = b"),
    "the order of statements": ("f()\ng()", "g()\nf()"),
    "the place of a statement": ("if a:\n    f()\ng()", "if a:\n    f()\n    g()"),
    "a string": ('x = "a"', 'x = "b"'),
    "text in an f-string": ('x = f"a{y}"', 'x = f"b{y}"'),
    "a format": ('x = f"{y:.2f}"', 'x = f"{y:.3f}"'),
    "a conversion": ('x = f"{y!r}"', 'x = f"{y!s}"'),
    "a default": ("def f(x=1):\n    pass", "def f(x=2):\n    pass"),
    "a keyword only": ("def f(x=1):\n    pass", "def f(*, x=1):\n    pass"),
    "a decorator": ("def f():\n    pass", "@g\ndef f():\n    pass"),
    "async": ("def f():\n    pass", "async def f():\n    pass"),
    "a field": ("class A:\n    x: int", "class A:\n    x: int\n    y: int"),
    "a field's name": ("class A:\n    x: int", "class A:\n    y: int"),
    "a field or not": ("class A:\n    x: int = 1", "class A:\n    x = 1"),
    "a class variable": ("class A:\n    x: int = 1", "class A:\n    x: ClassVar[int] = 1"),
    "a field's value": ("class A:\n    x: int = 1", "class A:\n    x: int = 2"),
    "a key's default": (
        'class A:\n    x: int = key("a", default=1)',
        'class A:\n    x: int = key("a", default=2)',
    ),
    "a key's default or none": (
        'class A:\n    x: int = key("a", default=1)',
        'class A:\n    x: int = key("a")',
    ),
    "a function called key": ('x = key("a")', 'x = key("b")'),
    "what is imported": ("from a import b\nb()", "from a import c as b\nb()"),
    "where from": ("from a import b\nb()", "from c import b\nb()"),
    "an import that others may use": ("x = 1", "from a import b\nx = 1"),
    "an import for words and work": (
        "from a import b\nb()\nlog.info(b)",
        "from c import b\nb()\nlog.info(b)",
    ),
    "the type of an error": ('raise A("a")', 'raise B("a")'),
    "what is caught": ("try:\n    f()\nexcept A:\n    g()", "try:\n    f()\nexcept B:\n    g()"),
    "an assertion": ("assert x", "assert y"),
    "when something is logged": (
        "if f(x):\n    log.info('a')",
        "if g(x):\n    log.info('a')",
    ),
    "a log line that does something": ("log.info(x := 1)", "log.info(x := 2)"),
    "another's info": ('box.info("a")', 'box.info("b")'),
    "values that are printed": ("print(x)", "print(y)"),
    "how they are printed": ("print(x, end='')", "print(x)"),
    "printed by a function": ('print(f("a"))', 'print(f("b"))'),
    "a dictionary's spread": ("x = {**a, 'b': c}", "x = {'b': c, **a}"),
    "None in a pattern": (
        "match x:\n    case None:\n        f()",
        "match x:\n    case True:\n        f()",
    ),
}


@pytest.mark.parametrize("pair", EQUAL.values(), ids=EQUAL)
def test_remarks_and_words_do_not_count(pair):
    before, after = map(text, pair)
    assert before == after


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_code_counts(pair):
    before, after = map(text, pair)
    assert before != after


def library(tmp_path, monkeypatch, **modules):
    """The digest of a script that imports `top` of a library `uad`."""
    root = tmp_path / "uad"
    for name, source in modules.items():
        path = root / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    script = tmp_path / "script.py"
    script.write_text("from uad import top\n", encoding="utf-8")
    monkeypatch.setattr(digests, "LIBRARY", root)
    digests._counted.cache_clear()
    return code_digest(script)


BASE = {
    "top": '''"""Doc."""
from uad.a.deep import f
from uad.base import logs
from uad.base.errors import InputError
from uad.base.logs import log


def g(x):
    """Say."""
    log.info("g")
    if x < 0:
        raise InputError(f"{x}: negative")
    return logs.progress(f(x), "g") + 1
''',
    "a/deep": "from uad.words import sentence\n\ndef f(x):\n    if not x:\n"
    "        raise ValueError(sentence(x))\n    return 2 * x\n",
    "a/__init__": '"""A package without code."""\n',
    "words": "def sentence(x):\n    return f'no {x}'\n",
    "unused": "def h():\n    return 3\n",
    "base/logs": "LEVEL = 1\n",
    "base/errors": "class InputError(Exception):\n    pass\n",
}


@pytest.fixture
def changed(tmp_path, monkeypatch):
    """Whether the digest is another one when one module is."""

    def ask(name, source):
        before = library(tmp_path, monkeypatch, **BASE)
        return library(tmp_path, monkeypatch, **{**BASE, name: source}) != before

    return ask


def test_code_of_an_import_of_an_import_counts(changed):
    assert changed("a/deep", BASE["a/deep"].replace("2 *", "3 *"))
    assert not changed("a/deep", BASE["a/deep"] + "# remark\n")


def test_modules_that_are_not_imported_do_not_count(changed):
    assert not changed("unused", "x = 4\n")


def test_modules_that_are_imported_for_words_do_not_count(changed):
    assert not changed("words", BASE["words"].replace("no", "never"))


def test_packages_count_if_they_are_imported_and_have_code(changed):
    assert not changed("a/__init__", "")
    assert not changed("a/__init__", "x = 1\n")  # `from uad.a.deep import f` uses nothing of it


def test_a_package_with_code_counts(tmp_path, monkeypatch):
    base = {**BASE, "top": "from uad import a\na.f()\n"}
    empty = library(tmp_path, monkeypatch, **base)
    assert library(tmp_path, monkeypatch, **{**base, "a/__init__": ""}) == empty
    assert library(tmp_path, monkeypatch, **{**base, "a/__init__": "f = 1\n"}) != empty


def test_a_named_package_counts_with_all_of_its_modules(tmp_path, monkeypatch):
    library(tmp_path, monkeypatch, **BASE)
    before = code_digest("uad.a")
    library(tmp_path, monkeypatch, **{**BASE, "a/other": "x = 1\n"})
    assert code_digest("uad.a") != before


def test_neutral_modules_do_not_count(changed):
    assert not changed("base/logs", "LEVEL = 2\n")


def test_a_neutral_module_counts_if_it_is_named(tmp_path, monkeypatch):
    library(tmp_path, monkeypatch, **BASE)
    before = code_digest("uad.base.logs")
    library(tmp_path, monkeypatch, **{**BASE, "base/logs": "LEVEL = 2\n"})
    assert code_digest("uad.base.logs") != before


def test_the_place_of_a_file_does_not_count(tmp_path, monkeypatch):
    for name in ("first", "second/deeper"):
        (tmp_path / name).mkdir(parents=True)
    first, second = (
        library(tmp_path / name, monkeypatch, **BASE) for name in ("first", "second/deeper")
    )
    assert first == second


def test_a_source_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="no module uad.models.methods.xnet"):
        code_digest("uad.models.methods.xnet")


def test_neutral_modules_exist_and_import_neutral_ones_only():
    neutral = {digests.module_path(f"uad.{name}") for name in digests.NEUTRAL}
    assert None not in neutral
    for path in neutral:
        assert {p for p in digests.files(path) if p.is_relative_to(digests.LIBRARY)} == {path}


def test_no_relative_imports():
    for path in [*SCRIPTS.glob("*.py"), *digests.LIBRARY.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_bytes())):
            assert getattr(node, "level", 0) == 0, path


def modules_of(*sources):
    """Dotted names, without `uad`, of the library modules that count for sources."""
    return {
        ".".join(path.relative_to(digests.LIBRARY).with_suffix("").parts)
        for path in digests.files(*sources)
        if path.is_relative_to(digests.LIBRARY)
    }


def users(*names):
    """Scripts whose digest depends on any of some modules, beside what they load by name."""
    return {
        path.stem
        for path in SCRIPTS.glob("*.py")
        if any(name in modules_of(path) for name in names)
    }


def test_scripts_use_what_their_step_needs():
    training = ("loop", "training", "saved_state")
    assert users(*(f"engine.{name}" for name in training)) == {"train_model", "estimate"}
    assert users("data.slices", "data.augmentation") == {"train_model", "estimate"}
    assert users("engine.reconstruction") == {"reconstruct", "score_scan"}
    assert users("engine.scoring") == {"score", "score_scan"}
    assert users("models.residuals", "models.median") == {
        "evaluate", "collect_cases", "collect_maps", "weigh_maps", "score_scan", "find_planted",
        "vary", "calibrate",
    }  # fmt: skip
    assert users("models.anomalies.draem") == {"synthesize"}
    assert users("data.leakage") == {"audit_splits", "compare", "pool_patients"}
    networks = [p for p in (digests.LIBRARY / "models").rglob("*.py") if p.stem != "__init__"]
    names = {".".join(p.relative_to(digests.LIBRARY).with_suffix("").parts) for p in networks}
    # Others load them by name.
    assert users(*names) == {
        "evaluate", "collect_cases", "collect_maps", "weigh_maps", "synthesize", "score_scan",
        "find_planted", "vary", "calibrate",
    }  # fmt: skip


def test_no_sentence_counts_for_what_trains():
    """Words that count would train everything again when they are mended."""
    sources = [p.stem for p in (digests.LIBRARY / "models/methods").iterdir() if p.stem[0] != "_"]
    files = digests.files(
        SCRIPTS / "train_model.py", *(f"uad.models.methods.{name}" for name in sources)
    )
    assert len(files) > 30
    for path in files:
        found = re.findall(
            r"str:[^:]*(?<![@\w])[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}", digests._counted(path).text
        )
        assert not found, path


def test_network_digests_follow_their_users():
    cddpm, unet, unet_res = (
        modules_of(f"uad.models.methods.{name}") for name in ("cddpm", "unet", "unet_res")
    )
    assert "models.networks.seg_unet" in unet & unet_res
    assert "models.networks.seg_unet" not in cddpm
    assert "models.networks.encoder" in cddpm and "models.networks.encoder" not in unet


def test_fingerprint_depends_on_every_part():
    assert digests.fingerprint(a=1, b=[2]) == digests.fingerprint(b=[2], a=1)
    assert digests.fingerprint(a=1, b=[2]) != digests.fingerprint(a=1, b=[3])


def test_versions_name_torch():
    assert digests.versions()["torch"].startswith("2.")


def test_a_docstring_survives_the_digest(tmp_path, monkeypatch):
    library(tmp_path, monkeypatch, **BASE)
    assert digests.docstring("uad.top") == "Doc."


def test_revision_is_that_of_the_library(tmp_path, monkeypatch):
    def git(*command):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", tmp_path, *identity, *command], check=True)

    folder = tmp_path / "venv/uad"
    folder.mkdir(parents=True)
    monkeypatch.setattr(digests, "LIBRARY", folder)
    assert digests.revision() == "unknown"  # no checkout
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "theirs")
    (folder / "module.py").touch()
    assert digests.revision() == "unknown"  # a checkout, but of something else
    git("add", "venv")
    git("commit", "-q", "-m", "with the library")
    assert len(digests.revision()) == 12
    (folder / "module.py").write_text("x = 1\n")
    assert digests.revision().endswith("+")


def test_the_words_of_a_reason_do_not_count(tmp_path):
    texts = ('return because(f"{n} bytes")', 'return because(f"only {n} bytes are there")')
    first, second = (syntax.counted(f"def f(n):\n    {text}\n".encode()).text for text in texts)
    assert first == second != syntax.counted(b"def f(n):\n    return n\n").text
