"""The code digest: blind to comments, docstrings and layout; sensitive to code and imports."""

import subprocess

from uad.base import digests
from uad.base.digests import code_digest


def library(tmp_path, monkeypatch, **modules):
    """A library `uad` of some modules, and a script that imports `top`."""
    root = tmp_path / "uad"
    root.mkdir(exist_ok=True)
    for name, text in modules.items():
        (root / f"{name}.py").write_text(text)
    script = tmp_path / "script.py"
    script.write_text("from uad import top\n")
    monkeypatch.setattr(digests, "LIBRARY", root)
    for cached in (digests._tree, digests._imports, digests._significant):
        cached.cache_clear()
    return code_digest(script)


BASE = {
    "top": '''"""Doc."""
from uad.deep import f


def g(x):
    """Say."""
    return f(x) + 1
''',
    "deep": "def f(x):\n    return 2 * x\n",
    "unused": "def h():\n    return 3\n",
    "logs": "LEVEL = 1\n",
}


def test_comments_docstrings_and_layout_do_not_count(tmp_path, monkeypatch):
    before = library(tmp_path, monkeypatch, **BASE)
    top = BASE["top"].replace("Doc", "Other doc").replace("Say", "Told")
    top = top.replace("return f(x) + 1", "# why\n    return (f(x)  +  1)")
    assert library(tmp_path, monkeypatch, **{**BASE, "top": top}) == before


def test_code_of_an_import_of_an_import_counts(tmp_path, monkeypatch):
    before = library(tmp_path, monkeypatch, **BASE)
    deep = BASE["deep"].replace("2 *", "3 *")
    assert library(tmp_path, monkeypatch, **{**BASE, "deep": deep}) != before


def test_modules_that_are_not_imported_do_not_count(tmp_path, monkeypatch):
    before = library(tmp_path, monkeypatch, **BASE)
    assert library(tmp_path, monkeypatch, **{**BASE, "unused": "x = 4\n"}) == before


def test_logging_does_not_count(tmp_path, monkeypatch):
    base = {**BASE, "deep": "from uad import logs\n" + BASE["deep"]}
    before = library(tmp_path, monkeypatch, **base)
    assert library(tmp_path, monkeypatch, **{**base, "logs": "LEVEL = 2\n"}) == before


def test_network_digests_follow_their_users():
    digests._tree.cache_clear()
    seg, unet = "uad.models.networks.seg_unet", "uad.models.networks.unet"
    used_by = {
        name: {str(p.name) for p in _files(f"uad.models.methods.{name}")}
        for name in ("cddpm", "unet", "unet_res")
    }
    assert "seg_unet.py" in used_by["unet"] & used_by["unet_res"]
    assert "seg_unet.py" not in used_by["cddpm"]
    assert "encoder.py" in used_by["cddpm"] and "encoder.py" not in used_by["unet"]
    assert code_digest(seg) != code_digest(unet)


def _files(name):
    """Library files that a module imports, directly or not."""
    seen, pending = set(), [name]
    while pending:
        path = digests._module_path(pending.pop())
        if path and path not in seen:
            seen.add(path)
            pending += digests._imports(path)
    return seen


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
