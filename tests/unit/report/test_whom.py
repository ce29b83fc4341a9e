"""The page on whom rows fail, from files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from uad.base import tsv
from uad.report import whom

ROWS = {
    "ae": {"block": "I", "label": "AE"},
    "unet-brats": {"block": "III", "label": "Unet"},
    "perfect": {"block": "control", "label": "perfect"},
}
FOLDS = [0, 1]
PATIENTS = [f"P{i:02d}" for i in range(24)]
HEALTHY = [f"IXI{i:03d}" for i in range(20)]
VALIDATION = [f"V{i:02d}" for i in range(19)]
ABOUT = whom.Whom(ROWS, FOLDS, ["brats"], 8, 1, True)


@pytest.fixture
def inputs(tmp_path):
    """Patients of site B have half the Dice in `ae`; the last patient has no lesion."""
    rng = np.random.default_rng(2)
    site = np.repeat(["A", "B"], 12)
    found = {"metrics": [], "healthy": [], "validation": [], "rates": [], "bins": []}

    def put(kind, table, row, fold):
        path = tmp_path / f"{kind}-{row}-{fold}.tsv"
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
    tsv.write(pd.DataFrame(split, columns=["subject", "fold", "role"]), tmp_path / "b.tsv")
    split = [(s, f, "test") for f in FOLDS for s in HEALTHY]
    tsv.write(pd.DataFrame(split, columns=["subject", "fold", "role"]), tmp_path / "i.tsv")
    known = {"subject": PATIENTS, "site": site, "similarity": rng.random(24), "lesion_ml": 9}
    tsv.write(pd.DataFrame(known), tmp_path / "kb.tsv")
    age = np.linspace(20, 79, 20)
    tsv.write(pd.DataFrame({"subject": HEALTHY, "age": age, "lesion_ml": 0}), tmp_path / "ki.tsv")
    side = {"subject": PATIENTS, "side": ["left"] * 24, "depth_mm": rng.uniform(1, 9, 24)}
    tsv.write(pd.DataFrame(side), tmp_path / "pb.tsv")
    nowhere = {"subject": HEALTHY, "side": None, "depth_mm": np.nan}
    tsv.write(pd.DataFrame(nowhere), tmp_path / "pi.tsv")
    return found | {
        "known": [tmp_path / "kb.tsv", tmp_path / "ki.tsv"],
        "places": [tmp_path / "pb.tsv", tmp_path / "pi.tsv"],
        "demographics": [],
        "test_splits": [tmp_path / "b.tsv", tmp_path / "i.tsv"],
        "rates": [],
        "bins": [],
    }


def write(inputs, folder, about=ABOUT):
    outputs = {"page": "whom.html", "effects": "whom.tsv", "grouping": "groups.tsv"}
    outputs = {name: folder / file for name, file in outputs.items()}
    whom.write_all(inputs, outputs, about)
    page = Path(outputs["page"]).read_text(encoding="utf-8")
    return page, tsv.read(outputs["effects"]), tsv.read(outputs["grouping"])


def test_the_effect_is_found_and_said(inputs, tmp_path):
    page, effects, grouping = write(inputs, tmp_path)
    found = effects[effects["p_holm"] < 0.05]
    assert set(zip(found["row"], found["question"], found["of"])) == {("ae", "site", "patients")}
    line = found.iloc[0]
    assert line["level"] == "A" and line["difference"] == pytest.approx(0.3, abs=0.05)
    assert line["n"] == 12 and line["n_others"] == 11  # one has no lesion
    assert "<td>Site: A</td>" in page and page.count("<svg") >= 5
    assert "What may not:" in page and "simulated" in page
    assert "perfect" not in page  # controls are no rows that fail anyone
    places = list(zip(grouping["of"], grouping["question"]))
    assert ("healthy", "age") in places and ("healthy", "lesion_ml") not in places
    assert ("patients", "sex") not in places  # nothing is known of it


def test_nothing_to_compare_is_said(inputs, tmp_path):
    page, effects, _ = write(inputs, tmp_path, whom.Whom(ROWS, FOLDS, ["brats"], 25, 1, False))
    assert effects.empty and "No question has two groups of 25 subjects" in page


def test_rates_are_flagged_where_they_leave_their_band(inputs, tmp_path):
    page, *_ = write(inputs, tmp_path)
    assert "nominal 5 %" in page and "nominal 10 %" in page
    assert "nominal 1 %" not in page  # 19 validation subjects do not support it
    for path in inputs["healthy"]:
        table = tsv.read(path)
        tsv.write(table.assign(score_mean=100.0), path, sealed=True)
    page, *_ = write(inputs, tmp_path)
    assert "Of 8 shares 8 are above their bands and 0 below." in page


def test_calibration_is_shown_if_it_was_counted(inputs, tmp_path):
    assert "Probabilities" not in write(inputs, tmp_path)[0]
    tables = {"rates": [], "bins": []}
    for row in ("ae", "unet-brats"):
        for fold in FOLDS:
            rates = {"subject": HEALTHY, "fold": fold, "row": row, "fpr1": 0.02, "fpr5": 0.05}
            tables["rates"].append(pd.DataFrame({**rates, "fpr10": 0.1}))
            bins = pd.DataFrame({"row": [row]}).iloc[:0]
            if row == "unet-brats":
                counted = {"voxels": [90, 10], "probability": [9.0, 9.0], "lesion": [9, 4]}
                place = {"subject": "P00", "fold": fold, "row": row, "test_set": "brats"}
                bins = pd.DataFrame({**place, "bin": [1, 9], **counted})
            tables["bins"].append(bins)
    for kind, parts in tables.items():
        for number, part in enumerate(parts):
            path = tmp_path / f"{kind}{number}.tsv"
            tsv.write(part, path, sealed=True)
            inputs[kind] = [*inputs[kind], path]
    page, *_ = write(inputs, tmp_path)
    assert "False-positive rates of healthy voxels" in page
    cells = "<td>Unet (BRATS)</td><td>BRATS</td><td>18.00</td><td>13.00</td><td>5.00</td>"
    assert cells in page


def test_sexes_are_known_of_ixi_among_several_healthy_data_sets(inputs, tmp_path, monkeypatch):
    known = {label: "female" if i % 2 else "male" for i, label in enumerate(HEALTHY)}
    monkeypatch.setattr(whom.people, "sexes", lambda path: known)
    table = tsv.read(inputs["known"][1])
    labels = [f"ixi{label}" for label in table["subject"]]
    tsv.write(table.assign(subject=labels, dataset="ixi"), inputs["known"][1])
    tsv.write(tsv.read(inputs["places"][1]).assign(subject=labels), inputs["places"][1])
    subjects = pd.DataFrame({"test_set": [], "subject": [], "lesion_ml": [], "n_lesions": []})
    found = whom._known(inputs | {"demographics": ["IXI.xls"]}, subjects, ABOUT)
    assert list(found[whom.HEALTHY, "brats"]["sex"]) == list(known.values())
