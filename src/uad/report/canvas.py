"""Figures of the report: one style, and what several plots share."""

import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from uad.base.files import replacing

plt.rcParams.update(
    {
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "savefig.dpi": 110,
        "svg.fonttype": "none",  # text stays text: smaller, and found by a search
        "svg.hashsalt": "uad",  # the same file every time
        "figure.constrained_layout.use": True,
    }
)


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure, complete or not at all, and close it."""
    with replacing(path) as temporary:
        if temporary.suffix == ".svg":  # of its parts only crowded points are pixels
            figure.savefig(temporary, metadata={"Date": None}, dpi=220)
        else:
            figure.savefig(temporary)
    plt.close(figure)


def inline_svg(figure: Figure) -> str:
    """A figure as an `svg` element for a page; closes it."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    plt.close(figure)
    return text.getvalue().partition("?>")[2].partition(">")[2].strip()  # no XML heading, no DTD


def heading(figure: Figure, title: str, simulated: bool) -> None:
    """Title of a figure; simulated data are called so in the picture itself."""
    figure.suptitle(title + (" (simulated data)" if simulated else ""), fontsize=11)


def show(axes: Axes, array: np.ndarray, aspect: float = 1.0, **kwargs: Any) -> None:
    """Show a slice (X, Y) with its second axis upright, without ticks.

    Arrays are in LPS order, so x runs to the patient's left and y to the back: the picture has the
    front on top and the patient's right on the reader's left.
    """
    axes.imshow(array.T, cmap=kwargs.pop("cmap", "gray"), aspect=aspect, **kwargs)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def outline(axes: Axes, mask: np.ndarray, colour: str, width: float = 0.8) -> None:
    """Outline of a mask over a slice that `show` has drawn."""
    if mask.any():
        axes.contour(mask.T, [0.5], colors=[colour], linewidths=width)


def window(masks: np.ndarray, margin: int = 3) -> tuple[slice, slice]:
    """The part of a slice that all masks (N, X, Y) lie in, as an index of arrays (X, Y)."""
    anywhere = masks.any(axis=0)
    sides = []
    for axis, n in enumerate(anywhere.shape):
        inside = np.flatnonzero(anywhere.any(axis=1 - axis))
        first, last = (inside[0], inside[-1]) if len(inside) else (0, n)
        sides.append(slice(max(first - margin, 0), last + margin + 1))
    return tuple(sides)


def subscript(label: str) -> str:
    """`SADM_res` with its ending lowered."""
    head, _, tail = label.partition("_")
    return head + (f"$_{{{tail}}}$" if tail else "")


def row_label(row: str, label: str) -> str:
    """Label of a row, and what it is trained on if its name says so."""
    trained_on = row.partition("-")[2].upper()
    return subscript(label) + (f" ({trained_on})" if trained_on else "")


def middle_planes(volume: Any) -> list[tuple[np.ndarray, float]]:
    """Axial, coronal and sagittal plane through the middle, as pictures with the top up.

    Parameters
    ----------
    volume : volumes.Volume
        (X, Y, Z), LPS order.

    Returns
    -------
    list of (ndarray, float)
        Picture for `show`, and the height of its pixels relative to their width.
    """
    x, y, z = volume.spacing_mm
    i, j, k = (n // 2 for n in volume.array.shape)
    return [
        (volume.array[:, :, k], y / x),
        (volume.array[:, j, ::-1], z / x),
        (volume.array[i, :, ::-1], z / y),
    ]


def grid(
    rows: int, columns: int, size: tuple[float, float], **kwargs: Any
) -> tuple[Figure, np.ndarray]:
    """Figure and axes (rows, columns), `size` inches (width, height) per panel."""
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * size[0], rows * size[1]), squeeze=False, **kwargs
    )
    return figure, axes


def robust_maximum(array: np.ndarray) -> float:
    """99.5th percentile, the upper end of an image's grey scale."""
    return float(np.percentile(array, 99.5))


def log_scale(panel: Axes, name: str) -> None:
    """Make an axis ("x" or "y") logarithmic, with numbers that can be read off.

    Call it when everything is drawn. Below a decade the usual ticks, powers of ten, would leave the
    axis with one number or none.
    """
    panel.set(**{f"{name}scale": "log"})
    axis = {"x": panel.xaxis, "y": panel.yaxis}[name]
    low, high = {"x": panel.get_xlim, "y": panel.get_ylim}[name]()
    if high < 10 * low:
        ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high)
        axis.set_ticks([tick for tick in ticks if low <= tick <= high])
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_minor_formatter(_sparse_labels)
    axis.set_major_formatter("{x:g}")


def _sparse_labels(value: float, position: int) -> str:
    """Labels for the minor ticks of a logarithmic axis: 2, 5, 20, 50, ... only."""
    first = f"{value:e}"[0]
    return f"{value:g}" if first in "25" else ""
