"""The demo, end to end: `make demo` as the README says, and what must come out of it.

Runs in the repository itself, into results/demo: a finished demo is not computed again, a new clone
takes some minutes.
"""

import hashlib
import json
import re
import shutil
import subprocess
import zipfile

import golden
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT, make_demo
from test_reruns import planned

from uad.base import tsv
from uad.data import packed, splits

pytestmark = pytest.mark.demo


@pytest.fixture(scope="session")
def table(demo):
    return pd.read_csv(demo / "tables/table1.csv").set_index(["method", "d_unhealthy", "test_set"])


def test_second_call_does_nothing(repository):
    done = make_demo()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_copied_results_are_taken_as_they_are_after_one_command(repository, checkout):
    """`cp -r` gives all files new times, in any order."""
    (checkout.folder / "results").mkdir()
    subprocess.run(["cp", "-r", str(repository), str(checkout.folder / "results/demo")], check=True)
    shutil.copytree(ROOT / ".snakemake/metadata", checkout.folder / ".snakemake/metadata")
    for path in (checkout.folder / "results/demo/models").rglob("model.pt"):
        path.touch()  # as if it had been copied last
    assert "evaluate" in planned(checkout)
    done = checkout.snakemake("--touch", configfiles=["config/demo.yaml"])
    assert done.returncode == 0, done.stderr
    assert planned(checkout) == {}


# What the table must show.


def test_table_has_every_row_and_test_set(table, paper_config):
    assert len(table) == 3 * len(paper_config["rows"])
    assert set(table["block"]) == {"I", "II", "III", "control"}
    assert (table["n_folds"] == 2).all() and (table["n_subjects"] == 3).all()
    values = table[["dice_best_mean", "dice_val_mean", "auprc_mean"]]
    assert (
        values.notna().all(axis=None)
        and (values >= 0).all(axis=None)
        and (values <= 1).all(axis=None)
    )
    assert (table["dice_val_mean"] <= table["dice_best_mean"] + 1e-6).all()


# The paper's findings. Training is chaotic in its last digits: on another processor, or with other
# threads, folds come out otherwise, by as much as they differ between seeds. Seen in the demo (mean
# of two folds), in an earlier one with another registration and noise, and then in fold 0 of five
# other seeds, in per cent:
#
# | [DICE] of, on                | demo | others                        | bound
# | cDDPM, BRATS                 | 64   | 46, 62, 51, 41, 44, 58        | 17 (chance 3, intensity 8)
# | cDDPM, ATLAS                 | 49   | 44, 49, 55, 54, 50, 41        | 32 (intensity; chance 4)
# | SADM_res/BRATS, ATLAS        | 50   | 47, 53, 57, 64, 62, 37        | 0.85 of cDDPM: 0.90 up
# | SADM_res/ATLAS, BRATS        | 64   | 46, 67, 58, 42, 45, 58        | 0.85 of cDDPM: 0.99 up
# | Unet/BRATS, ATLAS            | 21   | 19, 20, 20, 19, 12, 8         | 2/3 of cDDPM: 0.43 at most
# | Unet/ATLAS, BRATS            | 10   | 4, 3, 5, 8, 5, 4              | 2/3 of cDDPM: 0.19 at most
# | Unet/DRAEM, DRAEM            | 35   | 34, 40, 33, -, 34, -          | twice cDDPM: 2.7 and more
# | SADM_res - cDDPM, own domain | 3.7  | 3.9, 8.0, 3.6, 6.6, 12.2, 7.7 | 0; of BRATS alone -2 to 13
# | Unet, own domain             | 25   | 20, 35, 28, 16, 12, 20        | twice chance, 7.5


@pytest.fixture
def dice(table):
    """Mean [DICE] of a row on a test set: `dice("unet", "brats", on="atlas")`."""
    return lambda method, unhealthy="none", *, on: table.loc[
        (method, unhealthy, on), "dice_best_mean"
    ]


REAL = ("brats", "atlas")
OTHER = {"brats": "atlas", "atlas": "brats"}


@pytest.mark.parametrize("name", REAL)
def test_the_cddpm_finds_lesions_that_it_never_saw(dice, name):
    assert dice("cddpm", on=name) > 5 * dice("chance", on=name)
    assert dice("cddpm", on=name) > dice("intensity", on=name)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("method", ["ae", "vae", "dae", "fae", "rd", "ddpm", "pddpm", "cddpm"])
def test_what_learned_healthy_scans_tells_lesions_from_them(dice, method, name):
    assert dice(method, on=name) > dice("chance", on=name)


def test_fusion_is_better_than_reconstruction_where_lesions_were_seen(dice):
    # Of both data sets together: with three patients to learn from, the gain on one of them is
    # smaller than it differs between seeds.
    fused = np.mean([dice("sadm_res", name, on=name) for name in REAL])
    assert fused > np.mean([dice("cddpm", on=name) for name in REAL])


@pytest.mark.parametrize("name", REAL)
def test_elsewhere_fusion_keeps_what_reconstruction_knows(dice, name):
    other = OTHER[name]
    assert dice("sadm_res", name, on=other) > 0.85 * dice("cddpm", on=other)
    assert dice("unet", name, on=other) < 2 / 3 * dice("cddpm", on=other)


def test_training_with_real_lesions_finds_them(dice):
    # A network that did not learn, was given labels of other subjects or was tested on other
    # subjects' maps scores like chance.
    for method in ("unet", "unet_res"):
        found, by_chance = (
            np.mean([dice(*row, on=name) for row, name in zip(rows, REAL)])
            for rows in ([(method, name) for name in REAL], [("chance",)] * 2)
        )
        assert found > 2 * by_chance
    # Who knows strokes only finds no glioma: at least 1.2 times in six seeds. (The other way round
    # they may.)
    assert dice("unet", "brats", on="brats") > dice("unet", "atlas", on="brats")


def test_training_with_synthetic_anomalies_finds_them(dice):
    for method in ("chance", "intensity", "cddpm"):
        assert dice("unet", "draem", on="draem") > 2 * dice(method, on="draem")


def test_perfect_is_exactly_one(table):
    perfect = table.loc["perfect"]
    assert (perfect[["dice_best_mean", "dice_val_mean", "auprc_mean"]] == 1).all(axis=None)


@pytest.mark.parametrize("test_set", ["brats", "atlas", "draem"])
def test_chance_has_the_prevalence(demo, table, test_set):
    metrics = pd.concat(tsv.read(demo / f"metrics/chance/fold-{f}.tsv") for f in (0, 1))
    prevalence = metrics.query("test_set == @test_set")["prevalence"].mean()
    assert table.loc[("chance", "none", test_set), "auprc_mean"] == pytest.approx(
        prevalence, rel=0.2
    )


def test_rows_of_one_network_differ_by_the_residual_map(demo):
    # SADM is Unet plus the cDDPM's map; their metrics must not be copies of each other.
    unet, sadm = (tsv.read(demo / f"metrics/{r}-brats/fold-0.tsv") for r in ("unet", "sadm"))
    assert not np.allclose(unet["auprc"], sadm["auprc"])


def test_further_tables_are_about_the_same_rows(demo, table):
    second, third = (pd.read_csv(demo / f"tables/table{n}.csv") for n in (2, 3))
    assert len(second) == len(third) == len(table)
    np.testing.assert_allclose(second["dice_best_mean"], table["dice_best_mean"], atol=1e-5)
    perfect = third[third["method"] == "perfect"]
    assert (perfect[["lesion_recall_mean", "lesion_precision_mean"]] == 1).all(axis=None)
    assert (perfect[["hd95_mm_mean", "fp_ml_mean"]] == 0).all(axis=None)
    reconstructing = third["method"].isin(
        ["ae", "vae", "dae", "ddpm", "pddpm", "cddpm", "sadm", "sadm_res"]
    )
    assert (third["recon_l1_healthy_mean"].notna() == reconstructing).all()


def test_golden_values(demo):
    """What moves on other processors, and how far: docs/processors.md."""
    expected = pd.read_csv(golden.TABLE, sep="\t")
    found = golden.measure(demo)
    pd.testing.assert_frame_equal(found[["of", "quantity"]], expected[["of", "quantity"]])
    off = (found["value"] - expected["value"]).abs() > golden.tolerance(expected)
    assert not off.any(), found.assign(expected=expected["value"])[off]


def test_golden_transforms(demo):
    moved = golden.displacements(pd.read_csv(golden.TRANSFORMS, sep="\t", index_col="of"), demo)
    assert moved.max() < golden.DISPLACEMENT_MM, moved[moved >= golden.DISPLACEMENT_MM]


# What lies behind it.


@pytest.mark.parametrize("name", ["ixi", "brats21", "atlas_v2", "draem"])
def test_packed_volumes(demo, name):
    pack = packed.Pack(demo / "packed" / name)
    assert pack.image.shape[1:] == (33, 64, 64)  # 192 x 192 x 100 mm at the demo's 3 mm
    for subject in pack.subjects["subject"]:
        volume = pack.volume(subject)
        assert np.isfinite(volume.image).all()
        brain = volume.image[volume.brain]
        assert 0.4 < np.median(brain) < 1 and brain.min() > -0.3 and brain.max() < 1.4
        assert abs(volume.image[~volume.brain]).mean() < 0.05
        assert 0.2 < volume.brain.mean() < 0.5
        if name == "ixi":
            assert not volume.lesion.any()
        else:
            assert volume.lesion.any()
            assert (volume.lesion & volume.brain).sum() > 0.8 * volume.lesion.sum()


@pytest.mark.parametrize("name", ["ixi", "brats21", "atlas_v2", "draem"])
def test_no_subject_has_two_roles(demo, name):
    split = tsv.read(demo / f"splits/{name}.tsv")
    splits.check(split)
    if name == "draem":
        assert "train" not in set(split["role"])


def test_lesion_volumes_survive_preprocessing(demo):
    import nibabel as nib

    table = tsv.read(demo / "packed/brats21/subjects.tsv").set_index("subject")
    for native in (demo / "raw/brats21").rglob("*_seg.nii.gz"):
        image = nib.load(native)
        before = (np.asarray(image.dataobj) > 0).sum() / 1000
        after = table.loc[f"BraTS{native.name[10:15]}", "lesion_ml"]
        # Registration to the atlas may scale the head by some per cent per axis.
        assert after == pytest.approx(before, rel=0.35, abs=0.05)


def test_registration_quality_is_recorded(demo):
    files = list((demo / "preprocessed").rglob("*_desc-registration_qc.json"))
    assert len(files) == 26
    for path in files:
        quality = json.loads(path.read_text())
        assert quality["status"] == "ok" and quality["similarity"] > 0.425


@pytest.mark.parametrize("name", ["ixi", "brats21", "atlas_v2"])
def test_quality_of_every_subject_is_in_its_page(demo, name):
    page = (demo / f"qc/{name}.html").read_text()
    table = tsv.read(demo / f"qc/{name}.tsv")
    assert len(table) == page.count("data:image/jpeg") == (10 if name == "ixi" else 8)
    assert all(f">{subject}</a>" in page for subject in table["subject"])
    # A mask that was made of the atlas brain has no Dice with it.
    assert table["dice_atlas"].min() > 0.9 if name == "brats21" else "dice_atlas" not in table
    assert table["brain_ml"].between(1000, 2000).all()
    assert ("lesion_ml" in table) == (name != "ixi")
    for link in re.findall(r'href="([^"]+)"', page):
        assert (demo / "qc" / link).exists()


def test_models_say_how_they_were_made(demo):
    model = torch.load(demo / "models/unet_res-brats/fold-1/model.pt", weights_only=True)
    assert model["method"] == "unet_res" and model["fold"] == 1
    assert re.fullmatch(r"[0-9a-f]{16}", model["code"])


def test_reconstructions_are_shared(demo):
    # One file per fold and data set, made by each model that reconstructs.
    files = sorted(
        str(p.relative_to(demo / "reconstructions"))
        for p in (demo / "reconstructions").rglob("*.npy")
    )
    sets = ("atlas_v2", "brats21", "draem", "ixi")
    assert files == [
        f"{model}/fold-{fold}/{dataset}/reconstruction.npy"
        for model in ("ae", "cddpm", "dae", "ddpm", "pddpm", "vae")
        for fold in (0, 1)
        for dataset in sets
    ]


def test_maps_and_intermediate_images_are_deleted(demo):
    assert not list((demo / "scores").rglob("*.npy"))
    assert not list((demo / "preprocessed").rglob("*desc-registered*"))


def test_memory_stays_below_four_gigabytes_per_job(demo):
    # Two jobs at a time, so the demo as a whole stays below eight.
    peaks = {
        p: pd.read_csv(p, sep="\t")["max_rss"].max() for p in (demo / "benchmarks").rglob("*.tsv")
    }
    assert len(peaks) > 40
    assert max(peaks.values()) < 4096


def test_report(demo):
    with zipfile.ZipFile(demo / "report.zip") as archive:
        names = archive.namelist()
        page = archive.read("report/report.html").decode()
    for result in ("table1.html", "table2.html", "table3.html",
                   "cases_brats.png", "cases_atlas.png", "cases_draem.png",
                   "training.png", "splits.png", "cohort_ixi.png", "cohort_brats21.png",
                   "cohort_atlas_v2.png", "ixi.html", "brats21.html", "atlas_v2.html",
                   "audit.html", "datasets.html", "departures.html", "comparison.png",
                   "synthetic.png", "weights.svg", "precision_recall.svg", "lesion_volume.svg",
                   "cddpm.html", "unet.html", "unet_res.html",
                   "claims.html", "claims.svg", "index.html", "methods.md"):  # fmt: skip
        assert any(result in name for name in names), result
    assert "simulated" in page and "app.showCategory('0%20Overview')" in page
    assert (demo / "report.zip").stat().st_size < 30e6
    # A caption behind each of the 25 results, each saying that the data are simulated.
    assert page.count("Simulated data.") >= 25


def test_report_begins_with_the_front_page_and_its_links_work(demo, tmp_path):
    with zipfile.ZipFile(demo / "report.zip") as archive:
        assert archive.namelist()[0] == "index.html"
        archive.extractall(tmp_path)
    pages = [path for path in tmp_path.rglob("*.html") if path.name != "report.html"]
    links = [(p, href) for p in pages for href in re.findall(r'<a href="([^"#]+)', p.read_text())]
    inside = [(page, href) for page, href in links if "://" not in href]
    assert all((page.parent / href).is_file() for page, href in inside)
    # From the front page, which is there twice: at least tables, figures and methods.
    assert len(inside) > 80 and (tmp_path / "index.html", "report/report.html") in inside
    added = {page.relative_to(tmp_path).as_posix() for page in pages}
    assert {"rows/cddpm.html", "subjects/brats.html", "figures/weights.html"} <= added


def test_weights_of_the_fusion_meet_the_rows_of_the_table(demo, table):
    weights = tsv.read(demo / "figures/beta.tsv")
    mean = weights.groupby(["d_unhealthy", "test_set", "beta"])["dice_best"].mean()
    for unhealthy in ("draem", "brats", "atlas"):
        for test_set in ("draem", "brats", "atlas"):
            for beta, row, trained_on in (
                (0, "unet_res", unhealthy), (0.5, "sadm_res", unhealthy), (1, "cddpm", "none"),
            ):  # fmt: skip
                assert mean[unhealthy, test_set, beta] == pytest.approx(
                    table.loc[(row, trained_on, test_set), "dice_best_mean"], abs=1e-5
                )


def test_claims_are_of_the_rows_of_the_table(demo, table):
    verdicts, compared = (tsv.read(demo / f"{name}/claims.tsv") for name in ("tables", "figures"))
    assert len(verdicts) >= 15 and set(verdicts["claim"]) == set(compared["claim"])
    # Three patients: direction and effect, no verdict.
    assert set(verdicts["verdict"]) == {"too few subjects"} and compared["low"].isna().all()

    def mean(row, test_set, metric):
        method, _, unhealthy = row.partition("-")
        return table.loc[(method, unhealthy or "none", test_set), f"{metric}_mean"]

    # Every subject is in every fold, so the mean over subjects is that over folds.
    for _, line in compared[compared["claim"] != "weight_between_is_best"].iterrows():
        row, than = (mean(line[key], line["test_set"], line["metric"]) for key in ("row", "than"))
        assert line["effect"] == pytest.approx(row - than, abs=1e-5)
    page = (demo / "tables/claims.html").read_text()
    assert page.index("Computed on simulated scans") < page.index("Claims of")


@pytest.mark.parametrize("name", ["cddpm", "unet", "unet_res"])
def test_cards_know_what_every_job_cost(demo, name):
    page = (demo / f"methods/{name}.html").read_text()
    models = page.partition('class="models"')[2].partition("</table>")[0]
    assert models.count("<tr><td>") == (2 if name == "cddpm" else 6)
    # Of each model: the cDDPM has no Dice of masks and no scores, others make no reconstructions.
    assert models.count("<td>–</td>") == (2 * 3 if name == "cddpm" else 6 * 2)


def test_front_page_says_that_it_worked(demo):
    page = (demo / "index.html").read_text()
    assert 'class="bad"' not in page and "Control rows have their expected values" in page
    assert "Computed on simulated scans" in page
    for link in re.findall(r'href="([^"#]+)', page):
        assert (demo / link).is_file(), link
    costs = tsv.read(demo / "tables/costs.tsv")
    assert (costs["jobs_measured"] == costs["jobs_planned"]).all()
    assert costs["hours"].notna().all() and (costs["gpu_hours"] == 0).all()


def test_provenance_names_what_was_read_and_made(demo):
    record = json.loads((demo / "provenance.json").read_text())
    table = hashlib.sha256((demo / "tables/table1.csv").read_bytes()).hexdigest()
    assert record["results"]["results/demo/tables/table1.csv"] == table
    assert all(len(line["sha256"]) == 64 for line in record["data_sets"].values())
    assert len(record["models"]) == 2 * 17 and record["config"]["folds"] == [0, 1]
    methods = (demo / "methods.md").read_text()
    assert "### cddpm" in methods and "All data in this run are **simulated**" in methods
