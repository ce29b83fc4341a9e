"""What a run does otherwise than the paper or the authors' released code, topic by topic.

One list serves the report's page, which compares it with the run's configuration, and the table in
`config/README.md`, which shows the default configuration. The facts about paper and code are the
project's reading of both; a dash says that the source is silent.
"""

from html import escape

from uad import pages

SILENT = "–"


def _unet(config):
    block = config["methods"]["cddpm"]["unet"]
    return ", ".join(str(block["channels"] * m) for m in block["multipliers"])


def _masks(config):
    names = {
        "hd_bet": "HD-BET", "atlas": "propagated from the atlas", "threshold": "image mean",
        "nonzero": "support of the image",
    }  # fmt: skip
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
    if config["splits"]["scheme"] == "paper":
        return "the paper's 6 + 60 subjects, all others test"
    if config["splits"]["scheme"] == "released":
        return "6 + 169 / 480"
    counts = config["splits"].get("atlas_v2")
    return f"{counts['val']} + {counts['train']}, drawn; all others test" if counts else "not used"


def _training(method, key):
    return lambda config: f"{config['methods'][method]['training'][key]:g}"


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
        "Channels of the cDDPM's U-Net",
        "methods.cddpm.unet",
        "128, 128, 256",
        "128, 256, 256",
        _unet,
    ),
    ("Encoder of the cDDPM", None, "pretrained", "pretraining optional", "trained from scratch"),
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
    (
        "[DICE]",
        None,
        "not defined",
        "best threshold per subject by interval search",
        "best threshold per subject, exact",
    ),
    ("± in Table 1", None, "not defined", SILENT, "population standard deviation over folds"),
]


def table(config):
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
                "topic": topic, "key": key, "paper": paper, "code": code, "here": text,
                "as_": " and ".join(followed),
            }
        )  # fmt: skip
    return lines


def write_html(config, simulated, path):
    """The table as a page for the report; rows that follow neither source are marked."""
    rows = []
    for line in table(config):
        key = f"<br><span>{escape(line['key'])}</span>" if line["key"] else ""
        verdict = f"as the {line['as_']}" if line["as_"] else "<b>otherwise</b>"
        cells = [escape(line["topic"]) + key, *(escape(line[k]) for k in ("paper", "code", "here"))]
        rows.append("<tr>" + "".join(f"<td>{c}</td>" for c in [*cells, verdict]) + "</tr>")
    warnings = [pages.SIMULATED] if simulated else []
    pages.write(path, "Departures", _BODY.format(rows="\n".join(rows)), warnings, _STYLE)


def markdown(config):
    """The same as a Markdown table."""
    lines = ["| Topic | Paper | Released code | Here |", "| --- | --- | --- | --- |"]
    for line in table(config):
        key = f" (`{line['key']}`)" if line["key"] else ""
        lines.append(
            f"| {line['topic']}{key} | {line['paper']} | {line['code']} | {line['here']} |"
        )
    return "\n".join(lines)


_STYLE = "table { white-space: normal; }\ntd { vertical-align: top; max-width: 22rem; }\n"

_BODY = """\
<p>What the paper says, what the authors' released code does, and what was done in this run. Grey:
the key of the configuration that decides it; without one the workflow has no other way.
<b>Otherwise</b>: neither source is followed to the letter.</p>
<div class="scroll"><table>
<thead><tr><th>Topic</th><th>Paper</th><th>Released code</th><th>This run</th><th></th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
"""
