"""What a checked configuration needs: models, data sets, files."""

from pathlib import Path

from uad.evaluation.controls import CONTROLS

# Folder of the workflow, with the files that its own configuration names.
HOME = Path(__file__).parents[3]
# Data set of synthetic anomalies, made of healthy volumes, and that of several healthy ones.
SYNTHETIC, POOLED = "draem", "healthy"
# Data set of the training patients of all test sets, also made by a rule.
PATIENTS = "all_patients"
MADE = (SYNTHETIC, POOLED, PATIENTS)
# Scans with planted lesions, where the names of data sets stand.
PLANTED = "planted"


def method(model: str) -> str:
    """Method of a model: `unet_res` of `unet_res-brats`."""
    return model.partition("-")[0]


def models(config: dict) -> list[str]:
    """Models that the rows need, with those they build on, in order of first need."""
    needed = {}

    def visit(name: str) -> None:
        block = config["methods"][method(name)]
        # What is imported starts from nothing.
        pretrained = None if name in config["checkpoints"] else block["pretrained"]
        for other in (block["upstream"], pretrained):
            if other in config["methods"]:
                visit(other)
        needed[name] = True

    for row in config["rows"].values():
        for name in row["maps"]:
            if name not in (*CONTROLS, *config["external"]):
                visit(name)
    return list(needed)


def weight_files(config: dict) -> dict[str, str]:
    """Files of published weights that the needed methods start from: method to path."""
    found = {}
    for model in models(config):
        pretrained = config["methods"][method(model)]["pretrained"]
        if pretrained is not None and pretrained not in config["methods"]:
            found[method(model)] = pretrained
    return found


def weighted(config: dict) -> list[str]:
    """References that add two maps, the residual of a reconstruction and one of a network.

    How the two are weighed is varied (paper Fig. 5).
    """

    def reconstructs(name: str) -> bool:
        return name not in CONTROLS and config["methods"][method(name)]["reconstructs"]

    found = []
    for row in config["table"]["references"]:
        maps = config["rows"][row]["maps"]
        if len(maps) == 2 and not set(maps) & set(CONTROLS):
            found += [row] * (sum(map(reconstructs, maps)) == 1)
    return found


def random_extractors(config: dict) -> list[str]:
    """Rows with a method whose feature extractor (`extractor`) has random weights."""
    methods = config["methods"]
    at_random = {
        name
        for name, block in methods.items()
        if "extractor" in block and block["pretrained"] is None
    }
    return [
        row for row, block in config["rows"].items() if at_random & {*map(method, block["maps"])}
    ]


def training_datasets(model: str, config: dict) -> tuple[str, str]:
    """Data sets that a model trains and validates on.

    Without a source a method learns from healthy volumes. `draem` trains on them too and adds
    synthetic anomalies slice by slice; it validates on the synthetic volumes made once, or, as it
    trains, on healthy ones (`synthetic.validation`).
    """
    source, of = model.partition("-")[2], healthy(config)
    if not source:
        return of, of
    if source == SYNTHETIC:
        return of, {"test": SYNTHETIC, "training": of}[config["synthetic"]["validation"]]
    return config["lesion_sources"][source], config["lesion_sources"][source]


def healthy(config: dict) -> str:
    """Name of all healthy subjects as one data set: the only one, or the pool of several."""
    return config["healthy"][0] if len(config["healthy"]) == 1 else POOLED


def test_sets(config: dict) -> dict[str, str]:
    """Test sets of the table: name to data set."""
    return {name: config["lesion_sources"][name] for name in config["table"]["test_sets"]}


def pooled_patients(config: dict) -> list[str]:
    """Data sets of the test sets with patients who train, which together are `all_patients`."""
    splits = config["splits"]
    return [n for n in test_sets(config).values() if n not in MADE and splits[n]["train"]]


def used_datasets(config: dict) -> list[str]:
    """Data sets that models are trained or tested on: healthy ones, then as in `lesion_sources`.

    `draem` is one of them if it is tested or validated on; it is made of the healthy ones. So is
    `all_patients` if a model is trained on it; it is made of those that are tested.
    """
    used = set(test_sets(config).values())
    for model in models(config):
        used.update(training_datasets(model, config))
    others = (name for name in config["lesion_sources"].values() if name in used)
    return [*config["healthy"], *others]


def resource(path: str, home: Path = HOME) -> str:
    """A file that the configuration names: here, or in the workflow's own folder."""
    own = home / path
    return path if Path(path).exists() or not own.exists() else str(own)
