"""What made a result: digest of the code that runs, package versions, revision.

Snakemake watches a rule's script but not what it imports. Rules therefore carry the digest of every
`uad` module their script imports, directly or not, as a parameter: an edit reruns exactly the jobs
that use the edited module. Comments, docstrings and layout do not count.
"""

import ast
import hashlib
import json
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

LIBRARY = Path(__file__).parents[1]
# Modules that cannot change a result: an edit of theirs reruns nothing.
NEUTRAL = ("errors", "logs", "digests")
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


def code_digest(*sources):
    """Digest of scripts and modules and of all library modules they import.

    Parameters
    ----------
    *sources : str or Path
        A path of a script, or the dotted name of a library module, such as
        ``uad.models.methods.cddpm`` (methods are imported by name, so imports do not show them).

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    modules, pending = set(), list(sources)
    digest = hashlib.sha256()
    while pending:
        source = pending.pop()
        path = source if isinstance(source, Path) else _module_path(str(source))
        if path is None or path in modules or path.stem in NEUTRAL:
            continue
        modules.add(path)
        pending += _imports(path)
    for path in sorted(modules):
        digest.update(_significant(path).encode())
    return digest.hexdigest()[:16]


def _module_path(name):
    """File of a library module; None for anything else."""
    head, *rest = name.split(".")
    if head != LIBRARY.name:
        return None
    path = LIBRARY.joinpath(*rest)
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def docstring(name):
    """Docstring of a library module, read without running it; empty if it has none."""
    path = _module_path(name)
    return "" if path is None else ast.get_docstring(_tree(path)) or ""


@cache
def _tree(path):
    return ast.parse(path.read_text())


@cache
def _imports(path):
    """Dotted names a module imports; ``from a import b`` counts as a and as a.b."""
    names = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return sorted(names)


@cache
def _significant(path):
    """The syntax tree of a module as text, without docstrings; comments are not in it anyway."""
    tree = ast.parse(path.read_text())  # its own: it is changed here
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body[0] = ast.Pass()
    return ast.dump(tree)


def fingerprint(**parts):
    """Digest of anything that can be written as JSON, to tell whether saved work still fits."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_states(paths):
    """Size and modification time of files: enough to notice that an input was replaced."""
    return [(status.st_size, status.st_mtime_ns) for status in (Path(p).stat() for p in paths)]


def versions():
    """Installed versions of the packages that decide the numbers."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def revision():
    """Git revision of the checkout, with ``+`` if files differ from it.

    ``unknown`` without git, and of an installed library, also if it is below another checkout.
    """

    def git(*command):
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


def sha256(path):
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_files(paths):
    """SHA-256 of files, and of all files in folders, by path.

    Parameters
    ----------
    paths : iterable of path-like

    Returns
    -------
    dict of str to str
    """
    files = []
    for path in map(Path, paths):
        files += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return {path.as_posix(): sha256(path) for path in files}
