"""The captions of the report as one Markdown text, which reads as a methods section.

Captions are templates that Snakemake fills in for its report, one for each data set or test set.
What applies to several is written only once; that data are simulated, only in the introduction.
"""

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2

ORDER = {
    "Data": ["inventory", "cohort", "quality", "splits", "audit"],
    "Training": ["training"],
    "Methods": ["method"],
    "Figures": [
        "cases",
        "comparison",
        "synthetic",
        "weights",
        "precision_recall",
        "lesion_volume",
        "detection_limits",
    ],
    "Tables": ["table1", "table2", "table3", "claims", "whom", "multiverse", "departures"],
}
# What figures and tables are called, by the name of their file; others by that.
NAMES = {
    "table1": "Table 1",
    "table2": "Table 2",
    "table3": "Table 3",
    "precision_recall": "precision and recall",
    "weights": "weight of the residual map",
    "lesion_volume": "Dice against lesion volume",
    "comparison": "all rows",
    "synthetic": "synthetic anomalies",
    "training": "losses and Dice of trainings",
    "claims": "the paper's claims",
    "whom": "whom the rows fail",
    "multiverse": "ranks in all combinations of choices",
}
INTRODUCTION = "workflow"
SIMULATED = "**Simulated data.** "
# Code, bold, in italics, lowered, and what to look for.
_MARKED = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>.+?)\*\*|(?<!\w)\*(?P<italic>\S(?:[^*]*\S)?)\*"
    r"|<sub>(?P<lowered>.*?)</sub>|(?P<look>\b(?:Good|Bad):)"
)
FRONT = ("overview", "methods_text")  # captions of pages that are about the others


def named(stem: str) -> str:
    """What a figure or table is called, from the name of its file without its ending.

    Examples
    --------
    >>> named("cases_brats")
    'cases of BRATS'
    """
    kind, _, of = stem.partition("_")
    if kind == "cases":
        return f"cases of {of.upper()}"
    return NAMES.get(stem, stem.replace("_", " "))


def render(
    path: str | Path, config: Mapping[str, Any], wildcards: Mapping[str, Sequence[str]]
) -> str:
    """A caption as Markdown.

    Parameters
    ----------
    path : path-like
        reStructuredText with Jinja, as Snakemake takes it.
    config : dict
    wildcards : dict of str to list of str
        Values of each wildcard. A paragraph that says the same for several is there once.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    template = environment.from_string(Path(path).read_text(encoding="utf-8"))
    paragraphs = {}  # by their place in the caption, in the order of the wildcards' values
    for values in itertools.zip_longest(*wildcards.values()):
        filled = {
            name: names[0] if value is None else value
            for (name, names), value in zip(wildcards.items(), values)
        }
        job = SimpleNamespace(config=config, wildcards=SimpleNamespace(**filled))
        text = markdown(template.render(snakemake=job)).removeprefix(SIMULATED)
        for place, paragraph in enumerate(text.split("\n\n")):
            paragraphs.setdefault(place, {})[paragraph] = True
    return "\n\n".join(text for place in sorted(paragraphs) for text in paragraphs[place])


def markdown(text: str) -> str:
    """The little reStructuredText of captions as Markdown, one line per paragraph."""
    text = re.sub(r"\\ :(sub|sup):`([^`]*)`", r"<\1>\2</\1>", text)
    text = text.replace("``", "`")
    text = re.sub(r"^\.\. (\w)(\w*):: ", lambda m: f"**{m[1].upper()}{m[2]}:** ", text, flags=re.M)
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def pieces(caption: str) -> list[list[tuple[str, str]]]:
    """A caption, as `render` makes it, for templates.

    Returns
    -------
    list of list of (str, str)
        Paragraphs, each of pairs: kind (a name of a group of `_MARKED`, or nothing) and text.
    """
    found = []
    for paragraph in caption.split("\n\n"):
        parts, done = [], 0
        for mark in _MARKED.finditer(paragraph):
            parts += [("", paragraph[done : mark.start()]), (mark.lastgroup, mark[mark.lastgroup])]
            done = mark.end()
        parts.append(("", paragraph[done:]))
        found.append([part for part in parts if part[1]])
    return found


def text(
    folder: str | Path,
    config: Mapping[str, Any],
    wildcards: Mapping[str, Sequence[str]],
    left_out: Collection[str],
    docstrings: Mapping[str, str],
) -> str:
    """All captions in the order of the data's way, and what the trained methods are.

    Parameters
    ----------
    folder : path-like
        Of the captions.
    config : dict
    wildcards : dict of str to list of str
        As for `render`.
    left_out : collection of str
        Captions of results that this run does not have.
    docstrings : dict of str to str
        Of the module of each trained method.
    """
    folder = Path(folder)
    parts = ["# Methods", render(folder / f"{INTRODUCTION}.rst", config, wildcards)]
    for heading, names in ORDER.items():
        found = [name for name in names if name not in left_out]
        if found:
            parts.append(f"## {heading}")
        parts += [render(folder / f"{name}.rst", config, wildcards) for name in found]
        if heading == "Methods":
            for method, docstring in docstrings.items():
                parts += [f"### {method}", markdown(docstring)]
    return "\n\n".join(parts) + "\n"
