"""The cohort: subjects of every data set, found by file names, and the paths of their files.

Nothing is opened here, so that thousands of subjects are planned in a moment; simulated files need
not exist yet.
"""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from uad.base.errors import InputError, because
from uad.base.files import from_the_future
from uad.base.paths import Paths
from uad.data import datasets, released, splits
from uad.data.datasets import Listing, Subject
from uad.data.layouts import LAYOUTS, bids, excluded, table
from uad.simulation import names as simulated


class Members(NamedTuple):
    """Subjects of a data set by label; pairs of what is not among them, and why.

    `excluded` is so by the user, `left_out` because it is incomplete, there twice, or not used.
    """

    subjects: dict
    excluded: list
    left_out: list

    def lost(self) -> list[tuple[str, str]]:
        """All that is not among the subjects."""
        return [*self.excluded, *self.left_out]


class Cohort:
    """Subjects of the data sets of a configuration.

    Attributes
    ----------
    listings : dict of str to Members or InputError
        What was found of each data set, or why there is nothing.
    registered : list of str
        Data sets that are preprocessed here, not taken as the authors prepared them.
    """

    def __init__(self, config: dict, paths: Paths, resources: str = "workflow/resources"):
        self.config, self.paths, self.resources = config, paths, resources
        self.names = list(config["datasets"])
        self.registered = [name for name in self.names if self.layout(name) != "prepared"]
        self.listings = {name: self._find(name) for name in self.names}

    # Data sets.

    def folder(self, dataset: str) -> str:
        """Where a data set's native files are."""
        if self.config["simulation"]:
            return self.paths.raw(dataset)
        block = self.config["datasets"][dataset]
        if block["layout"] == "table":
            return os.path.dirname(block["table"]) or "."
        return block["folder"]

    def layout(self, dataset: str) -> str:
        """`native`, `prepared` for the authors' preprocessed data, or that of a cohort."""
        return "native" if self.config["simulation"] else self.config["datasets"][dataset]["layout"]

    def is_own(self, dataset: str) -> bool:
        """Whether it is a cohort of the user's, which has no module."""
        return self.config["datasets"][dataset]["layout"] in LAYOUTS

    def _kinds(self, dataset: str) -> list[str]:
        """Files that each subject of a cohort needs."""
        lesion = ["lesion"] * (dataset not in self.config["healthy"])
        given = self.config["datasets"][dataset]["brain_mask"] == "given"
        return ["image", *lesion, *["brain"] * given]

    def _find(self, dataset: str) -> Members | InputError:
        block = self.config["datasets"][dataset]
        try:
            found = self._find_own(dataset) if self.is_own(dataset) else self._find_known(dataset)
            found = _there(found, self.folder(dataset))
            return _members(found, dataset, block["only"], block["exclude"])
        except InputError as error:
            return error

    def _find_known(self, dataset: str) -> Listing:
        simulation = self.config["simulation"]
        if simulation:
            n = simulation["subjects"][dataset]
            scans = simulated.scans(dataset, n, simulation["seed"])
            contrast = self.config["modality"]
            files = [
                file for scan in scans for file in simulated.files(dataset, scan, None, contrast)
            ]
        else:
            files = datasets.list_files(self.folder(dataset), f"datasets.{dataset}.folder")
        return datasets.find(
            dataset,
            files,
            self.folder(dataset),
            self.config["modality"],
            self.layout(dataset),
            self.config["datasets"][dataset]["sessions"],
        )

    def _find_own(self, dataset: str) -> Listing:
        block, modality = self.config["datasets"][dataset], self.config["modality"]
        kinds = self._kinds(dataset)
        if block["layout"] == "table":
            return table.find(dataset, block["table"], kinds, modality, block["sessions"])
        folder = block["folder"]
        files = datasets.list_files(folder, f"datasets.{dataset}.folder")
        return bids.find(dataset, files, folder, kinds, modality, block["sessions"], block["names"])

    def about(self, dataset: str) -> dict[str, str]:
        """What is said of a data set: `title`, `licence`, `source` and `citation`."""
        keys = ("title", "licence", "source", "citation")
        if self.is_own(dataset):
            block = self.config["datasets"][dataset]
            return {key: block[key] or dataset for key in keys}
        return {key: getattr(datasets.load(dataset), key.upper()) for key in keys}

    def archive(self, wildcards: Any) -> dict[str, Any]:
        """The same of the wildcard data set, and how many `cases` are known to be in it.

        None of a cohort of the user's.
        """
        own, modality = self.is_own(wildcards.dataset), self.config["modality"]
        known = {} if own else datasets.load(wildcards.dataset).CASES
        return {
            **self.about(wildcards.dataset),
            "modality": modality,
            "cases": None if own else known.get(modality, 0),
        }

    def title(self, wildcards: Any) -> str:
        """Name of the wildcard data set for readers."""
        return self.about(wildcards.dataset)["title"]

    def title_in_errors(self, wildcards: Any, threads: int) -> str:
        """The same where it decides no result, hence `threads`, as in `not_usable`."""
        return self.title(wildcards)

    def lesion_labels(self, wildcards: Any) -> list[int] | None:
        """Values of a lesion in masks of the wildcard data set; None: anything above zero."""
        if self.is_own(wildcards.dataset):
            return self.config["datasets"][wildcards.dataset]["lesion_labels"]
        return datasets.load(wildcards.dataset).LESION_LABELS

    def stratum(self, wildcards: Any) -> str | None:
        """Column of the wildcard data set's subjects that its split is stratified by."""
        if self.is_own(wildcards.dataset):
            return self.config["datasets"][wildcards.dataset]["stratify"]
        return datasets.load(wildcards.dataset).STRATUM

    def metadata_module(self, wildcards: Any) -> str:
        """Module whose `metadata` tells what is known of the wildcard data set's subjects."""
        if self.is_own(wildcards.dataset):
            return "uad.data.layouts.participants"
        return f"uad.data.datasets.{wildcards.dataset}"

    def assume_orientation(self, wildcards: Any) -> str | None:
        """Axes of the wildcard data set's scans whose headers do not say; None: not known."""
        if self.config["simulation"]:
            return None
        return self.config["datasets"][wildcards.dataset]["assume_orientation"]

    def check(self) -> None:
        """Raise `InputError` if a data set, or a list that its split is read from, is missing."""
        for dataset, listing in self.listings.items():
            if isinstance(listing, InputError):
                raise listing
            self.split_lists(dataset)

    def left_out(self) -> list[str]:
        """A sentence for each data set of which something is left out."""
        sentences = []
        for dataset, listing in self.listings.items():
            if not isinstance(listing, InputError) and (lost := listing.lost()):
                (first, reason), *others = lost
                more = f" and {len(others)} more (`snakemake check` lists them)" if others else ""
                sentences.append(f"{dataset}: leaving out {first}: {reason}{more}")
        return sentences

    # Subjects.

    def subjects(self, dataset: str) -> dict[str, Subject]:
        """Subjects of a data set by label; `InputError` if there are none."""
        listing = self.listings[dataset]
        if isinstance(listing, InputError):
            raise listing
        return listing.subjects

    def subject(self, wildcards: Any) -> Subject:
        """The wildcards' subject; `InputError` if there is none of that label."""
        found = self.subjects(wildcards.dataset).get(wildcards.subject)
        if found is None:
            raise InputError(f"{wildcards.dataset} has no subject {wildcards.subject}")
        return found

    def n_subjects(self, dataset: str) -> int:
        """Subjects found; 0 if the data set is not there."""
        listing = self.listings[dataset]
        return 0 if isinstance(listing, InputError) else len(listing.subjects)

    def rows(self, wildcards: Any) -> list[Subject]:
        """Subjects of the wildcard data set, with the paths of their files."""
        return list(self.subjects(wildcards.dataset).values())

    def known(self, wildcards: Any) -> dict:
        """What the names of a data set's files tell, for its inventory."""
        listing = self.listings[wildcards.dataset]
        there = not isinstance(listing, InputError)
        return {
            "folder": self.folder(wildcards.dataset),
            "layout": self.layout(wildcards.dataset),
            "missing": None if there else str(listing),
            "found": len(listing.subjects) if there else 0,
            "excluded": listing.excluded if there else [],
            "left_out": listing.left_out if there else [],
        }

    def not_usable(self, wildcards: Any, threads: int) -> list[tuple[str, str]]:
        """What is left out of the wildcard data set, with the reason.

        `threads`, since Snakemake leaves out parameters that ask for it when it looks for changes:
        other words, or another stray file, pack nothing again.
        """
        return self.listings[wildcards.dataset].lost()

    # Files.

    def found_files(self, dataset: str, subject: Subject) -> dict[str, str]:
        """A subject's files by kind, as they were found."""
        found = {"image": subject.image, "lesion": subject.lesion, "brain": subject.brain}
        paths = {kind: f"{self.folder(dataset)}/{path}" for kind, path in found.items() if path}
        if self.layout(dataset) == "table":  # whose paths may lead elsewhere
            folder = Path(self.folder(dataset))
            paths = {kind: os.path.normpath(folder / found[kind]) for kind in paths}
        return paths

    def raw_files(self, wildcards: Any) -> dict[str, str]:
        """Files of the wildcard subject that are registered: image, and lesion mask if any."""
        found = self.found_files(wildcards.dataset, self.subject(wildcards))
        return {kind: path for kind, path in found.items() if kind != "brain"}

    def given_brain(self, wildcards: Any) -> dict[str, str]:
        """The wildcard subject's image and the brain mask that comes with it."""
        found = self.found_files(wildcards.dataset, self.subject(wildcards))
        return {"native": found["image"], "brain": found["brain"]}

    def cases(self, wildcards: Any) -> list[tuple[str, dict[str, str]]]:
        """A data set's subjects with their files by kind; none if the data set is not there."""
        listing = self.listings[wildcards.dataset]
        subjects = {} if isinstance(listing, InputError) else listing.subjects
        return [(s, self.found_files(wildcards.dataset, one)) for s, one in subjects.items()]

    def native_files(self, wildcards: Any) -> list[str]:
        """Every file of a data set's subjects; none if the data set is not there."""
        return [path for _, files in self.cases(wildcards) for path in files.values()]

    def native_files_of_the_past(self, wildcards: Any) -> list[str]:
        """Those that Snakemake accepts as an input, see `files.from_the_future`."""
        paths = self.native_files(wildcards)
        dated = {path for path, _ in from_the_future(paths)}
        return [path for path in paths if path not in dated]

    def files_at_1mm(self, dataset: str, subject: Subject) -> dict[str, str]:
        """A subject's preprocessed image and masks: ours, or the authors' as found."""
        if self.layout(dataset) == "prepared":
            return self.found_files(dataset, subject)
        kinds = ("image", "brain", "lesion")
        return {kind: self.paths.preprocessed(dataset, subject.subject, kind) for kind in kinds}

    def preprocessed_files(self, wildcards: Any) -> dict[str, str]:
        """Of the wildcard subject: input of `downsample`."""
        return self.files_at_1mm(wildcards.dataset, self.subject(wildcards))

    def simulated_files(self, dataset: str) -> dict[str, str]:
        """Native files of the wildcard scan, by kind, for the rule that simulates it."""
        found = simulated.files(dataset, "{scan}", "{site}", self.config["modality"])
        return {
            k: f"{self.paths.raw(dataset)}/{path}" for k, path in zip(("image", "lesion"), found)
        }

    def of_every_subject(self, kind: str) -> Callable[[Any], list[str]]:
        """Input function: a file of every subject of the wildcard data set."""
        return lambda wildcards: [
            self.paths.preprocessed(wildcards.dataset, label, kind)
            for label in self.subjects(wildcards.dataset)
        ]

    def registration_quality(self, wildcards: Any) -> list[str]:
        """Quality of every subject's registration; none where the data came registered."""
        if wildcards.dataset not in self.registered:
            return []
        return self.of_every_subject("registration")(wildcards)

    def atlas(self, kind: str) -> str:
        """Path of an atlas template, `head` or `brain`."""
        if self.config["simulation"]:
            ending = {"head": "", "brain": "_brain"}[kind]
            return self.paths.atlas(f"{self.config['modality']}{ending}.nii")
        return self.config["atlas"][kind]

    def demographics(self, wildcards: Any) -> str | list:
        """The data set's spreadsheet, if it has one."""
        if self.config["simulation"]:
            return self.paths.ages if simulated.load(wildcards.dataset).AGES else []
        block = self.config["datasets"][wildcards.dataset]
        if block["layout"] == "table":
            return block["table"]
        usual = Path(block["folder"], bids.PARTICIPANTS)
        if block["layout"] == "bids" and block["demographics"] is None and usual.is_file():
            return str(usual)
        return block["demographics"] or []

    def split_lists(self, dataset: str) -> list[str]:
        """Files of a data set's lists; without any its split is drawn (`clean`).

        The paper's own ids are known for ATLAS v2 only.
        """
        splits = self.config["splits"]
        if splits["scheme"] == "released" and not self.is_own(dataset):
            return released.paths(
                splits["released"]["folder"], dataset, splits["folds"], self.config["folds"]
            )
        if splits["scheme"] == "paper" and dataset == "atlas_v2":
            return [f"{self.resources}/atlas_v2_paper_split.txt"]
        return []

    def all_split_lists(self) -> list[str]:
        """Of every data set."""
        return [path for dataset in self.names for path in self.split_lists(dataset)]

    def needed_folds(self, wildcards: Any, threads: int) -> list[int]:
        """Folds that run: of others the lists may be missing, or name nobody who is there.

        `threads`, as in `not_usable`: one more fold splits nothing anew.
        """
        return self.config["folds"]

    def split_scheme(self, wildcards: Any) -> str:
        """How the wildcard data set is split: a drawn split where there are no lists."""
        drawn = not self.split_lists(wildcards.dataset)
        return "clean" if drawn else self.config["splits"]["scheme"]

    def role_counts(self, wildcards: Any) -> dict[str, int | None]:
        """Subjects of each role in a fold that is drawn; `InputError` if too few were found."""
        name, block = wildcards.dataset, self.config["splits"]
        if self.split_scheme(wildcards) == "clean":
            persons = {datasets.person(label) for label in self.subjects(name)}
            try:
                splits.check_enough(len(persons), **block[name], folds=block["folds"])
            except InputError as error:
                raise InputError(
                    f"{self.about(name)['title']}: {error} (configuration key splits.{name})"
                ) from error
        return block[name]

    def other_inputs(self) -> list[str]:
        """Files that results depend on, besides scans and weights."""
        files = [self.atlas("head"), self.atlas("brain")] if self.registered else []
        files += self.all_split_lists()
        files += [self.demographics(SimpleNamespace(dataset=dataset)) for dataset in self.names]
        files += [block["exclude"] for block in self.config["datasets"].values()]
        return [path for path in files if path and isinstance(path, str)]


def _there(listing: Listing, folder: str) -> Listing:
    """A listing without subjects of which a file is a link to nothing, at which Snakemake ends."""
    broken = {}
    for label, subject in listing.subjects.items():
        for file in filter(None, subject[1:]):
            path = os.path.join(folder, file)
            if os.path.islink(path) and not os.path.exists(path):
                broken[label] = because(f"{file} is a link to nothing")
    kept = {label: of for label, of in listing.subjects.items() if label not in broken}
    return Listing(kept, [*listing.left_out, *broken.items()])


def _members(
    listing: Listing, dataset: str, only: list[str] | None, exclude: dict[str, str] | str
) -> Members:
    """What is left without subjects that the user leaves out; `InputError` at an unknown one.

    `exclude` has the reasons, or is the path of a table of them.
    """
    keys = [f"datasets.{dataset}.{key}" for key in ("only", "exclude")]
    places = [f"configuration: {key}" for key in keys]
    if isinstance(exclude, str):
        places[1] = f"{exclude} (configuration key {keys[1]})"
        exclude = excluded.read(exclude, keys[1])
    for place, labels in zip(places, (only or [], exclude)):
        for label in labels:
            if label not in listing.subjects:
                raise InputError(
                    f"{place} names {label}, but there is no such subject; labels are like "
                    f"{next(iter(listing.subjects), 'none')}"
                )
    kept = {
        label: of
        for label, of in listing.subjects.items()
        if label not in exclude and (only is None or label in only)
    }
    said = {label: f"excluded: {reason}" for label, reason in exclude.items()}
    others = [label for label in listing.subjects if label not in kept and label not in said]
    said |= dict.fromkeys(others, f"not named by {keys[0]}")
    return Members(kept, [*said.items()], listing.left_out)
