"""What the figures, the front page and the methods text of a run show."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from uad.evaluation.settings import PROBABILITIES
from uad.plan import needs
from uad.plan.plan import Plan
from uad.report import captions

MONTAGE_SUBJECTS = 4


class Figures:
    """Figures that the rows and test sets of a plan allow.

    Attributes
    ----------
    fold : int
        Shown where a figure shows one fold.
    chosen_by : dict of str to str
        Test sets to the reference that is trained for them and adds two maps: examples are chosen
        by it.
    case_sets, real_case_sets : list of str
        These test sets; without those of synthetic anomalies.
    scored : list of str
        Rows that are not controls.
    weighted : list of str
        References whose two maps are weighted.
    curves : list of str
        References, and the rows of what they are made of.
    by_volume : dict of str to list of str
        Rows compared by the volume of the lesion, by test set: that of the residual map in the
        reference, and the reference.
    """

    def __init__(self, plan: Plan):
        self.plan, self.paths = plan, plan.paths
        rows = plan.config["rows"]
        self.labels = {row: block["label"] for row, block in rows.items()}
        self.fold = plan.folds[0]
        self.weighted = needs.weighted(plan.config)
        trained_for = {row.partition("-")[2]: row for row in reversed(self.weighted)}
        self.chosen_by = {n: trained_for[n] for n in plan.test_sets if n in trained_for}
        self.case_sets = list(self.chosen_by)
        self.real_case_sets = [name for name in self.case_sets if name != needs.SYNTHETIC]
        self.scored = [row for row, block in rows.items() if block["block"] != "control"]
        parts = [[name] for row in self.weighted for name in plan.maps(row)]
        references = plan.config["table"]["references"]
        self.curves = [row for row in rows if row in references or plan.maps(row) in parts]
        self.by_volume = {}
        for name, row in self.chosen_by.items():
            alone = [r for r in rows if plan.maps(r) == plan.reconstructing_of(row)]
            if alone:
                self.by_volume[name] = [alone[0], row]

    @property
    def ends(self) -> list[str]:
        """What the weights 0, 0.5 and 1 of a residual map stand for: network, sum, reconstruction.

        Labels of rows where all that are weighted agree.
        """
        rows, found = self.plan.config["rows"], []
        for row in self.weighted:
            (residual,) = self.plan.reconstructing_of(row)
            (network,) = (name for name in self.plan.maps(row) if name != residual)
            alone = {tuple(block["maps"]): block["label"] for block in rows.values()}
            found.append(
                (
                    alone.get((network,), "network"),
                    self.labels[row],
                    alone.get((residual,), "residual"),
                )
            )
        usual = ("network", "sum", "residual")
        return [of[0] if len(set(of)) == 1 else name for of, name in zip(zip(*found), usual)]

    @property
    def single(self) -> list[str]:
        """Rows of a single map, of those with a curve of precision and recall."""
        return [row for row in self.curves if len(self.plan.maps(row)) == 1]

    def labels_of(self, rows: Iterable[str]) -> dict[str, str]:
        """What is printed for rows."""
        return {row: self.labels[row] for row in rows}

    # Preprocessing.

    def montage(self, wildcards: Any) -> list:
        """The first subjects of the wildcard data set, as examples of its preprocessing."""
        return self.plan.cohort.rows(wildcards)[:MONTAGE_SUBJECTS]

    def montage_names(self, wildcards: Any) -> list[str]:
        """Their labels."""
        return [subject.subject for subject in self.montage(wildcards)]

    def montage_native(self, wildcards: Any) -> list[str]:
        """Their images as found."""
        found = self.plan.cohort.found_files
        return [found(wildcards.dataset, one)["image"] for one in self.montage(wildcards)]

    def montage_files(self, kind: str) -> Callable[[Any], list[str]]:
        """Input function: a preprocessed file of each."""
        return lambda wildcards: [
            self.plan.cohort.files_at_1mm(wildcards.dataset, subject)[kind]
            for subject in self.montage(wildcards)
        ]

    # Examples and curves.

    def branches(self, row: str) -> list[str]:
        """Maps of a weighted row: that of the reconstruction, then that of the network."""
        return [*self.plan.reconstructing_of(row), *self.plan.networks_of(row)]

    def case_files(self, wildcards: Any) -> dict[str, list[str]]:
        """Scores of the wildcard row for the cases, and the metrics that they are chosen by."""
        datasets = [self.plan.test_sets[name] for name in self.case_sets]
        choice = [self.paths.metrics(row, self.fold) for row in self.chosen_by.values()]
        return {
            **self.plan.scored_files(wildcards.row, self.fold, datasets),
            "metrics": choice,
        }

    def parts(self, wildcards: Any) -> dict[str, list[str]]:
        """Test sets where maps of the wildcard row are shown one by one, and these maps."""
        row = wildcards.row
        return {name: self.branches(row) for name, by in self.chosen_by.items() if row == by}

    def map_files(self, wildcards: Any) -> dict[str, list[str]]:
        """What the maps of the wildcard row are made of, of all test sets."""
        datasets = list(self.plan.test_sets.values())
        return self.plan.scored_files(wildcards.row, self.fold, datasets)

    def models_by_row(self) -> dict[str, list[str]]:
        """Models whose maps a row adds up, and those that they stand on, of each row."""
        return {row: self._stood_on(self.plan.maps(row)) for row in self.labels}

    def _stood_on(self, names: Iterable[str]) -> list[str]:
        found = []
        for model in [name for name in names if name in self.plan.models]:
            found.append(model)
            upstream = self.plan.block(model)["upstream"]
            found += self._stood_on([upstream] if upstream else [])
        return list(dict.fromkeys(found))

    def case_title(self, wildcards: Any) -> str:
        """Heading of the wildcard test set's example cases."""
        label = self.labels[self.chosen_by[wildcards.test_set]]
        return f"{label} trained and tested on {wildcards.test_set.upper()}"

    def weight_files(self, wildcards: Any) -> dict[str, list[str]]:
        """What the weights of a row are varied on."""
        datasets = list(self.plan.test_sets.values())
        return self.plan.scored_files(wildcards.row, wildcards.fold, datasets)

    def weights(self) -> list[str]:
        """[DICE] against the weight, of every weighted row and fold, fold by fold."""
        return [self.paths.weights(row, f) for f in self.plan.folds for row in self.weighted]

    def judged_weights(self) -> list[str]:
        """The same, if the paper's claims that the run judges are about weights."""
        judged = self.plan.claims.get("claims", {}).values()
        return self.weights() if any(claim["kind"] == "best_weight" for claim in judged) else []

    def volume_rows(self) -> list[str]:
        """Rows compared by the volume of the lesion, over all test sets."""
        return list(dict.fromkeys(row for rows in self.by_volume.values() for row in rows))

    def all(self) -> list[str]:
        """Figures of results."""
        names = [f"cases_{test_set}.png" for test_set in self.case_sets]
        names += ["comparison.png"] * bool(self.real_case_sets)
        names += ["lesion_volume.svg"] * bool(self.by_volume)
        names += ["weights.svg"] * bool(self.weighted)
        names += ["precision_recall.svg"] * bool(self.curves)
        names += ["synthetic.png"] * (needs.SYNTHETIC in self.plan.test_sets)
        names += ["detection_limits.svg"] * bool(self.plan.config["planted"])
        return [self.paths.figure(name) for name in names]

    # Whom the rows fail.

    def is_probability(self, wildcards: Any) -> bool:
        """Whether the score of the wildcard row is the probability of a lesion."""
        maps = self.plan.maps(wildcards.row)
        return len(maps) == 1 and needs.method(maps[0]) in PROBABILITIES

    def calibrated(self, of: str) -> list[str]:
        """Tables of `rates` or `bins` of every row that is no control, if they are asked for."""
        if not self.plan.config["table"]["calibration"]:
            return []
        return [self.paths.calibration(row, f, of) for row in self.scored for f in self.plan.folds]

    def demographics(self) -> list[str]:
        """IXI's spreadsheet, if its subjects are among the healthy ones and it is at hand."""
        if "ixi" not in self.plan.config["healthy"]:
            return []
        found = self.plan.cohort.demographics(SimpleNamespace(dataset="ixi"))
        return [found] if found else []

    def whom(self) -> list[str]:
        """The page on whom the rows fail, if it is asked for."""
        return [self.paths.table("whom.html")] if self.plan.config["table"]["strata"] else []

    # Choices of the evaluation.

    @property
    def multiverse(self) -> dict[str, Any]:
        """Block `table.multiverse`; empty if there is none."""
        return self.plan.config["table"]["multiverse"] or {}

    def multiverse_tables(self) -> list[str]:
        """Means of every row that is no control, fold changing fastest."""
        return [self.paths.multiverse(row, f) for row in self.scored for f in self.plan.folds]

    def multiverse_page(self) -> list[str]:
        """The page of it, if it is asked for."""
        return [self.paths.table("multiverse.html")] if self.multiverse else []

    def usual(self) -> dict[str, Any]:
        """The combination that Table 1 is in."""
        config = self.plan.config
        return {
            "residual": config["residual"]["kind"],
            "erosion": config["residual"]["erosion"],
            "median": "residual",
            "box": "whole",
            "min_component": config["evaluation"]["min_component"],
            "measure": "dice_best",
        }

    def shared_tables(self) -> dict[str, Any]:
        """What the tables of the run consist of, for `uad.report.shared.manifest`."""
        plan, config = self.plan, self.plan.config
        return {
            "rows": plan.table_rows(),
            "folds": plan.folds,
            "test_sets": plan.test_sets,
            "healthy": self.plan.healthy,
            "datasets": plan.datasets,
            "seed": config["seed"],
            "simulated": bool(config["simulation"]),
            "threshold": config["evaluation"]["threshold"],
            "registered": plan.registered_sets,
            "random_extractors": needs.random_extractors(config),
            "references": config["table"]["references"],
            "min_component": config["evaluation"]["min_component"],
            "claims": plan.claims,
            "weighted": self.weighted if self.judged_weights() else [],
        }

    # Captions.

    def captions(self) -> dict[str, tuple[str, dict[str, str]]]:
        """Names of all figures, of the data too, to their caption and its wildcards."""
        found: dict[str, tuple[str, dict[str, str]]] = {}
        for dataset in self.plan.datasets:
            found[f"cohort_{dataset}.png"] = "cohort", {"dataset": dataset}
        found["splits.png"] = "splits", {}
        if self.plan.learning:
            found["training.png"] = "training", {}
        for name in (Path(path).name for path in self.all()):
            kind, _, test_set = name.partition(".")[0].partition("cases_")
            found[name] = ("cases", {"test_set": test_set}) if test_set else (kind, {})
        if self.plan.claims:
            found["claims.svg"] = "claims", {}
        return found

    def caption_texts(self, wildcards: Any) -> list[tuple[str, str]]:
        """Title and caption of each figure, in the order of `captions`."""
        folder = self.plan.home / "workflow/report"
        return [
            (
                captions.named(Path(file).stem),
                captions.render(
                    folder / f"{kind}.rst",
                    self.plan.config,
                    {name: [value] for name, value in names.items()} or {"": [""]},
                ),
            )
            for file, (kind, names) in self.captions().items()
        ]

    # Texts.

    def methods_text(self, wildcards: Any) -> str:
        """Captions of the report as one text."""
        # A method says itself what it is, below the caption of all.
        names = {
            "dataset": self.plan.datasets,
            "test_set": self.case_sets or [""],
            "method": [", ".join(self.plan.trained)],
        }
        drawn = [Path(path).name for path in self.all()]
        left_out = [
            name
            for name in captions.ORDER["Figures"]
            if not any(file.startswith(name) for file in drawn)
        ]
        left_out += [] if self.plan.claims else ["claims"]
        left_out += [] if self.whom() else ["whom"]
        left_out += [] if self.multiverse else ["multiverse"]
        docstrings = {method: self.plan.docstring_of(method) for method in self.plan.trained}
        folder = self.plan.home / "workflow/report"
        return captions.text(folder, self.plan.config, names, left_out, docstrings)

    def facts(self, configs: list[str]) -> dict[str, Any]:
        """What the front page says of the run that is not in its results.

        Parameters
        ----------
        configs : list of str
            Names of the files of the configuration.
        """
        plan, config = self.plan, self.plan.config
        shown = [
            path
            for name in ("cases", "weights", "precision", "detection")
            for path in self.all()
            if name in Path(path).name
        ]
        return {
            "simulated": bool(config["simulation"]),
            "configs": configs,
            "modality": config["modality"],
            "scheme": config["splits"]["scheme"],
            "folds": plan.folds,
            "n_folds": config["splits"]["folds"],
            "seed": config["seed"],
            "accelerator": config["accelerator"],
            "rows": config["rows"],
            "references": config["table"]["references"],
            "epochs": plan.epochs,
            "test_sets": list(plan.test_sets),
            "datasets": plan.datasets,
            "judges_claims": bool(plan.claims),
            "figures": [self.paths.relative(path) for path in shown],
            "code": plan.all_code["all"],
        }


# Costs.


def costs(plan: Plan) -> list[dict[str, Any]]:
    """Jobs whose cost is measured, in the data's way, for `uad.report.costs.table`."""
    trained = [model for model in plan.models if model not in plan.pretrained]
    scored = [model for model in trained if model not in plan.reconstructing]
    run = "{name}/fold-{fold}"
    reconstructed = [f"reconstruct/{run}/{dataset}.tsv" for dataset in plan.test_datasets]
    stripped = {
        way: [name for name in plan.cohort.registered if plan.brain_masks[name] == way]
        for way in ("hd_bet", "deepbet")
    }
    return [
        *_of_subjects(plan, "register_to_sri24", plan.cohort.registered),
        *_of_subjects(plan, "strip_skull_hd_bet", stripped["hd_bet"], gpu=True),
        *_of_subjects(plan, "strip_skull_deepbet", stripped["deepbet"]),
        *_of_subjects(plan, "correct_bias", plan.cohort.registered),
        *_of_folds(plan, "pretrain", plan.pretrained, [f"train_model/{run}.tsv"], True),
        *_of_folds(plan, "train_model", trained, [f"train_model/{run}.tsv"], True),
        *_of_folds(
            plan, "reconstruct", [*plan.reconstructing, *plan.drifting], reconstructed, True
        ),
        *_of_folds(plan, "score", scored, [f"score/{run}.tsv"], True),
        *_of_folds(plan, "evaluate", plan.config["rows"], [f"evaluate/{run}.tsv"]),
    ]


def _of_subjects(
    plan: Plan, rule: str, datasets: list[str], gpu: bool = False
) -> Iterator[dict[str, Any]]:
    """Jobs of a rule that every subject of some data sets has, by data set."""
    for dataset in datasets:
        jobs = plan.cohort.n_subjects(dataset)
        yield {
            "rule": rule,
            "of": dataset,
            "files": [f"{rule}/{dataset}/*.tsv"],
            "jobs": jobs,
            "jobs_full": jobs,
            "gpu": gpu,
        }


def _of_folds(
    plan: Plan, rule: str, names: Iterable[str], files: list[str], gpu: bool = False
) -> Iterator[dict[str, Any]]:
    """Jobs of a rule that every fold has for some models or rows, by method."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(needs.method(name), []).append(name)
    for method, members in groups.items():
        found = [
            file.format(name=name, fold=fold)
            for name in members
            for fold in plan.folds
            for file in files
        ]
        yield {
            "rule": rule,
            "of": method,
            "files": found,
            "jobs": len(found),
            "jobs_full": len(members) * len(files) * plan.config["splits"]["folds"],
            "gpu": gpu,
        }
