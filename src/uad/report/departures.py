"""Where a run departs from the paper or the authors' released code, topic by topic.

One list serves the report's page, which compares it with the run's configuration, and the table in
`config/README.md`, which shows the default configuration. The facts about paper and code are the
project's reading of both; a dash says that the source is silent.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uad.report import pages

SILENT = "–"


def _unet(config):
    block = config["methods"]["cddpm"]["unet"]
    return ", ".join(str(block["channels"] * m) for m in block["multipliers"])


def _masks(config):
    names = {
        "hd_bet": "HD-BET",
        "atlas": "propagated from the atlas",
        "threshold": "image mean",
    }
    blocks = config["datasets"].items()
    kinds = {
        name: "as prepared" if block["layout"] == "prepared" else names[block["brain_mask"]]
        for name, block in blocks
    }
    return "; ".join(f"{name}: {kind}" for name, kind in kinds.items())


def _splits(config):
    splits = config["splits"]
    if splits["scheme"] == "released":
        return "released lists, " + ("purged" if splits["released"]["purge_leakage"] else "as is")
    sizes = " / ".join(str(splits["ixi"][role]) for role in ("train", "val", "test"))
    return f"{sizes} subjects, drawn by age group, validation sets disjoint"


def _atlas_split(config):
    if "atlas_v2" not in config["datasets"]:
        return "not used"
    if config["splits"]["scheme"] == "paper":
        return "the paper's 6 + 60 subjects, all others test"
    if config["splits"]["scheme"] == "released":
        return "6 + 169 / 480"
    counts = config["splits"]["atlas_v2"]
    return f"{counts['val']} + {counts['train']}, drawn; all others test"


def _residual(config):
    kind, erosion = config["residual"]["kind"], config["residual"]["erosion"]
    text = {"ssim": "1 - SSIM", "l1": "absolute difference"}[kind]
    return text + (f", brain eroded by {erosion} voxels" if erosion else "")


def _components(config):
    size = config["evaluation"]["min_component"]
    return f"fewer than {size} voxels" if size > 1 else "none"


def _threshold(config):
    if config["evaluation"]["threshold"] == "released":
        return "validation lists, in part trained on"
    return "validation subjects only"


def _extractor(method, network):
    def here(config: Mapping[str, Any]) -> str:
        at_random = config["methods"][method]["pretrained"] is None
        return f"{network}, " + ("random" if at_random else "ImageNet weights")

    return here


def _training(method, key):
    return lambda config: f"{config['methods'][method]['training'][key]:g}"


def _vae(config):
    block = config["methods"]["vae"]
    return f"{block['kl_weight']:g}, {block['kl_reduction']} over dimensions, mean over slices"


def _dae(config):
    block = config["methods"]["dae"]
    return (
        f"noise in the brain, on a grid of {block['noise_grid']}; {block['loss']} loss everywhere"
    )


def _levels(method):
    return lambda config: ", ".join(map(str, config["methods"][method]["test_levels"]))


def _preprocessing(block, *keys):
    return lambda config: ", ".join(f"{config['preprocessing'][block][key]}" for key in keys)


# Topic, key of the configuration or None, paper, released code, this workflow (a text, or a
# function of the configuration).
TOPICS = [
    (
        "Healthy subjects per fold",
        "splits",
        "358 / 44 / 160",
        "387 / 44 / 160 rows; repeated images, some in two roles",
        _splits,
    ),
    (
        "ATLAS v2 subjects",
        "splits.scheme",
        "66, all others (589) test",
        "6 + 169 / 480",
        _atlas_split,
    ),
    ("Order of steps", None, "register, strip, N4", "strip, register, N4", "register, strip, N4"),
    (
        "Registration target",
        None,
        "SRI24",
        "T1 brain template",
        "T1 head template for heads, T1 brain template for stripped images",
    ),
    (
        "Registration of hard input",
        "preprocessing.registration.retry_below",
        SILENT,
        SILENT,
        "other starting positions, then exclusion",
    ),
    (
        "Masks and lesions after registration",
        None,
        SILENT,
        "linear, all above 0",
        "nearest neighbour",
    ),
    (
        "Brain masks",
        "datasets.*.brain_mask",
        "HD-BET (BraTS21: –)",
        "ixi: HD-BET; brats21: image mean; atlas_v2: HD-BET",
        _masks,
    ),
    (
        "N4 iterations",
        "preprocessing.bias_field.iterations",
        SILENT,
        "[200, 200, 200, 200]",
        _preprocessing("bias_field", "iterations"),
    ),
    ("N4 of BraTS21", None, SILENT, "without mask", "inside the brain mask"),
    (
        "Curvature flow (iterations, time step)",
        "preprocessing.smoothing",
        SILENT,
        "3, 0.125",
        _preprocessing("smoothing", "iterations", "time_step"),
    ),
    (
        "AE and VAE",
        "methods.ae.autoencoder",
        "named; latent vector of 128",
        "missing",
        lambda c: (
            "network of Baur et al. without normalisation, halved "
            f"{c['methods']['ae']['autoencoder']['halvings']} times, latent vector of "
            f"{c['methods']['ae']['autoencoder']['latent']}, mean L1 loss"
        ),
    ),
    (
        "Weight of the VAE's divergence",
        "methods.vae.kl_reduction",
        "0.001; of sum or mean is not said",
        "missing",
        _vae,
    ),
    ("DAE", "methods.dae", "named", "network only", _dae),
    (
        "Learning rate, DDPM and pDDPM",
        "methods.ddpm.training.learning_rate",
        "1e-05",
        "0.0001",
        _training("ddpm", "learning_rate"),
    ),
    (
        "Test levels of the pDDPM",
        "methods.pddpm.test_levels",
        "250, 500, 750",
        "500",
        _levels("pddpm"),
    ),
    (
        "Extractor of FAE",
        "methods.fae.pretrained",
        SILENT,
        "missing",
        _extractor("fae", "ResNet-18"),
    ),
    (
        "Normalisations of FAE's extractor",
        "methods.fae.extractor.batch_norm",
        SILENT,
        "missing",
        lambda c: {
            "adapt": "statistics of the training batches (as its official code)",
            "frozen": "statistics of the pretrained network",
        }[c["methods"]["fae"]["extractor"]["batch_norm"]],
    ),
    (
        "Input of FAE",
        "methods.fae.size",
        "96 pixels",
        "missing",
        lambda c: f"{c['methods']['fae']['size']} pixels, no histogram equalisation",
    ),
    (
        "Anomaly map of FAE (window, sigma)",
        "methods.fae.window",
        "9, 1 (SSIM of volumes)",
        "missing",
        lambda c: "{window}, {sigma:g} (SSIM of features)".format(**c["methods"]["fae"]),
    ),
    (
        "Learning rate, FAE",
        "methods.fae.training.learning_rate",
        SILENT,
        "missing",
        _training("fae", "learning_rate"),
    ),
    (
        "Extractor of RD",
        "methods.rd.pretrained",
        SILENT,
        "missing",
        _extractor("rd", "WideResNet-50-2"),
    ),
    (
        "Input of RD",
        "methods.rd.size",
        "96 pixels",
        "missing",
        lambda c: f"{c['methods']['rd']['size']} pixels",
    ),
    (
        "Loss of RD",
        None,
        SILENT,
        "missing",
        "cosine of whole feature maps (as its official code)",
    ),
    (
        "Smoothing of RD's map",
        "methods.rd.blur",
        SILENT,
        "missing",
        lambda c: f"Gaussian, sigma {c['methods']['rd']['blur']:g} voxels",
    ),
    (
        "Learning rate, RD",
        "methods.rd.training.learning_rate",
        "0.0001",
        "missing",
        _training("rd", "learning_rate"),
    ),
    (
        "Channels of the cDDPM's U-Net",
        "methods.cddpm.unet",
        "128, 128, 256",
        "128, 256, 256",
        _unet,
    ),
    (
        "Encoder of the cDDPM",
        "methods.cddpm.pretrained",
        "pretrained",
        "pretraining optional (SparK)",
        lambda c: "pretrained" if c["methods"]["cddpm"]["pretrained"] else "trained from scratch",
    ),
    (
        "Epochs, pretraining",
        "methods.spark.training.epochs",
        SILENT,
        "1200",
        _training("spark", "epochs"),
    ),
    (
        "Noise of the cDDPM",
        None,
        SILENT,
        "simplex, one pattern per batch",
        "simplex, one pattern per batch",
    ),
    (
        "Learning rate, cDDPM",
        "methods.cddpm.training.learning_rate",
        "0.0001 (B.1), 1e-05 (B.2)",
        "0.0001",
        _training("cddpm", "learning_rate"),
    ),
    (
        "Epochs, cDDPM",
        "methods.cddpm.training.epochs",
        "1600",
        "1200",
        _training("cddpm", "epochs"),
    ),
    (
        "Widths of the segmentation networks",
        "methods.unet_res.widths",
        "64, 128, 256",
        "64, 128, 256, 512",
        lambda c: ", ".join(map(str, c["methods"]["unet_res"]["widths"])),
    ),
    (
        "Epochs, segmentation",
        "methods.unet_res.training.epochs",
        "600",
        SILENT,
        _training("unet_res", "epochs"),
    ),
    ("Input-only networks (Unet, SADM)", None, "named", "missing", "one branch of the same blocks"),
    (
        "Frozen cDDPM in stage II",
        None,
        "parameters fixed",
        "batch statistics drift, drop path active",
        "evaluation mode",
    ),
    (
        "Best checkpoint",
        None,
        "validation performance",
        "random slices and noise, augmented",
        "fixed slices, noise levels and noise, not augmented",
    ),
    (
        "Learning rate, PII",
        "methods.pii.training.learning_rate",
        SILENT,
        "missing; original: 0.001",
        _training("pii", "learning_rate"),
    ),
    (
        "Patches of PII",
        "methods.pii.centre",
        SILENT,
        "missing; original: anywhere, from any image",
        lambda config: (
            {
                "brain": "centred in the brain",
                "anywhere": "centred anywhere",
            }[config["methods"]["pii"]["centre"]]
            + ", changing the brain only, from the same axial "
            "slice of another subject"
        ),
    ),
    (
        "Textures of DRAEM-Net",
        None,
        SILENT,
        "the noise itself",
        "the noise itself",
    ),
    (
        "Training slices with an anomaly, DRAEM-Net",
        "methods.draem_net.probability",
        SILENT,
        "missing; original: 0.5",
        lambda config: f"{config['methods']['draem_net']['probability']:g}",
    ),
    (
        "Learning rate, DRAEM-Net",
        "methods.draem_net.training.learning_rate",
        "0.0001",
        "missing; original: 0.0001, lowered after 80 and 90 % of the epochs",
        _training("draem_net", "learning_rate"),
    ),
    ("Threshold of synthetic anomalies", None, "drawn uniformly", "0.5", "0.5"),
    ("Operators of synthetic anomalies", None, "7", "10", "10"),
    (
        "Synthetic test set",
        None,
        "augmented IXI test",
        "cannot be run",
        "one draw per slice of each IXI test volume, inside the brain",
    ),
    (
        "Segmentation models of a fold",
        None,
        "five folds",
        "one cDDPM for all",
        "cDDPM of the same fold",
    ),
    ("Residual map of reconstructions", "residual", "1 - SSIM", "1 - SSIM", _residual),
    (
        "Components removed before Dice at a threshold",
        "evaluation.min_component",
        SILENT,
        "none",
        _components,
    ),
    (
        "[DICE]",
        None,
        "not defined",
        "best threshold per subject by interval search",
        "best threshold per subject, exact",
    ),
    (
        "Threshold of Dice_val",
        "evaluation.threshold",
        SILENT,
        "validation lists, in part trained on",
        _threshold,
    ),
    ("False-positive rate", None, SILENT, "FP / (FP + TP)", "FP / all healthy voxels"),
    ("± in Table 1", None, "not defined", SILENT, "population standard deviation over folds"),
]


def table(config: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """Each topic with what this configuration does.

    Parameters
    ----------
    config : dict

    Returns
    -------
    list of dict
        `topic`, `key` (or None), `paper`, `code`, `here`, and `as_`: ``"paper and code"``,
        ``"paper"``, ``"code"`` or ``""`` where neither is followed to the letter.
    """
    lines = []
    for topic, key, paper, code, here in TOPICS:
        text = here(config) if callable(here) else here
        followed = [name for name, said in (("paper", paper), ("code", code)) if said == text]
        lines.append(
            {
                "topic": topic,
                "key": key,
                "paper": paper,
                "code": code,
                "here": text,
                "as_": " and ".join(followed),
            }
        )
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
        key = f" (`{line['key']}`)" if line["key"] else ""
        lines.append(
            f"| {line['topic']}{key} | {line['paper']} | {line['code']} | {line['here']} |"
        )
    return "\n".join(lines)
