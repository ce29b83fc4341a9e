"""Anomaly maps made elsewhere: their files, and what brings them to the packed grid."""

from functools import cache
from typing import Any

from uad.base.paths import Paths
from uad.data import external
from uad.data.datasets import pooled_label
from uad.plan.cohort import Cohort
from uad.plan.needs import POOLED


class ExternalMaps:
    """Files of the maps that the configuration names in `external`.

    Methods that take `wildcards` are input or parameter functions of rule `import_maps`, whose
    wildcards are `external` and `fold`.
    """

    def __init__(self, config: dict, paths: Paths, cohort: Cohort, datasets: list[str]):
        self._blocks, self._paths, self._cohort = config["external"], paths, cohort
        self._datasets, self._healthy = datasets, config["healthy"]
        self._find = cache(external.find)

    def found(self, wildcards: Any) -> list[tuple[str, str, str]]:
        """Data set, subject and path of every map of the wildcard fold."""
        folder = self._blocks[wildcards.external]["folder"]
        return [
            (dataset, subject, str(path))
            for dataset, subject, path in self._find(folder, wildcards.fold, tuple(self._datasets))
        ]

    def files(self, name: str, fold: int | str) -> list[str]:
        """Paths of the maps of a fold."""
        folder = self._blocks[name]["folder"]
        return [str(one.path) for one in self._find(folder, fold, tuple(self._datasets))]

    def maps(self, wildcards: Any) -> list[str]:
        """The same of the wildcard maps."""
        return self.files(wildcards.external, wildcards.fold)

    def ways(self, wildcards: Any) -> dict[str, dict[str, list[str]]]:
        """Files that carry a map to the packed grid, as `data.external.Preprocessed` takes them.

        Returns
        -------
        dict
            By data set and subject; without data sets whose maps are on the packed grid.
        """
        space = self._blocks[wildcards.external]["space"]
        if space == "packed":
            return {}
        found: dict[str, dict[str, list[str]]] = {}
        for dataset in self._datasets:
            if dataset in self._cohort.names:
                found[dataset] = self._ways(dataset, space)
            elif dataset == POOLED:
                found[dataset] = {
                    pooled_label(part, label): paths
                    for part in self._healthy
                    for label, paths in self._ways(part, space).items()
                }
        return found

    def _ways(self, dataset, space):
        found = {}
        for label, subject in self._cohort.subjects(dataset).items():
            at_1mm = self._cohort.files_at_1mm(dataset, subject)
            paths = [at_1mm["brain"]]
            if space == "native":
                paths += [
                    self._paths.preprocessed(dataset, label, "transform"),
                    self._cohort.found_files(dataset, subject)["image"],
                ]
            found[label] = paths
        return found

    def prepared(self) -> dict[str, bool]:
        """Whether the maps of a data set are of images as the authors prepared them."""
        found = {name: self._cohort.layout(name) == "prepared" for name in self._cohort.names}
        return found | {POOLED: found[self._healthy[0]]} if POOLED in self._datasets else found

    def way_files(self, wildcards: Any) -> list[str]:
        """The same as one list."""
        ways = self.ways(wildcards).values()
        return [path for subjects in ways for paths in subjects.values() for path in paths]
