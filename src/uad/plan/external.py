"""Anomaly maps made elsewhere: their files, and what brings them to the packed grid."""

from functools import cache
from typing import Any

from uad.base.paths import Paths
from uad.data import external
from uad.plan.cohort import Cohort


class ExternalMaps:
    """Files of the maps that the configuration names in `external`.

    Methods that take `wildcards` are input or parameter functions of rule `import_maps`, whose
    wildcards are `external` and `fold`.
    """

    def __init__(self, config: dict, paths: Paths, cohort: Cohort, datasets: list[str]):
        self._blocks, self._paths, self._cohort = config["external"], paths, cohort
        self._datasets = datasets
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
            if dataset not in self._cohort.names:  # synthetic
                continue
            found[dataset] = {}
            for label, subject in self._cohort.subjects(dataset).items():
                at_1mm = self._cohort.files_at_1mm(dataset, subject)
                paths = [at_1mm["brain"]]
                if space == "native":
                    paths += [
                        self._paths.preprocessed(dataset, label, "transform"),
                        self._cohort.found_files(dataset, subject)["image"],
                    ]
                found[dataset][label] = paths
        return found

    def way_files(self, wildcards: Any) -> list[str]:
        """The same as one list."""
        ways = self.ways(wildcards).values()
        return [path for subjects in ways for paths in subjects.values() for path in paths]
