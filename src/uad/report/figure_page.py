"""The page of a figure: the picture, and its caption below it."""

import base64
from pathlib import Path

from uad.report import captions, pages

KINDS = {".svg": "svg+xml", ".png": "png"}


def write(path: str | Path, figure: str | Path, title: str, caption: str, simulated: bool) -> None:
    """Write a page that holds a figure.

    Parameters
    ----------
    path : path-like
    figure : path-like
        PNG or SVG, in the same folder.
    title, caption : str
        The caption as `captions.render` makes it.
    simulated : bool
        Whether the scans are.
    """
    figure = Path(figure)
    data = base64.b64encode(figure.read_bytes()).decode()
    pages.write(
        path,
        "figure_page.html.j2",
        title=f"Figure: {title}",
        simulated=simulated,
        file=figure.name,
        source=f"data:image/{KINDS[figure.suffix]};base64,{data}",
        caption=captions.pieces(caption),
    )
