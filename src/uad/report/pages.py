"""Pages of the report from the templates next to this module; each page is one file.

A template `NAME.html.j2` extends `base.html.j2`, which has the title, the warnings and the style;
what several pages need is in `macros.html.j2`. Texts are escaped, and a value that a template names
but does not get is an error.
"""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import meta

from uad.base.files import replacing

FOLDER = Path(__file__).with_name("templates")
SIMULATED = "Computed on simulated scans; says nothing about performance on patients."
# LaTeX has braces and per cent signs of its own.
_LATEX_DELIMITERS = {
    "block_start_string": "<%",
    "block_end_string": "%>",
    "variable_start_string": "<<",
    "variable_end_string": ">>",
    "comment_start_string": "<#",
    "comment_end_string": "#>",
}
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "−": "$-$",
        "–": "--",
        **{character: rf"\{character}" for character in "&%$#_{}"},
    }
)


def latex(text: str) -> str:
    """Plain text for LaTeX."""
    return text.translate(_LATEX)


@cache
def _environment(is_html: bool) -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=is_html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **({} if is_html else _LATEX_DELIMITERS),
    )
    found.globals["SIMULATED"] = SIMULATED
    found.filters["latex"] = latex
    return found


def _environment_of(template: str) -> jinja2.Environment:
    return _environment(not template.endswith(".tex.j2"))


def render(template: str, **values: Any) -> str:
    """Text of a template.

    Parameters
    ----------
    template : str
        Name of a file in `FOLDER`; `NAME.tex.j2` has the delimiters ``<% %>`` and ``<< >>`` and is
        not escaped.
    **values
        What it names, and `page` (`NAME`).

    Raises
    ------
    jinja2.UndefinedError
        If a value is missing.
    """
    page = template.partition(".")[0]
    return _environment_of(template).get_template(template).render(page=page, **values)


def write(path: str | Path, template: str, **values: Any) -> None:
    """Write a page, complete or not at all.

    Parameters
    ----------
    path : path-like
    template : str
        See `render`.
    **values
        What the template names. All pages have a `title` and say whether data are `simulated`;
        they may have `warnings`, texts below the title.
    """
    with replacing(path) as temporary:
        temporary.write_text(render(template, **values), encoding="utf-8")


def templates_of(name: str) -> list[Path]:
    """Files that make up a page: its template and all that it extends, imports or includes.

    Snakemake does not see them. A rule whose script writes the page names their digest in its
    parameters, as it does for code.

    Parameters
    ----------
    name : str
        Of a template, such as ``table1.html.j2``.

    Returns
    -------
    list of Path
        Sorted.

    Raises
    ------
    ValueError
        If a template is chosen while the page is written, so that nobody can tell which it is.
    """
    found, pending = set(), [name]
    while pending:
        template = pending.pop()
        if template in found:
            continue
        found.add(template)
        source = (FOLDER / template).read_text(encoding="utf-8")
        for referenced in meta.find_referenced_templates(_environment_of(name).parse(source)):
            if referenced is None:
                raise ValueError(f"{template} chooses a template by an expression; name it instead")
            pending.append(referenced)
    return [FOLDER / template for template in sorted(found)]
