"""The claims that a table is judged by: the file, checked against the configuration."""

from pathlib import Path

import yaml

from uad.base.errors import InputError
from uad.plan import needs, schema, validation


def check(config: dict) -> None:
    """Raise `InputError` if the claims, or what is asked of them, do not fit the configuration."""
    if config["table"]["claims"] is not None:
        _check_claims(read_claims(config["table"]["claims"]), config)
    _check_headline(config["table"])


def read_claims(path: str) -> dict:
    """The file that `table.claims` names, with its defaults.

    Raises
    ------
    InputError
        If it is missing, no YAML, or has a mistake.
    """
    file = Path(needs.resource(path))
    if not file.is_file():
        raise InputError(f"configuration: table.claims is {path!r}, but there is no such file")
    try:
        content = validation.plain(yaml.safe_load(file.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f"; see line {place.line + 1}" if place else ""
        raise InputError(f"{file} cannot be read as YAML{line}") from None
    if not isinstance(content, dict):
        raise InputError(
            f"{file} must have the keys {', '.join(validation.keys(schema.Claims, ()))}"
        )
    try:
        return validation.checked(schema.Claims, content)
    except InputError as error:
        raise InputError(f"{file}: {str(error).removeprefix('configuration: ')}") from None


def _check_claims(found, config):
    """Claims are about rows and test sets that there are, in this table or another.

    Of a configuration that has been checked before only the table's rows are left.
    """
    left = set(config["rows"]) == set(config["table"]["rows"] or ())
    for name, claim in found["claims"].items():
        place = f"table.claims: {name}"
        if claim["margin"] and claim["kind"] != "not_below":
            raise InputError(f"configuration: {place} has a margin, but only not_below takes one")
        for part in claim["compare"]:
            row, others = part["row"], part["than"]
            named = {"rows": [] if left else [row, *others], "lesion_sources": part["test_sets"]}
            for known, names in named.items():
                for one in names:
                    if one not in config[known]:
                        raise InputError(
                            f"configuration: {place} names {one}, but {known} has only "
                            f"{', '.join(config[known])}"
                        )
            if row in others:
                raise InputError(f"configuration: {place} compares {row} with itself")
            varied = row not in config["rows"] or row in needs.weighted(config)
            varied = varied and claim["metric"] == "dice_best"
            if claim["kind"] == "best_weight" and not varied:
                raise InputError(
                    f"configuration: {place} is about weights, which are varied for the dice_best "
                    "of table.references only that add a residual map and one of a network, not "
                    f"for the {claim['metric']} of {row}"
                )


def _check_headline(table):
    """The multiverse's page may only begin with a claim that there is."""
    headline = (table["multiverse"] or {}).get("headline")
    if headline is None:
        return
    if table["claims"] is None:
        raise InputError(
            "configuration: table.multiverse.headline names a claim, but table.claims is null"
        )
    if headline not in read_claims(table["claims"])["claims"]:
        raise InputError(
            f"configuration: table.multiverse.headline is {headline!r}, but {table['claims']} has "
            "no claim of that name"
        )
