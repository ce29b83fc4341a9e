"""Small inputs of pages that the demo does not have, and the pages made of them."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from uad.base import tsv
from uad.evaluation import detection_limits
from uad.report import detection_page, multiverse_page, whom

# Ranks in all combinations of choices.

LABELS = {"cddpm": "cDDPM", "sadm_res-draem": "SADM_res", "unet-draem": "Unet"}
USUAL = {
    "residual": "ssim", "erosion": 0, "median": "residual", "box": "whole", "min_component": 0,
    "measure": "dice_best",
}  # fmt: skip
CLAIM = {
    "title": "SADM_res beats the cDDPM", "kind": "above", "margin": 0, "metric": "dice_best",
    "compare": [{"row": "sadm_res-draem", "than": ["cddpm"], "test_sets": ["brats"]}],
}  # fmt: skip
MULTIVERSE = multiverse_page.Multiverse(
    labels=LABELS,
    test_sets=["brats"],
    folds=[0, 1],
    claims={"paper": "The paper", "claims": {"first": {**CLAIM, "title": "T"}, "best": CLAIM}},
    headline="best",
    usual=USUAL,
    simulated=True,
)


def multiverse_files(folder):
    """SADM_res is best, but behind the cDDPM with residuals by L1."""
    found = []
    for row, fold in itertools.product(LABELS, (0, 1)):
        lines = []
        for residual, measure in itertools.product(("ssim", "l1"), ("dice_best", "auprc")):
            mean = {"cddpm": 0.5, "sadm_res-draem": 0.6, "unet-draem": 0.1}[row]
            mean -= 0.2 if residual == "l1" and row == "sadm_res-draem" else 0
            way = {**USUAL, "residual": residual, "measure": measure}
            lines.append({"test_set": "brats", **way, "n": 5, "mean": mean + 0.01 * fold})
        found.append(folder / f"{row}-{fold}.tsv")
        tsv.write(pd.DataFrame(lines).assign(row=row, fold=fold), found[-1], sealed=True)
    return found


def write_multiverse(files, folder):
    """The page of `multiverse_files`, and its tables beside it."""
    outputs = {kind: folder / f"{kind}.x" for kind in ("page", "ranks", "influence", "claims")}
    multiverse_page.write_all(files, outputs, MULTIVERSE)
    return outputs["page"]


# Whom the rows fail.

ROWS = {
    "ae": {"block": "I", "label": "AE"},
    "unet-brats": {"block": "III", "label": "Unet"},
    "perfect": {"block": "control", "label": "perfect"},
}
FOLDS = [0, 1]
PATIENTS = [f"P{i:02d}" for i in range(24)]
HEALTHY = [f"IXI{i:03d}" for i in range(20)]
VALIDATION = [f"V{i:02d}" for i in range(19)]
WHOM = whom.Whom(ROWS, FOLDS, ["brats"], 8, 1, True)


def whom_inputs(folder):
    """Patients of site B have half the Dice in `ae`; the last patient has no lesion."""
    rng = np.random.default_rng(2)
    site = np.repeat(["A", "B"], 12)
    found = {"metrics": [], "healthy": [], "validation": [], "rates": [], "bins": []}

    def put(kind, table, row, fold):
        path = folder / f"{kind}-{row}-{fold}.tsv"
        tsv.write(table.assign(row=row, fold=fold, test_set="brats"), path, sealed=True)
        found[kind].append(path)

    for row in ROWS:
        for fold in FOLDS:
            dice = rng.uniform(0.5, 0.7, 24) * np.where((site == "B") & (row == "ae"), 0.5, 1)
            lesion = np.append(rng.uniform(1, 50, 23), 0)
            numbers = {"dice_best": dice, "lesion_ml": lesion, "n_lesions": 1}
            put("metrics", pd.DataFrame({"subject": PATIENTS, **numbers}), row, fold)
            scored = {"fp_ml": rng.gamma(2, size=20), "score_mean": rng.normal(size=20)}
            put("healthy", pd.DataFrame({"subject": HEALTHY, **scored}), row, fold)
            means = pd.DataFrame({"subject": VALIDATION, "score_mean": rng.normal(size=19)})
            put("validation", means, row, fold)
    split = [(s, f, "test") for f in FOLDS for s in PATIENTS]
    tsv.write(pd.DataFrame(split, columns=["subject", "fold", "role"]), folder / "b.tsv")
    split = [(s, f, "test") for f in FOLDS for s in HEALTHY]
    tsv.write(pd.DataFrame(split, columns=["subject", "fold", "role"]), folder / "i.tsv")
    known = {"subject": PATIENTS, "site": site, "similarity": rng.random(24), "lesion_ml": 9}
    tsv.write(pd.DataFrame(known), folder / "kb.tsv")
    age = np.linspace(20, 79, 20)
    tsv.write(pd.DataFrame({"subject": HEALTHY, "age": age, "lesion_ml": 0}), folder / "ki.tsv")
    side = {"subject": PATIENTS, "side": ["left"] * 24, "depth_mm": rng.uniform(1, 9, 24)}
    tsv.write(pd.DataFrame(side), folder / "pb.tsv")
    nowhere = {"subject": HEALTHY, "side": None, "depth_mm": np.nan}
    tsv.write(pd.DataFrame(nowhere), folder / "pi.tsv")
    return found | {
        "known": [folder / "kb.tsv", folder / "ki.tsv"],
        "places": [folder / "pb.tsv", folder / "pi.tsv"],
        "demographics": [],
        "test_splits": [folder / "b.tsv", folder / "i.tsv"],
        "rates": [],
        "bins": [],
    }


def write_whom(inputs, folder, about=WHOM):
    """The page of `whom_inputs`, its effects and its groups; paths."""
    outputs = {"page": "whom.html", "effects": "whom.tsv", "grouping": "groups.tsv"}
    outputs = {name: Path(folder) / file for name, file in outputs.items()}
    whom.write_all(inputs, outputs, about)
    return outputs


# Which planted lesions a row sees.

SEEING = {"cddpm": "cDDPM", "sadm_res-brats": "SADM_res"}
FROM_ML = {"cddpm": 5, "sadm_res-brats": 1}
VOLUMES_ML, CONTRASTS = [0.2, 1, 5, 20], [-60, -20, 30]
KEYS = ["source", "place", "texture", "contrast", "volume_ml"]


def planted(n_subjects=3):
    """The table of planted lesions."""
    sources = [f"S{i}" for i in range(n_subjects)]
    lines = itertools.product(sources, ["cortex", "deep"], ["smooth"], CONTRASTS, VOLUMES_ML)
    table = pd.DataFrame(lines, columns=KEYS)
    table.insert(0, "subject", table["source"] + "p001")
    return table.assign(number=1 + table.groupby("subject").cumcount())


def seen(lesions, row, fold):
    """A row that sees what is dark and has its volume at least."""
    detected = (lesions["volume_ml"] >= FROM_ML[row]) & (lesions["contrast"] < 0)
    found = lesions.assign(detected=detected.astype(int), newly_above=0.5, rise=1.0)
    found.insert(0, "row", row)
    found.insert(1, "fold", fold)
    return found


def write_detection(folder):
    """The page of two rows."""
    curves = detection_limits.curves(pd.concat(seen(planted(), row, 0) for row in SEEING))
    limits = detection_limits.limits(curves)
    detection_page.write(
        folder / "detection.html", curves, limits, SEEING, "threshold_fpr5", simulated=True
    )
