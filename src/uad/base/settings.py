"""How a key of the configuration is declared, next to the code that uses it.

A block of the configuration is a frozen dataclass on top of `Block`, each field of it a `key`. A
package that takes blocks has them in its `settings.py`, a method in its `__init__.py`. pydantic
checks a configuration against these classes where the workflow is planned (`uad.plan.config`); jobs
only read values, so nothing but the standard library is needed here.
"""

import dataclasses
from typing import Annotated, Any, TypeVar, get_type_hints

from uad.base.errors import InputError


class Block:
    """Base of the blocks; pydantic finds here that unknown keys and wrong types are mistakes."""

    __pydantic_config__ = {"extra": "forbid", "strict": True, "allow_inf_nan": False}  # noqa: RUF012


AnyBlock = TypeVar("AnyBlock", bound=Block)


def key(
    meaning: str,
    *,
    default: Any = dataclasses.MISSING,
    unit: str | None = None,
    source: str | None = None,
    test_time: bool = False,
    **bounds: Any,
) -> Any:
    """A field of a block of the configuration.

    Parameters
    ----------
    meaning : str
        One line for the table of keys.
    default : optional
        What holds where the configuration does not name the key; without it the key is required.
    unit : str, optional
        Of numbers, such as ``mm``.
    source : str, optional
        Where the value of `config/config.yaml` comes from, such as ``App. B``.
    test_time : bool
        Whether the key only matters after training, so that a change of it trains nothing again.
    **bounds
        As of `pydantic.Field`: ``ge``, ``gt``, ``le``, ``lt``, ``min_length``, ``max_length``,
        ``multiple_of``, ``pattern``.
    """
    metadata = {
        "description": meaning,
        "json_schema_extra": {"unit": unit, "source": source, "test_time": test_time},
        **bounds,
    }
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    if isinstance(default, list | dict | set):
        return dataclasses.field(
            default_factory=lambda: type(default)(default), metadata=metadata, kw_only=True
        )
    return dataclasses.field(default=default, metadata=metadata, kw_only=True)


def is_test_time(field: dataclasses.Field) -> bool:
    """Whether a key only matters after training."""
    return bool(field.metadata.get("json_schema_extra", {}).get("test_time"))


class Bounds:
    """Bounds of what is in a list or a mapping, for `typing.Annotated`; those of `key`."""

    def __init__(self, **bounds: Any):
        self.bounds = bounds

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> dict:
        """Called by pydantic, which need not be installed for it."""
        return {**handler(source), **self.bounds}


Count = Annotated[int, Bounds(ge=0)]
Positive = Annotated[int, Bounds(ge=1)]


def build(cls: type[AnyBlock], values: dict, place: str) -> AnyBlock:
    """A block, and the blocks in it, from plain values that have been checked.

    Parameters
    ----------
    cls : type
    values : dict
    place : str
        Where they stand in the configuration, for messages.

    Raises
    ------
    InputError
        If a key is missing or unknown, as it may be in a file of another version.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name in sorted(set(values) - set(fields)):
        raise InputError(f"{place}: unknown key {name}")
    for name, field in sorted(fields.items()):
        defaults = {field.default, field.default_factory}
        if name not in values and defaults == {dataclasses.MISSING}:
            raise InputError(f"{place}: missing key {name}")
    types = get_type_hints(cls)
    return cls(
        **{
            name: build(types[name], value, f"{place}.{name}")
            if dataclasses.is_dataclass(types[name])
            else value
            for name, value in values.items()
        }
    )
