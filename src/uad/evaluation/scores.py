"""Anomaly scores of a row of Table 1, volume by volume: the sum of its maps (eq. 3).

A map is that of a network, stored by rule `score`; or the residual of a reconstruction, computed
here, since that costs less than to store it; or a control.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from uad.base import seeding, tsv
from uad.base.errors import InputError
from uad.base.paths import PACKED
from uad.data import outputs, packed, splits
from uad.data.packed import PackedVolume
from uad.evaluation.complete import AGAIN
from uad.evaluation.controls import CONTROLS, load


@dataclass(frozen=True)
class Stored:
    """Files of one data set: its pack and its split, and the outputs of models in one fold.

    Attributes
    ----------
    dataset : str
    packed : list of path-like
    split : path-like
    maps : dict of str to path-like
        Network models to their anomaly maps, (subjects, Z, X, Y).
    reconstructions : dict of str to path-like
        Models that reconstruct to their pseudo-healthy volumes, (subjects, levels, Z, X, Y).
    """

    dataset: str
    packed: list
    split: Any
    maps: dict = field(default_factory=dict)
    reconstructions: dict = field(default_factory=dict)


def stored(
    inputs: Any,
    datasets: Sequence[str],
    networks: Sequence[str] = (),
    reconstructing: Sequence[str] = (),
) -> dict[str, Stored]:
    """What a rule's input holds, by data set (`uad.plan.plan.Plan.scored_files` lists it).

    Parameters
    ----------
    inputs : snakemake.io.InputFiles
        `packed`, `splits`, `maps` and `reconstructions`, each in the order of `datasets`, and of
        the models within a data set.
    datasets, networks, reconstructing : sequence of str
    """

    def of(position: int, files: Iterable, names: Sequence[str]) -> dict[str, Any]:
        n = len(names)
        return dict(zip(names, list(files)[position * n : (position + 1) * n]))

    return {
        name: Stored(
            dataset=name,
            packed=list(of(position, inputs.packed, PACKED).values()),
            split=inputs.splits[position],
            maps=of(position, inputs.maps, networks),
            reconstructions=of(position, inputs.reconstructions, reconstructing),
        )
        for position, name in enumerate(datasets)
    }


class Cohort:
    """Validation and test subjects of a data set in one fold; thresholds are tuned on some.

    Parameters
    ----------
    stored : Stored
    fold : int
    with_training : bool
        Thresholds are tuned on training subjects too.
    """

    def __init__(self, stored: Stored, fold: int, with_training: bool = False):
        self.stored, self.dataset, self.fold = stored, stored.dataset, fold
        self.tuned_on = ("val", "train") if with_training else ("val",)
        self._pack = packed.of_files(stored.packed)
        self._split = tsv.read(stored.split)
        order = splits.evaluated(self._split, fold, with_training)
        self._position = {subject: i for i, subject in enumerate(order)}
        self._with_training = with_training
        self.voxel_ml = float(self._pack.subjects["voxel_ml"].iloc[0])

    def volume(self, subject: str) -> PackedVolume:
        """One subject's volume."""
        return self._pack.volume(subject)

    def subjects(self, *roles: str) -> list[str]:
        """Subjects with one of some roles, each once."""
        found = [s for role in roles for s in splits.subjects(self._split, self.fold, role)]
        return list(dict.fromkeys(found))

    def volumes(self, *roles: str) -> Iterator[PackedVolume]:
        """Volumes of the subjects with one of some roles, each once."""
        return (self._pack.volume(subject) for subject in self.subjects(*roles))

    def look_up(self, path: Any) -> Callable[[PackedVolume], np.ndarray]:
        """What a file holds of a volume: arrays are in the order of `splits.evaluated`.

        Raises
        ------
        InputError
            At once if the file is damaged or of other subjects or voxels, later if a value is not
            finite.
        """
        voxels = self._pack.image.shape[1:]  # (Z, X, Y)
        array = outputs.stored(path, self._split, self.fold, self._with_training, voxels)

        def of(volume: PackedVolume) -> np.ndarray:
            values = array[self._position[volume.subject]]
            if not np.isfinite(values).all():
                raise InputError(
                    f"{path}: subject {volume.subject} has values that are not finite; {AGAIN}, "
                    "and train the model again if they come back"
                )
            return values

        return of

    def reconstruction(self, model: str) -> Callable[[PackedVolume], np.ndarray]:
        """Mean over the noise levels of a model's reconstructions, float32 (Z, X, Y)."""
        levels = self.look_up(self.stored.reconstructions[model])
        return lambda volume: np.array(levels(volume), np.float32).mean(axis=0)

    def anomaly_map(self, model: str, residual: dict) -> Callable[[PackedVolume], np.ndarray]:
        """A model's anomaly map of a volume, float32 (Z, X, Y).

        Parameters
        ----------
        model : str
        residual : dict
            `kind` and `erosion`, for models that reconstruct.
        """
        if model in self.stored.maps:
            return self.look_up(self.stored.maps[model])
        return _Residual(self.look_up(self.stored.reconstructions[model]), residual)


class _Residual:
    """What a model's reconstructions leave of a volume."""

    def __init__(self, levels, residual):
        self._levels, self._residual = levels, residual

    def __call__(self, volume):
        import torch  # only rows with reconstructions need it

        from uad.models import residuals

        levels = torch.from_numpy(np.array(self._levels(volume), np.float32))  # (levels, Z, X, Y)
        image = torch.from_numpy(volume.image)
        return residuals.anomaly_map(image, levels.mean(dim=0), volume.weight, **self._residual)


class RowScore:
    """Anomaly score of a row for the volumes of a cohort.

    Parameters
    ----------
    maps : list of str
        Models and controls whose maps are added.
    cohort : Cohort
    residual : dict
        See `Cohort.anomaly_map`.
    seed : int
        Of the run.
    controls : list of callable, optional
        Those among the maps; by default built from the cohort's validation subjects.
    """

    def __init__(
        self,
        maps: Sequence[str],
        cohort: Cohort,
        residual: dict,
        seed: int,
        controls: list | None = None,
    ):
        self.cohort = cohort
        self._maps = {
            name: cohort.anomaly_map(name, residual) for name in maps if name not in CONTROLS
        }
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

    def __call__(self, volume: PackedVolume) -> np.ndarray:
        """Sum of the row's maps, (Z, X, Y) float32, zero outside the brain.

        Models' maps are masked here too, so that voxels outside the brain do not matter. Those of
        controls are taken as they are: `perfect` has to be perfect.

        Raises
        ------
        InputError
            If a model's map is not finite, or the same in the whole brain; but a stored map may be
            zero, as a segmentation is where it finds nothing.
        """
        maps = [of(volume) * volume.weight for of in self._maps.values()]
        for name, values in zip(self._maps, maps):
            inside = values[volume.brain]
            if not np.isfinite(inside).all():
                said = "has values that are not finite"
            elif _says_nothing(inside, may_be_zero=name in self.cohort.stored.maps):
                said = f"is the same, {inside[0]:g}, in the whole brain"
            else:
                continue
            raise InputError(
                f"{self.cohort.dataset}, subject {volume.subject}, fold {self.cohort.fold}: the "
                f"anomaly map of {name} {said}; look at the losses of its training, and train it "
                "again"
            )
        return sum(maps + [control(volume) for control in self.controls])

    def of(self, *roles: str) -> Iterator[tuple[PackedVolume, np.ndarray]]:
        """Pairs of volume and score of the subjects with one of some roles."""
        return ((volume, self(volume)) for volume in self.cohort.volumes(*roles))


def _says_nothing(values, may_be_zero):
    """Whether a map is the same in the whole brain."""
    if not len(values) or values.min() != values.max():
        return False
    return values[0] != 0 or not may_be_zero


class ReconstructionError:
    """How far a model's mean reconstruction of a volume is from the image, inside the brain."""

    def __init__(self, model: str, cohort: Cohort):
        self._levels = cohort.look_up(cohort.stored.reconstructions[model])

    def __call__(self, volume: PackedVolume) -> list[float]:
        """Mean absolute difference outside and inside the lesion; NaN where there is no voxel."""
        mean = self._levels(volume).mean(axis=0, dtype=np.float32)
        error = np.abs(volume.image - mean)
        regions = (volume.brain & ~volume.lesion, volume.brain & volume.lesion)
        return [float(error[r].mean()) if r.any() else float("nan") for r in regions]
