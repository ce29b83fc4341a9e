"""Pictures of the report: example cases, all rows side by side, synthetic anomalies.

Scores are shown from black (0) over red to yellow (the highest of the volume, or a stated number),
detections in the three colours of `DETECTION`, changes from blue (darker) over white to red.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from uad.base import colours
from uad.evaluation.synthetic_cases import Example
from uad.report import canvas
from uad.report.numbers import number

# Not predicted, false, missed, found.
DETECTION = ListedColormap(["#000000", "#E69F00", "#56B4E9", "#FFFFFF"])
SCORE = "inferno"
CHANGE = "RdBu_r"  # red: brighter than before
IN_ONE_BLOCK = 8  # rows below each other; more are put into two blocks side by side


def detections(score: np.ndarray, threshold: float, lesion: np.ndarray) -> np.ndarray:
    """0 where there is no lesion and no prediction, 1 false, 2 missed, 3 found."""
    return (score > threshold) + 2 * lesion.astype(int)


def cases(collected: Mapping[str, np.ndarray], title_of: str) -> Figure:
    """Cases of one test set, two lines each (paper Fig. 2).

    Above: input, reconstruction, and the maps of the row. Below: ground truth, what the
    reconstruction changed, and the detections of each map at the threshold with the best Dice.

    Parameters
    ----------
    collected : dict
        From `cases.collect`; the last two names are residual map and prediction.
    title_of : str
        Name of the row whose score is their sum.
    """
    names = list(collected["names"])
    shown = [len(names) - 2, len(names) - 1, names.index(title_of)]
    titles = ("residual map", "prediction", "anomaly score")
    n = len(collected["subject"])
    figure, axes = canvas.grid(2 * n, 5, (1.6, 1.75))
    window = canvas.window(collected["brain"])
    for case, (upper, lower) in enumerate(axes.reshape(n, 2, 5)):
        image, lesion, healthy = (
            collected[kind][case][window] for kind in ("image", "lesion", "reconstruction")
        )
        canvas.show(upper[0], image, vmin=0, vmax=1)
        canvas.outline(upper[0], lesion, colours.LESION)
        canvas.show(upper[1], healthy, vmin=0, vmax=1)
        canvas.show(lower[0], lesion, vmin=0, vmax=1)
        canvas.show(lower[1], image - healthy, vmin=-0.5, vmax=0.5)
        heads = (("input", "ground truth"), ("reconstruction", "input − reconstruction"))
        for column, pair in enumerate(heads):
            upper[column].set_title(pair[0])
            lower[column].set_title(pair[1])
        for column, (which, title) in enumerate(zip(shown, titles), start=2):
            score = collected["score"][case, which][window]
            peak, dice, threshold = (
                collected[kind][case, which] for kind in ("peak", "dice", "threshold")
            )
            canvas.show(upper[column], score, cmap=SCORE, vmin=0, vmax=max(peak, 1e-6))
            found = detections(score, threshold, lesion)
            canvas.show(
                lower[column], found, cmap=DETECTION, vmin=0, vmax=3, interpolation="nearest"
            )
            upper[column].set_title(f"{title}, to {peak:.2g}")
            lower[column].set_title(
                "no lesion" if np.isnan(dice) else f"above {threshold:.2g}: Dice {dice:.2f}"
            )
        upper[0].set_ylabel(collected["subject"][case])
    _legend(figure)
    return figure


def _legend(figure: Figure) -> None:
    """What the colours of detections mean."""
    patches = [
        Patch(facecolor=DETECTION(value), edgecolor="black", label=label)
        for value, label in ((3, "found"), (2, "missed"), (1, "false"))
    ]
    figure.legend(handles=patches, loc="outside lower right", ncols=3, frameon=False)


def comparison(
    collected: Mapping[str, Mapping[str, np.ndarray]], labels: Mapping[str, str]
) -> Figure:
    """The same cases for every row of the table (paper Fig. 3).

    Parameters
    ----------
    collected : dict of str to dict
        Name of each test set to what `cases.collect` returned.
    labels : dict of str to str
        Rows to show, in order, and what is printed beside them.
    """
    cases = [(name, i) for name, part in collected.items() for i in range(len(part["subject"]))]
    blocks = 1 if len(labels) <= IN_ONE_BLOCK else 2
    per_block = -(-len(labels) // blocks)
    figure, axes = canvas.grid(per_block + 1, blocks * len(cases), (1.25, 1.35))
    window = canvas.window(np.concatenate([part["brain"] for part in collected.values()]))
    for block in range(blocks):
        rows = list(labels)[block * per_block : (block + 1) * per_block]
        first = block * len(cases)
        for panels, (test_set, case) in zip(axes[:, first:].T, cases):
            _case_of_rows(panels, collected[test_set], case, rows, window)
            panels[0].set_title(
                f"{test_set.upper()}\n{collected[test_set]['subject'][case]}", fontsize=8
            )
        for panel, label in zip(axes[:, first], ["input", *(labels[row] for row in rows)]):
            panel.set_ylabel(label, fontsize=8)
    return figure


def _case_of_rows(
    panels: np.ndarray,
    part: Mapping[str, np.ndarray],
    case: int,
    rows: Sequence[str],
    window: tuple[slice, slice],
) -> None:
    """A case in a column: input, then the score of each row with its best Dice."""
    lesion = part["lesion"][case][window]
    canvas.show(panels[0], part["image"][case][window], vmin=0, vmax=1)
    canvas.outline(panels[0], lesion, colours.LESION)
    for panel, row in zip(panels[1:], rows):
        which = list(part["names"]).index(row)
        score, peak = part["score"][case, which][window], part["peak"][case, which]
        canvas.show(panel, score, cmap=SCORE, vmin=0, vmax=max(peak, 1e-6))
        canvas.outline(panel, lesion, colours.BRAIN, 0.6)
        panel.text(
            0.03,
            0.97,
            number(part["dice"][case, which], 2),
            color="white",
            fontsize=8,
            va="top",
            transform=panel.transAxes,
        )
    for panel in panels[1 + len(rows) :]:
        panel.set_axis_off()


def synthetic(examples: Sequence[Example]) -> Figure:
    """Synthetic anomalies (paper Fig. 4): slices before and after, and the difference.

    All slices have one grey scale, all differences one scale about zero; the mask is outlined.

    Parameters
    ----------
    examples : sequence of Example
        From `synthetic_cases.collect`.
    """
    if not examples:
        figure, axes = canvas.grid(1, 1, (5, 1))
        axes[0, 0].set_axis_off()
        axes[0, 0].text(0.5, 0.5, "no test subject has an anomaly", ha="center", va="center")
        return figure
    # Wide enough for the heading, however few there are.
    figure, axes = canvas.grid(3, len(examples), (max(1.7, 4.5 / len(examples)), 1.9))
    window = canvas.window(np.stack([example.brain for example in examples]))
    changes = [example.after - example.before for example in examples]
    most = max(float(np.abs(change[window]).max()) for change in changes)
    for panels, example, change in zip(axes.T, examples, changes):
        canvas.show(panels[0], example.before[window], vmin=0, vmax=1)
        canvas.show(panels[1], example.after[window], vmin=0, vmax=1)
        canvas.show(panels[2], change[window], cmap=CHANGE, vmin=-most, vmax=most)
        canvas.outline(panels[2], example.mask[window], "black", 0.6)
        panels[0].set_title(f"{example.subject}, slice {example.z + 1}")
    for panel, text in zip(axes[:, 0], ("before", "after", "difference")):
        panel.set_ylabel(text)
    bar = {"location": "bottom", "aspect": 40, "shrink": 0.6}
    figure.colorbar(
        axes[2, 0].images[0], ax=list(axes[2]), label="after − before, intensity", **bar
    )
    return figure
