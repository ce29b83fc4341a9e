"""Where a run departs from the paper or the authors' released code, topic by topic.

What paper and code say are facts of `workflow/resources/departures.tsv`, one line a topic, each
with its place in the paper or the repository that it was found in (`paper_at`, `code_of`), and page
and line of the project's specifications and review that state it (`paper_read`, `code_read`). What
this workflow does is told here, from the configuration wherever a key decides it. One table serves
the report's page, which compares the sources with the run's configuration, and `config/README.md`,
which shows the default configuration.
"""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from uad.report import pages

SILENT = "–"
MISSING = "n/a"  # in the file of facts: the source is silent

# The library lies where the workflow lies, in a checkout as in an installed package.
FACTS = Path(__file__).parents[3] / "workflow/resources/departures.tsv"


def _of_methods(methods, text):
    """What a function says of several methods' blocks; by name where they differ."""

    def here(config: Mapping[str, Any]) -> str:
        said: dict[str, list[str]] = {}
        for name in methods:
            said.setdefault(text(config["methods"][name]), []).append(name)
        if len(said) == 1:
            return next(iter(said))
        return "; ".join(f"{', '.join(names)}: {words}" for words, names in said.items())

    return here


def _ways(key, words):
    """What the named ways of a key are, in words."""

    def here(config: Mapping[str, Any]) -> str:
        node = config
        for part in key.split("."):
            node = node[part]
        return words[node]

    return [key], here


def _anomalies(key, words):
    """The same of synthetic anomalies, for models of D_unhealthy DRAEM and for DRAEM-Net."""

    def here(config: Mapping[str, Any]) -> str:
        common, own = config["synthetic"][key], config["methods"]["draem_net"]["anomalies"][key]
        if common == own:
            return words[common]
        return f"{words[common]}; draem_net: {words[own]}"

    return [f"synthetic.{key}", f"methods.draem_net.anomalies.{key}"], here


def _training(key, *methods):
    return _of_methods(methods, lambda block: f"{block['training'][key]:g}")


def _numbers(key, *methods):
    return _of_methods(methods, lambda block: ", ".join(map(str, block[key])))


def _masks(config):
    names = {
        "hd_bet": "HD-BET",
        "deepbet": "deepbet",
        "atlas": "propagated from the atlas",
        "threshold": "image mean",
        "given": "as given",
    }
    blocks = config["datasets"].items()
    kinds = {
        name: "as prepared" if block["layout"] == "prepared" else names[block["brain_mask"]]
        for name, block in blocks
    }
    return "; ".join(f"{name}: {kind}" for name, kind in kinds.items())


def _subjects(config):
    splits = config["splits"]
    if splits["scheme"] == "released":
        return "released lists, " + ("purged" if splits["released"]["purge_leakage"] else "as is")
    sizes = " + ".join(
        " / ".join(str(splits[name][role]) for role in ("train", "val", "test"))
        for name in config["healthy"]
    )
    strata = "by age group" if config["healthy"] == ["ixi"] else "by data set"
    return f"{sizes} subjects, drawn {strata}, validation sets disjoint"


def _atlas_subjects(config):
    if "atlas_v2" not in config["datasets"]:
        return "not used"
    if config["splits"]["scheme"] == "paper":
        return "the paper's 6 + 60 subjects, all others test"
    if config["splits"]["scheme"] == "released":
        return "6 + 169 / 480"
    counts = config["splits"]["atlas_v2"]
    return f"{counts['val']} + {counts['train']}, drawn; all others test"


def _hard_input(config):
    block = config["preprocessing"]["registration"]
    return (
        f"other starting positions where a rigid search ends below a similarity of "
        f"{block['retry_below']:g}; "
        f"exclusion below {block['min_similarity']:g}"
    )


def _preprocessing(block, *keys):
    return lambda config: ", ".join(f"{config['preprocessing'][block][key]}" for key in keys)


def _kl(config):
    block = config["methods"]["vae"]
    return f"{block['kl_weight']:g}, {block['kl_reduction']} over dimensions, mean over slices"


def _dae(config):
    block = config["methods"]["dae"]
    return (
        f"noise in the brain, on a grid of {block['noise_grid']}; {block['loss']} loss everywhere"
    )


def _extractor(method, network):
    def here(config: Mapping[str, Any]) -> str:
        at_random = config["methods"][method]["pretrained"] is None
        return f"{network}, " + ("random" if at_random else "ImageNet weights")

    return here


def _updates(config):
    training, splits = config["methods"]["cddpm"]["training"], config["splits"]
    batch = f"batches of {training['batch_size']}"
    if splits["scheme"] == "released":
        return f"as many as the listed subjects give {batch}"
    n_train = sum(splits[name]["train"] for name in config["healthy"])
    slices = n_train * training["slices_per_volume"]
    full, rest = divmod(slices, training["batch_size"])
    updates = full if full and (training["drop_last"] or not rest) else full + 1
    return f"{updates} ({slices} slices in {batch})"


def _checkpoint(block):
    training = block["training"]
    if training["validation"] == "random":
        augmented = ", augmented" if training["augment"] else ""
        return f"one random slice per volume, random noise level and noise{augmented}"
    per_volume = training["validation_slices"]
    return f"fixed slices ({per_volume} per volume), noise levels and noise, not augmented"


def _residual(config):
    kind, erosion = config["residual"]["kind"], config["residual"]["erosion"]
    text = {"ssim": "1 - SSIM", "l1": "absolute difference"}[kind]
    return text + (f", brain eroded by {erosion} voxels" if erosion else "")


def _components(config):
    size = config["evaluation"]["min_component"]
    return f"fewer than {size} voxels" if size > 1 else "none"


# What this workflow does, by the name of a topic in the file of facts: the keys of the
# configuration that decide it, and a function of the configuration; or a text where none does.
HERE: dict[str, tuple[list[str], Callable[[Mapping[str, Any]], str] | str]] = {
    "healthy_subjects": (["splits.scheme", "healthy", "splits.ixi"], _subjects),
    "atlas_subjects": (["splits.scheme", "splits.atlas_v2"], _atlas_subjects),
    "order": ([], "register, strip, N4"),
    "target": ([], "T1 head template for heads, T1 brain template for stripped images"),
    "hard_input": (
        [
            "preprocessing.registration.retry_below",
            "preprocessing.registration.min_similarity",
        ],
        _hard_input,
    ),
    "lesions": _ways(
        "preprocessing.registration.lesions",
        {"nearest": "nearest neighbour", "linear": "linear, all above 0"},
    ),
    "fractional_masks": _ways(
        "preprocessing.masks",
        {"binary": "binary", "fractional": "linear; kept fractional where they multiply scores"},
    ),
    "brain_masks": (["datasets.*.brain_mask"], _masks),
    "n4_iterations": (
        ["preprocessing.bias_field.iterations"],
        _preprocessing("bias_field", "iterations"),
    ),
    "n4_weights": _ways(
        "preprocessing.bias_field.weights",
        {"binary": "brain mask, binary", "smoothed": "brain mask, smoothed with sigma 1"},
    ),
    "n4_brats": ([], "none"),
    "cut": ([], "after N4"),
    "box": _ways(
        "preprocessing.box",
        {"whole": "the whole", "released": "without the last plane along each axis"},
    ),
    "cut_prepared": _ways(
        "preprocessing.cut_prepared", {False: "as they are", True: "cut to the brain once more"}
    ),
    "curvature_flow": (
        ["preprocessing.smoothing"],
        _preprocessing("smoothing", "iterations", "time_step"),
    ),
    "autoencoder": (
        ["methods.ae.autoencoder", "methods.vae.autoencoder"],
        _of_methods(
            ["ae", "vae"],
            lambda block: (
                "network of Baur et al. without normalisation, halved "
                f"{block['autoencoder']['halvings']} times, latent vector of "
                f"{block['autoencoder']['latent']}, mean L1 loss"
            ),
        ),
    ),
    "slope": (
        ["methods.ae.autoencoder.slope", "methods.vae.autoencoder.slope"],
        _of_methods(["ae", "vae"], lambda block: f"{block['autoencoder']['slope']:g}"),
    ),
    "kl": (["methods.vae.kl_weight", "methods.vae.kl_reduction"], _kl),
    "dae": (["methods.dae.noise_grid", "methods.dae.loss"], _dae),
    "lr_ddpm": (
        ["methods.ddpm.training.learning_rate", "methods.pddpm.training.learning_rate"],
        _training("learning_rate", "ddpm", "pddpm"),
    ),
    "levels_ddpm": (
        ["methods.ddpm.test_levels", "methods.pddpm.test_levels"],
        _numbers("test_levels", "ddpm", "pddpm"),
    ),
    "fae_extractor": (["methods.fae.pretrained"], _extractor("fae", "ResNet-18")),
    "fae_batch_norm": (
        ["methods.fae.extractor.batch_norm"],
        lambda config: {
            "adapt": "statistics of the training batches (as its official code)",
            "frozen": "statistics of the pretrained network",
        }[config["methods"]["fae"]["extractor"]["batch_norm"]],
    ),
    "fae_input": (
        ["methods.fae.size"],
        lambda config: f"{config['methods']['fae']['size']} pixels, no histogram equalisation",
    ),
    "fae_map": (
        ["methods.fae.window", "methods.fae.sigma"],
        lambda config: "{window}, {sigma:g} (SSIM of features)".format(**config["methods"]["fae"]),
    ),
    "lr_fae": (["methods.fae.training.learning_rate"], _training("learning_rate", "fae")),
    "rd_extractor": (["methods.rd.pretrained"], _extractor("rd", "WideResNet-50-2")),
    "rd_input": (["methods.rd.size"], lambda config: f"{config['methods']['rd']['size']} pixels"),
    "rd_loss": ([], "cosine of whole feature maps (as its official code)"),
    "rd_blur": (
        ["methods.rd.blur"],
        lambda config: f"{config['methods']['rd']['blur']:g} voxels",
    ),
    "lr_rd": (["methods.rd.training.learning_rate"], _training("learning_rate", "rd")),
    "unet_channels": (
        ["methods.cddpm.unet.channels", "methods.cddpm.unet.multipliers"],
        lambda config: ", ".join(
            str(config["methods"]["cddpm"]["unet"]["channels"] * m)
            for m in config["methods"]["cddpm"]["unet"]["multipliers"]
        ),
    ),
    "pretrained": (
        ["methods.cddpm.pretrained"],
        lambda config: (
            "pretrained" if config["methods"]["cddpm"]["pretrained"] else "trained from scratch"
        ),
    ),
    "epochs_spark": (["methods.spark.training.epochs"], _training("epochs", "spark")),
    "spark_decoder": _ways(
        "methods.spark.decoder_weights",
        {"reference": "Kaiming; truncated normal of 0.02", "torch": "as torch draws them"},
    ),
    "noise": ([], "simplex, one pattern per batch"),
    "lr_cddpm": (["methods.cddpm.training.learning_rate"], _training("learning_rate", "cddpm")),
    "epochs_cddpm": (["methods.cddpm.training.epochs"], _training("epochs", "cddpm")),
    "updates": (["healthy", "splits.ixi.train", "methods.cddpm.training.batch_size"], _updates),
    "seg_widths": (
        ["methods.unet.widths", "methods.unet_res.widths"],
        _numbers("widths", "unet", "unet_res"),
    ),
    "epochs_seg": (
        ["methods.unet.training.epochs", "methods.unet_res.training.epochs"],
        _training("epochs", "unet", "unet_res"),
    ),
    "last_batch": (
        ["methods.unet.training.drop_last", "methods.unet_res.training.drop_last"],
        _of_methods(
            ["unet", "unet_res"],
            lambda block: {
                True: "left out",
                False: "kept",
                "healthy": "DRAEM: left out; BRATS, ATLAS: kept",
            }[block["training"]["drop_last"]],
        ),
    ),
    "input_only": ([], "one branch of the same blocks"),
    "frozen": _ways(
        "methods.unet_res.frozen",
        {"evaluation": "evaluation mode", "drifting": "batch statistics drift, drop path active"},
    ),
    "checkpoint": (
        [
            f"methods.{name}.training.{key}"
            for key in ("validation", "validation_slices")
            for name in ("cddpm", "unet", "unet_res")
        ],
        _of_methods(["cddpm", "unet", "unet_res"], _checkpoint),
    ),
    "validate_every": (
        [
            "methods.cddpm.training.validate_every",
            "methods.unet.training.validate_every",
            "methods.unet_res.training.validate_every",
        ],
        _training("validate_every", "cddpm", "unet", "unet_res"),
    ),
    "lr_pii": (["methods.pii.training.learning_rate"], _training("learning_rate", "pii")),
    "pii_patches": (
        ["methods.pii.centre"],
        lambda config: (
            {
                "brain": "centred in the brain",
                "anywhere": "centred in the central 80 % of each axis",
            }[config["methods"]["pii"]["centre"]]
            + ", changing the brain only, from the same axial slice of another subject"
        ),
    ),
    "anomaly_place": _ways(
        "synthetic.validation",
        {
            "test": "anywhere in training, in the brain in validation",
            "training": "anywhere, in training and validation",
        },
    ),
    "anomaly_texture": _anomalies(
        "texture",
        {
            "noise": "the noise itself, processed by the operators",
            "binary": "the binary map, processed by the operators",
        },
    ),
    "anomaly_share": (
        ["methods.draem_net.probability"],
        lambda config: f"{config['methods']['draem_net']['probability']:g}",
    ),
    "lr_draem_net": (
        ["methods.draem_net.training.learning_rate"],
        _training("learning_rate", "draem_net"),
    ),
    "draem_border": _ways("methods.draem_net.border", {"zeros": "zeros", "mirrored": "mirrored"}),
    "anomaly_threshold": _anomalies("threshold", {"fixed": "0.5", "uniform": "drawn uniformly"}),
    "anomaly_operators": _anomalies("operators", {"ten": "10", "seven": "7"}),
    "synthetic_test": ([], "one draw per slice of each healthy test volume, inside the brain"),
    "stage_two_model": ([], "cDDPM of the same fold"),
    "residual": (["residual.kind", "residual.erosion"], _residual),
    "ssim_precision": ([], "double"),
    "components": (["evaluation.min_component"], _components),
    "dice_best": _ways(
        "evaluation.dice_search",
        {
            "exact": "best threshold per subject, exact",
            "interval": "best threshold per subject by a ten-step interval search",
        },
    ),
    "tuned_on": (
        ["evaluation.threshold"],
        lambda config: {
            "released": "validation lists, in part trained on",
            "validation": "validation subjects only",
        }[config["evaluation"]["threshold"]],
    ),
    "threshold_search": _ways(
        "evaluation.threshold_search",
        {
            "exact": "best of all, on all voxels pooled (scores to 1 part in 8192)",
            "interval": "ten-step interval search on all voxels pooled",
        },
    ),
    "empty_dice": _ways(
        "evaluation.empty", {"zero": "0, counted", "left_out": "left out of the mean"}
    ),
    "fpr": ([], "FP / all healthy voxels"),
    "spread": ([], "population standard deviation over folds"),
}


def read_facts(path: str | Path = FACTS) -> list[dict[str, str]]:
    """What paper and released code say, in the order of the table.

    Parameters
    ----------
    path : path-like
        A table as `FACTS`.

    Returns
    -------
    list of dict
        The columns of the file: `name`, `topic`, `paper`, `paper_at`, `paper_read`, `code`,
        `code_of`, `code_read`. Where a source is silent, its text is a dash and the rest is empty.

    Raises
    ------
    ValueError
        If the topics are not those that this module tells about.
    """
    with open(path, encoding="utf-8", newline="") as file:
        facts = list(csv.DictReader(file, delimiter="\t"))
    names = [fact["name"] for fact in facts]
    wrong = sorted(set(names) ^ set(HERE)) + sorted(n for n in HERE if names.count(n) > 1)
    if wrong:
        raise ValueError(
            f"{path}: {', '.join(wrong)}: each topic must be once here and in HERE of "
            "src/uad/report/departures.py"
        )
    for fact in facts:
        for column, text in fact.items():
            if text == MISSING:
                fact[column] = SILENT if column in ("paper", "code") else ""
    return facts


def table(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each topic with what this configuration does.

    Parameters
    ----------
    config : dict

    Returns
    -------
    list of dict
        The columns of the facts, `config_keys` (none where the configuration leaves no choice),
        `here`, and `as_`: ``"paper and code"``, ``"paper"``, ``"code"`` or ``""`` where neither is
        followed to the letter.
    """
    lines = []
    for fact in read_facts():
        keys, here = HERE[fact["name"]]
        text = here(config) if callable(here) else here
        followed = [source for source in ("paper", "code") if fact[source] == text]
        lines.append({**fact, "config_keys": keys, "here": text, "as_": " and ".join(followed)})
    return lines


def write_html(config: Mapping[str, Any], simulated: bool, path: str | Path) -> None:
    """The table as a page for the report; rows that follow neither source are marked."""
    pages.write(
        path,
        "departures.html.j2",
        title="Departures",
        simulated=simulated,
        lines=table(config),
    )


def markdown(config: Mapping[str, Any]) -> str:
    """The same as a Markdown table."""
    lines = ["| Topic | Paper | Released code | Here |", "| --- | --- | --- | --- |"]
    for line in table(config):
        keys = ", ".join(f"`{key}`" for key in line["config_keys"])
        topic = line["topic"] + (f" ({keys})" if keys else "")
        lines.append(f"| {topic} | {line['paper']} | {line['code']} | {line['here']} |")
    return "\n".join(lines)


def configurations(configs: Mapping[str, Mapping[str, Any]]) -> str:
    """Where configurations differ from each other, beside the sources, as a Markdown table.

    Parameters
    ----------
    configs : mapping of str to dict
        By name; complete.
    """
    lines = [
        f"| Topic | Paper | Released code | {' | '.join(f'`{name}`' for name in configs)} |",
        "| --- | --- | --- |" + " --- |" * len(configs),
    ]
    for of_topic in zip(*(table(config) for config in configs.values())):
        here = [line["here"] for line in of_topic]
        if len(set(here)) > 1:
            first = of_topic[0]
            cells = [first["topic"], first["paper"], first["code"], *here]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
