"""The paper's claims judged from files: what is compared, and what is written where."""

import pandas as pd
import pytest
from test_labs import CLAIM
from test_tables import FOLDS, HEALTHY, ROWS, SUBJECTS, metrics

from uad.base import tsv
from uad.report import judged

LEVELS = dict(zip(ROWS, (0.2, 0.6, 0.3, 1)))
JUDGED = judged.Judged(
    content={"paper": "P", "claims": {"better": CLAIM}},
    labels={row: block["label"] for row, block in ROWS.items()},
    folds=FOLDS,
    test_sets=["brats"],
    weighted=["sadm_res-brats"],
    seed=7,
    simulated=True,
)


@pytest.fixture
def inputs(tmp_path):
    found = {"metrics": [], "weights": [], "test_splits": [], "table1": tmp_path / "table1.csv"}
    for row, level in LEVELS.items():
        for fold in FOLDS:
            found["metrics"].append(tmp_path / f"{row}-{fold}.tsv")
            tsv.write(metrics(row, fold, level)["metrics"], found["metrics"][-1], sealed=True)
    for name, subjects in {"brats21": SUBJECTS, "ixi": HEALTHY}.items():
        roles = [(subject, fold, "test") for fold in FOLDS for subject in subjects]
        found["test_splits"].append(tmp_path / f"{name}.tsv")
        split = pd.DataFrame(roles, columns=["subject", "fold", "role"])
        tsv.write(split, found["test_splits"][-1], sealed=True)
    pd.DataFrame(columns=["row"]).to_csv(found["table1"], index=False)  # nothing is published
    return found


@pytest.fixture
def asked(monkeypatch):
    """What `claims.compare` is called with."""
    seen, compare = {}, judged.claims.compare

    def noted(subjects, claims, **more):
        seen.update(more, subjects=subjects)
        return compare(subjects, claims, **{**more, "weights": None})

    monkeypatch.setattr(judged.claims, "compare", noted)
    return seen


def write(inputs, folder):
    names = {"table": "t.tsv", "numbers": "n.tsv", "figure": "f.svg", "page": "p.html"}
    outputs = {kind: folder / name for kind, name in names.items()}
    judged.write_all(inputs, outputs, JUDGED)
    return outputs


def test_verdicts_and_numbers_are_written_apart(inputs, tmp_path, asked):
    outputs = write(inputs, tmp_path)
    verdicts, numbers = tsv.read(outputs["table"]), tsv.read(outputs["numbers"])
    assert verdicts["title"].tolist() == ["T"] and "title" not in numbers
    assert numbers[["row", "than"]].values.tolist() == [["sadm_res-brats", "cddpm"]]
    subjects = pd.concat(tsv.read(path) for path in inputs["metrics"])
    means = subjects.groupby("row")["dice_best"].mean()
    assert numbers["effect"].item() == pytest.approx(means["sadm_res-brats"] - means["cddpm"])
    assert asked["seed"] == 7 and asked["weights"] is None
    page = outputs["page"].read_text(encoding="utf-8")
    assert "simulated" in page and outputs["figure"].stat().st_size > 1000


def test_weights_are_read_if_a_claim_is_about_them(inputs, tmp_path, asked, monkeypatch):
    read = {}
    monkeypatch.setattr(
        judged.joined, "weights", lambda paths, rows, folds, tested: read.update(rows=rows) or "w"
    )
    write(inputs | {"weights": ["a.tsv"]}, tmp_path)
    assert read["rows"] == ["sadm_res-brats"] and asked["weights"] == "w"
