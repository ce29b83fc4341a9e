"""Metrics of a row of Table 1: maps added up (eq. 3), thresholds from validation subjects.

The columns are defined in `workflow/schemas/metrics.schema.yaml` and explained in
`docs/metrics.md`. Voxels are those of the packed box; the score is zero outside the brain.

Differs from the released code: confusion counts are not swapped, a false-positive rate is of all
healthy voxels, and thresholds come from validation volumes only, not from training volumes, unless
`evaluation.threshold: released` asks for that.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from uad.base import seeding, tsv
from uad.base.errors import InputError
from uad.data import packed, splits
from uad.evaluation import metrics
from uad.evaluation.controls import CONTROLS, load
from uad.evaluation.histogram import ScoreHistogram

# Share of the healthy validation subjects' brain voxels that a threshold lets through.
FALSE_POSITIVE_RATES = {"fpr1": 0.01, "fpr5": 0.05, "fpr10": 0.1}


class Evaluation(NamedTuple):
    """Tables with one line per test set and: test subject, healthy test subject, no subject."""

    subjects: pd.DataFrame
    healthy: pd.DataFrame
    pooled: pd.DataFrame


def evaluate_row(
    root, maps, reconstruction, test_sets, healthy, spacing_mm, fold, seed, min_component=0,
    threshold="validation",
):  # fmt: skip
    """Evaluate one row on every test set.

    Parameters
    ----------
    root : path-like
        Results folder.
    maps : list of str
        Models and controls whose maps are added.
    reconstruction : str or None
        Model whose reconstruction error is measured.
    test_sets : dict of str to str
        Name in the table to data set.
    healthy : str
        Data set of healthy subjects, whose scores tell false positives.
    spacing_mm : float
        Voxel size of the packed volumes.
    fold, seed : int
    min_component : int
        Voxels; smaller components of a thresholded map do not count (`dice_val` and what else is
        measured at its threshold). 0 and 1 keep all.
    threshold : {"validation", "released"}
        What the threshold of `dice_val` is tuned on: validation subjects, or, as by the released
        code, these and the training subjects of the test set.

    Returns
    -------
    Evaluation
    """
    root = Path(root)
    free_of_lesions = Cohort(root, healthy, fold)
    parts = []
    for name, dataset in test_sets.items():
        cohort = Cohort(root, dataset, fold, with_training=threshold == "released")
        patients = RowScore(root, maps, cohort, seed)
        # Healthy subjects get the controls of the test set: `intensity` has the sign that it needs.
        others = RowScore(root, maps, free_of_lesions, seed, patients.controls)
        error = reconstruction and ReconstructionError(root, reconstruction, cohort)
        tables = _evaluate_test_set(patients, others, error, spacing_mm, min_component)
        for table in tables:
            table.insert(0, "test_set", name)
        parts.append(tables)
    return Evaluation(*(pd.concat(tables, ignore_index=True) for tables in zip(*parts)))


class Cohort:
    """Validation and test subjects of a data set in one fold; thresholds are tuned on some."""

    def __init__(self, root, dataset, fold, with_training=False):
        """`with_training`: thresholds are tuned on training subjects too."""
        self.dataset, self.fold = dataset, fold
        self.tuned_on = ("val", "train") if with_training else ("val",)
        self._pack = packed.Pack(root / "packed" / dataset)
        self._split = tsv.read(root / "splits" / f"{dataset}.tsv")
        order = splits.evaluated(self._split, fold, with_training)
        self._position = {s: i for i, s in enumerate(order)}
        self.voxel_ml = float(self._pack.subjects["voxel_ml"].iloc[0])

    def volumes(self, *roles):
        """Volumes of the subjects with one of some roles, each once."""
        subjects = [s for role in roles for s in splits.subjects(self._split, self.fold, role)]
        return (self._pack.volume(s) for s in dict.fromkeys(subjects))

    def stored(self, root, stage, model, name):
        """Look-up of a volume in what a stage made of this cohort with a model."""
        folder = root / stage / model / f"fold-{self.fold}" / self.dataset
        array = np.load(folder / f"{name}.npy", mmap_mode="r")
        return lambda volume: array[self._position[volume.subject]]


class RowScore:
    """Anomaly score of a row for the volumes of a cohort."""

    def __init__(self, root, maps, cohort, seed, controls=None):
        """`controls`: those among the maps; built from the cohort's validation subjects if None."""
        self.cohort = cohort
        models = [name for name in maps if name not in CONTROLS]
        self._maps = [cohort.stored(root, "scores", model, "anomaly_map") for model in models]
        if controls is None:
            controls = [
                load(name).build(
                    cohort.volumes("val"),
                    seeding.generator(seed, name, cohort.dataset, cohort.fold),
                )
                for name in maps
                if name in CONTROLS
            ]
        self.controls = controls

    def __call__(self, volume):
        """Sum of the row's maps, (Z, X, Y) float32, zero outside the brain.

        Models' maps are masked here too, so that none gains or loses by what lies outside. Those of
        controls are taken as they are: `perfect` has to be perfect.
        """
        maps = [stored(volume) * volume.brain for stored in self._maps]
        score = sum(maps + [control(volume) for control in self.controls])
        if not np.isfinite(score).all():
            raise InputError(
                f"{self.cohort.dataset}, subject {volume.subject}, fold {self.cohort.fold}: the "
                "anomaly map has values that are not finite"
            )
        return score

    def of(self, *roles):
        """Pairs of volume and score of the subjects with one of some roles."""
        return ((volume, self(volume)) for volume in self.cohort.volumes(*roles))


class ReconstructionError:
    """How far the mean reconstruction of a volume is from the image, inside the brain."""

    def __init__(self, root, model, cohort):
        self._levels = cohort.stored(root, "reconstructions", model, "reconstruction")

    def __call__(self, volume):
        """Mean absolute difference outside and inside the lesion; NaN where there is no voxel."""
        mean = self._levels(volume).mean(axis=0, dtype=np.float32)
        error = np.abs(volume.image - mean)
        regions = (volume.brain & ~volume.lesion, volume.brain & volume.lesion)
        return [float(error[r].mean()) if r.any() else float("nan") for r in regions]


def _evaluate_test_set(patients, healthy, reconstruction_error, spacing_mm, min_component):
    """The tables of one test set, without its name."""
    fold = patients.cohort.fold
    cuts = _thresholds(patients, healthy)

    def predict(score):
        return metrics.drop_small(score > cuts["val"], min_component)

    healthy_lines = [
        {
            "subject": volume.subject,
            "fold": fold,
            "fp_ml": np.count_nonzero(predict(score)) * healthy.cohort.voxel_ml,
            "score_mean": float(score[volume.brain].mean()),
        }
        for volume, score in healthy.of("test")
    ]
    pooled, lines = ScoreHistogram(), []
    for volume, score in patients.of("test"):
        pooled.add(score, volume.lesion)
        errors = reconstruction_error(volume) if reconstruction_error else [float("nan")] * 2
        line = _subject_line(
            volume, score, predict(score), cuts, patients.cohort.voxel_ml, spacing_mm
        )
        line |= dict(zip(("recon_l1_healthy", "recon_l1_lesion"), errors))
        lines.append({"subject": volume.subject, "fold": fold, **line})
    pooled_line = {"fold": fold, **_pooled(pooled.counts(), lines, healthy_lines)}
    pooled_line |= {f"threshold_{name}": cut for name, cut in cuts.items()}
    return pd.DataFrame(lines), pd.DataFrame(healthy_lines), pd.DataFrame([pooled_line])


def _thresholds(patients, healthy):
    """Thresholds from validation subjects: best pooled Dice, and those of false-positive rates.

    That of the best Dice is from training subjects too, if the cohort says so.
    """
    validation, background = ScoreHistogram(), ScoreHistogram()
    for volume, score in patients.of(*patients.cohort.tuned_on):
        validation.add(score, volume.lesion)
    for volume, score in healthy.of("val"):
        background.add(score[volume.brain])
    cuts = {"val": metrics.best_dice(validation.counts())[1]}
    return cuts | {name: background.threshold_at(r) for name, r in FALSE_POSITIVE_RATES.items()}


def _subject_line(volume, score, prediction, cuts, voxel_ml, spacing_mm):
    """What is measured of one volume's score."""
    lesion = volume.lesion
    counts = metrics.count(score, lesion)
    n_lesions, recall, precision = metrics.lesion_wise(prediction, lesion)
    return {
        "dice_best": metrics.best_dice(counts)[0],
        "dice_val": metrics.dice(prediction, lesion),
        "auprc": metrics.average_precision(counts),
        "auroc": metrics.auroc(counts),
        **{
            f"dice_{rate}": metrics.dice(score > cuts[rate], lesion)
            for rate in FALSE_POSITIVE_RATES
        },
        "threshold": cuts["val"],
        "lesion_ml": counts.positives * voxel_ml,
        "prevalence": np.count_nonzero(lesion & volume.brain) / np.count_nonzero(volume.brain),
        "n_lesions": n_lesions,
        "lesion_recall": recall,
        "lesion_precision": precision,
        "hd95_mm": metrics.hd95(prediction, lesion, spacing_mm),
        "volume_error_ml": (np.count_nonzero(prediction) - counts.positives) * voxel_ml,
        "score_mean": float(score[volume.brain].mean()),
    }


def _pooled(counts, lines, healthy_lines):
    """Metrics of all test subjects together."""
    means = [np.array([line["score_mean"] for line in of]) for of in (lines, healthy_lines)]
    is_patient = np.repeat([True, False], [len(m) for m in means])
    return {
        "dice_pooled_best": metrics.best_dice(counts)[0],
        "auprc_pooled": metrics.average_precision(counts),
        "auroc_subjects": metrics.auroc(metrics.count(np.concatenate(means), is_patient)),
    }
