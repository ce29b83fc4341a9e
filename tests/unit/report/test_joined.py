"""Joined results: each file has exactly the rows, folds, test sets and subjects of the splits."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from uad.base import tsv
from uad.base.errors import InputError
from uad.evaluation import cases, complete
from uad.report import joined

ROWS, FOLDS = ("sadm_res-brats", "cddpm"), (0, 2)
SETS = {"brats": ["B1", "B2", "B3"], "atlas": ["A1", "A2"]}
HEALTHY = ["H1", "H2"]
BETAS = (0, 0.5, 1)


def line(name, fold, subject, row="sadm_res-brats"):
    """Lines of a subject; in fold 2 the tested subjects are others than in fold 0."""
    return {"row": row, "test_set": name, "subject": f"{subject}{fold}", "fold": fold}


def lines(of, fold, row="sadm_res-brats"):
    if of in ("pooled", "curve"):
        repeated = 40 if of == "curve" else 1
        values = {"row": row, "fold": fold, "auprc": 0.25}
        return [values | {"test_set": n} for n in SETS for _ in range(repeated)]
    subjects = {name: HEALTHY if of == "healthy" else SETS[name] for name in SETS}
    found = [line(n, fold, s, row) | {"value": 0.5} for n in SETS for s in subjects[n]]
    if of == "weights":
        return [{"d_unhealthy": "brats"} | key | {"beta": b} for key in found for b in BETAS]
    return found


@pytest.fixture
def files(tmp_path):
    """Splits, and files of each kind of two rows and folds, fold changing fastest."""
    for name, subjects in {**SETS, "healthy": HEALTHY}.items():
        split = [
            (f"{s}{fold}", fold, role)
            for fold in (0, 1, 2)
            for role, some in {"train": ["T"], "test": subjects}.items()
            for s in some
        ]
        table = pd.DataFrame(split, columns=["subject", "fold", "role"])
        tsv.write(table, tmp_path / f"{name}.tsv", sealed=True)
    found = {}
    for of in ("subjects", "healthy", "pooled", "curve", "weights"):
        found[of] = []
        for row, fold in itertools.product(ROWS[: 1 if of == "weights" else 2], FOLDS):
            found[of].append(tmp_path / f"{of}/{row}-{fold}.tsv")
            tsv.write(pd.DataFrame(lines(of, fold, row)), found[of][-1], sealed=True)
    splits = [tmp_path / f"{name}.tsv" for name in (*SETS, "healthy")]
    return found | {"tested": joined.Tested(splits, list(SETS), FOLDS), "splits": splits}


def join(files, of):
    if of == "weights":
        return joined.weights(files[of], ROWS[:1], FOLDS, files["tested"])
    return joined.metrics(files[of], ROWS, FOLDS, files["tested"], of)


KINDS = ("subjects", "healthy", "pooled", "curve", "weights")


@pytest.mark.parametrize("of", KINDS)
def test_whole_files_are_joined(files, of):
    table = join(files, of)
    assert len(table) == sum(len(lines(of, fold)) for fold in FOLDS) * (1 if of == "weights" else 2)
    if of != "weights":
        assert list(dict.fromkeys(zip(table["row"], table["fold"]))) == [
            (row, fold) for row in ROWS for fold in FOLDS
        ]


def cut_in_a_line(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2].rstrip(b"\n"))


def cut_in_the_last_number(path):
    path.write_bytes(path.read_bytes()[:-2])


def cut_after_a_line(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2].rpartition(b"\n")[0] + b"\n")


def lose_a_test_set(path):
    table = tsv.read(path)
    tsv.write(table[table["test_set"] != "atlas"], path)


def take_another_fold(path):
    path.write_bytes(path.with_name(path.name.replace("-0", "-2")).read_bytes())


def other_fold_inside(path):
    table = tsv.read(path)
    table.loc[table.index[-1], "fold"] = 2
    tsv.write(table, path)


def add_a_test_set(path):
    table = tsv.read(path)
    tsv.write(pd.concat([table, table.assign(test_set="wmh")]), path)


def empty(path):
    path.write_text("")


def header_only(path):
    path.write_text(path.read_text().partition("\n")[0] + "\n")


def not_text(path):
    path.write_bytes(b"\xff" + path.read_bytes())


def words_for_numbers(path):
    tsv.write(tsv.read(path).replace({0.25: "x", 0.5: "x"}), path)


def cut_before_the_last_line(path):
    """In a curve, within its last test set."""
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def another_number(path):
    path.write_text(path.read_text().replace("\t0.", "\t0.1", 1))


@pytest.mark.parametrize("of", KINDS)
@pytest.mark.parametrize(
    "harm",
    [
        cut_in_a_line, cut_in_the_last_number, cut_after_a_line, lose_a_test_set,
        take_another_fold, other_fold_inside, add_a_test_set, empty, header_only, not_text,
        words_for_numbers, cut_before_the_last_line, another_number,
    ],
)  # fmt: skip
def test_a_harmed_file_is_named(files, of, harm):
    path = files[of][0]
    harm(path)
    with pytest.raises(InputError, match=f"^{path}: "):
        join(files, of)


@pytest.mark.parametrize("of", [kind for kind in KINDS if kind != "weights"])
def test_a_file_of_another_row_is_named(files, of):
    """Of the same fold, test sets and subjects."""
    files[of][0].write_bytes(files[of][2].read_bytes())
    said = f"^{files[of][0]}: has lines of row cddpm and must have sadm_res-brats only; delete"
    with pytest.raises(InputError, match=said):
        join(files, of)


@pytest.mark.parametrize("keep", [-1, -3, 1])
def test_a_split_that_lost_lines_is_named(files, keep):
    path = files["splits"][0]
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:keep]))
    with pytest.raises(InputError, match=f"^{path}: is not as it was written"):
        joined.Tested(files["splits"], list(SETS), FOLDS)


def test_metrics_of_one_test_set(files):
    path, names = files["subjects"][0], ["A10", "A20"]
    table = complete.of_test_set(path, "sadm_res-brats", 0, "atlas", names)
    assert list(table["subject"]) == names
    for arguments, said in {
        ("cddpm", 0, "atlas", "A10 A20"): "has lines of row sadm_res-brats",
        ("sadm_res-brats", 1, "atlas", "A10 A20"): "has lines of fold 0",
        ("sadm_res-brats", 0, "atlas", "A10"): "has, against the split, atlas A20",
        ("sadm_res-brats", 0, "atlas", "A10 A20 A30"): "lacks atlas A30",
        ("sadm_res-brats", 0, "wmh", "W"): "lacks wmh W",
    }.items():
        *which, subjects = arguments
        with pytest.raises(InputError, match=f"^{path}: {said}"):
            complete.of_test_set(path, *which, subjects.split())


@pytest.mark.parametrize("of", ("subjects", "healthy", "pooled", "weights"))
def test_a_doubled_line_is_named(files, of):
    path = files[of][1]
    table = tsv.read(path)
    tsv.write(pd.concat([table, table[-1:]]), path)
    with pytest.raises(InputError, match=f"^{path}: .*(more than once|weights once)"):
        join(files, of)


@pytest.mark.parametrize("of", ("subjects", "healthy", "weights"))
def test_what_is_missing_is_named(files, of):
    path = files[of][1]
    table = tsv.read(path)
    gone = table["subject"].iloc[-1]
    tsv.write(table[table["subject"] != gone], path)
    with pytest.raises(InputError, match=f"lacks .*atlas {gone}; delete the file"):
        join(files, of)


def test_a_subject_of_another_role_is_too_much(files):
    path = files["subjects"][0]
    tsv.write(tsv.read(path).replace({"subject": {"B10": "T0"}}), path)
    with pytest.raises(InputError, match="lacks brats B10"):
        join(files, "subjects")
    table = pd.DataFrame([*lines("subjects", 0), line("brats", 0, "T") | {"value": 1}])
    tsv.write(table, path)
    with pytest.raises(InputError, match="has, against the split, brats T0"):
        join(files, "subjects")


def test_weights_of_another_row_or_without_one_weight(files):
    path = files["weights"][0]
    table = tsv.read(path)
    tsv.write(table.assign(d_unhealthy="atlas"), path)
    with pytest.raises(InputError, match="is not of row sadm_res-brats"):
        join(files, "weights")
    tsv.write(table[:-1], path)
    with pytest.raises(InputError, match="atlas A20 does not have each of the 3 weights once"):
        join(files, "weights")


def test_a_path_too_many_or_too_few(files):
    with pytest.raises(ValueError, match="zip"):
        joined.metrics(files["subjects"][:-1], ROWS, FOLDS, files["tested"])


def test_a_split_without_test_subjects(files, tmp_path):
    with pytest.raises(InputError, match=r"atlas\.tsv: fold 4 has no test subject"):
        joined.Tested([tmp_path / "atlas.tsv"] * 2, ["atlas"], [4])


def test_known_subjects(files, tmp_path):
    path = tmp_path / "subjects.tsv"
    names = [f"{s}{fold}" for s in (*SETS["brats"], *SETS["atlas"]) for fold in (0, 1, 2)]
    tsv.write(pd.DataFrame({"subject": names, "site": 1}), path)
    found = joined.known([path, path], SETS, files["tested"])
    assert list(found) == ["brats", "atlas"] and len(found["atlas"]) == len(names)
    tsv.write(pd.DataFrame({"subject": names[:-1], "site": 1}), path)
    with pytest.raises(InputError, match="has 0 lines of A22"):
        joined.known([path, path], SETS, files["tested"])


HISTORY = "epoch\ttrain_loss\tval_loss\tseconds\n1\t0.5\tn/a\t2\n2\t0.4\t0.3\t2\n3\t0.3\t0.2\t2\n"


@pytest.fixture
def histories(tmp_path):
    found = [tmp_path / f"{model}-{fold}.tsv" for model in ("ae", "vae") for fold in FOLDS]
    for path in found:
        path.write_text(HISTORY)
    return found


def test_histories_have_every_epoch(histories):
    found = joined.histories(histories, {"ae": 3, "vae": 3}, FOLDS)
    assert {model: [len(t) for t in tables] for model, tables in found.items()} == {
        "ae": [3, 3],
        "vae": [3, 3],
    }


@pytest.mark.parametrize(
    "content",
    [
        HISTORY[: HISTORY.index("3\t")], HISTORY[:-3], HISTORY + "3\t0.3\t0.2\t2\n",
        HISTORY.replace("\n2\t", "\n1\t"), "", HISTORY.encode("utf-16"),
    ],
)  # fmt: skip
def test_a_history_cut_short_is_named(histories, content):
    histories[3].write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=f"^{histories[3]}: "):
        joined.histories(histories, {"ae": 3, "vae": 3}, FOLDS)


@pytest.fixture
def slices(tmp_path):
    found = []
    for row in ROWS:
        arrays = {"subject": np.array(["S1"]), "names": np.array([row])}
        arrays |= {kind: np.zeros((1, 1)) for kind in cases.SCORED}
        found.append(tmp_path / f"{row}.npz")
        cases.write({"brats": arrays}, found[-1])
    return found


def test_cases_of_rows_side_by_side(slices):
    assert list(joined.cases(slices, ROWS, "brats")["names"]) == list(ROWS)


def test_cases_of_another_row_or_cut_are_named(slices):
    with pytest.raises(InputError, match=f"^{slices[1]}: is of row cddpm and must be of sadm_res"):
        joined.cases(slices[::-1], ROWS, "brats")
    with pytest.raises(InputError, match=f"^{slices[0]}: cannot be read"):
        joined.cases(slices, ROWS, "atlas")
    slices[1].write_bytes(slices[1].read_bytes()[:300])
    with pytest.raises(InputError, match=f"^{slices[1]}: cannot be read"):
        joined.cases(slices, ROWS, "brats")


def test_records_of_subjects(tmp_path):
    paths = [tmp_path / f"sub-{name}/q.json" for name in ("S1", "S2")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(json.dumps({"subject": path.parent.name[4:], "brain_ml": 1.5}))
    assert [record["subject"] for record in joined.subject_records(paths)] == ["S1", "S2"]
    whole = paths[1].read_text()
    for content in (whole[:20], "[]", whole.replace("S2", "S1"), ""):
        paths[1].write_text(content)
        with pytest.raises(InputError, match=f"^{paths[1]}: "):
            joined.subject_records(paths)
    paths[1].write_bytes(b"\xff")
    with pytest.raises(InputError, match=f"^{paths[1]}: is damaged"):
        joined.record(paths[1])
