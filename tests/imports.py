"""What Python files import, read from their syntax trees."""

import ast
import sys
from importlib.metadata import packages_distributions

from conftest import ROOT
from packaging.utils import canonicalize_name

SOURCE = ROOT / "src"
PACKAGES = packages_distributions()
# Of distributions that are not in the environment of the tests, but in .venv-hdbet, .venv-deepbet.
for name in ("nnunetv2", "deepbet"):
    PACKAGES.setdefault(name, [name])


def library():
    """Dotted names of all modules of the library, with their files."""
    names = {}
    for path in sorted((SOURCE / "uad").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        names[".".join(parts).removesuffix(".__init__")] = path
    return names


LIBRARY = library()


def imported(path):
    """Dotted names that a file imports, at the top or in a function.

    Of the library, each is that of a module; of others, what stands behind `import` or `from`.
    """
    names = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & set(LIBRARY)
            names.update(inner, [node.module] if len(inner) < len(node.names) else [])
    unknown = {name for name in names if name.split(".")[0] == "uad"} - set(LIBRARY)
    assert not unknown, f"{path}: no module {unknown}"
    return names


def closure(paths):
    """What files import, directly or not; the packages that a module lies in are run before it.

    Returns
    -------
    modules : set of str
        Of `uad`.
    others : set of str
        From elsewhere, but the standard library.
    """
    names_of = {path: name for name, path in LIBRARY.items()}
    modules, others, pending, seen = set(), set(), [*paths], set()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        if path in names_of:
            modules.add(names_of[path])
            package = names_of[path].rpartition(".")[0]
            pending += [LIBRARY[package]] if package else []
        for name in imported(path):
            if name in LIBRARY:
                pending.append(LIBRARY[name])
            elif name.split(".")[0] not in sys.stdlib_module_names:
                others.add(name)
    return modules, others


def distributions(modules):
    """Distributions, by their canonical names, that hold modules."""
    heads = {module.split(".")[0] for module in modules}
    return {canonicalize_name(name) for head in heads for name in PACKAGES[head][:1]}
