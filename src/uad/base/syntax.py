"""The part of a Python file that can change a result, as text: its syntax tree without messages.

`ast.dump` will not do: it differs between versions of Python (fields come and go, parts of
f-strings are cut differently). Here the same file gives the same text on every one of them.

Left out, besides comments and layout:

- docstrings, `pass`, type annotations and what is imported for them alone. In a class an annotated
  name counts, since it may be a field of a dataclass;
- messages: lines that call a logger or `warnings.warn`, the arguments of a `raise`, the message of
  an `assert`, text in `print` and `sys.exit`, reasons (`uad.base.errors.because`), all but the
  default of a key of the configuration (`uad.base.settings.key`), what pages say of a method
  (`INFO`), and what is imported for them alone;
- the order of imports that stand together.
"""

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

# Types, or fields that not every version of Python has; whether a name is read or set shows in
# where it stands.
LEFT_OUT = {"annotation", "returns", "type_params", "type_comment", "type_ignores", "kind", "ctx"}
LOGGERS = {"log", "logger", "logging"}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
# Annotations that change what a dataclass makes of a name.
NO_FIELDS = {"ClassVar", "InitVar", "KW_ONLY"}
# Effects of a logger's argument; a call with one of them counts.
EFFECTS = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)


@dataclass(frozen=True)
class Counted:
    """The part of a file that counts.

    Attributes
    ----------
    text : str
        ASCII; empty if nothing counts.
    imports : tuple of (str, str or None)
        Module, and the name that is taken from it.
    """

    text: str
    imports: tuple[tuple[str, str | None], ...]


def counted(source: bytes) -> Counted:
    """The part of the source of a Python file that counts."""
    writer = _Writer()
    writer.statements(ast.parse(source).body)
    return writer.result()


@dataclass(frozen=True)
class _Import:
    """One name that an import statement binds."""

    module: str
    name: str | None
    bound: str
    level: int = 0

    def __str__(self):
        return ascii((self.level, self.module, self.name, self.bound))


class _Writer:
    """Writes a tree to `parts`, in which imports that stand together are one list of `_Import`.

    `used` are the names in what counts, `elsewhere` those in what does not, `typing` those in the
    annotations of a class: a block of the configuration may take its parts from them.
    """

    def __init__(self):
        self.parts, self.used, self.elsewhere, self.typing = [], set(), set(), set()
        self.in_class = False

    def result(self) -> Counted:
        imports, text = [], []
        for part in self.parts:
            if isinstance(part, str):
                text.append(part)
                continue
            # One that nothing uses counts: others may take the name from here.
            ignored = (self.elsewhere | self.typing) - self.used
            counting = [i for i in part if i.bound not in ignored]
            text += sorted({str(i) for i in counting})
            imports += counting + [i for i in part if i.bound in ignored & self.typing]
        return Counted("".join(text), tuple((i.module, i.name) for i in imports))

    def ignore(self, *nodes: ast.AST | None) -> None:
        """Note the names in parts of the tree that do not count."""
        for node in filter(None, nodes):
            self.elsewhere |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}

    def ignore_annotation(self, node: ast.expr) -> None:
        """The same for an annotation, parts of which may be quoted."""
        self.ignore(node)
        for inner in ast.walk(node):
            if _is_text(inner):
                self.elsewhere |= set(re.findall(r"\w+", inner.value))

    def statements(self, body: list[ast.stmt]) -> None:
        imports = None
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                if imports is None:
                    imports = []
                    self.parts.append(imports)
                imports += _bound(node)
            elif self.counts(node):
                imports = None
                self.write(node)

    def counts(self, node: ast.stmt) -> bool:
        """Whether a statement counts; note the names in one that does not."""
        if isinstance(node, ast.Pass):
            return False
        if isinstance(node, ast.Expr):
            if isinstance(node.value, ast.Constant):
                return False
            if _logs(node.value):
                self.ignore(node)
                return False
        if isinstance(node, ast.Assign) and [_name(target) for target in node.targets] == ["INFO"]:
            self.ignore(node)
            return False
        if isinstance(node, ast.AnnAssign) and node.value is None and not self.in_class:
            self.ignore_annotation(node.annotation)
            return False
        if isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING" and not node.orelse:
            self.ignore(node.test)
            self.elsewhere |= {
                i.bound
                for part in node.body
                if isinstance(part, ast.Import | ast.ImportFrom)
                for i in _bound(part)
            }
            return False
        return True

    def write(self, value: Any) -> None:
        """Write a node, a list, or what a field holds; `None` and empty lists are left out."""
        if isinstance(value, ast.AST):
            if isinstance(value, ast.Name):
                self.used.add(value.id)
            special = getattr(self, f"_{type(value).__name__.lower()}", None)
            special(value) if special else self.node(value)
        elif isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            self.statements(value)
        elif isinstance(value, list):
            self.parts.append("[")
            for item in value:
                self.write(item)
                self.parts.append(",")
            self.parts.append("]")
        else:
            self.parts.append(ascii(value))

    def node(self, node: ast.AST, without: Collection[str] = ()) -> None:
        self.parts.append(f"{type(node).__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            if name in LEFT_OUT:
                if isinstance(value, ast.expr):
                    self.ignore_annotation(value)
            elif name not in without and value is not None and value != []:
                self.parts.append(f"{name}=")
                self.write(value)
                self.parts.append(",")
        self.parts.append(")")

    def _constant(self, node):
        value = node.value
        if isinstance(value, str):
            self.string(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            self.parts.append(f"int:{value:x}")  # no limit to its length, unlike decimals
        else:
            self.parts.append(f"{type(value).__name__}:{value!a}")

    def string(self, value: str) -> None:
        # Not `repr`, which writes out what the version's Unicode tables know.
        self.parts.append(f"str:{value!a}")

    def _joinedstr(self, node):
        """Neighbouring texts as one, without empty ones: versions cut them differently."""
        parts = [""]
        for value in node.values:
            if isinstance(value, ast.Constant):
                parts[-1] += value.value
            else:
                parts += [value, ""]
        if len(parts) == 1:
            self.string(parts[0])
            return
        self.parts.append("f(")
        for part in parts:
            if isinstance(part, ast.AST):
                self.write(part)
            elif part:
                self.string(part)
        self.parts.append(")")

    def _formattedvalue(self, node):
        spec = node.format_spec
        empty = spec is not None and all(
            isinstance(part, ast.Constant) and not part.value for part in spec.values
        )
        self.node(node, without={"format_spec"} if empty else ())

    def _functiondef(self, node):
        outside, self.in_class = self.in_class, False
        self.node(node)
        self.in_class = outside

    _asyncfunctiondef = _functiondef

    def _classdef(self, node):
        outside, self.in_class = self.in_class, True
        self.node(node)
        self.in_class = outside

    def _annassign(self, node):
        if not self.in_class:
            self.ignore_annotation(node.annotation)
            self.node(ast.Assign(targets=[node.target], value=node.value))
            return
        names = {_name(inner) for inner in ast.walk(node.annotation)}
        self.typing |= names
        self.parts.append(f"Field({sorted(NO_FIELDS & names)}")
        self.write(node.target)
        value = node.value
        if isinstance(value, ast.Call) and _name(value.func) == "key":
            self.ignore(value)
            value = [k for k in value.keywords if k.arg in ("default", "default_factory")]
        if value:
            self.write(value)
        self.parts.append(")")

    def _call(self, node):
        func = node.func
        if _name(func) == "because":
            self.ignore(*node.args)
            node = ast.Call(func, [], [])
        exits = _name(func) == "exit" and _name(getattr(func, "value", None)) == "sys"
        if exits or (isinstance(func, ast.Name) and func.id == "print"):
            args = []
            for arg in node.args:
                values = arg.values if isinstance(arg, ast.JoinedStr) else [arg]
                args += [value for value in values if not _is_text(value)]
            node = ast.Call(func, args, node.keywords)
        self.node(node)

    def _raise(self, node):
        error = node.exc
        if isinstance(error, ast.Call):
            self.ignore(*error.args, *(keyword.value for keyword in error.keywords))
            error = error.func
        self.ignore(node.cause)
        self.node(ast.Raise(exc=error))

    def _assert(self, node):
        self.ignore(node.msg)
        self.node(node, without={"msg"})

    def _excepthandler(self, node):
        """The name of the exception counts only where it is used for more than words."""
        before, self.used = self.used, set()
        self.node(node, without={"name"})
        if node.name in self.used:
            self.parts.append(ascii(node.name))
        self.used |= before


def _bound(node):
    """The names that an import statement binds."""
    if isinstance(node, ast.Import):
        return [_Import(a.name, None, a.asname or a.name.split(".")[0]) for a in node.names]
    return [
        _Import(node.module or "", a.name, a.asname or a.name, node.level)
        for a in node.names
        if node.module != "__future__"
    ]


def _name(node):
    """Last part of a dotted name, None if it is no name."""
    return getattr(node, "id", getattr(node, "attr", None))


def _logs(node):
    """Whether an expression only logs or warns."""
    if not isinstance(node, ast.Call) or any(isinstance(n, EFFECTS) for n in ast.walk(node)):
        return False
    if not isinstance(node.func, ast.Attribute) or not isinstance(node.func.value, ast.Name):
        return False
    head, last = node.func.value.id, node.func.attr
    return (head in LOGGERS and last in LEVELS) or (head, last) == ("warnings", "warn")


def _is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
