"""What `snakemake bundle` and `snakemake predict` consist of: models, scans and files."""

from typing import Any

from uad.base.errors import InputError
from uad.evaluation.controls import CONTROLS
from uad.models import methods
from uad.plan import needs
from uad.plan.plan import Plan
from uad.predict import bundle, scans
from uad.predict.settings import BRAIN_MASKS, PROGRAMS


class Prediction:
    """Scans, their files, and what of a bundle their jobs take.

    Attributes
    ----------
    scans : dict of str to str
        Paths by name, such as ``sub-01/anat/sub-01``.
    left_out : list of (str, str)
        Files that are no scans, and why.
    manifest : dict
        Of the bundle.
    """

    def __init__(self, plan: Plan):
        self.plan = plan
        block = plan.config["predict"]
        self.bundle, self.out = block["bundle"], block["out"].rstrip("/")
        self.manifest = bundle.read(self.bundle)
        self.brain_mask = block["brain_mask"] or self.manifest["brain_mask"]
        if self.brain_mask not in BRAIN_MASKS:
            raise InputError(
                f"{self.bundle}: its brains were found by {self.brain_mask}; please set "
                f"predict.brain_mask to one of {', '.join(BRAIN_MASKS)}"
            )
        self.scans, self.left_out = scans.find(block["scans"], self.manifest["modality"], self.out)

    def check(self) -> None:
        """Raise `InputError` if the bundle was changed."""
        bundle.check(self.bundle)

    # Files.

    def file(self, ending: str, scan: str = "{scan}") -> str:
        """A file of a scan; a rule's without the name."""
        return f"{self.out}/{scan}_{ending}"

    def work(self, name: str) -> str:
        """A file of the wildcard scan that is deleted after its last use."""
        return f"{self.out}/work/{{scan}}/{name}"

    def log(self, job: str) -> str:
        """Log of a job."""
        return f"{self.out}/logs/{job}.log"

    def of_every_scan(self, ending: str) -> list[str]:
        """A file of every scan."""
        return [self.file(ending, scan) for scan in self.scans]

    def summary(self, ending: str) -> str:
        """The summary of all scans, ``html`` or ``tsv``."""
        return f"{self.out}/summary.{ending}"

    def scan(self, wildcards: Any) -> str:
        """Path of the wildcard scan."""
        return self.scans[wildcards.scan]

    def brain(self, wildcards: Any) -> list[str]:
        """The wildcard scan's mask, where a program of its own finds it."""
        return [self.work(f"{self.brain_mask}.nii.gz")] if self.brain_mask in PROGRAMS else []


class Bundling:
    """What `snakemake bundle` puts into the bundle of a row.

    Methods that take `wildcards` are input and parameter functions of the rule.
    """

    def __init__(self, plan: Plan):
        self.plan, self.paths = plan, plan.paths

    def wanted(self, wildcards: Any) -> str:
        """The bundle of the row that block `bundle` names."""
        block, known = self.plan.config["bundle"], self.rows
        if not block or block["row"] not in known:
            raise InputError(
                "bundle.row must name the row whose models are bundled, as in --config "
                f"'bundle={{row: {(known or ['ROW'])[-1]}}}'; there are "
                f"{', '.join(known) or 'none'}"
            )
        return self.paths.bundle(block["row"])

    @property
    def rows(self) -> list[str]:
        """Rows all of whose maps are from models."""
        return [
            row
            for row, block in self.plan.config["rows"].items()
            if not set(block["maps"]) & {*CONTROLS, *self.plan.config["external"]}
        ]

    def models(self, row: str) -> list[str]:
        """Models that a row's maps need, each after the one that it stands on."""
        found = {}
        for model in self.plan.maps(row):
            upstream = self.plan.block(model)["upstream"]
            found |= dict.fromkeys(filter(None, [upstream, model]))
        return list(found)

    def files(self, wildcards: Any) -> dict[str, Any]:
        """Models of the wildcard row, and tables of their run."""
        plan, paths, folds = self.plan, self.paths, self.plan.folds
        found = {
            name: [paths.metrics(wildcards.row, fold, name) for fold in folds]
            for name in ("subjects", "pooled", "validation")
        }
        models = self.models(wildcards.row)
        found["models"] = [paths.model(model, fold) for fold in folds for model in models]
        found |= {"head": plan.cohort.atlas("head"), "brain": plan.cohort.atlas("brain")}
        healthy = plan.config["healthy"]
        if set(healthy) <= set(plan.cohort.registered):
            found["quality"] = [paths.quality(name, "tsv") for name in healthy]
            found["split"] = plan.splits(healthy)
        return found

    def manifest(self, wildcards: Any) -> dict[str, Any]:
        """What of the configuration goes into it."""
        plan, config, row = self.plan, self.plan.config, wildcards.row
        source = row.partition("-")[2]
        return {
            "row": row,
            "label": config["rows"][row]["label"],
            "modality": config["modality"],
            "seed": config["seed"],
            # Sums depend on it in their last digits.
            "threads": config["threads"]["infer"],
            "folds": plan.folds,
            "maps": plan.maps(row),
            "models": {
                model: {
                    "reconstructs": model in plan.reconstructing,
                    "upstream": plan.block(model)["upstream"],
                    "test": methods.test_params(needs.method(model), plan.block(model)),
                }
                for model in self.models(row)
            },
            "residual": config["residual"],
            "preprocessing": config["preprocessing"],
            "brain_mask": config["datasets"][config["healthy"][0]]["brain_mask"],
            "atlas": {key: config["atlas"][key] for key in ("shape", "spacing_mm")},
            # Whose validation subjects the threshold `val` is tuned on: those with the lesions that
            # the row was trained on, if they are tested on, else those of the first test set.
            "tuned_on": source if source in plan.test_sets else next(iter(plan.test_sets)),
            "simulated": bool(config["simulation"]),
        }

    def data(self, wildcards: Any) -> list[dict[str, str]]:
        """What the model card says of the data sets that were trained on."""
        used = {}
        for model in self.models(wildcards.row):
            used |= dict.fromkeys(needs.training_datasets(model, self.plan.config))
        cohort, parts = self.plan.cohort, self.plan.parts
        names = [name for of in used if of != needs.SYNTHETIC for name in parts(of)]
        return [cohort.about(name) for name in dict.fromkeys(names)]

    def scoring_code(self, wildcards: Any) -> str:
        """Digest of the code that scores scans with the bundle."""
        return self.plan.methods_code("score_scan.py", self.models(wildcards.row))
