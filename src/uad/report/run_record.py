"""Provenance of a whole run, in one file without times: runs that agree have the same bytes.

Code, git state, packages, configuration, digests of the inputs and of the main results, seeds.
"""

import hashlib
import json
import platform
import tokenize
from importlib import metadata
from pathlib import Path

from uad.base import digests


def code(base):
    """Digests of what is run: library and scripts as one, every script, every other file.

    Comments do not count, nor do docstrings of Python files (`digests.code_digest`).

    Parameters
    ----------
    base : path-like
        Folder of the `Snakefile`.
    """
    base = Path(base)
    scripts = sorted((base / "workflow/scripts").glob("*.py"))
    library = sorted((base / "src/uad").rglob("*.py"))
    rules = [base / "Snakefile", *sorted((base / "workflow/rules").glob("*.smk"))]
    resources = sorted(p for p in (base / "workflow/resources").iterdir() if p.is_file())
    return {
        "all": digests.code_digest(*scripts, *library),
        "scripts": {path.stem: digests.code_digest(path) for path in scripts},
        "rules": {
            path.relative_to(base).as_posix(): digest(path)[:16]
            for paths, digest in ((rules, _tokens_sha256), (resources, digests.sha256))
            for path in paths
        },
    }


def _tokens_sha256(path):
    """SHA-256 of a rule file, which has the tokens of Python, without comments and empty lines."""
    with open(path, "rb") as file:
        tokens = [
            token.string
            for token in tokenize.tokenize(file.readline)
            if token.type not in (tokenize.COMMENT, tokenize.NL)
        ]
    return hashlib.sha256("\0".join(tokens).encode()).hexdigest()


def run(config, code, inventories, inputs, splits, abouts, results):
    """The record.

    Parameters
    ----------
    config : dict
        Complete.
    code : dict
        From `code`.
    inventories : dict of str to dict
        What rule `inventory` wrote of each data set.
    inputs, splits, results : iterable of path-like
        Other files that are read (atlas, weights, lists), tables of folds, main tables.
    abouts : iterable of dict
        `about.json` of every model and fold.
    """
    packages = {d.metadata["Name"].lower(): d.version for d in metadata.distributions()}
    models = {
        f"{about['model']}/fold-{about['fold']}": {
            key: about.get(key) for key in ("seed", "code", "revision", "device")
        }
        for about in abouts
    }
    trained_with = {json.dumps(about["versions"], sort_keys=True) for about in abouts}
    return {
        "code": code,
        "revision": digests.revision(),  # of git; a + says that files differ from it
        "python": platform.python_version(),
        "packages": packages,
        "packages_of_training": [json.loads(text) for text in sorted(trained_with)],
        "seeds": {
            "run": config["seed"],
            "simulation": (config["simulation"] or {}).get("seed"),
        },
        "config": config,
        "data_sets": {
            name: {key: line.get(key) for key in ("found", "sha256")}
            for name, line in inventories.items()
        },
        "inputs": digests.of_files(inputs),
        "splits": digests.of_files(splits),
        "models": models,
        "results": digests.of_files(results),
    }


def write(content, path):
    """Write a record with sorted keys, complete or not at all."""
    from uad.base.files import replacing

    with replacing(path) as temporary:
        text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
