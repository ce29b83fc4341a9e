"""Can this configuration be run here? Data, atlas, brain extractor, device and disk, in words."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from uad.base import devices
from uad.base.errors import InputError
from uad.data import inventory
from uad.imaging import atlases, hd_bet_weights
from uad.plan import host, published_weights

# Images and masks of a subject at 1 mm and packed, as measured on simulated ones; voxels of the
# paper's packed volume.
PREPROCESSED_MB = 8
VOXELS = 50 * 96 * 96


class Part(NamedTuple):
    """What is found of one thing that a run needs beside the data sets.

    Attributes
    ----------
    name, said : str
        What it is, and what is to be said of it.
    good : bool
    remedy : str or None
        What to do, where `said` does not say it.
    """

    name: str
    said: str
    good: bool
    remedy: str | None = None


class Findings(NamedTuple):
    """What `check` found.

    Attributes
    ----------
    lines : sequence of mapping
        Inventory of each data set.
    fetched : sequence of str
        Files and folders that `snakemake download` brings.
    parts : list of Part
    """

    lines: Sequence[Mapping[str, Any]]
    fetched: Sequence[str]
    parts: list[Part]

    @property
    def good(self) -> bool:
        """Whether everything is there."""
        sets = all(inventory.state(line) == "ok" for line in self.lines)
        return sets and not inventory.shared(self.lines) and all(part.good for part in self.parts)

    def sentences(self) -> list[str]:
        """As lines of text: for a log, and where there is no terminal."""
        said = inventory.text(self.lines, self.fetched)
        for part in self.parts:
            said.append(f"{part.name}: {'; '.join(filter(None, [part.said, part.remedy]))}")
        return said


def check(
    lines: Sequence[Mapping[str, Any]],
    atlas: tuple | None,
    weights: Path | str | None,
    pretrained: Mapping[str, Path | str],
    given: Sequence[str],
    fetched: Sequence[str],
    accelerator: str,
    results: Path | str,
    megabytes: float,
) -> Findings:
    """Everything that a run needs.

    Parameters
    ----------
    lines : sequence of mapping
        Inventory of each data set.
    atlas : tuple or None
        Arguments of `atlases.examine`; None for a simulated one.
    weights : path-like or None
        HD-BET's, if it is used.
    pretrained : mapping of str to path-like
        Published weights of each method that starts from some.
    given : sequence of str
        Files that the run reads and does not make; scans are told by the inventories.
    fetched : sequence of str
        Files and folders that `snakemake download` brings.
    accelerator : str
    results : path-like
        Folder of results; need not exist.
    megabytes : float
        That results will take, see `disk_mb`.
    """
    parts = [("device", devices.choose, (accelerator,), None)]
    if atlas is not None:
        parts.insert(0, ("atlas", atlases.examine, atlas, atlas[0]))
    if weights is not None:
        parts.append(("HD-BET", hd_bet_weights.check, (weights,), weights))
    parts += [
        (f"weights of {method}", published_weights.find, (path, method), path)
        for method, path in pretrained.items()
    ]
    if given:
        parts.append(("dates", host.check_dates, (given,), None))
    told = []
    for name, function, arguments, place in parts:
        try:
            found = function(*arguments)
            told.append(Part(name, str(found) if name in ("device", "atlas") else "ok", True))
        except InputError as error:
            known = place is not None and inventory.is_fetched(place, fetched)
            remedy = "`snakemake download` fetches it" if known else None
            told.append(Part(name, str(error), False, remedy))
    sentence, enough = disk(results, megabytes)
    remedy = None if enough else "free some, or set `results` to another disk"
    return Findings(lines, fetched, [*told, Part("disk", sentence, enough, remedy)])


def disk_mb(n_subjects: int, levels: Sequence[int], n_folds: int) -> float:
    """Space that results take, at most and about, without the models (some GB at the paper's size).

    Parameters
    ----------
    n_subjects : int
        Of all data sets; nearly all of them are evaluated in every fold.
    levels : sequence of int
        Reconstructions per volume, of each model that reconstructs.
    n_folds : int
    """
    packed = VOXELS * (4 + 1 + 1) / 1e6
    kept = VOXELS * 2 / 1e6 * sum(levels) * n_folds
    maps = VOXELS * 4 / 1e6 * n_folds  # of one model; deleted after use
    return n_subjects * (PREPROCESSED_MB + packed + kept + maps)


def disk(results: Path | str, megabytes: float) -> tuple[str, bool]:
    """Sentence on the space needed and free, and whether it is enough."""
    folder = Path(results).absolute()
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    sentence = (
        f"results need about {megabytes / 1e3:.0f} GB and the models, {free_gb:.0f} GB are free"
    )
    return sentence, megabytes / 1e3 < free_gb
