"""The model card of a bundle: what it is, what it is not, under which terms it may be shared."""

import json
from collections.abc import Mapping, Sequence

CITATIONS = """\
- F. Behrendt, D. Bhattacharya, L. Maack, J. Krüger, R. Opfer, A. Schlaefer. Combining
  Reconstruction-based Unsupervised Anomaly Detection with Supervised Segmentation for Brain MRIs.
  *MIDL* 2024, PMLR 250:87–102.
- F. Behrendt, D. Bhattacharya, R. Mieling, L. Maack, J. Krüger, R. Opfer, A. Schlaefer. Guided
  Reconstruction with Conditioned Diffusion Models for Unsupervised Anomaly Detection in Brain MRIs.
  *Computers in Biology and Medicine*, 2025; arXiv:2312.04215."""

SIMULATED = (
    "**Trained on simulated scans**, to try the workflow: its maps say nothing about patients."
)


def write(manifest: Mapping, data: Sequence[Mapping], metrics: Mapping) -> str:
    """The card, Markdown with the front matter of Hugging Face.

    Parameters
    ----------
    manifest : mapping
        Of the bundle.
    data : list of mapping
        `title`, `licence`, `source` and `citation` of each data set that was trained on.
    metrics : mapping
        See `making.interval`.
    """
    front = {
        "library_name": "pytorch",
        "pipeline_tag": "image-segmentation",
        "license": "other",
        "license_name": "see-training-data",
        "tags": ["brain-mri", "anomaly-detection", manifest["row"]],
        "datasets": [block["title"] for block in data],
    }
    n = len(manifest["healthy"])
    lines = [
        "---",
        # JSON is YAML too.
        *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items()),
        "---",
        "",
        f"# {manifest['label']} ({manifest['row']})",
        "",
        *([SIMULATED, ""] if manifest["simulated"] else []),
        f"Anomaly maps of brain MRI, {manifest['modality']}-weighted, by {len(manifest['folds'])} "
        f"folds of {' and '.join(manifest['models'])}. `snakemake predict` applies it to scans.",
        "",
        "## Intended use",
        "",
        "Research on anomaly detection. **Not a medical device**: it must not be used for "
        "diagnosis, for treatment, or to decide about a person.",
        "",
        "## Training data",
        "",
        "| Data set | Licence | Source |",
        "| --- | --- | --- |",
        *(f"| {block['title']} | {block['licence']} | {block['source']} |" for block in data),
        "",
        "Some of these licences ask for attribution or for sharing alike, or forbid commercial use "
        "or redistribution. Whether they bind weights that were trained on the data is not "
        "settled; please follow the strictest of them, and ask the owners before you publish "
        "weights of data that may not be redistributed. The file holds no scan and no name of a "
        "subject.",
        "",
        "## Results of the run",
        "",
        "Mean over test subjects, with the 95 % bootstrap interval over subjects; a subject counts "
        "with its mean over folds. [DICE] takes the best threshold of each subject, Dice_val the "
        "one that is best for the test set's validation subjects; that of the threshold `val` of "
        f"this bundle is {manifest['tuned_on']}'s.",
        "",
        "| Test set | Subjects | [DICE] | Dice_val |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {of['n']} | {_shown(of['dice_best'])} | {_shown(of['dice_val'])} |"
            for name, of in metrics.items()
        ),
        "",
        "## Limits",
        "",
        f"- {n} healthy validation scans stand behind rates of false positives; a rate below "
        f"1/{n + 1} has no support.",
        "- They, and the training data, are of certain scanners, ages and places. Scans of others "
        "may show more, without any lesion.",
        "- Only what lies in the crop of the atlas is looked at "
        f"({' × '.join(map(str, manifest['preprocessing']['crop']))} mm about the brain's centre), "
        f"at {manifest['preprocessing']['spacing_mm']} mm; smaller lesions are lost.",
        "- Post-operative brains, children, and contrast agents were not seen.",
        "",
        "## How to cite",
        "",
        CITATIONS,
        *(f"- {block['citation']}" for block in data if block["citation"]),
        "",
        "## Provenance",
        "",
        f"Code revision {manifest['revision']}, digest {manifest['code']}; "
        + ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
        + ".",
        "",
    ]
    return "\n".join(lines)


def _shown(values):
    mean, low, high = (100 * value for value in values)
    return f"{mean:.1f} ({low:.1f} to {high:.1f}) %"
