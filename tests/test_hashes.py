"""Hashes of packages: every pin has some, and pip refuses a file with a wrong one."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = ROOT / "requirements"
# Of each constraints file: the lists that hold its packages, and those that come with torch.
LISTS = {
    "constraints.txt": (("run", "test"), {"torch"}),
    "constraints-docs.txt": (("docs",), set()),
    "constraints-hdbet.txt": (("hdbet",), {"torchvision"}),
    "constraints-deepbet.txt": (("deepbet",), set()),
}


def pins(name):
    """Version of each package of a constraints file."""
    found = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / name).read_text(), re.M)
    return {canonicalize_name(package): version for package, version in found}


def listed(name):
    """Version and hashes of each package of a list."""
    text = (FOLDER / f"{name}.txt").read_text()
    blocks = re.findall(r"^([\w.-]+)==(\S+).*\\\n((?:    --hash=.*\n)+)", text, re.M)
    assert len(blocks) == len(re.findall(r"^\w", text, re.M)), "a package without a hash"
    return {
        canonicalize_name(package): (
            version, re.findall(r"^    --hash=sha256:([0-9a-f]{64})(?: \\)?$", lines, re.M)
        )
        for package, version, lines in blocks
    }  # fmt: skip


def test_all_lists_are_known():
    known = {name for lists, _ in LISTS.values() for name in lists}
    assert {path.stem for path in FOLDER.glob("*.txt")} == known
    assert {path.name for path in ROOT.glob("constraints*.txt")} == set(LISTS)


@pytest.mark.parametrize("constraints", LISTS)
def test_every_pin_but_torch_has_hashes_of_its_version(constraints):
    lists, by_machine = LISTS[constraints]
    found = {package: what for name in lists for package, what in listed(name).items()}
    versions = pins(constraints)
    assert by_machine <= set(versions)
    of_this = {package: what for package, what in found.items() if package in versions}
    assert {p: version for p, (version, _) in of_this.items()} == {
        package: version for package, version in versions.items() if package not in by_machine
    }
    assert all(hashes for _, hashes in of_this.values())
    others = set(found) - set(of_this)
    assert others <= set(pins("constraints.txt"))


@pytest.mark.parametrize("name", ["hdbet", "deepbet"])
def test_shared_packages_have_the_common_version(name):
    common = pins("constraints.txt")
    found = {package: version for package, (version, _) in listed(name).items()}
    shared = set(found) & set(common)
    assert shared and {p: found[p] for p in shared} == {p: common[p] for p in shared}


def closure(asked):
    """Packages that some ask for on this machine, directly or not, without torch and its own."""
    needed, pending = set(), [Requirement(line) for line in asked]
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {""}
        if name == "torch" or (name, frozenset(extras)) in needed:
            continue
        needed.add((name, frozenset(extras)))
        for line in metadata.requires(name) or []:
            inner = Requirement(line)
            if not inner.marker or any(inner.marker.evaluate({"extra": e}) for e in extras):
                pending.append(inner)
    return {name for name, _ in needed}


def test_lists_hold_all_that_is_needed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    run, test = project["dependencies"], project["optional-dependencies"]["test"]
    assert closure(run) - set(listed("run")) == set()
    assert closure(test) - set(listed("run")) - set(listed("test")) == set()
    alone = {canonicalize_name(n) for n in project["optional-dependencies"]["test-alone"]}
    assert alone <= set(listed("test"))
    assert not set(listed("run")) & set(listed("test"))


def test_set_up_asks_for_hashes():
    """Every installation by pip but that of torch, and of the tool that writes the lists."""
    makefile = (ROOT / "Makefile").read_text()
    assert "HASHED := --quiet --require-hashes --no-deps " in makefile
    asked = re.findall(r"pip install (.*)", makefile)
    hashed = [line for line in asked if line.startswith("$(HASHED)/")]
    others = [line for line in asked if line not in hashed]
    assert len(hashed) == 4 and len(others) == 3
    assert all(re.search(r" (torch|\$\(TORCH\)|uv==[\d.]+)$", line) for line in others)


def wheel(folder):
    """A small package, `nothing` 1.0."""
    path = folder / "nothing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nothing.py", "")
        archive.writestr(
            "nothing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\n"
        )
        archive.writestr(
            "nothing-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("nothing-1.0.dist-info/RECORD", "")
    return path


@pytest.mark.parametrize("right", [True, False])
def test_a_wrong_hash_is_refused(tmp_path, right):
    """By pip, with the options that the Makefile gives it."""
    said = subprocess.check_output(
        [sys.executable, "-m", "pip", "hash", wheel(tmp_path)], text=True
    )
    found = re.search(r"sha256:([0-9a-f]{64})", said)[1]
    (tmp_path / "list.txt").write_text(
        f"nothing==1.0 --hash=sha256:{found if right else found[::-1]}\n"
    )
    options = re.search(r"^HASHED := (.*) --requirement", (ROOT / "Makefile").read_text(), re.M)[1]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--isolated", "install", *options.split(), "--no-index",
         f"--find-links={tmp_path}", f"--target={tmp_path / 'target'}",
         "--requirement", tmp_path / "list.txt"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode == 0) == right, done.stderr
    assert (tmp_path / "target/nothing.py").exists() == right
    assert ("DO NOT MATCH THE HASHES" in done.stderr) != right
