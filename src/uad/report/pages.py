"""HTML pages that need no other file: one style, and warnings below the heading."""

import math
from html import escape

from uad.base.files import replacing

SIMULATED = "Computed on simulated scans; says nothing about performance on patients."


def number(value, decimals=1):
    """A number as text: a dash if it is missing, a true minus sign, and none before a zero."""
    if value is None or math.isnan(value):
        return "–"
    text = f"{value:.{decimals}f}"
    return text.replace("-", "−" if float(text) else "")


def write(path, title, body, warnings, style=""):
    """Write a page, complete or not at all.

    Parameters
    ----------
    path : path-like
    title : str
        Plain text.
    body : str
        HTML that follows the heading.
    warnings : list of str
        HTML, shown below the heading.
    style : str
        CSS of this page only.
    """
    warnings = "".join(f'<p class="warning">{warning}</p>\n' for warning in warnings)
    with replacing(path) as temporary:
        temporary.write_text(
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{escape(title)}</title>\n"
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<style>\n{_STYLE}{style}</style></head><body>\n"
            f"<h1>{escape(title)}</h1>\n{warnings}{body}</body></html>\n",
            encoding="utf-8",
        )


_STYLE = """\
body { font: 14px/1.35 system-ui, sans-serif; color: #1c2430; margin: 1.5rem; max-width: 100rem; }
h1 { font-size: 1.3rem; margin: 0 0 .4rem; }
p { max-width: 60rem; }
.warning { background: #fff1d6; border-left: 4px solid #d98c00; padding: .5rem .8rem; }
/* Shadows at the sides where a table goes on. */
.scroll { overflow-x: auto; background:
  linear-gradient(to right, #fff 40%, #fff0) 0 / 2.5rem 100% no-repeat local,
  linear-gradient(to left, #fff 40%, #fff0) 100% / 2.5rem 100% no-repeat local,
  linear-gradient(to right, #0004, #0000) 0 / .7rem 100% no-repeat scroll,
  linear-gradient(to left, #0004, #0000) 100% / .7rem 100% no-repeat scroll; }
table { border-collapse: collapse; white-space: nowrap; }
th, td { padding: .25rem .45rem; text-align: left; }
thead th { border-bottom: 1px solid #1c2430; text-align: center; }
thead tr:first-child th { border-top: 2px solid #1c2430; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
td span { color: #5f6b7a; font-size: .85em; }
tr.block th { border-top: 1px solid #1c2430; padding-top: .5rem; }
tbody tr:not(.block):hover td { background: #f2f5f9; }
.scroll td:first-child { position: sticky; left: 0; background: #fff; }
tbody tr:last-child td { border-bottom: 2px solid #1c2430; }
"""
