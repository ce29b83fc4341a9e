"""Runs of several labs: joined by subject, refused by name, merged into one."""

import json
import shutil
import zipfile
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from test_tables import COMPARISON, HEALTHY, ROWS, SUBJECTS, metrics

from uad.__main__ import predict
from uad.base import digests, sealed, tsv
from uad.base.errors import InputError
from uad.base.paths import Paths
from uad.report import labs, shared

LEVELS = dict(zip(ROWS, (0.2, 0.6, 0.3, 1)))
CLAIM = {
    "title": "T", "quote": "q", "source": "s", "kind": "above", "metric": "dice_best",
    "margin": 0, "reading": None, "published": None,
    "compare": [{"row": "sadm_res-brats", "than": ["cddpm"], "test_sets": ["brats"]}],
}  # fmt: skip
CONFIG = {
    "results": "results",
    "folds": [0, 1],
    "seed": 1,
    "atlas": {"head": "/home/me/T1.nii", "shape": [240, 240, 155]},
    "datasets": {"ixi": {"folder": "/home/me/IXI", "brain_mask": "hd_bet"}},
    "training": {"epochs": 3, "save_minutes": 10},
}
KINDS = {"metrics": "subjects", "healthy": "healthy", "pooled": "pooled"}


def shared_run(folder, folds, change=None):
    """Results of some folds in a folder, and the archive of them; `change` may alter files."""
    paths = Paths(str(folder / "results"))
    for row, level in LEVELS.items():
        for fold in folds:
            for kind, table in metrics(row, fold, level).items():
                path = Path(paths.metrics(row, fold, KINDS[kind]))
                path.parent.mkdir(parents=True, exist_ok=True)
                tsv.write(table, path, sealed=True)
    for name, subjects in {"brats21": SUBJECTS, "ixi": HEALTHY}.items():
        roles = [(subject, fold, "test") for fold in (0, 1) for subject in subjects]
        split = pd.DataFrame(roles, columns=["subject", "fold", "role"])
        tsv.write(split, paths.split(name), sealed=True)
    tsv.write(pd.DataFrame({"subject": SUBJECTS}), paths.packed_file("brats21", "subjects.tsv"))
    kept = pd.DataFrame({"subject": SUBJECTS, "lesion_kept": 100.0})
    tsv.write(kept, paths.quality("brats21", "tsv"))
    tables = {key: value for key, value in asdict(COMPARISON).items() if key != "test_sets"} | {
        "folds": folds,
        "test_sets": {"brats": "brats21"},
        "healthy": "ixi",
        "datasets": ["ixi", "brats21"],
        "claims": {"paper": "P", "claims": {"better": CLAIM}},
        "weighted": [],
    }
    published = ROOT / "workflow/resources/table1_paper.csv"
    lab = labs.Lab("own", folder, folder / "results", {"tables": tables})
    shutil.copy(published, folder / "results/published.csv")
    labs.write_tables(lab, paths.root)
    results = digests.of_files(paths.table(f"table{n}.csv") for n in (1, 2, 3))
    if change:
        change(paths)
    scripts = dict.fromkeys(shared.DECIDING, "abc")
    scripts["compare"] = digests.code_digest(ROOT / "workflow/scripts/compare.py")
    found = {
        "revision": "r",
        "config": {**CONFIG, "folds": folds, "results": str(folder)},
        "code": {"scripts": scripts},
        "models": {f"cddpm/fold-{fold}": {"code": "m1"} for fold in folds},
        "inputs": {str(folder / "T1.nii"): "0" * 64},
        "data_sets": {"ixi": {"found": 2, "sha256": "s"}},
        "packages_of_training": [{"torch": "2"}],
        "results": results,
    }
    path = folder / "share.zip"
    shared.write(path, shared.manifest(found, tables), paths.root, published)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Archives of fold 0 and of fold 1."""
    folder = tmp_path_factory.mktemp("made")
    return [shared_run(folder / name, [fold]) for fold, name in enumerate(("a", "b"))]


@pytest.fixture
def halves(made, tmp_path):
    """Copies of them, `a/share.zip` and `b/share.zip`."""
    paths = [tmp_path / name / "share.zip" for name in ("a", "b")]
    for path, of in zip(paths, made):
        path.parent.mkdir()
        shutil.copy(of, path)
    return paths


def rewrite(path, name, change):
    """Change the bytes of a member of an archive, and seal it again."""
    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    before = members[name]
    members[name] = change(before)
    assert members[name] != before
    sealed.write(path, members, compressed=True)


def say(path, **changes):
    """Change what the manifest of an archive says."""

    def change(text):
        return json.dumps({**json.loads(text), **changes}).encode()

    rewrite(path, shared.MANIFEST, change)


def test_two_halves_are_the_whole_to_the_byte(halves, tmp_path):
    shared_run(tmp_path / "whole", [0, 1])
    said = labs.compare(halves, tmp_path / "out", ROOT)
    assert any("merged: folds 0, 1" in sentence for sentence in said)
    whole, names = tmp_path / "whole/results", []
    for path in sorted((tmp_path / "out").glob("*/*")):
        names.append(path.name)
        assert path.read_bytes() == (whole / path.parent.name / path.name).read_bytes(), path
    assert {"table1.csv", "table2.html", "table3.csv", "statistics.tsv", "claims.tsv"} < set(names)


def test_differences_are_of_the_second_from_the_first(halves, tmp_path):
    labs.compare(halves, tmp_path / "out", ROOT)
    found = tsv.read(tmp_path / "out" / labs.JOINED)
    line = found.query("row == 'cddpm' and subject == 'S3' and metric == 'dice_best'").iloc[0]
    values = [metrics("cddpm", f, 0.2)["metrics"].set_index("subject") for f in (0, 1)]
    ours, theirs = (table.loc["S3", "dice_best"] for table in values)
    assert line[["a_share", "b_share"]].tolist() == pytest.approx([ours, theirs], rel=1e-5)
    assert line["b_share_minus_a_share"] == pytest.approx(theirs - ours, abs=1e-5)
    summary = tsv.read(tmp_path / "out" / labs.DIFFERENCES)
    line = summary.query("row == 'cddpm' and metric == 'dice_best'").iloc[0]
    wanted = (values[1]["dice_best"] - values[0]["dice_best"]).mean()
    assert line["difference"] == pytest.approx(wanted, abs=1e-5)
    assert line["n"] == len(SUBJECTS) and pd.isna(line["low"])  # too few for an interval


def test_the_same_fold_of_two_labs_is_compared_in_it_and_not_merged(halves, tmp_path):
    paths = [shared_run(tmp_path / "whole", [0, 1]), halves[1]]
    paths[0] = paths[0].rename(tmp_path / "whole.zip")
    said = labs.compare(paths, tmp_path / "out", ROOT)
    assert said[-1].startswith("not merged: fold 1 was run by several")
    found = tsv.read(tmp_path / "out" / labs.JOINED)
    assert (found["share_minus_whole"] == 0).all() and len(found)
    assert not (tmp_path / "out/tables").exists()


OTHERS = {
    "configuration": ("config", "training.epochs", 4, "training.epochs is 4, and in the first 3"),
    "missing key": ("config", "atlas.shape", None, "atlas.shape is null, and in the first .240"),
    "input": ("inputs", "T1.nii", ["1" * 64], "input T1.nii is 1{16}, and in the first 0{16}"),
    "model": ("models", "cddpm", "m2", "code of model cddpm is m2, and in the first m1"),
    "script": ("scripts", "pack", "d", "code of pack is d, and in the first abc"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_protocol_is_refused_by_name(halves, tmp_path, name):
    part, key, value, message = OTHERS[name]
    with zipfile.ZipFile(halves[1]) as archive:
        manifest = json.loads(archive.read(shared.MANIFEST))
    say(halves[1], **{part: {**manifest[part], key: value}})
    with pytest.raises(InputError, match=f"b/share.zip: is of another protocol than .*{message}"):
        labs.compare(halves, tmp_path / "out", ROOT)
    assert not (tmp_path / "out").exists()


def test_places_of_files_and_names_of_machines_are_not_part_of_it():
    found = shared.without_places(CONFIG)
    assert "/" not in json.dumps(found) and "me" not in json.dumps(found)
    assert found["training.epochs"] == 3 and found["datasets.ixi.brain_mask"] == "hd_bet"
    elsewhere = {**CONFIG, "results": "/other", "atlas": {"head": "x/T1.nii", "shape": [1]}}
    assert shared.without_places(elsewhere) == {**found, "atlas.shape": [1]}


# Scripts that make pages, figures, records and predictions, or tables that are not shared.
OTHER_SCRIPTS = """
audit_splits calibrate check collect_cases collect_maps compare describe_method detail_pages
detection_limits estimate export fetch figure_pages find_planted front_page judge_claims
locate_lesions measure_quality plant_lesions plot_cases plot_cohort plot_comparison
plot_lesion_volume plot_precision_recall plot_splits plot_synthetic plot_training plot_weights
prepare_scan quality_page rank record_provenance register_scan score_scan seal_bundle share
summarise_predictions tabulate_deviations tabulate_inventory take_inventory vary whom
write_methods write_prediction
"""


def test_every_script_that_decides_numbers_is_part_of_the_protocol():
    scripts = {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")}
    assert set(shared.DECIDING) | set(OTHER_SCRIPTS.split()) == scripts
    assert not set(shared.DECIDING) & set(OTHER_SCRIPTS.split())


def test_other_scans_and_packages_are_said(halves, tmp_path):
    say(halves[1], data_sets={"ixi": {"found": 3, "sha256": "t"}}, packages=[{"torch": "3"}])
    said = "\n".join(labs.compare(halves, tmp_path / "out", ROOT))
    assert "b_share read other files of ixi than a_share: 3 and 2 subjects were found" in said
    assert "b_share was trained with torch 3, a_share with torch 2" in said


def test_an_archive_of_another_format_is_refused(halves, tmp_path):
    say(halves[1], format=1)
    with pytest.raises(InputError, match=r"b/share.zip: is of format 1, and .* the version that"):
        labs.compare(halves, tmp_path / "out", ROOT)


def test_a_changed_byte_is_found(halves, tmp_path):
    content = bytearray(halves[1].read_bytes())
    content[len(content) // 2] ^= 1
    halves[1].write_bytes(content)
    with pytest.raises(InputError, match="b/share.zip: was changed since|is no archive"):
        labs.compare(halves, tmp_path / "out", ROOT)


def test_an_altered_number_is_found_though_the_archive_was_sealed_again(halves, tmp_path):
    def change(text):
        return text.replace(text.splitlines()[1].split(b"\t")[4], b"0.987654", 1)

    rewrite(halves[1], "metrics/cddpm/fold-1.tsv", change)
    with pytest.raises(InputError, match=r"cddpm/fold-1.tsv: is not as it was written"):
        labs.compare(halves, tmp_path / "out", ROOT)


def edit(path, name, change, scratch):
    """Change a table of an archive, and seal the table and the archive again."""

    def changed(text):
        (scratch / "table.tsv").write_bytes(text)
        tsv.write(change(tsv.read(scratch / "table.tsv")), scratch / "table.tsv", sealed=True)
        return (scratch / "table.tsv").read_bytes()

    rewrite(path, name, changed)


def test_an_altered_number_is_found_though_its_table_was_sealed_again(halves, tmp_path):
    def change(table):
        table.loc[0, "dice_best_released"] += 0.01
        return table

    edit(halves[1], "metrics/cddpm/fold-1.tsv", change, tmp_path)
    with pytest.raises(InputError, match="table1.csv does not follow from its metrics"):
        labs.compare(halves, tmp_path / "out", ROOT)


def test_other_splits_are_not_merged(halves, tmp_path):
    extra = pd.DataFrame({"subject": ["H9"], "fold": 0, "role": "val"})
    edit(halves[1], "splits/ixi.tsv", lambda table: pd.concat([table, extra]), tmp_path)
    said = labs.compare(halves, tmp_path / "out", ROOT)
    assert said[-1] == "not merged: splits/ixi.tsv of b_share differs from that of a_share"
    assert not (tmp_path / "out/tables").exists()


def test_what_is_no_archive_is_refused(halves, tmp_path):
    (tmp_path / "x.zip").write_bytes(b"nothing")
    for path, message in {"x.zip": "is no archive", "y.zip": "no such file"}.items():
        with pytest.raises(InputError, match=f"{path}: {message}"):
            labs.compare([halves[0], tmp_path / path], tmp_path / "out", ROOT)
    with pytest.raises(InputError, match="different names"):
        labs.compare([halves[0], halves[0]], tmp_path / "out", ROOT)


def test_a_manifest_cannot_write_outside_its_folder(halves, tmp_path):
    rewrite(halves[0], shared.MANIFEST, lambda t: t.replace(b'"cddpm": {', b'"../../../x": {'))
    with pytest.raises(InputError, match="is no archive"):
        labs.compare(halves, tmp_path / "out", ROOT)
    assert not list(tmp_path.glob("x*"))


def test_claims_are_judged_of_the_merged_run(halves, tmp_path):
    labs.compare(halves, tmp_path / "out", ROOT)
    verdicts = tsv.read(tmp_path / "out/tables/claims.tsv")
    assert list(verdicts["claim"]) == ["better"] and verdicts["n"].tolist() == [len(SUBJECTS)]


def test_the_command_says_what_it_found_and_ends_at_a_mistake(
    halves, tmp_path, monkeypatch, capsys
):
    def command(*arguments):
        monkeypatch.setattr("sys.argv", ["uad", "compare", *map(str, arguments)])
        predict()

    command(*halves, "--out", tmp_path / "out")
    assert "merged: folds 0, 1 of one run" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="out: is there already; please name another folder"):
        command(*halves, "--out", tmp_path / "out")
    for wrong in (halves[:1], [*halves, "--cores", "2"]):
        with pytest.raises(SystemExit, match="2"):
            command(*wrong)
    assert "compare needs two files" in capsys.readouterr().err
