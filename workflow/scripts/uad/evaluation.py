"""Metrics of a row of Table 1: maps added up (eq. 3), thresholds from validation, one line a
subject.

Columns (evaluation specification, section 1): `dice_best`, the highest Dice of the subject over
all thresholds, the paper's [DICE]; `dice_val`, its Dice at the one threshold that is best for the
pooled validation subjects of the same test set and fold, without small components (none by default;
the cDDPM's code drops up to 7 voxels); `auprc`, average precision over all voxels of the box,
missing where no lesion voxel is left.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from uad import components, methods, metrics, packed, seeding, splits


def evaluate_row(root, maps, test_sets, fold, seed, min_component=0):
    """Evaluate one row on every test set.

    Parameters
    ----------
    root : path-like
        Results folder.
    maps : list of str
        Models and controls whose maps are added.
    test_sets : dict of str to str
        Name in the table to data set.
    fold, seed : int
    min_component : int
        Voxels; smaller components of a thresholded map do not count for `dice_val`.

    Returns
    -------
    DataFrame
        One line per test set and test subject.
    """
    parts = [
        _evaluate_test_set(Path(root), maps, name, dataset, fold, seed, min_component)
        for name, dataset in test_sets.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _evaluate_test_set(root, maps, name, dataset, fold, seed, min_component):
    pack = packed.Pack(root / "packed" / dataset)
    split = packed.read_table(root / "splits" / f"{dataset}.tsv")
    score = RowScore(root, maps, dataset, fold, pack, split, seed)
    threshold = _validation_threshold(pack, score, splits.subjects(split, fold, "val"))
    voxel_ml = float(pack.subjects["voxel_ml"].iloc[0])
    lines = []
    for subject in splits.subjects(split, fold, "test"):
        volume = pack.volume(subject)
        values = score(volume)
        counts = metrics.count(values, volume.lesion)
        predicted = components.drop_small(values > threshold, min_component)
        lines.append(
            {
                "test_set": name,
                "subject": subject,
                "fold": fold,
                "dice_best": metrics.best_dice(counts)[0],
                "dice_val": metrics.dice(predicted, volume.lesion),
                "auprc": metrics.average_precision(counts),
                "threshold": threshold,
                "lesion_ml": counts.positives * voxel_ml,
                "prevalence": volume.lesion.sum() / volume.brain.sum(),
            }
        )
    return pd.DataFrame(lines)


class RowScore:
    """Anomaly score of a row for any validation or test volume of a data set."""

    def __init__(self, root, maps, dataset, fold, pack, split, seed):
        self._positions = {s: i for i, s in enumerate(splits.evaluated(split, fold))}
        self._stored, self._controls = [], []
        for name in maps:
            if name in methods.CONTROLS:
                rng = seeding.generator(seed, name, dataset, fold)
                volumes = (pack.volume(s) for s in splits.subjects(split, fold, "val"))
                self._controls.append(methods.load(name).build(volumes, rng))
            else:
                path = root / "scores" / name / f"fold-{fold}" / dataset / "anomaly_map.npy"
                self._stored.append(np.load(path, mmap_mode="r"))

    def __call__(self, volume):
        """Sum of the row's maps, (Z, X, Y) float32."""
        position = self._positions[volume.subject]
        values = [np.array(array[position]) for array in self._stored]
        return sum(values + [control(volume) for control in self._controls])


def _validation_threshold(pack, score, subjects):
    """The threshold with the best Dice over the pooled voxels of the validation subjects."""
    volumes = [pack.volume(subject) for subject in subjects]
    values = np.concatenate([score(volume).ravel() for volume in volumes])
    lesion = np.concatenate([volume.lesion.ravel() for volume in volumes])
    return metrics.best_dice(metrics.count(values, lesion))[1]
