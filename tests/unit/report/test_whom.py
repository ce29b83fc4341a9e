"""The page on whom rows fail, from files."""

import pandas as pd
import pytest
import small_pages
from small_pages import FOLDS, HEALTHY, ROWS, WHOM

from uad.base import tsv
from uad.report import whom


@pytest.fixture
def inputs(tmp_path):
    return small_pages.whom_inputs(tmp_path)


def write(inputs, folder, about=WHOM):
    paths = small_pages.write_whom(inputs, folder, about)
    page = paths["page"].read_text(encoding="utf-8")
    return page, tsv.read(paths["effects"]), tsv.read(paths["grouping"])


def test_the_effect_is_found_and_said(inputs, tmp_path):
    page, effects, grouping = write(inputs, tmp_path)
    found = effects[effects["p_holm"] < 0.05]
    assert set(zip(found["row"], found["question"], found["of"])) == {("ae", "site", "patients")}
    line = found.iloc[0]
    assert line["level"] == "A" and line["difference"] == pytest.approx(0.3, abs=0.05)
    assert line["n"] == 12 and line["n_others"] == 11  # one has no lesion
    measures = [page.count(f"<td>{name}</td>") for name in ("[DICE], %", "false positives, ml")]
    assert measures == [1, 0]  # one finding, after Holm's correction
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
    found = whom._known(inputs | {"demographics": ["IXI.xls"]}, subjects, WHOM)
    assert list(found[whom.HEALTHY, "brats"]["sex"]) == list(known.values())
