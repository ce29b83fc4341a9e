"""Figures of the report: one style, and what several plots share."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from uad.colours import BRAIN, COLOURS, LESION  # noqa: F401 (scripts take them from here)
from uad.volumes import replacing

plt.rcParams.update(
    {
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "savefig.dpi": 110,
        "figure.constrained_layout.use": True,
    }
)


def save(figure, path):
    """Write a figure, complete or not at all, and close it."""
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


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


def sparse_labels(value, position):
    """Labels for the minor ticks of a logarithmic axis: 2, 5, 20, 50, ... only."""
    first = f"{value:e}"[0]
    return f"{value:g}" if first in "25" else ""
