"""The library's packages are layers: no import goes up, and no modules import each other."""

import pytest
from imports import LIBRARY, imported

# From below; CONTRIBUTING.md has what is where.
LAYERS = (
    "base", "imaging", "data", "models", "engine", "evaluation", "report", "predict",
    "simulation", "plan", "contract",
)  # fmt: skip


def layer(module):
    """Position of a module's package; the program `uad.__main__` is above all."""
    name = module.split(".")[1] if "." in module else None
    return LAYERS.index(name) if name in LAYERS else len(LAYERS)


def inner(module):
    """Modules of the library that one imports."""
    return {name for name in imported(LIBRARY[module]) if name in LIBRARY}


def upward(module, names):
    """Those of the imported modules that are in a layer above the importing one."""
    return {name for name in names if layer(name) > layer(module)}


def circle(graph):
    """Modules that import each other, first to last; empty if there are none."""
    done = set()

    def visit(name, path):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph[name]):
            if found := visit(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next(filter(None, (visit(name, []) for name in sorted(graph))), [])


def test_every_package_is_a_layer():
    packages = {name.split(".")[1] for name in LIBRARY if "." in name}
    assert packages == {*LAYERS, "__main__"}


@pytest.mark.parametrize("name", sorted(set(LIBRARY) - {"uad"}))
def test_no_import_goes_up(name):
    assert upward(name, inner(name)) == set()


def test_no_modules_import_each_other():
    assert circle({name: inner(name) for name in LIBRARY}) == []


def test_what_goes_up_or_in_circles_is_noticed():
    assert upward("uad.base.files", {"uad.base.errors"}) == set()
    assert upward("uad.base.files", {"uad.data.packed"}) == {"uad.data.packed"}
    assert upward("uad.engine.loop", {"uad.plan.config", "uad.models"}) == {"uad.plan.config"}
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"b"}, "d": set()}
    assert circle(graph) == ["b", "c", "b"]
    assert circle({**graph, "c": {"d"}}) == []


def test_imports_in_functions_and_of_modules_count():
    assert "uad.report.front_page" not in imported(LIBRARY["uad.base.files"])
    assert "uad.base.errors" in imported(LIBRARY["uad.base.modules"])
