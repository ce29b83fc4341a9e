"""A row's means in all combinations of choices of the evaluation, from stored maps.

Networks are trained once. What is varied is what is made of their maps: the kind of residual, the
erosion of the brain, the median filter, the box, small components, and the measure: Dice at each
subject's best threshold, at one from validation subjects, at one of a false-positive rate, or the
area under the precision-recall curve. One job per row and fold keeps the means over subjects of
each combination, not maps; `uad.evaluation.multiverse` reads them.

Choices that need other preprocessing or training, such as the interpolation of lesion masks, are
departures, tried one at a time.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from uad.base.arrays import bounding_box
from uad.data.packed import PackedVolume
from uad.evaluation import metrics
from uad.evaluation.histogram import ScoreHistogram
from uad.evaluation.multiverse import OF_MAPS
from uad.evaluation.row_metrics import FALSE_POSITIVE_RATES
from uad.evaluation.scores import Cohort


class Variant(NamedTuple):
    """How a row's score is made; the names are keys of `uad.evaluation.settings.Multiverse`."""

    residual: str
    erosion: int
    median: str
    box: str


def variants(choices: Mapping[str, Sequence[Any]]) -> list[Variant]:
    """All combinations of the choices that maps are made by."""
    return [Variant(*values) for values in itertools.product(*(choices[k] for k in OF_MAPS))]


class VariedScore:
    """Score of a row, made in different ways; maps that several ways share are made once.

    Parameters
    ----------
    cohort : Cohort
    networks, reconstructing : list of str
        Models whose maps, or reconstructions, are stored.
    """

    def __init__(self, cohort: Cohort, networks: Sequence[str], reconstructing: Sequence[str]):
        self.cohort = cohort
        self._maps = [cohort.look_up(cohort.stored.maps[name]) for name in networks]
        self._reconstructions = [cohort.reconstruction(name) for name in reconstructing]

    def relevant(self, variant: Variant) -> tuple:
        """What of a variant makes a difference to this row."""
        if not self._reconstructions:
            return variant.median == "all", variant.box
        return tuple(variant)

    def of(
        self, role: str, ways: Sequence[Variant]
    ) -> Iterator[tuple[PackedVolume, list[np.ndarray]]]:
        """Volumes of a role, and their scores in each way, (Z, X, Y) float32."""
        for volume in self.cohort.volumes(role):
            stored = [np.array(of(volume), np.float32) * volume.weight for of in self._maps]
            mean = [of(volume) for of in self._reconstructions]
            made: dict[tuple, np.ndarray] = {}
            yield volume, [self._score(volume, stored, mean, way, made) for way in ways]

    def _score(self, volume, stored, reconstructions, way, made):
        parts = []
        for number, network_map in enumerate(stored):
            filtered = way.median == "all"
            key = ("network", number, filtered)
            if key not in made:
                made[key] = _filtered(network_map, volume.brain) if filtered else network_map
            parts.append(made[key])
        for number, reconstruction in enumerate(reconstructions):
            raw = ("raw", number, way.residual)
            if raw not in made:
                made[raw] = _residual(volume.image, reconstruction, way.residual)
            key = (number, way.residual, way.erosion, way.median == "none")
            if key not in made:
                weight = _eroded(volume.weight, way.erosion)
                weighted = made[raw] * weight
                unfiltered = way.median == "none"
                made[key] = weighted if unfiltered else _filtered(weighted, weight > 0)
            parts.append(made[key])
        return sum(parts)


def _residual(image, reconstruction, kind):
    """As in `uad.models.residuals`, before erosion and median."""
    if kind == "l1":
        return np.abs(image - reconstruction)
    import torch  # only rows with reconstructions need it

    from uad.models import residuals

    pair = (torch.from_numpy(image), torch.from_numpy(reconstruction))
    return (1 - residuals.ssim(*pair)).float().numpy()


def _eroded(weight, voxels):
    """A brain without its rim in every axial slice, as in `uad.models.residuals`."""
    if not voxels:
        return weight
    cross = ndimage.generate_binary_structure(2, 1)[None]
    return ndimage.binary_erosion(weight, cross, voxels)


def _filtered(values, mask):
    from uad.models import median

    return median.median_filter(np.ascontiguousarray(values, np.float32), mask)


def _box(volume: PackedVolume, kind: str) -> tuple[slice, ...]:
    """What is evaluated: all, or the brain's box without its last planes, as the released code."""
    if kind == "whole":
        return (slice(None),) * 3
    return tuple(slice(side.start, side.stop - 1) for side in bounding_box(volume.brain))


def measured(
    patients: Mapping[str, VariedScore],
    healthy: VariedScore,
    choices: Mapping[str, Sequence[Any]],
) -> pd.DataFrame:
    """Means over the test subjects of each test set, of one fold, in each combination.

    Parameters
    ----------
    patients : mapping of str to VariedScore
        By test set.
    healthy : VariedScore
        Of the data set that false-positive rates are tuned on.
    choices : mapping of str to list
        `residual`, `erosion`, `median`, `box`, `min_component` and `measure`.

    Returns
    -------
    DataFrame
        Columns test_set, those of `multiverse.CHOICES` but `folds`, n and mean, which is missing
        where it is not defined. Components matter to `dice_val` only, as in the rest of the
        evaluation, so that other measures are there with the first `min_component` only.
    """
    ways = variants(choices)
    first: dict[tuple, int] = {}  # ways that make a difference, by what of them does
    chosen = [first.setdefault(healthy.relevant(way), len(first)) for way in ways]
    distinct = [ways[chosen.index(number)] for number in range(len(first))]
    rates = _rates(healthy, distinct)
    sizes, names = choices["min_component"], choices["measure"]
    lines = []
    for test_set, scored in patients.items():
        cuts = [{"val": cut, **of} for cut, of in zip(_best_cuts(scored, distinct), rates)]
        values: list[list[dict]] = [[] for _ in distinct]
        any_lesion = False
        for volume, scores in scored.of("test", distinct):
            any_lesion = any_lesion or bool(volume.lesion.any())
            for found, way, score, cut in zip(values, distinct, scores, cuts):
                box = _box(volume, way.box)
                found.append(_values(score[box], volume.lesion[box], cut, sizes, names))
        tables = [pd.DataFrame(found) for found in values]
        for way, number in zip(ways, chosen):
            for size, name in itertools.product(sizes, names):
                if name != "dice_val" and size != sizes[0]:
                    continue  # would be the same again
                column = tables[number][f"dice_val_{size}" if name == "dice_val" else name]
                line = {"test_set": test_set, **way._asdict(), "min_component": size}
                mean = column.mean() if any_lesion else np.nan
                lines.append({**line, "measure": name, "n": int(column.count()), "mean": mean})
    return pd.DataFrame(lines)


def _best_cuts(patients, ways):
    """Thresholds of the best Dice of the validation subjects, of each way; NaN without lesions."""
    histograms = [ScoreHistogram() for _ in ways]
    for volume, scores in patients.of("val", ways):
        for histogram, way, score in zip(histograms, ways, scores):
            box = _box(volume, way.box)
            histogram.add(score[box], volume.lesion[box])
    found = [histogram.counts() for histogram in histograms]
    return [metrics.best_dice(c)[1] if c.positives else float("nan") for c in found]


def _rates(healthy, ways):
    """Thresholds of nominal false-positive rates, of each way."""
    histograms = [ScoreHistogram() for _ in ways]
    for volume, scores in healthy.of("val", ways):
        for histogram, way, score in zip(histograms, ways, scores):
            box = _box(volume, way.box)
            histogram.add(score[box][volume.brain[box]])
    return [
        {name: histogram.threshold_at(rate) for name, rate in FALSE_POSITIVE_RATES.items()}
        for histogram in histograms
    ]


def _values(score, lesion, cuts, sizes, names):
    """Measures of one subject."""
    found: dict[str, float] = {}
    counts = metrics.count(score, lesion)
    for name in names:
        if name == "dice_best":
            found[name] = metrics.best_dice(counts)[0]
        elif name == "dice_best_released":
            found[name] = metrics.interval_dice(score, lesion)
        elif name == "auprc":
            found[name] = metrics.average_precision(counts)
        elif name == "dice_val":
            for size in sizes:
                prediction = metrics.drop_small(score > cuts["val"], size)
                dice = metrics.dice(prediction, lesion)
                found[f"dice_val_{size}"] = float("nan") if np.isnan(cuts["val"]) else dice
        else:
            cut = cuts[name.removeprefix("dice_")]
            found[name] = metrics.dice(score > cut, lesion)
    return found
