"""The paper's configuration below a user's, whose overlays name only what differs."""

from pathlib import Path

import yaml


def with_defaults(config: dict, path: Path | str) -> None:
    """Complete a configuration in place with the values of a file.

    Blocks are merged key by key, as Snakemake merges `--configfile`; anything else that the
    configuration names replaces the file's value.

    Parameters
    ----------
    config : dict
        Of overlays and the command line, or of the workflow that uses this one as a module.
    path : path-like
        YAML.
    """
    merged = _merged(yaml.safe_load(Path(path).read_text(encoding="utf-8")), config)
    config.clear()
    config.update(merged)


def _merged(below, above):
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    keys = dict.fromkeys([*below, *above])
    return {
        key: _merged(below[key], above[key])
        if key in below and key in above
        else above.get(key, below.get(key))
        for key in keys
    }
