"""The configuration as a whole, and those blocks of it that belong to no stage.

The blocks of a stage are in its `settings.py`, those of a method in its package. What is said there
of a key is all there is: the checks (`uad.plan.config`), the table of keys in
`config/README.md` and the schema for editors (`uad.plan.docs`) are made of it.
"""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal, get_type_hints

from uad.base.errors import InputError
from uad.base.settings import Block, Bounds, Count, Positive, key
from uad.engine.settings import Training
from uad.evaluation.settings import Evaluation, Multiverse
from uad.imaging.settings import Preprocessing
from uad.models import methods
from uad.models.settings import Residual, Synthetic
from uad.predict.settings import Bundle, Predict
from uad.simulation.settings import Planted

Name = Annotated[str, Bounds(pattern=r"^[a-z0-9]+$")]
ClaimName = Annotated[str, Bounds(pattern=r"^[a-z][a-z0-9_]*$")]
RowName = Annotated[str, Bounds(pattern=r"^[a-z][a-z0-9_]*(-[a-z0-9]+)?$")]


@dataclass(frozen=True)
class Threads(Block):
    """Block `threads`."""

    train: int = key("of a training job", ge=1)
    infer: int = key("of a reconstruction, scoring or HD-BET job", ge=1)


@dataclass(frozen=True)
class Simulation(Block):
    """Block `simulation`."""

    seed: int = key("decides every simulated voxel, together with the subject's name", ge=0)
    subjects: dict[str, Positive] = key("simulated subjects per data set")


@dataclass(frozen=True)
class Atlas(Block):
    """Block `atlas`."""

    head: str = key("T1 template with skull, for whole heads", min_length=1)
    brain: str = key(
        "T1 template of the brain, for stripped images; its support is the atlas mask",
        min_length=1,
    )
    shape: list[Annotated[int, Bounds(ge=2)]] = key(
        "of the templates, left-right, front-back, up-down; others are refused",
        unit="voxels",
        min_length=3,
        max_length=3,
    )
    spacing_mm: float = key("of the templates", unit="mm", gt=0)


SESSIONS = (
    "of subjects that were scanned several times: `[first]`, `[all]`, or names of sessions; those "
    "of a subject share its role"
)
ONLY = "subjects to use, by label, or `null` for all"
EXCLUDE = (
    "subjects to leave out, by label, and why; or a TSV with columns `subject` and `reason`; they "
    "are named in inventory and report"
)
Reason = Annotated[str, Bounds(min_length=1)]
Exclude = Annotated[
    dict[str, Reason] | Annotated[str, Bounds(min_length=1)],
    Bounds(
        custom_error_type="either",
        custom_error_message="neither",
        custom_error_context={"expected": "subjects with a reason each, or the path of a TSV"},
    ),
]
ORIENTATION = (
    "where the voxel axes point to, such as `RAS`, in files whose headers do not say (sform and "
    "qform code 0); `null`: such subjects are excluded"
)


@dataclass(frozen=True)
class DataSet(Block):
    """A block of `datasets`, of a data set that the project knows."""

    layout: Literal["native", "prepared", "bids", "table"] = key(
        "`native`: as distributed; `prepared`: the authors' preprocessed `<DATA_DIR>`, which "
        "enters after bias correction; `bids` and `table`: cohorts of your own, see below",
        default="native",
    )
    folder: str = key("unpacked archive; any depth of folders above the files", min_length=1)
    sessions: list[str] = key(SESSIONS, default=["first"], min_length=1)
    demographics: str | None = key("spreadsheet with ages, or `null`", default=None)
    only: list[str] | None = key(ONLY, default=None, min_length=1)
    exclude: Exclude = key(EXCLUDE, default={})
    assume_orientation: str | None = key(ORIENTATION, default=None)
    brain_mask: Literal["hd_bet", "deepbet", "atlas", "threshold"] = key(
        "`hd_bet`: heads, by HD-BET; `deepbet`: T1 heads, by deepbet; `atlas`: heads, mask "
        "propagated from the atlas; `threshold`: stripped input, voxels above the mean",
        source="Sec. 4.1; code",
    )


@dataclass(frozen=True)
class OwnDataSet(Block):
    """What the blocks of `layout: bids` and `layout: table` have in common."""

    brain_mask: Literal["hd_bet", "deepbet", "atlas", "threshold", "given"] = key(
        "as above; or `given`: heads, each with a brain mask"
    )
    title: str | None = key("its name for readers, or `null` for that of its block", default=None)
    licence: str = key("under which it may be used", default="not stated")
    source: str = key("where it is from", default="not stated")
    citation: str = key("how to cite it", default="not stated")
    lesion_labels: list[Positive] | None = key(
        "values of its lesion masks that count, or `null`: all above 0", default=None, min_length=1
    )
    stratify: Literal["age_group", "sex", "site"] | None = key(
        "what each role gets the same share of, or `null`", default=None
    )
    sessions: list[str] = key(SESSIONS, default=["first"], min_length=1)
    only: list[str] | None = key(ONLY, default=None, min_length=1)
    exclude: Exclude = key(EXCLUDE, default={})
    assume_orientation: str | None = key(ORIENTATION, default=None)


@dataclass(frozen=True)
class Names(Block):
    """Block `names` of a BIDS folder: patterns of names of files, without `.nii.gz`."""

    image: str | None = key("of images, such as `*_acq-mprage_T1w`, or `null`: all", default=None)
    lesion: str | None = key(
        "of lesion masks, or `null`: suffix `mask`, `dseg` or `roi`, and *lesion* in an entity",
        default=None,
    )
    brain: str | None = key("of brain masks, or `null`: `*_desc-brain_mask`", default=None)


@dataclass(frozen=True)
class Bids(OwnDataSet):
    """A block of `datasets` with `layout: bids`."""

    layout: Literal["bids"] = key("a cohort of your own in a BIDS folder")
    folder: str = key("the BIDS folder; masks may be below its `derivatives`", min_length=1)
    names: Names = key("which of its files are meant", default=Names())
    demographics: str | None = key(
        "TSV with `participant_id`, `age`, `sex` and `site`, or `null` for its `participants.tsv`",
        default=None,
    )


@dataclass(frozen=True)
class TableOfScans(OwnDataSet):
    """A block of `datasets` with `layout: table`."""

    layout: Literal["table"] = key("a cohort of your own in a table")
    table: str = key(
        "TSV with columns `subject` and `image`, and `lesion`, `brain`, `session`, `age`, `sex`, "
        "`site` where there are; paths are relative to it",
        min_length=1,
    )


OWN = {"bids": Bids, "table": TableOfScans}


@dataclass(frozen=True)
class HdBet(Block):
    """Block `hd_bet`."""

    weights: str = key(
        "folder of its published weights; must hold `dataset.json`, `plans.json` and `fold_all/`",
        min_length=1,
    )


@dataclass(frozen=True)
class Released(Block):
    """Block `splits.released`."""

    folder: str = key("the authors' split lists (CSV), for `scheme` `released`", min_length=1)
    purge_leakage: bool = key(
        "`true`: a subject with several roles in a fold keeps one, test before val before train; "
        "`false`: it keeps them all, and Table 1 says so",
        source="code",
    )


@dataclass(frozen=True)
class Split(Block):
    """A data set's block of `splits`."""

    train: int = key("training subjects per fold", source="Sec. 4.1", ge=0)
    val: int = key(
        "validation subjects per fold, disjoint between folds, or common to all without training",
        source="Sec. 4.1; code",
        ge=1,
    )
    test: int | None = key(
        "test subjects, common to all folds; `null` for all others",
        default=None,
        source="Sec. 4.1",
        ge=1,
    )


@dataclass(frozen=True)
class Splits(Block):
    """Block `splits`, without the blocks of the data sets (`Split`) in it."""

    __pydantic_config__ = {**Block.__pydantic_config__, "extra": "ignore"}  # noqa: RUF012

    scheme: Literal["clean", "paper", "released"] = key(
        "`clean`: drawn by subject, without leaks; `paper`: the same, but the 66 ATLAS subjects of "
        "the paper train and validate; `released`: the authors' lists",
        source="here",
    )
    released: Released = key("for `scheme: released` only")
    folds: int = key("number of folds; at most 5 of released lists", source="Sec. 4.1", ge=1)


@dataclass(frozen=True)
class Method(Block):
    """What every method's block of `methods` has beside its own keys (`Params`)."""

    code: str | None = key(
        "Python file or folder of a method that is not in the project, or `null`", default=None
    )
    env: str | None = key(
        "conda environment (YAML) of the jobs that run it, with `--sdm conda`, or `null` for the "
        "project's; it holds what `envs/torch.yaml` does too",
        default=None,
    )
    reconstructs: bool = key("whether it makes pseudo-healthy images", default=False)
    upstream: str | None = key(
        "method of the same fold that this one stands on, or `null`", default=None
    )
    pretrained: str | None = key(
        "weights that training starts from, or of a frozen part: a method, whose model of the same "
        "fold is taken; a file; or `null` for random ones",
        default=None,
    )
    training: Training = key("what differs from the common `training`")


@dataclass(frozen=True)
class Table(Block):
    """Block `table`."""

    rows: list[str] | None = key(
        "names out of `rows`, in this order; `null` for all", default=None, min_length=1
    )
    test_sets: list[str] = key(
        "names out of `lesion_sources`, in this order", source="Sec. 4.1", min_length=1
    )
    references: list[RowName] = key(
        "rows that the others of their block are compared with in Table 2; where a block has none, "
        "its rows are compared with all of them",
        default=[],
        source="here",
    )
    all_pairs: bool = key(
        "compare each row with each other too, in `tables/pairs.tsv`", default=False
    )
    published: str | None = key(
        "file of published values to compare with, per cent, or `null`", default=None
    )
    claims: str | None = key(
        "file of the paper's claims that the run judges, or `null`", default=None
    )
    strata: int | None = key(
        "fewest test subjects of a group on the page on whom the rows fail, `tables/whom.html`, by "
        "site, age, sex, lesion and so on; smaller ones are pooled; `null` for no page",
        default=None,
        source="here",
        ge=2,
    )
    calibration: bool = key(
        "with false-positive rates of healthy voxels and the calibration of probabilities on that "
        "page; reads all anomaly maps once more",
        default=False,
        source="here",
    )
    multiverse: Multiverse | None = key(
        "choices whose combinations `snakemake multiverse` ranks the rows in; `null` for none",
        default=None,
        source="here",
    )


@dataclass(frozen=True)
class Compared(Block):
    """An entry of `compare` in a claim."""

    row: RowName = key("out of `rows`; what the claim is in favour of")
    than: list[RowName] = key("rows that it is compared with, one by one", min_length=1)
    test_sets: list[Name] = key("out of `lesion_sources`", min_length=1)


@dataclass(frozen=True)
class Claim(Block):
    """A claim in the file that `table.claims` names."""

    title: str = key("what is claimed, in one line", min_length=1)
    quote: str = key("the paper's words", min_length=1)
    source: str = key("where in the paper", min_length=1)
    reading: str | None = key(
        "what the words are taken to mean, if they leave it open", default=None
    )
    published: str | None = key("effect that the paper names, in its own terms", default=None)
    kind: Literal["above", "not_below", "best_weight"] = key(
        "`above`: the row is above every other; `not_below`: not below it by more than `margin`; "
        "`best_weight`: a row of SADM_res is, at a weight of its residual map between 0 and 1, "
        "above every other"
    )
    metric: Literal["dice_best", "dice_val", "auprc"] = key("of the subjects")
    margin: float = key("of `not_below`: share of the other row's mean", default=0, ge=0, lt=1)
    compare: list[Compared] = key("the claim holds if every comparison does", min_length=1)


@dataclass(frozen=True)
class Claims(Block):
    """The file that `table.claims` names."""

    paper: str = key("whose claims they are", min_length=1)
    claims: dict[ClaimName, Claim] = key("one block per claim", min_length=1)


@dataclass(frozen=True)
class External(Block):
    """A block of `external`."""

    folder: str = key("of the maps: `[fold-K/]DATA_SET/SUBJECT`, NIfTI or .npy", min_length=1)
    space: Literal["packed", "atlas", "native"] = key(
        "grid of the maps: that of exported images, of the preprocessed ones at 1 mm, or of the "
        "scans as found",
        default="packed",
    )


@dataclass(frozen=True)
class Row(Block):
    """A block of `rows`."""

    block: str = key(
        "of Table 1: `I`, `II` and `III` are the paper's, `control` is compared with nothing, any "
        "other text is a heading; in the order in which rows name them",
        min_length=1,
    )
    label: str = key("name in the table; `_` begins a subscript")
    healthy: bool = key("whether `healthy` is its D_healthy in the table")
    maps: list[str] = key(
        "models, controls or `external` maps that are added (eq. 3)", source="Sec. 3", min_length=1
    )


@dataclass(frozen=True)
class Config(Block):
    """The configuration; what is in `methods` and the data sets' `splits` is checked on its own."""

    results: str = key("folder of everything that is written", min_length=1)
    seed: int = key(
        "every random number derives from it and from what it is for", source="code", ge=0
    )
    folds: list[Count] = key("folds to run; each below `splits.folds`", min_length=1)
    accelerator: Literal["auto", "cpu", "cuda"] = key(
        "`auto` (a GPU if there is one), `cpu`, or `cuda` (refuse to run without)", default="auto"
    )
    local_gpus: int = key(
        "jobs that may use this machine's GPUs at once; two share one only if there are more jobs "
        "than GPUs (on a cluster the scheduler decides)",
        default=1,
        ge=1,
    )
    modality: Literal["T1", "T2", "FLAIR"] = key(
        "contrast of all images; ATLAS v2 has T1 only, IXI no FLAIR", source="Sec. 4.1"
    )
    keep_maps: bool = key(
        "keep every anomaly map (2 GB per model, fold and large data set) instead of deleting it "
        "after its last use",
        default=False,
    )
    threads: Threads = key("CPU threads per job")
    simulation: Simulation | None = key(
        "`null` for real data; else simulated scans take the place of all data sets", default=None
    )
    atlas: Atlas = key("SRI24 templates (Rohlfing et al. 2010), targets of registration")
    datasets: dict[str, dict] = key(
        "native folders, as distributed, and cohorts of your own; used are those that are trained "
        "or tested on"
    )
    healthy: list[str] = key(
        "data sets of healthy subjects, to train on and for false positives; several are one",
        source="Sec. 4.1",
        min_length=1,
    )
    hd_bet: HdBet = key("brain extraction of data sets with `brain_mask: hd_bet`")
    preprocessing: Preprocessing = key(
        "from native volumes to those the networks see: register, strip, N4, downsample"
    )
    splits: Splits = key("folds, and subjects per fold of each data set")
    lesion_sources: dict[Name, str] = key(
        "what may be a test set or D_unhealthy, and the data set behind each; `draem` are "
        "synthetic anomalies in healthy scans",
        min_length=1,
    )
    training: Training = key(
        "of every method; each method's `training` block may change some of it"
    )
    synthetic: Synthetic = key(
        "synthetic anomalies: of the D_unhealthy `draem`, and of `draem_net` unless its own block "
        "says otherwise",
        default=Synthetic(),
    )
    methods: dict[str, dict] = key("one block per trained method")
    checkpoints: dict[str, str] = key(
        "models that are not trained but taken from the authors' Lightning checkpoints: a model, "
        "such as `cddpm` or `unet_res-brats`, to a folder with `fold-0.ckpt` and so on",
        default={},
    )
    residual: Residual = key("anomaly map of the methods that reconstruct")
    evaluation: Evaluation = key("how metrics are computed")
    table: Table = key("what is in Table 1")
    external: dict[str, External] = key(
        "anomaly maps made elsewhere, which `rows` may name as they name models", default={}
    )
    rows: dict[RowName, Row] = key("rows that Table 1 may have", min_length=1)
    planted: Planted | None = key(
        "lesions planted into healthy test scans, to measure which ones each row sees, or `null`",
        default=None,
    )
    bundle: Bundle | None = key("what `snakemake bundle` makes a file of", default=None)
    predict: Predict | None = key("what `snakemake predict` makes maps of", default=None)


def of_method(name: str) -> type[Method]:
    """The block of a method: its own keys and those that every method has.

    Raises
    ------
    InputError
        If there is no such method, or one of its keys has the name of one that every method has.
    """
    params = methods.load(name).Params
    common = {field.name for field in dataclasses.fields(Method)}
    for field in dataclasses.fields(params):
        if field.name in common:
            raise InputError(
                f"methods.{name}: its Params has the key {field.name}, but every method has a key "
                "of that name already"
            )
    types = get_type_hints(params, include_extras=True)
    own = [
        (
            field.name,
            types[field.name],
            dataclasses.field(
                default=field.default,
                default_factory=field.default_factory,
                metadata=field.metadata,
            ),
        )
        for field in dataclasses.fields(params)
        if field.name != "slice_shape"  # from the data
    ]
    namespace = {"__doc__": f"Block `methods.{name}`."}
    return dataclasses.make_dataclass(
        name, own, bases=(Method,), namespace=namespace, frozen=True, kw_only=True
    )
