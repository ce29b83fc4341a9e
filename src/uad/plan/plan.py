"""What a run consists of: models, rows and test sets of a configuration, and the files jobs need.

Methods that take `wildcards` are input or parameter functions of rules. Everything here is known
from the configuration and the names of files; mistakes of the user raise `InputError`.
"""

import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace as of
from typing import Any

from uad.base.digests import code_digest, fingerprint, sha256
from uad.base.errors import InputError
from uad.base.paths import Paths
from uad.evaluation.controls import CONTROLS
from uad.imaging.settings import Downsampling
from uad.models import methods
from uad.models.anomalies import SYNTHETIC
from uad.plan import claims, needs, published_weights
from uad.plan.cohort import Cohort
from uad.plan.external import ExternalMaps
from uad.report import pages, run_record


class Plan:
    """The plan of a run.

    Parameters
    ----------
    config : dict
        Complete and checked (`uad.plan.config.check`).
    home : path-like
        Folder of the `Snakefile`.

    Attributes
    ----------
    models : list of str
        Trained models, in the order of training; a method and, after a hyphen, what it learns
        anomalies from.
    pretrained : list of str
        Those that only give others the weights they start from.
    reconstructing : list of str
        Those that make pseudo-healthy volumes.
    drifting : list of str
        Those whose upstream model drifts while they are trained, and reconstructs as it has become.
    imported : list of str
        Those that are taken from the authors' checkpoints.
    trained : list of str
        Methods of the models.
    test_sets : dict of str to str
        Names in the table to data sets.
    test_datasets : list of str
        Data sets with test subjects: those of the table, and `healthy`.
    healthy : str
        Name of all healthy volumes as one data set, to train on and for false positives.
    split_datasets : list of str
        Data sets that are split; with `draem` and `all_patients`, where they are used.
    patients : list of str
        Those whose training patients `all_patients` are.
    exported : list of str
        The same as `split_datasets`, with all healthy ones as one.
    """

    def __init__(self, config: dict, home: Path | str):
        self.config, self.home = config, Path(home)
        resolution = f"{config['preprocessing']['spacing_mm']:g}mm"
        self.paths = Paths(config["results"], f"{config['modality']}w", resolution)
        self.cohort = Cohort(config, self.paths, str(self.home / "workflow/resources"))
        self.datasets = list(config["datasets"])
        self.folds = config["folds"]
        self.models = needs.models(config)
        starts = {block["pretrained"] for block in config["methods"].values()}
        self.pretrained = [model for model in self.models if model in starts]
        self.reconstructing = [m for m in self.models if self.block(m)["reconstructs"]]
        self.drifting = [m for m in self.models if self.block(m).get("frozen") == "drifting"]
        self.imported = [m for m in self.models if m in config["checkpoints"]]
        self.trained = list(dict.fromkeys(map(needs.method, self.models)))
        self.test_sets = needs.test_sets(config)
        self.healthy = needs.healthy(config)
        self.test_datasets = [*self.test_sets.values(), self.healthy]
        self.split_datasets = needs.used_datasets(config)
        self.patients = needs.pooled_patients(config)
        others = [name for name in self.split_datasets if name not in config["healthy"]]
        self.exported = [self.healthy, *others]
        self.brain_masks = {n: block["brain_mask"] for n, block in config["datasets"].items()}

    def block(self, model: str) -> dict:
        """Block of the configuration of a model's method."""
        return self.config["methods"][needs.method(model)]

    def maps(self, row: str) -> list[str]:
        """Models and controls whose maps a row adds up."""
        return self.config["rows"][row]["maps"]

    def parts(self, dataset: str) -> list[str]:
        """Data sets that one consists of: several if it is the pool of all healthy subjects, or of
        all training patients."""
        pools = {needs.POOLED: self.config["healthy"], needs.PATIENTS: self.patients}
        return pools.get(dataset, [dataset])

    def role_counts(self) -> dict[str, dict[str, int]]:
        """Subjects of each role in a fold, as far as the configuration tells, by data set."""
        found = {}
        for name in self.datasets:
            counts = dict(self.config["splits"][name])
            if counts["test"] is None:  # all others
                used = counts["train"] + counts["val"]
                counts["test"] = max(self.cohort.n_subjects(name) - used, 0)
            found[name] = counts

        def together(names):
            return {
                role: sum(found[name][role] for name in names) for role in ("train", "val", "test")
            }

        found[self.healthy] = together(self.config["healthy"])
        found[needs.SYNTHETIC] = found[self.healthy]  # made in them
        found[needs.PATIENTS] = together(self.patients)
        return found

    def table_rows(self) -> dict[str, dict]:
        """Rows as the tables show them: with the names of their D_healthy."""
        names = {True: "+".join(self.config["healthy"]), False: "none"}
        return {
            row: {**block, "healthy": names[block["healthy"]]}
            for row, block in self.config["rows"].items()
        }

    @property
    def registered_sets(self) -> list[str]:
        """Test sets whose scans this run preprocesses."""
        return [name for name, of in self.test_sets.items() if of in self.cohort.registered]

    # Code.

    def code(self, script: str, *modules: str) -> str:
        """Digest of a script and of all library code it uses."""
        return code_digest(self.home / "workflow/scripts" / script, *modules)

    def page_code(self, script: str, *templates: str) -> str:
        """The same for a script that writes tables or pages, and of the pages' templates."""
        files = sorted({path for name in templates for path in pages.templates_of(name)})
        code = self.code(script, "uad.base.tsv")
        return (
            fingerprint(code=code, templates={p.name: sha256(p) for p in files}) if files else code
        )

    def training_code(self, wildcards: Any) -> str:
        """The same for a training: the method, its upstream method and its anomalies."""
        method, source = needs.method(wildcards.model), wildcards.model.partition("-")[2]
        used = methods.sources(method, self.block(wildcards.model)["upstream"], source)
        return self.code("train_model.py", *used)

    def model_code(self, script: str) -> Callable:
        """The same for a script that runs the wildcard model's method after its training."""
        return lambda wildcards: self.code(script, *methods.sources(needs.method(wildcards.model)))

    def reconstructing_code(self, wildcards: Any) -> str:
        """The same for the script that runs the method of the wildcard model's reconstructions."""
        method = needs.method(self._reconstructed_by(wildcards.model))
        return self.code("reconstruct.py", *methods.sources(method))

    def methods_code(self, script: str, models: Iterable[str]) -> str:
        """The same for a script that runs the methods of some models."""
        used = dict.fromkeys(map(needs.method, models))
        return self.code(script, *(name for method in used for name in methods.sources(method)))

    def dataset_code(self, script: str) -> Callable:
        """The same for a script that asks what is known of the wildcard data set's subjects."""
        return lambda wildcards: self.code(script, self.cohort.metadata_module(wildcards))

    def row_code(self, script: str) -> Callable:
        """The same for a script that scores the wildcard row."""

        def digest(wildcards: Any) -> str:
            maps = self.maps(wildcards.row)
            modules = [f"uad.evaluation.controls.{name}" for name in maps if name in CONTROLS]
            return self.code(script, *modules)

        return digest

    @cached_property
    def all_code(self) -> dict:
        """Digests of all code; not at the start, since every job plans anew."""
        outside = {name: code_digest(*methods.sources(name)) for name in self._outside}
        return run_record.code(self.home) | ({"methods": outside} if outside else {})

    @property
    def _outside(self):
        """Methods of the models whose code is not in the project."""
        return [name for name in self.trained if name not in methods.built_in()]

    # Training.

    def training_block(self, wildcards: Any) -> dict:
        """What of the block of the wildcard model's method decides the weights."""
        return methods.training_params(needs.method(wildcards.model), self.block(wildcards.model))

    def test_block(self, wildcards: Any) -> dict:
        """What of it only matters after training."""
        return methods.test_params(needs.method(wildcards.model), self.block(wildcards.model))

    def synthetic(self, wildcards: Any) -> dict | None:
        """How synthetic anomalies are drawn, for a model that is trained on some."""
        source = wildcards.model.partition("-")[2]
        return self.config["synthetic"] if source in SYNTHETIC else None

    def anomalies(self) -> dict:
        """The same for the synthetic test set."""
        return {key: of for key, of in self.config["synthetic"].items() if key != "validation"}

    def training_data(self, wildcards: Any) -> dict[str, Any]:
        """What a model trains and validates on, its upstream model, and weights it starts from."""
        train, val = needs.training_datasets(wildcards.model, self.config)
        files = {
            "train": self.paths.packed(train),
            "train_split": self.paths.split(train),
            "val": self.paths.packed(val),
            "val_split": self.paths.split(val),
        }
        block = self.block(wildcards.model)
        for part in ("upstream", "pretrained"):
            source = block[part]
            if source in self.config["methods"]:
                files[part] = self.paths.model(source, wildcards.fold)
            elif source:
                method = needs.method(wildcards.model)
                files[part] = published_weights.find(source, method)
        return files

    @property
    def learning(self) -> list[str]:
        """Models with weights that are trained by gradient."""
        return [model for model, epochs in self.epochs.items() if epochs]

    @property
    def epochs(self) -> dict[str, int]:
        """How many epochs each model is trained for."""
        return {
            model: 1 if model in self.imported else self.block(model)["training"]["epochs"]
            for model in self.models
        }

    # Import of the authors' checkpoints.

    def checkpoint(self, wildcards: Any) -> str:
        """File that the wildcard model of a fold is taken from; `InputError` if there is none."""
        folder = self.config["checkpoints"][wildcards.model]
        path = f"{folder}/fold-{wildcards.fold}.ckpt"
        if not Path(path).is_file():
            raise InputError(
                f"{path}: no such file, but checkpoints.{wildcards.model} names {folder}"
            )
        return path

    def importing_code(self, wildcards: Any) -> str:
        """Digest of the code that imports it."""
        name = needs.method(wildcards.model)
        upstream = self.block(wildcards.model)["upstream"]
        return self.code("import_checkpoint.py", *methods.sources(name, upstream))

    def drifted_block(self, wildcards: Any) -> dict | None:
        """What decides the weights of the upstream model that it brings, if it has drifted."""
        if wildcards.model not in self.drifting:
            return None
        upstream = self.block(wildcards.model)["upstream"]
        return methods.training_params(upstream, self.block(upstream))

    def of_rule(self, *kinds: str) -> str:
        """Wildcard constraint: models of exactly these kinds.

        Parameters
        ----------
        *kinds : str
            Of ``"pretrained"``, ``"drifting"`` and ``"imported"``.
        """
        every = ("pretrained", "drifting", "imported")
        found = [
            model
            for model in self.models
            if {kind for kind in every if model in getattr(self, kind)} == set(kinds)
        ]
        return "|".join(found) or "none"

    def outside(self, wildcards: Any, threads: int) -> dict[str, str]:
        """Where the code of the wildcard model's method is, and of the one it stands on, if it is
        not in the project.

        The digest of that code decides, not its place: see `save_minutes`.
        """
        method = needs.method(wildcards.model)
        return methods.outside(method, self.block(wildcards.model)["upstream"])

    def every_outside(self, wildcards: Any, threads: int) -> dict[str, str]:
        """The same for all methods."""
        return methods.outside(*self.trained)

    def environment(self, usual: str) -> Callable:
        """Conda environment of a rule that runs the wildcard model's method.

        Parameters
        ----------
        usual : str
            File, relative to the folder of rules, for methods that have none of their own.
        """

        def path(wildcards: Any) -> str:
            # What stands on a method runs it too.
            own, upstream = self.block(wildcards.model), self.block(wildcards.model)["upstream"]
            blocks = [own, *([self.config["methods"][upstream]] if upstream else [])]
            found = next((block["env"] for block in blocks if "env" in block), None)
            return str((Path(found) if found else self.home / "workflow/rules" / usual).resolve())

        return path

    def save_minutes(self, wildcards: Any, threads: int) -> float:
        """How often the state of a training is saved.

        It decides no result: Snakemake leaves out parameters that ask for `threads` when it looks
        for changes.
        """
        return self.block(wildcards.model)["training"]["save_minutes"]

    def of_models(self, name: str, models: Iterable[str] | None = None) -> list[str]:
        """A file of every model and fold, fold changing fastest."""
        models = self.models if models is None else models
        return [self.paths.model(model, fold, name) for model in models for fold in self.folds]

    # Inference and evaluation.

    def tuned_on_training(self, dataset: str) -> bool:
        """Whether thresholds are tuned on training subjects too, as by the released code."""
        return self.config["evaluation"]["threshold"] == "released" and dataset != self.healthy

    def _reconstructed_by(self, model: str) -> str:
        """The model whose method makes a model's reconstructions: its upstream one if it drifts."""
        return self.block(model)["upstream"] if model in self.drifting else model

    def reconstructing_model(self, wildcards: Any) -> str:
        """File of the model that makes the wildcard model's reconstructions."""
        name = "upstream.pt" if wildcards.model in self.drifting else "model.pt"
        return self.paths.model(wildcards.model, wildcards.fold, name)

    def reconstructing_block(self, wildcards: Any) -> dict:
        """What of the block of its method only matters after training."""
        model = self._reconstructed_by(wildcards.model)
        return methods.test_params(needs.method(model), self.block(model))

    def splits(self, datasets: Iterable[str] | None = None) -> list[str]:
        """Splits of data sets, by default of those with test subjects."""
        return [self.paths.split(n) for n in (self.test_datasets if datasets is None else datasets)]

    def test_packs(self, wildcards: Any) -> dict[str, list[str]]:
        """Packed volumes of every data set with test subjects, by its name."""
        return {dataset: self.paths.packed(dataset) for dataset in self.test_datasets}

    def upstream_reconstructions(self, wildcards: Any) -> list[str]:
        """Reconstructions that a network gets from its upstream model, for every data set."""
        upstream = self.block(wildcards.model)["upstream"]
        if upstream is None:
            return []
        made_by = wildcards.model if wildcards.model in self.drifting else upstream
        return [
            self.paths.reconstruction(made_by, wildcards.fold, dataset)
            for dataset in self.test_datasets
        ]

    def anomaly_maps(self, model: str, fold: int | str) -> list[str]:
        """A network's anomaly maps for every data set with test subjects."""
        return [self.paths.anomaly_map(model, fold, dataset) for dataset in self.test_datasets]

    @cached_property
    def external(self) -> ExternalMaps:
        """Maps made elsewhere."""
        return ExternalMaps(self.config, self.paths, self.cohort, self.test_datasets)

    def networks_of(self, row: str) -> list[str]:
        """Models of a row whose maps are stored: those of networks, and those made elsewhere."""
        return [n for n in self.maps(row) if n not in (*CONTROLS, *self.reconstructing)]

    def reconstructing_of(self, row: str) -> list[str]:
        """Models of a row whose maps are the residuals of their reconstructions."""
        return [n for n in self.maps(row) if n in self.reconstructing]

    def scored_files(self, row: str, fold: int | str, datasets: list[str]) -> dict[str, list[str]]:
        """What the scores of a row are made of; `uad.evaluation.scores.stored` reads it.

        Maps are deleted after their last use, so the models that made them are named too: a row is
        scored again if one of them is newer.
        """
        networks, reconstructing = self.networks_of(row), self.reconstructing_of(row)
        # A reconstruction of a row is by what its network has made of the upstream model, if so.
        drifted = {self.block(m)["upstream"]: m for m in networks if m in self.drifting}
        return {
            "packed": [path for dataset in datasets for path in self.paths.packed(dataset)],
            "splits": self.splits(datasets),
            "maps": [
                self.paths.anomaly_map(model, fold, dataset)
                for dataset in datasets
                for model in networks
            ],
            "reconstructions": [
                self.paths.reconstruction(drifted.get(model, model), fold, dataset)
                for dataset in datasets
                for model in reconstructing
            ],
            "models": [
                path
                for model in networks
                for path in (
                    self.external.files(model, fold)
                    if model in self.config["external"]
                    else [self.paths.model(model, fold)]
                )
            ],
        }

    def row_files(self, wildcards: Any) -> dict[str, list[str]]:
        """What the wildcard row is evaluated on."""
        return self.scored_files(wildcards.row, wildcards.fold, self.test_datasets)

    def row_parameters(self, wildcards: Any) -> dict:
        """How the wildcard row's scores are put together."""
        row = wildcards.row
        reconstructing = self.reconstructing_of(row)
        return {
            "maps": self.maps(row),
            "networks": self.networks_of(row),
            "reconstructing": reconstructing,
            "residual": self.config["residual"] if reconstructing else {},
        }

    def of_every_row(self, of: str = "subjects", rows: Iterable[str] | None = None) -> list[str]:
        """Metrics of every row and fold that runs, fold changing fastest."""
        rows = self.config["rows"] if rows is None else rows
        return [self.paths.metrics(row, fold, of) for row in rows for fold in self.folds]

    # Methods.

    def models_of(self, wildcards: Any) -> list[str]:
        """The wildcard method's models."""
        return [model for model in self.models if needs.method(model) == wildcards.method]

    def rows_of(self, wildcards: Any) -> list[str]:
        """Rows of Table 1 that add up a map of one of the wildcard method's models."""
        models = self.models_of(wildcards)
        return [row for row in self.config["rows"] if set(models) & set(self.maps(row))]

    def method_files(self, wildcards: Any) -> dict[str, list[str]]:
        """Records of a method's models; metrics because its jobs have been measured by then."""
        models = self.models_of(wildcards)
        return {
            "abouts": self.of_models("about.json", models),
            "histories": self.of_models("history.tsv", models),
            "metrics": self.of_every_row(rows=self.rows_of(wildcards)),
        }

    def docstring(self, wildcards: Any) -> str:
        """What the wildcard method's module says of it."""
        return self.docstring_of(wildcards.method)

    def docstring_of(self, method: str) -> str:
        """The docstring of a method's module, which is its page."""
        return methods.docstring(method)

    # Preprocessing.

    def extracted_by(self, *ways: str) -> str:
        """Wildcard constraint: data sets whose brain masks are made in one of some ways."""
        return "|".join(name for name, way in self.brain_masks.items() if way in ways) or "none"

    @property
    def downsampling(self) -> dict[str, Any]:
        """What of `preprocessing` decides the volumes that the networks see."""
        names = [field.name for field in fields(Downsampling)]
        return {key: self.config["preprocessing"][key] for key in names}

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """Of a packed volume, (Z, X, Y)."""
        spacing = self.config["preprocessing"]["spacing_mm"]
        x, y, z = (round(voxels / spacing) for voxels in self.config["preprocessing"]["crop"])
        return z, x, y

    def comes_stripped(self, wildcards: Any) -> bool:
        """Whether the wildcard data set's images have no skull."""
        return self.brain_masks[wildcards.dataset] == "threshold"

    def stripping_program(self, way: str, in_conda: bool) -> Callable:
        """Command of `strip_skull_<way>`, without its arguments.

        The interpreter is that of the rule's conda environment or of `make setup-hdbet` and the
        like; any other says what is missing. Where it is decides no result, hence `threads`, as in
        `save_minutes`.
        """
        own = self.home / f".venv-{way.replace('_', '')}/bin/python"
        python = "python" if in_conda else own if own.exists() else sys.executable
        script = self.home / f"workflow/scripts/strip_skull_{way}.py"
        return lambda wildcards, threads: shlex.join([str(python), str(script)])

    @property
    def released_lists(self) -> dict[str, Any]:
        """How the released split lists are used, if they are."""
        splits = self.config["splits"]
        return splits["released"] if splits["scheme"] == "released" else {}

    # Inputs of the record.

    @cached_property
    def hd_bet_weights(self) -> str | None:
        """Folder of HD-BET's weights, if it is used."""
        return self.config["hd_bet"]["weights"] if "hd_bet" in self.brain_masks.values() else None

    def resource(self, path: str) -> str:
        """A file that the configuration names: here, or in the workflow's own folder."""
        return needs.resource(path, self.home)

    def published(self) -> str | list:
        """The table of published values; no file if there is none."""
        path = self.config["table"]["published"]
        return self.resource(path) if path else []

    @cached_property
    def claims(self) -> dict:
        """The paper's claims that the run judges; empty if there are none."""
        path = self.config["table"]["claims"]
        return claims.read_claims(path) if path else {}

    def places(self) -> list[str]:
        """Folders and files that data are expected in, whether they are there or not."""
        cohort = self.cohort
        found = [*map(cohort.folder, self.datasets), cohort.atlas("head"), cohort.atlas("brain")]
        found += [cohort.demographics(of(dataset=dataset)) for dataset in self.datasets]
        found += [self.hd_bet_weights, self.released_lists.get("folder")]
        return [*filter(None, found), *needs.weight_files(self.config).values()]

    def given_files(self) -> list[str]:
        """Every file that the run reads and does not make itself."""
        files = self.other_inputs()
        if not self.config["simulation"]:
            files += [p for d in self.datasets for p in self.cohort.native_files(of(dataset=d))]
        return [path for path in files if not path.startswith(f"{self.paths.root}/")]

    def other_inputs(self, wildcards: Any = None) -> list[str]:
        """Files that results depend on, besides the data sets and HD-BET's weights."""
        files = [*self.cohort.other_inputs(), *filter(None, [self.published()])]
        files += [self.resource(path) for path in filter(None, [self.config["table"]["claims"]])]
        return list(dict.fromkeys([*files, *needs.weight_files(self.config).values()]))

    def levels(self) -> list[int]:
        """Reconstructions per volume that are kept, of each model that makes some."""
        made_by = map(self._reconstructed_by, [*self.reconstructing, *self.drifting])
        return [len(self.block(model).get("test_levels", [1])) for model in made_by]
