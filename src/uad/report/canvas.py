"""Figures of the report: one style, and what several plots share."""

import io

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator, NullLocator

from uad.base.colours import (
    LESION,  # noqa: F401 (scripts take them from here)
)
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


def save(figure, path):
    """Write a figure, complete or not at all, and close it."""
    with replacing(path) as temporary:
        if temporary.suffix == ".svg":  # of its parts only crowded points are pixels
            figure.savefig(temporary, metadata={"Date": None}, dpi=220)
        else:
            figure.savefig(temporary)
    plt.close(figure)


def inline_svg(figure):
    """A figure as an `svg` element for a page; closes it."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    plt.close(figure)
    return text.getvalue().partition("?>")[2].partition(">")[2].strip()  # no XML heading, no DTD


def heading(figure, title, simulated):
    """Title of a figure; simulated data are called so in the picture itself."""
    figure.suptitle(title + (" (simulated data)" if simulated else ""), fontsize=11)


def show(axes, array, aspect=1.0, **kwargs):
    """Show a slice (X, Y) with its second axis upright, without ticks.

    Arrays are in LPS order, so x runs to the patient's left and y to the back: the picture has the
    front on top and the patient's right on the reader's left.
    """
    axes.imshow(array.T, cmap=kwargs.pop("cmap", "gray"), aspect=aspect, **kwargs)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def outline(axes, mask, colour, width=0.8):
    """Outline of a mask over a slice that `show` has drawn."""
    if mask.any():
        axes.contour(mask.T, [0.5], colors=[colour], linewidths=width)


def window(masks, margin=3):
    """The part of a slice that all masks (N, X, Y) lie in, as an index of arrays (X, Y)."""
    anywhere = masks.any(axis=0)
    sides = []
    for axis, n in enumerate(anywhere.shape):
        inside = np.flatnonzero(anywhere.any(axis=1 - axis))
        first, last = (inside[0], inside[-1]) if len(inside) else (0, n)
        sides.append(slice(max(first - margin, 0), last + margin + 1))
    return tuple(sides)


def subscript(label):
    """`SADM_res` with its ending lowered."""
    head, _, tail = label.partition("_")
    return head + (f"$_{{{tail}}}$" if tail else "")


def row_label(row, label):
    """Label of a row, and what it is trained on if its name says so."""
    trained_on = row.partition("-")[2].upper()
    return subscript(label) + (f" ({trained_on})" if trained_on else "")


def middle_planes(volume):
    """Axial, coronal and sagittal plane through the middle, as pictures with the top up.

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


def grid(rows, columns, size, **kwargs):
    """Figure and axes (rows, columns), `size` inches (width, height) per panel."""
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * size[0], rows * size[1]), squeeze=False, **kwargs
    )
    return figure, axes


def robust_maximum(array):
    """99.5th percentile, the upper end of an image's grey scale."""
    return float(np.percentile(array, 99.5))


def log_scale(panel, name):
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


def _sparse_labels(value, position):
    """Labels for the minor ticks of a logarithmic axis: 2, 5, 20, 50, ... only."""
    first = f"{value:e}"[0]
    return f"{value:g}" if first in "25" else ""
