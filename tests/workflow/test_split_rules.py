"""The split rules alone, by each scheme, on hand-written tables of packed subjects."""

import json
import shutil

import pandas as pd
import pytest
import yaml
from conftest import ROOT, write_list

from uad.base import tsv
from uad.base.files import write_json
from uad.data import leakage, splits
from uad.simulation import names

SIZES = {"ixi": 12, "brats21": 14, "atlas_v2": 10}
AUDIT, TABLE = "results/splits/audit.html", "results/tables/table1.html"


@pytest.fixture
def run(checkout, tmp_path):
    """Run `make_splits` and `audit_splits` on a few subjects and lists that leak.

    IXI: one subject trains and tests, one row is repeated, one listed subject is not packed.
    """
    lists = tmp_path / "lists"
    lists.mkdir()
    blocks = {}
    for dataset, n in SIZES.items():
        scans = names.scans(dataset, n, 1)
        for scan in scans:
            for file in names.files(dataset, scan):
                path = tmp_path / "raw" / dataset / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        blocks[dataset] = {"folder": str(tmp_path / "raw" / dataset), "demographics": None}
        if dataset == "ixi":
            rows = [f"{scan}_t1.nii.gz" for scan in scans]
            for fold in (0, 1):
                write_list(lists / f"IXI_train_fold{fold}.csv", [*rows[:6], rows[0]])
                write_list(lists / f"IXI_val_fold{fold}.csv", rows[6:8])
            write_list(lists / "IXI_test.csv", [*rows[8:], rows[1], "IXI999-HH-1234_t1.nii.gz"])
            labels = [scan[:6] for scan in scans]
            table = {"age_group": "20-40"}
        else:
            stem = {"brats21": "Brats21", "atlas_v2": "ATLAS_v2"}[dataset]
            write_list(lists / f"{stem}_val.csv", scans[:12] if dataset == "brats21" else scans[:8])
            write_list(lists / f"{stem}_test.csv", scans[-2:])
            labels = [s.replace("BraTS2021_", "BraTS").replace("sub-", "") for s in scans]
            table = {"site": [label[:4] for label in labels]}
        folder = checkout.folder / "results/packed" / dataset
        folder.mkdir(parents=True)
        tsv.write(pd.DataFrame({"subject": labels, **table}), folder / "subjects.tsv")
        excluded = {"subject": ["IXI999"] if dataset == "ixi" else [], "status": "is blank"}
        tsv.write(pd.DataFrame(excluded), folder / "excluded.tsv")
        contents = {"image": {label: f"{dataset} {label}" for label in labels}, "lesion": {}}
        write_json({"contents": contents}, checkout.folder / f"results/inventory/{dataset}.json")
    for name in ("T1.nii", "T1_brain.nii"):
        (tmp_path / name).touch()
    checkout.lists = lists
    clean = {
        "folds": 2,
        "ixi": {"train": 4, "val": 2, "test": 4},
        "brats21": {"train": 4, "val": 2, "test": None},
        "atlas_v2": {"train": 4, "val": 2, "test": None},
    }

    def run(scheme, purge_leakage=False, target=AUDIT):
        released = {"folder": str(lists), "purge_leakage": purge_leakage}
        overlay = checkout.overlay(
            datasets=blocks,
            atlas={"head": str(tmp_path / "T1.nii"), "brain": str(tmp_path / "T1_brain.nii")},
            folds=[0, 1],
            splits={"scheme": scheme, "released": released, **clean},
        )
        return checkout.snakemake(
            target, "--rerun-triggers", "mtime",
            "--allowed-rules", "make_splits", "audit_splits", "compare",
            configfiles=[overlay],
        )  # fmt: skip

    run.folder, run.lists = checkout.folder / "results", lists
    return run


def write_metrics(run, scheme, config, perfect=1):
    """What other rules write for `compare`, of the test subjects of a scheme's splits."""
    assert run(scheme).returncode == 0
    folder = run.folder
    shutil.copytree(folder / "packed/ixi", folder / "packed/draem")
    shutil.copy(folder / "splits/ixi.tsv", folder / "splits/draem.tsv")
    sources = {"brats": "brats21", "atlas": "atlas_v2", "draem": "draem"}
    split = {name: tsv.read(folder / f"splits/{of}.tsv") for name, of in sources.items()}
    split["ixi"] = tsv.read(folder / "splits/ixi.tsv")
    for name in ("brats21", "atlas_v2"):
        subjects = tsv.read(folder / f"packed/{name}/subjects.tsv")[["subject"]]
        (folder / "qc").mkdir(exist_ok=True)
        tsv.write(subjects.assign(lesion_kept=90.0), folder / f"qc/{name}.tsv")
    schema = yaml.safe_load((ROOT / "workflow/schemas/metrics.schema.yaml").read_text())["$defs"]
    endings = {"subjects": "", "healthy": "_healthy", "pooled": "_pooled"}
    for row in config["rows"]:
        for fold in (0, 1):
            for table, ending in endings.items():
                values = dict.fromkeys(
                    schema[table]["properties"], perfect if row == "perfect" else 0.3
                )
                lines = []
                for test_set in config["table"]["test_sets"]:
                    of = split["ixi" if table == "healthy" else test_set]
                    tested = splits.subjects(of, fold, "test")
                    for subject in [None] if table == "pooled" else tested:
                        line = {**values, "row": row, "test_set": test_set, "fold": fold}
                        lines.append(line if subject is None else {**line, "subject": subject})
                path = folder / f"metrics/{row}/fold-{fold}{ending}.tsv"
                tsv.write(pd.DataFrame(lines), path)
    return split


def test_one_scan_under_two_names(run):
    assert run("clean").returncode == 0
    audit, table = run.folder.parent / AUDIT, run.folder / "splits/audit.tsv"
    assert not tsv.read(table)["train_test"].any() and "their names are" not in audit.read_text()
    split = tsv.read(run.folder / "splits/ixi.tsv")
    (trains, *_), (tests, *_) = (splits.subjects(split, 0, role) for role in ("train", "test"))
    path = run.folder / "inventory/ixi.json"
    line = json.loads(path.read_text())
    line["contents"]["image"][tests] = line["contents"]["image"][trains]
    write_json(line, path)
    assert run("clean").returncode == 0
    found = tsv.read(table).set_index(["dataset", "fold"])
    assert found.loc[("ixi", 0), "train_test"] == 1
    assert found.loc[("ixi", 0), "train_test_subjects"] == f"{tests}={trains}"
    assert not found.loc["brats21", "train_test"].any()
    page = audit.read_text()
    assert "two roles in a fold; their names are below" in page and f"{tests}={trains}" in page


def test_released_with_leaks(run):
    done = run("released")
    assert done.returncode == 0, done.stdout + done.stderr
    split = tsv.read(run.folder / "splits/ixi.tsv")
    sizes = split.groupby(["fold", "role"]).size().unstack()
    assert sizes.to_dict("list") == {"test": [5, 5], "train": [6, 6], "val": [2, 2]}
    assert leakage.leak_warning(split).endswith(
        "up to 1 subjects of the test set are also trained on"
    )
    assert "shared" not in tsv.read(run.folder / "splits/brats21.tsv")
    log = (run.folder / "logs/make_splits/ixi.log").read_text()
    assert "1 listed subjects are not packed and left out: IXI999" in log
    assert "released lists: up to 1 subjects of the test set are also trained on" in log
    page = (run.folder.parent / AUDIT).read_text()
    assert "their names are below" in page and "+ 1 repeated" in page
    # With `purge_leakage` nothing of it is left in what is used.
    shutil.rmtree(run.folder / "splits")
    assert run("released", purge_leakage=True).returncode == 0
    assert "shared" not in tsv.read(run.folder / "splits/ixi.tsv")
    audit = tsv.read(run.folder / "splits/audit.tsv").query("dataset == 'ixi'")
    assert list(audit["stage"]) == ["listed"] * 2 + ["used"] * 2
    assert list(audit["train_test"]) == [1, 1, 0, 0] and list(audit["train"]) == [6, 6, 5, 5]
    assert list(audit["absent"]) == [1, 1, 0, 0] and set(audit["absent_subjects"][:2]) == {"IXI999"}


def test_table_1_says_that_splits_leak(run, paper_config):
    write_metrics(run, "released", paper_config)
    sentence = "Released lists of ixi: up to 1 subjects of the test set are also trained on"
    done = run("released", target=TABLE)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("table1.html", "table1.tex"):
        assert sentence in (run.folder / "tables" / name).read_text()
    for name in ("table2.html", "table3.html", "table2.csv", "table3.csv", "statistics.tsv",
                 "comparisons.tsv", "agreement.tsv"):  # fmt: skip
        assert (run.folder / "tables" / name).stat().st_size > 200


def test_broken_control_stops_the_table(run, paper_config):
    split = write_metrics(run, "released", paper_config, perfect=0.98)
    first = splits.subjects(split["brats"], 0, "test")[0]
    done = run("released", target=TABLE)
    assert done.returncode != 0
    assert (
        f"Error: control perfect: dice_best of brats, subject {first}, fold 0 is 0.98 and must be 1"
        in (done.stdout + done.stderr)
    )
    assert not (run.folder / "tables/table1.csv").exists()


def test_clean_leaks_nothing(run):
    done = run("clean")
    assert done.returncode == 0, done.stdout + done.stderr
    audit = tsv.read(run.folder / "splits/audit.tsv")
    assert list(audit["stage"]) == ["used"] * 6
    assert (audit[["train_test", "train_val", "val_test", "repeated_train"]] == 0).all(axis=None)
    assert 'class="warning"' not in (run.folder.parent / AUDIT).read_text()


def test_paper(run):
    ids = (ROOT / "workflow/resources/atlas_v2_paper_split.txt").read_text().split()
    labels = [name[4:] for name in ids] + ["r090s001"]
    table = pd.DataFrame({"subject": labels, "site": "r000"})
    tsv.write(table, run.folder / "packed/atlas_v2/subjects.tsv")
    done = run("paper")
    assert done.returncode == 0, done.stdout + done.stderr
    split = tsv.read(run.folder / "splits/atlas_v2.tsv")
    assert splits.subjects(split, 0, "val") == labels[:6]
    assert splits.subjects(split, 1, "test") == ["r090s001"]
    assert len(tsv.read(run.folder / "splits/ixi.tsv").query("fold == 0")) == 10


def test_list_without_names(run):
    path = run.lists / "Brats21_val.csv"
    path.write_text(path.read_text().replace("img_name", "name"))
    done = run("released")
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"Error: {path}: has no column img_name, so it is not a released split list" in text
    assert not (run.folder / "splits/brats21.tsv").exists()
