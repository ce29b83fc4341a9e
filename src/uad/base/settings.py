"""How a key of the configuration is declared: beside the code that uses it.

A block of the configuration is a frozen dataclass, each field of it a `key`. pydantic checks a
configuration against these classes where the workflow is planned (`uad.plan.config`); jobs only
read values, so nothing but the standard library is needed here.
"""

import dataclasses
from typing import Any


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
    if isinstance(default, list | dict | set):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def is_test_time(field: dataclasses.Field) -> bool:
    """Whether a key only matters after training."""
    return bool(field.metadata.get("json_schema_extra", {}).get("test_time"))
