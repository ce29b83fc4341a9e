"""Methods outside the project: files, folders and packages; their code decides, not its place."""

import re
import sys
from dataclasses import fields

import pytest
import torch
from conftest import ROOT

from uad.base import digests
from uad.base.digests import code_digest
from uad.base.errors import InputError
from uad.contract import new
from uad.engine.settings import Training
from uad.models import methods

PLAIN = '''"""Plain: a method of one file."""
from dataclasses import dataclass
from uad.base.settings import Block, key
from uad.models.method import Method


@dataclass(frozen=True)
class Params(Block):
    """Block."""

    scale: float = key("of the map", default=2.0, gt=0)


class Plain(Method):
    """The image itself."""

    def __init__(self, params):
        super().__init__()
        self.scale = params.scale

    def anomaly_map(self, image, brain, reconstruction=None):
        return image.numpy() * brain * self.scale


def build(params, upstream=None):
    return Plain(params)
'''
# The same as a folder, whose class is in a module of its own.
PACKAGE = PLAIN.partition("class Plain")[0].replace("from uad.models.method import Method\n", "")
PACKAGE += "def build(params, upstream=None):\n    from .inner import Plain\n\n"
PACKAGE += "    return Plain(params)\n"
INNER = (
    "from uad.models.method import Method\n\n\nclass Plain"
    + PLAIN.partition("class Plain")[2].partition("\n\n\ndef build")[0]
)


@pytest.fixture(autouse=True)
def forgotten():
    """Nothing is left for other tests."""
    yield
    methods.use({})


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a folder/plain.py"
    path.parent.mkdir()
    path.write_text(PLAIN)
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "plain"
    path.mkdir()
    (path / "__init__.py").write_text(PACKAGE)
    (path / "inner.py").write_text(INNER)
    return path


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_file_and_a_folder_are_methods(request, kind):
    methods.use({"plain": request.getfixturevalue(kind)})
    method = methods.build("plain", {"scale": 3.0})
    image = torch.rand(2, 4, 4)
    found = method.anomaly_map(image, image.numpy() > 0.5)
    assert found.max() == pytest.approx(3 * image.max().item())
    assert methods.docstring("plain") == "Plain: a method of one file."
    assert "plain" in methods.known() and "plain" not in methods.built_in()


def test_it_is_forgotten_with_the_next_configuration(file, tmp_path):
    methods.use({"plain": file})
    first = methods.load("plain")
    assert methods.load("plain") is first
    other = tmp_path / "other.py"
    other.write_text(PLAIN.replace("default=2.0", "default=5.0"))
    methods.use({"plain": other})
    assert methods.build("plain", {}).scale == 5 and methods.load("plain") is not first
    methods.use({})
    with pytest.raises(InputError, match="unknown method plain"):
        methods.load("plain")
    assert not any(name.startswith("uad.models.methods.plain") for name in sys.modules)


def test_its_code_is_in_the_digest_of_its_jobs_and_of_no_other(file, folder):
    def digest(name, upstream=None):
        return code_digest("uad.engine.training", *methods.sources(name, upstream))

    methods.use({"plain": folder})
    of_others, before, standing = digest("unet"), digest("plain"), digest("unet", "plain")
    assert {path.name for path in digests.files(*methods.sources("plain"))} >= {
        "__init__.py", "inner.py", "method.py",
    }  # fmt: skip
    for name, old, becomes in (
        ("inner.py", "brain *", "brain * 7 *"), ("__init__.py", "default=2.0", "default=4.0"),
    ):  # fmt: skip
        path = folder / name
        path.write_text(path.read_text().replace(old, becomes))
        digests._counted.cache_clear()
        assert digest("plain") != before and digest("unet", "plain") != standing
        assert digest("unet") == of_others
        before, standing = digest("plain"), digest("unet", "plain")
    # Neither a remark nor the place counts.
    path.write_text(path.read_text() + "# a remark\n")
    digests._counted.cache_clear()
    methods.use({"plain": folder.rename(folder.with_name("elsewhere"))})
    assert digest("plain") == before


def test_its_neighbours_are_not_its_code(file):
    file.with_name("other.py").write_text("x = 1")
    methods.use({"plain": file})
    assert methods.sources("plain") == (file,)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "must be a Python file or a folder with an __init__.py"),
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
        ("def f(:", "cannot be imported .SyntaxError"),
        ("x = 1", "plain.py: a method needs a frozen dataclass Params"),
        (PLAIN.partition("def build")[0], "plain.py: a method needs a function build"),
    ],
)
def test_what_is_no_method_is_named(tmp_path, text, sentence):
    path = tmp_path / "plain.py"
    if text is not None:
        path.write_text(text)
    methods.use({"plain": path})
    with pytest.raises(InputError, match=sentence):
        methods.load("plain")


def test_a_method_of_an_installed_package(tmp_path, monkeypatch, folder):
    site = tmp_path / "site"
    site.mkdir()
    folder.rename(site / "their_package")
    info = site / "their_package-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[uad.methods]\ntheirs = their_package\n")
    monkeypatch.syspath_prepend(str(site))
    assert "theirs" in methods.known()
    assert methods.build("theirs", {}).scale == 2
    assert methods.docstring("theirs").startswith("Plain")
    assert {path.name for path in methods.sources("theirs")} == {"__init__.py", "inner.py"}
    assert methods.outside("theirs") == {}  # found by its name in every process
    monkeypatch.delitem(sys.modules, "their_package")


@pytest.mark.parametrize("name", ["unet", "Mine", "1st", "a-b", "a.b", ""])
def test_a_new_method_needs_a_name_of_its_own(tmp_path, name):
    with pytest.raises(InputError, match="cannot be the name of a new method"):
        new.write(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_new_method_overwrites_nothing(tmp_path):
    (tmp_path / "mine.yaml").write_text("mine")
    with pytest.raises(InputError, match="mine.yaml exists already; nothing was written"):
        new.write("mine", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_the_tutorial_counts_the_lines_that_are_written(tmp_path):
    page = (ROOT / "docs/own_method.md").read_text()
    for path in new.write("mine", tmp_path):
        assert f"own/{path.name} ({len(path.read_text().splitlines())} lines)" in page


def test_the_tutorial_names_the_settings_and_keys_that_there_are():
    page = (ROOT / "docs/own_method.md").read_text()
    table = page.partition("| Key of `methods.mine` |")[2].partition("\n\n")[0]
    known = {field.name for field in fields(Training)} | set(methods.FOR_THE_RUN)
    named = set(re.findall(r"`([a-z_]+)`", table)) - {"true", "cddpm", "spark"}
    assert named and named <= known, named - known
