"""What produced a result: digest of the code that runs, package versions, revision.

Snakemake watches a rule's script but not what it imports. Rules therefore carry the digest of every
`uad` module their script imports, directly or not, as a parameter: an edit reruns exactly the jobs
that use the edited module. Comments, docstrings and messages do not count (`uad.base.syntax`), nor
does the location of a file; the digest is the same on every version of Python and in every locale.
"""

import ast
import hashlib
import json
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from uad.base import syntax

LIBRARY = Path(__file__).parents[1]
# Modules that cannot change a result, and why: editing one reruns nothing, unless it is named as a
# source.
NEUTRAL = {
    "base.colours": "used by figures and pages, which name it",
    "base.digests": "decides when jobs run, not what they compute",
    "base.errors": "ends a job, with one sentence",
    "base.files": "gives a finished file its name; the content is written by others",
    "base.locks": "decides when a job runs, and on which of equal GPUs",
    "base.logs": "writes logs",
    "base.modules": "imports by name what is a source of its own",
    "base.paths": "names files; which a job reads and writes are the rule's input and output",
    "base.resumable": "stores what it is given; tests compare whole and resumed files",
    "base.settings": "declares keys; their values are parameters of the rules",
    "base.syntax": "decides when jobs run, not what they compute",
    "base.tsv": "its bytes are compared by the tests of golden values",
}
PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "antspyx",
    "SimpleITK",
    "torchio",
    "opensimplex",
    "numba",
)


def code_digest(*sources: Path | str) -> str:
    """Digest of scripts and modules and of all library modules they import.

    Parameters
    ----------
    *sources : str or Path
        A path of a script, or the dotted name of a library module, such as
        ``uad.models.methods.cddpm`` (methods are imported by name, so imports do not show them). A
        named package stands for all of its modules, an imported one only for itself.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    texts = {_counted(path).text for path in files(*sources)} - {""}
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16]


def files(*sources: Path | str) -> list[Path]:
    """The files that `code_digest` covers, sorted.

    Parameters
    ----------
    *sources : str or Path
        As for `code_digest`.

    Returns
    -------
    list of Path

    Raises
    ------
    ValueError
        If a source is no module of the library.
    """
    neutral = {module_path(f"{LIBRARY.name}.{name}") for name in NEUTRAL}
    pending = []
    for source in sources:
        if isinstance(source, Path):
            pending.append(source)
            continue
        path = module_path(source)
        if path is None:
            raise ValueError(f"no module {source}")
        pending += path.parent.rglob("*.py") if path.name == "__init__.py" else [path]
    found = set()
    while pending:
        path = pending.pop()
        if path in found:
            continue
        found.add(path)
        imported = (_imported(*names) for names in _counted(path).imports)
        pending += [path for path in imported if path and path not in neutral]
    return sorted(found)


def module_path(name: str) -> Path | None:
    """File of a library module; None for anything else."""
    head, *rest = name.split(".")
    if head != LIBRARY.name:
        return None
    path = LIBRARY.joinpath(*rest)
    for candidate in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def docstring(source: Path | str) -> str:
    """Docstring of a file or a library module, read without running it; empty if it has none."""
    path = source if isinstance(source, Path) else module_path(source)
    return "" if path is None else ast.get_docstring(ast.parse(path.read_bytes())) or ""


def _imported(module, name):
    """File that ``from module import name`` needs: that of the name, if it is a module itself."""
    return (name and module_path(f"{module}.{name}")) or module_path(module)


@cache
def _counted(path):
    return syntax.counted(path.read_bytes())


def fingerprint(**parts: Any) -> str:
    """Digest of anything that can be written as JSON, to check that saved work still fits."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_states(paths: Iterable[Path | str]) -> list[tuple[int, int]]:
    """Size and modification time of files: enough to notice that an input was replaced."""
    return [(status.st_size, status.st_mtime_ns) for status in (Path(p).stat() for p in paths)]


def versions() -> dict[str, str]:
    """Installed versions of the packages that affect the numbers."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def revision() -> str:
    """Git revision of the checkout, with ``+`` if files differ from it.

    ``unknown`` without git, and for an installed library, even if it is inside another checkout.
    """

    def git(*command: str) -> str:
        return subprocess.run(
            ["git", "-C", str(LIBRARY), *command], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", ".")
        return git("rev-parse", "--short=12", "HEAD") + (
            "+" if git("status", "--porcelain") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def sha256(path: Path | str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_files(paths: Iterable[Path | str]) -> dict[str, str]:
    """SHA-256 of files, and of all files in folders, by path.

    Parameters
    ----------
    paths : iterable of path-like

    Returns
    -------
    dict of str to str
    """
    found = []
    for path in map(Path, paths):
        found += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return {path.as_posix(): sha256(path) for path in found}
