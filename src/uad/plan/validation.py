"""One block of the configuration, checked against its class, in sentences that name the key.

What is said of each key (`uad.plan.schema`) is checked by pydantic.
"""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from uad.base.errors import InputError
from uad.models import methods
from uad.plan import schema

INTEGER = re.compile(r"[-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")

# What pydantic's errors mean, by their type.
SENTENCES = {
    "literal_error": "is {shown}, but must be {expected}",
    "either": "is {shown}, but must be {expected}",  # of several types
    "int_type": "is {shown}, but must be a whole number",
    "float_type": "is {shown}, but must be a number",
    "finite_number": "is {shown}, but must be a finite number",
    "bool_type": "is {shown}, but must be true or false",
    "string_type": "is {shown}, but must be text",
    "string_too_short": "is empty",
    "list_type": "is {shown}, but must be a list",
    "dict_type": "is {shown}, but must be a block of keys",
    "dataclass_type": "is {shown}, but must be a block of keys",
    "greater_than": "is {shown}, but must be more than {gt:g}",
    "greater_than_equal": "is {shown}, but must be at least {ge:g}",
    "less_than": "is {shown}, but must be less than {lt:g}",
    "less_than_equal": "is {shown}, but must be at most {le:g}",
    "multiple_of": "is {shown}, but must be a multiple of {multiple_of:g}",
    "too_short": "has {actual_length} entries, but needs at least {min_length}",
    "too_long": "has {actual_length} entries, but may have no more than {max_length}",
}


def plain(node: Any) -> Any:
    """A copy of what YAML or JSON may hold, with null where `--config` leaves its name."""
    if isinstance(node, dict):
        return {str(key): plain(child) for key, child in node.items()}
    if isinstance(node, list | tuple):
        return [plain(child) for child in node]
    if node == "null":
        return None
    return node if isinstance(node, bool | int | float | None) else str(node)


@cache
def _adapter(cls: type) -> TypeAdapter:
    return TypeAdapter(cls)


_blocks: dict[type, type[schema.Method]] = {}


def of_method(name: str) -> type[schema.Method]:
    """The block of a method, made once of each `Params`: a name may stand for another later."""
    params = methods.load(name).Params
    if params not in _blocks:
        _blocks[params] = schema.of_method(name)
    return _blocks[params]


def checked(cls: type, block: Any, place: str = "") -> dict:
    """A block with its defaults, and numbers for texts that read as such.

    Values stay as they were written otherwise: 1 does not become 1.0.

    Raises
    ------
    InputError
        At the first mistake; shallow ones first, since they have others in their train.
    """
    adapter = _adapter(cls)
    while True:
        try:
            # As JSON: strict about types, but for blocks, which are objects there.
            complete = adapter.dump_python(adapter.validate_json(json.dumps(block)))
            return _merged(complete, block)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
            read = [_read_text(block, error) for error in errors]
            if not any(read):
                first = min(errors, key=lambda e: (len(e["loc"]), e["type"] == "missing"))
                raise InputError(f"configuration: {_sentence(cls, first, place)}") from None


def _read_text(block: dict, error: dict) -> bool:
    """Put a number in the place of a text that reads as one; whether this was done."""
    text, kind = error["input"], error["type"]
    if not isinstance(text, str):
        return False
    if kind in ("bool_type", "literal_error") and text in ("true", "false"):
        value = text == "true"
    elif kind in ("int_type", "float_type", "literal_error") and INTEGER.fullmatch(text):
        value = int(text)
    elif kind == "float_type" and NUMBER.fullmatch(text):
        value = float(text)
    else:
        return False
    *parents, last = error["loc"]
    for part in parents:
        block = block[part]
    if block[last] == value and type(block[last]) is type(value):
        return False
    block[last] = value
    return True


def _merged(base: dict, over: dict) -> dict:
    """Blocks merged key by key; what `over` has counts, and comes first."""
    out = {**over, **{key: value for key, value in base.items() if key not in over}}
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            out[key] = _merged(base[key], over[key])
    return out


def _sentence(cls: type, error: dict, place: str) -> str:
    """What is wrong, naming the key."""
    loc, kind = error["loc"], error["type"]
    where = ".".join([*([place] if place else []), *map(str, loc)])
    if kind == "missing":
        return f"missing key {where}"
    if kind == "unexpected_keyword_argument":
        return unknown(where, loc[-1], keys(cls, loc[:-1]))
    if kind == "string_pattern_mismatch":  # names of blocks
        where = ".".join(map(str, loc[:-2]))
        return (
            f"{where} has the name {error['input']!r}, but names there must match "
            f"{error['ctx']['pattern']}"
        )
    value = error["input"]
    shown = repr(value) if isinstance(value, str) else json.dumps(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    words = SENTENCES.get(kind)
    if words is None:
        return f"{where}: {error['msg']}"
    return f"{where} {words.format(shown=shown, **error.get('ctx', {}))}"


def keys(cls: Any, loc: tuple) -> list[str]:
    """Keys that a block may have; `loc` leads to it."""
    kind = cls
    for part in loc:
        kind = get_type_hints(kind)[part] if is_dataclass(kind) else get_args(kind)[-1]
        if type(None) in get_args(kind):
            kind = get_args(kind)[0]
    return [field.name for field in fields(kind)]


def unknown(where: str, key: str, known: Iterable[str]) -> str:
    """What is said of an unknown key, with the known one that it may have been meant for."""
    where = where if where.isprintable() else repr(where)
    close = difflib.get_close_matches(key, known, n=1)
    return f"unknown key {where}" + (f" (did you mean {close[0]}?)" if close else "")


def check_known(name: str, known: Iterable[str], place: str) -> None:
    """Raise `InputError` unless a key of the block `place` is a known one."""
    if name not in known:
        raise InputError(f"configuration: {unknown(f'{place}.{name}', name, known)}")
