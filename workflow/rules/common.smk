"""Configuration, subjects and the functions that rules take inputs and parameters from."""

import os
import shlex
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
SRC = Path(workflow.basedir) / "src"
sys.path.insert(0, str(SRC))
# For the jobs: before what is installed, and without installing anything.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(SRC), *filter(None, [os.environ.get("PYTHONPATH")])]
)

from uad.base.digests import code_digest, docstring, revision
from uad.base.errors import InputError
from uad.data import datasets, downloads, released
from uad.evaluation import controls
from uad.models import methods
from uad.plan import config as uad_config, published_weights
from uad.report import captions, run_record as record
from uad.simulation import names as simulated


def planned(function, *arguments):
    """Call a library function; a mistake of the user ends planning with one sentence."""
    try:
        return function(*arguments)
    except InputError as error:
        raise WorkflowError(str(error))


config["folds"] = uad_config.from_command_line(config["folds"])
planned(uad_config.check, config, Path(workflow.basedir) / "workflow/schemas/config.schema.yaml")

ROOT = config["results"]
SIMULATION = config["simulation"]
MODELS = uad_config.models(config)
TRAINED = list(dict.fromkeys(map(uad_config.method, MODELS)))
# Models that only give others the weights they start from.
PRETRAINED = [m for m in MODELS if m in {b["pretrained"] for b in config["methods"].values()}]
TEST_SETS = uad_config.test_sets(config)
# Data sets with test subjects: those of the table, and the healthy one, for false positives.
HEALTHY = "ixi"
TEST_DATASETS = [*TEST_SETS.values(), HEALTHY]
SPLIT_DATASETS = uad_config.used_datasets(config)  # with `draem`, where it is used
RECONSTRUCTING = [m for m in MODELS if config["methods"][uad_config.method(m)]["reconstructs"]]
BRAIN_MASKS = {name: block["brain_mask"] for name, block in config["datasets"].items()}

if not workflow.non_local_exec and "gpu" not in workflow.global_resources:
    workflow.global_resources["gpu"] = config["local_gpus"]


# Subjects: data set -> label -> paths in its folder. Simulated files need not exist yet.


def raw_folder(dataset):
    """Where a data set's native files are."""
    return f"{ROOT}/raw/{dataset}" if SIMULATION else config["datasets"][dataset]["folder"]


def layout(dataset):
    """`native`, or `prepared` for the authors' preprocessed data."""
    return "native" if SIMULATION else config["datasets"][dataset]["layout"]


def find_subjects(dataset):
    """Subjects of a data set by the names of its files, or why there are none."""
    folder = raw_folder(dataset)
    try:
        if SIMULATION:
            scans = simulated.scans(dataset, SIMULATION["subjects"][dataset], SIMULATION["seed"])
            files = [file for scan in scans for file in simulated.files(dataset, scan)]
        else:
            files = datasets.list_files(folder, f"datasets.{dataset}.folder")
        return datasets.find(dataset, files, folder, config["modality"], layout(dataset))
    except InputError as error:
        return error


REGISTERED = [name for name in config["datasets"] if layout(name) == "native"]

LISTINGS = {dataset: find_subjects(dataset) for dataset in config["datasets"]}

# What is missing stops the run at once, but not the two targets that are there to say so and to
# fetch it, not `--unlock`, and not the jobs of a cluster, of which each needs only some of the data.
# Targets are not known to the workflow yet, hence the command line.
STRICT = workflow.is_main_process and not any(
    word in ("check", "download", "--unlock") or word.startswith("data/downloads/")
    for word in sys.argv
)

for dataset, listing in LISTINGS.items():
    if isinstance(listing, InputError):
        if STRICT:
            raise WorkflowError(str(listing))
    elif workflow.is_main_process and listing.left_out:
        (first, reason), *others = listing.left_out
        more = f" and {len(others)} more (`snakemake check` lists them)" if others else ""
        logger.warning(f"{dataset}: leaving out {first}: {reason}{more}")


def subjects_of(dataset):
    """Subjects of a data set by label; ends planning if there are none."""
    listing = LISTINGS[dataset]
    if isinstance(listing, InputError):
        raise WorkflowError(str(listing))
    return listing.subjects


def native_files(wildcards):
    """Every file of a data set's subjects; none if the data set is not there."""
    listing = LISTINGS[wildcards.dataset]
    if isinstance(listing, InputError):
        return []
    return [
        path
        for subject in listing.subjects.values()
        for path in found_files(wildcards.dataset, subject).values()
    ]


def known_of(wildcards):
    """What the names of a data set's files tell, for its inventory."""
    listing = LISTINGS[wildcards.dataset]
    there = not isinstance(listing, InputError)
    return {
        "folder": raw_folder(wildcards.dataset),
        "layout": layout(wildcards.dataset),
        "missing": None if there else str(listing),
        "found": len(listing.subjects) if there else 0,
        "left_out": listing.left_out if there else [],
    }


# Lists that splits are read from; a data set without any is split by a draw (`clean`).


def split_lists(dataset):
    """Files of a data set's lists; the paper's ids are known for ATLAS v2 only."""
    scheme, n_folds = config["splits"]["scheme"], config["splits"]["folds"]
    if scheme == "released":
        folder = config["splits"]["released"]["folder"]
        return planned(released.paths, folder, dataset, n_folds)
    if scheme == "paper" and dataset == "atlas_v2":
        return ["workflow/resources/atlas_v2_paper_split.txt"]
    return []


if STRICT:
    for dataset in config["datasets"]:
        split_lists(dataset)

RELEASED = config["splits"]["released"] if config["splits"]["scheme"] == "released" else {}


wildcard_constraints:
    dataset="|".join([*config["datasets"], "draem"]),
    subject="[A-Za-z0-9]+",
    model="|".join(MODELS) or "none",
    method="|".join(TRAINED) or "none",
    row="|".join(config["rows"]),
    fold=r"\d+",
    test_set="|".join(TEST_SETS),
    scan="[A-Za-z0-9_/-]+",  # of simulated files; no dot, so that none leads out of its folder
    site=r"R\d+",


# Parameters. The digest makes jobs follow the code they run (see uad/provenance.py).


def code(script, *modules):
    """Digest of a script and of all library code it uses."""
    return code_digest(SCRIPTS / script, *modules)


def training_code(wildcards):
    """Digest of the training of a model: its method, the one it stands on, its anomalies."""
    method = uad_config.method(wildcards.model)
    source = wildcards.model.partition("-")[2]
    used = methods.sources(method, config["methods"][method]["upstream"], source)
    return code("train_model.py", *used)


def model_code(script):
    """Digest of a script that runs the wildcard model's method after its training."""
    return lambda wildcards: code(script, *methods.sources(uad_config.method(wildcards.model)))


def method_block(wildcards):
    """The configuration block of the wildcard model's method."""
    return config["methods"][uad_config.method(wildcards.model)]


def training_block(wildcards):
    """What of that block decides the weights."""
    return methods.training_params(uad_config.method(wildcards.model), method_block(wildcards))


def test_block(wildcards):
    """What of that block only matters after training."""
    return methods.test_params(uad_config.method(wildcards.model), method_block(wildcards))


def save_minutes(wildcards, threads):
    """How often the state of a training is saved; decides no result (see `hd_bet_program`)."""
    return method_block(wildcards)["training"]["save_minutes"]


def growing(amount, on_cpu=None):
    """Memory or time of a job: as much again with each attempt, if a cluster is told to retry.

    `on_cpu`, if given, is the amount where the configuration keeps to the CPU.
    """
    if on_cpu and config["accelerator"] == "cpu":
        amount = on_cpu
    return lambda wildcards, attempt: amount * attempt


def gpus(wildcards):
    """GPUs that a job asks for: none where the configuration keeps to the CPU."""
    return 0 if config["accelerator"] == "cpu" else 1


def local_gpus(wildcards, threads):
    """Jobs that may compute on this machine's GPUs at once; decides no result (see below)."""
    return config["local_gpus"]


def hd_bet_program(wildcards, threads):
    """Command of rule strip_skull_hd_bet, without its arguments.

    The interpreter is that of the rule's conda environment or of `make setup-hdbet`; any other says
    what is missing. Where it is decides no result, so moving it must not rerun anything: Snakemake
    leaves out parameters that ask for `threads` when it looks for changes.
    """
    python = Path(workflow.basedir) / ".venv-hdbet/bin/python"
    if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
        python = "python"
    elif not python.exists():
        python = sys.executable
    return shlex.join([str(python), str(SCRIPTS / "strip_skull_hd_bet.py")])


# Inputs.


def raw_files(wildcards):
    """A subject's files as found: image, and what there is of lesion and brain mask."""
    return found_files(wildcards.dataset, subject_of(wildcards))


def subject_of(wildcards):
    """The wildcards' subject; ends planning if there is none of that label."""
    subject = subjects_of(wildcards.dataset).get(wildcards.subject)
    if subject is None:
        raise WorkflowError(f"{wildcards.dataset} has no subject {wildcards.subject}")
    return subject


def found_files(dataset, subject):
    """A subject's files by kind."""
    folder = raw_folder(dataset)
    found = {"image": subject.image, "lesion": subject.lesion, "brain": subject.brain}
    return {kind: f"{folder}/{path}" for kind, path in found.items() if path}


PREPROCESSED = {
    "image": f"space-SRI24_desc-preproc_{config['modality']}w.nii.gz",
    "brain": "space-SRI24_desc-brain_mask.nii.gz",
    "lesion": "space-SRI24_label-lesion_mask.nii.gz",
}


def preprocessed_files(wildcards):
    """Image, brain and lesion mask at 1 mm, input of `downsample`."""
    return files_at_1mm(wildcards.dataset, subject_of(wildcards))


def files_at_1mm(dataset, subject):
    """A subject's preprocessed files: ours, or the authors' as found."""
    if layout(dataset) == "prepared":
        return found_files(dataset, subject)
    stem = f"{ROOT}/preprocessed/{dataset}/sub-{subject.subject}/sub-{subject.subject}"
    return {kind: f"{stem}_{ending}" for kind, ending in PREPROCESSED.items()}


def atlas_file(kind):
    """Path of an atlas template, `head` or `brain`."""
    if SIMULATION:
        return f"{ROOT}/atlas/{dict(head='T1', brain='T1_brain')[kind]}.nii"
    return config["atlas"][kind]


# Templates, and the grid that they must have.
ATLAS = (
    atlas_file("head"),
    atlas_file("brain"),
    config["atlas"]["shape"],
    config["atlas"]["spacing_mm"],
)


def demographics(wildcards):
    """The data set's spreadsheet, if it has one."""
    if SIMULATION:
        return f"{ROOT}/raw/ixi/IXI.xls" if wildcards.dataset == "ixi" else []
    return config["datasets"][wildcards.dataset]["demographics"] or []


def of_every_subject(pattern):
    """Input function: a file of every subject of the wildcard data set."""
    resolution = f"{config['preprocessing']['spacing_mm']:g}mm"
    ending = pattern.format(weighted=f"{config['modality']}w", resolution=resolution)
    return lambda wildcards: [
        f"{ROOT}/preprocessed/{wildcards.dataset}/sub-{label}/sub-{label}_{ending}"
        for label in subjects_of(wildcards.dataset)
    ]


def registration_quality(wildcards):
    """Quality of every subject's registration; none where the data came registered."""
    if layout(wildcards.dataset) == "prepared":
        return []
    return of_every_subject("desc-registration_qc.json")(wildcards)


def packed(dataset):
    """The files of a packed data set."""
    names = ("image.npy", "brain.npy", "lesion.npy", "subjects.tsv")
    return [f"{ROOT}/packed/{dataset}/{name}" for name in names]


def training_data(wildcards):
    """What a model trains and validates on, and the model it stands on."""
    train, val = uad_config.training_datasets(wildcards.model, config)
    block = method_block(wildcards)
    files = {
        "train": packed(train),
        "train_split": f"{ROOT}/splits/{train}.tsv",
        "val": packed(val),
        "val_split": f"{ROOT}/splits/{val}.tsv",
    }
    for part in ("upstream", "pretrained"):
        source = block[part]
        if source in config["methods"]:
            files[part] = f"{ROOT}/models/{source}/fold-{wildcards.fold}/model.pt"
        elif source:
            files[part] = planned(
                published_weights.find, source, uad_config.method(wildcards.model)
            )
    return files


def test_packs(wildcards):
    """Packed volumes of every test set, by name of the data set."""
    return {dataset: packed(dataset) for dataset in TEST_DATASETS}


def reconstructions(wildcards):
    """The reconstructions that a model's maps are computed from, if any, for every test set."""
    block = method_block(wildcards)
    source = wildcards.model if block["reconstructs"] else block["upstream"]
    if source is None:
        return []
    folder = f"{ROOT}/reconstructions/{source}/fold-{wildcards.fold}"
    return [f"{folder}/{dataset}/reconstruction.npy" for dataset in TEST_DATASETS]


def tuned_on_training(dataset):
    """Whether thresholds are tuned on a data set's training subjects too, as by the released code."""
    return config["evaluation"]["threshold"] == "released" and dataset != HEALTHY


def anomaly_maps(model, fold):
    """A model's anomaly maps for every test set."""
    folder = f"{ROOT}/scores/{model}/fold-{fold}"
    return [f"{folder}/{dataset}/anomaly_map.npy" for dataset in TEST_DATASETS]


def row_maps(wildcards):
    """Anomaly maps that a row adds up, for every test set."""
    names = config["rows"][wildcards.row]["maps"]
    return [
        path
        for name in names
        if name not in controls.CONTROLS
        for path in anomaly_maps(name, wildcards.fold)
    ]


def row_reconstruction(wildcards):
    """The first of a row's models that reconstructs, or None."""
    for name in config["rows"][wildcards.row]["maps"]:
        if (
            name not in controls.CONTROLS
            and config["methods"][uad_config.method(name)]["reconstructs"]
        ):
            return name
    return None


def row_reconstructions(wildcards):
    """The reconstructions of that model for every test set with lesions."""
    model = row_reconstruction(wildcards)
    folder = f"{ROOT}/reconstructions/{model}/fold-{wildcards.fold}"
    names = TEST_SETS.values() if model else []
    return [f"{folder}/{dataset}/reconstruction.npy" for dataset in names]


def of_every_fold(pattern):
    """A file per fold that runs."""
    return [f"{ROOT}/{pattern.format(fold=fold)}" for fold in config["folds"]]


# Method cards.


def models_of(method):
    """A method's models."""
    return [model for model in MODELS if uad_config.method(model) == method]


def rows_of(method):
    """Rows of Table 1 that add up a map of one of a method's models."""
    return [
        row
        for row, block in config["rows"].items()
        if any(uad_config.method(name) == method for name in block["maps"])
    ]


def card_files(wildcards):
    """Records of a method's models; metrics only because its jobs have been measured by then."""
    return {
        **{
            kind: [
                path
                for model in models_of(wildcards.method)
                for path in of_every_fold(f"models/{model}/fold-{{fold}}/{name}")
            ]
            for kind, name in (("abouts", "about.json"), ("histories", "history.tsv"))
        },
        "metrics": [
            path
            for row in rows_of(wildcards.method)
            for path in of_every_fold(f"metrics/{row}/fold-{{fold}}.tsv")
        ],
    }


def of_every_row(pattern):
    """A file per row and fold that runs, fold changing fastest."""
    return [
        f"{ROOT}/{pattern.format(row=row, fold=fold)}"
        for row in config["rows"]
        for fold in config["folds"]
    ]


# Figures.

MONTAGE_SUBJECTS = 4
FIRST_FOLD = config["folds"][0]  # shown where a figure shows one fold
# Test sets that SADM_res is also trained for: examples are chosen by it.
CASE_SETS = [name for name in TEST_SETS if f"sadm_res-{name}" in config["rows"]]
REAL_CASE_SETS = [name for name in CASE_SETS if name != "draem"]
# Rows of SADM_res, whose two maps are weighted, and of what it is made of.
WEIGHTED_ROWS = [row for row in config["rows"] if row.partition("-")[0] == "sadm_res"]
CURVE_ROWS = [
    row for row in config["rows"] if row.partition("-")[0] in ("cddpm", "unet_res", "sadm_res")
]
LABELS = {row: block["label"] for row, block in config["rows"].items()}
# Rows compared by the volume of the lesion.
VOLUME_ROWS = {name: ["cddpm", f"sadm_res-{name}"] for name in CASE_SETS if "cddpm" in LABELS}


def montage_subjects(dataset):
    """The first subjects of a data set, shown as examples of its preprocessing."""
    return list(subjects_of(dataset).values())[:MONTAGE_SUBJECTS]


def montage_files(kind):
    """Input function: a preprocessed file of each subject in the montage."""
    return lambda wildcards: [
        files_at_1mm(wildcards.dataset, subject)[kind]
        for subject in montage_subjects(wildcards.dataset)
    ]


def branches(row):
    """Maps of a row of SADM_res: that of the reconstruction, then that of the segmentation."""
    return sorted(
        config["rows"][row]["maps"],
        key=lambda name: not config["methods"][uad_config.method(name)]["reconstructs"],
    )


def scored_rows():
    """Rows of the table that are not controls, and their maps."""
    rows = config["rows"].items()
    return {row: block["maps"] for row, block in rows if block["block"] != "control"}


def volume_rows():
    """Rows compared by the volume of the lesion, over all test sets."""
    return list(dict.fromkeys(row for rows in VOLUME_ROWS.values() for row in rows))


def paper_figures():
    """Figures that the rows of the configuration allow."""
    names = [f"cases_{test_set}.png" for test_set in CASE_SETS]
    names += ["comparison.png"] * bool(REAL_CASE_SETS)
    names += ["lesion_volume.svg"] * bool(VOLUME_ROWS)
    names += ["weights.svg"] * bool(WEIGHTED_ROWS)
    names += ["precision_recall.svg"] * bool(CURVE_ROWS)
    names += ["synthetic.png"] * ("draem" in TEST_SETS)
    return [f"{ROOT}/figures/{name}" for name in names]


def maps_of(rows, test_sets, fold):
    """Anomaly maps that some rows add up, for some test sets."""
    names = dict.fromkeys(name for row in rows for name in config["rows"][row]["maps"])
    return [
        f"{ROOT}/scores/{name}/fold-{fold}/{TEST_SETS[test_set]}/anomaly_map.npy"
        for test_set in test_sets
        for name in names
        if name not in controls.CONTROLS
    ]


def test_data(wildcards):
    """Packs and splits of the test sets, or of the wildcard one."""
    test_set = wildcards.get("test_set")
    names = [TEST_SETS[test_set]] if test_set else TEST_DATASETS
    return {
        "packed": [path for name in names for path in packed(name)],
        "splits": [f"{ROOT}/splits/{name}.tsv" for name in names],
    }


def case_reconstruction(wildcards):
    """Reconstructions behind the residual map of SADM_res, in the fold that is shown."""
    model = branches(f"sadm_res-{wildcards.test_set}")[0]
    dataset = TEST_SETS[wildcards.test_set]
    return f"{ROOT}/reconstructions/{model}/fold-{FIRST_FOLD}/{dataset}/reconstruction.npy"


# Front page, methods text, provenance.


@cache
def code_of_run(wildcards=None):
    """Digests of all code; not at the start, since every job plans anew."""
    return record.code(workflow.basedir)


def cost(rule, of, files, jobs, jobs_full=None, gpu=False):
    """Jobs of a rule for `uad.costs.table`."""
    return {
        "rule": rule, "of": of, "files": files, "jobs": jobs,
        "jobs_full": jobs if jobs_full is None else jobs_full, "gpu": gpu,
    }  # fmt: skip


def cost_of_subjects(rule, gpu=False):
    """Jobs of a rule that every subject of a registered data set has, by data set."""
    for dataset in REGISTERED:
        listing = LISTINGS[dataset]
        jobs = 0 if isinstance(listing, InputError) else len(listing.subjects)
        yield cost(rule, dataset, [f"{rule}/{dataset}/*.tsv"], jobs, gpu=gpu)


def cost_of_folds(rule, names, files, gpu=False):
    """Jobs of a rule that every fold has for some models or rows, by method."""
    groups = {}
    for name in names:
        groups.setdefault(uad_config.method(name), []).append(name)
    for method, members in groups.items():
        found = [
            file.format(name=name, fold=fold)
            for name in members
            for fold in config["folds"]
            for file in files
        ]
        per_fold = len(members) * len(files)
        yield cost(rule, method, found, len(found), per_fold * config["splits"]["folds"], gpu)


def costs_plan(wildcards=None):
    """Jobs whose cost is measured, in the data's way."""
    reconstructing = [m for m in MODELS if config["methods"][uad_config.method(m)]["reconstructs"]]
    trained = [model for model in MODELS if model not in PRETRAINED]
    run = "{name}/fold-{fold}"
    with_hd_bet = [
        line
        for line in cost_of_subjects("strip_skull_hd_bet", True)
        if BRAIN_MASKS[line["of"]] == "hd_bet"
    ]
    return [
        *cost_of_subjects("register_to_sri24"),
        *with_hd_bet,
        *cost_of_subjects("correct_bias"),
        *cost_of_folds("pretrain", PRETRAINED, [f"train_model/{run}.tsv"], True),
        *cost_of_folds("train_model", trained, [f"train_model/{run}.tsv"], True),
        *cost_of_folds(
            "reconstruct",
            reconstructing,
            [f"reconstruct/{run}/{dataset}.tsv" for dataset in TEST_DATASETS],
            True,
        ),
        *cost_of_folds("score", trained, [f"score/{run}.tsv"], True),
        *cost_of_folds("evaluate", config["rows"], [f"evaluate/{run}.tsv"]),
    ]


def run_facts(wildcards=None):
    """What the front page says of the run that is not in its results."""
    overlays = [Path(os.path.relpath(path)).as_posix() for path in workflow.overwrite_configfiles]
    shown = [f for name in ("cases", "weights", "precision") for f in paper_figures() if name in f]
    return {
        "simulated": bool(SIMULATION),
        "configs": list(dict.fromkeys(["config/config.yaml", *overlays])),
        "modality": config["modality"],
        "scheme": config["splits"]["scheme"],
        "folds": config["folds"],
        "n_folds": config["splits"]["folds"],
        "seed": config["seed"],
        "accelerator": config["accelerator"],
        "rows": config["rows"],
        "models": MODELS,
        "test_sets": list(TEST_SETS),
        "datasets": list(config["datasets"]),
        "figures": [path.removeprefix(f"{ROOT}/") for path in shown],
        "code": code_of_run()["all"],
    }


def methods_text(wildcards):
    """Captions of the report as one text."""
    # A method says itself what it is, below the caption of all.
    names = {
        "dataset": list(config["datasets"]),
        "test_set": CASE_SETS or [""],
        "method": [", ".join(TRAINED)],
    }
    drawn = [Path(path).name for path in paper_figures()]
    figures = captions.ORDER["Figures"]
    left_out = [name for name in figures if not any(file.startswith(name) for file in drawn)]
    docstrings = {method: docstring(f"uad.models.methods.{method}") for method in TRAINED}
    folder = Path(workflow.basedir) / "workflow/report"
    return captions.text(folder, config, names, left_out, docstrings)


def other_inputs(wildcards):
    """Files that results depend on, beside the data sets and HD-BET's weights."""
    files = [atlas_file("head"), atlas_file("brain")] if REGISTERED else []
    files += [path for dataset in config["datasets"] for path in split_lists(dataset)]
    files += [demographics(SimpleNamespace(dataset=dataset)) for dataset in config["datasets"]]
    files += [config["table"]["published"], *uad_config.weight_files(config).values()]
    return list(dict.fromkeys(path for path in files if path))


def write_failed_page():
    """A front page of what there is when the run stops with an error; never an error itself."""
    if not STRICT or not Path(ROOT).is_dir():
        return
    try:
        from uad.report import front_page

        facts = run_facts() | {"revision": revision()}
        costs = front_page.measure(ROOT, costs_plan(), facts)
        front_page.write(Path(ROOT) / front_page.FAILED, ROOT, facts, costs, finished=False)
        logger.info(f"What is there and what failed: {ROOT}/{front_page.FAILED}")
    except Exception as error:  # also where this environment lacks pandas or matplotlib
        logger.info(f"No page about this failure: {error}")
