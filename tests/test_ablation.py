"""What the ablation reckons, from planted changes; what it turns is what the table tells of."""

import dataclasses
import os
import re

import ablation
import ablation_page
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from scipy.spatial.transform import Rotation

from uad.imaging import registration
from uad.imaging.volumes import Volume
from uad.plan import config as uad_config
from uad.report import departures

ROWS = [f"row{k}" for k in range(6)]
SUBJECTS = [f"S{k:02}" for k in range(20)]


def measured(values):
    """A table of metrics of one test set; `values` (subjects, rows) is [DICE]."""
    return pd.DataFrame(
        {
            "row": row, "test_set": "brats", "subject": subject,
            "dice_best": values[s, r], "dice_val": values[s, r] / 2, "lesion_ml": 1.0 + s,
        }
        for r, row in enumerate(ROWS)
        for s, subject in enumerate(SUBJECTS)
    )  # fmt: skip


@pytest.fixture
def values(rng):
    """[DICE] of rows 0.1 apart, the last the best; subjects differ, but alike in all rows."""
    return np.arange(6) / 10 + rng.normal(0, 0.3, (20, 1))


def changed(before, after, ranked=ROWS):
    table = ablation_page.changes(measured(before), measured(after), ranked, seed=1)
    return table[table["metric"] == "dice_best"].set_index("row")


def test_a_planted_change_is_found_with_its_interval_and_rank(values, rng):
    after = values.copy()
    after[:, 0] += 0.25 + rng.normal(0, 0.01, 20)  # from last to fourth, subjects nearly agree
    found = changed(values, after)
    line = found.loc["row0"]
    assert line["change"] == pytest.approx((after - values)[:, 0].mean()) and line["n"] == 20
    assert line["low"] < line["change"] < line["high"] and line["high"] - line["low"] < 0.02
    assert line[["rank_base", "rank_turned", "rank_low", "rank_high"]].tolist() == [6, 4, -2, -2]
    for row, rank in (("row1", 5), ("row2", 4)):  # pushed back by one
        places = found.loc[row, ["rank_base", "rank_turned", "rank_low", "rank_high"]]
        assert places.tolist() == [rank, rank + 1, 1, 1]
    still = found.loc[["row3", "row4", "row5"]]
    assert (still[["change", "low", "high", "rank_low", "rank_high"]] == 0).all(axis=None)


def test_an_uncertain_change_has_a_wide_interval_of_value_and_rank(values, rng):
    after = values.copy()
    drawn = rng.normal(0, 0.5, 20)
    after[:, 0] += 0.25 + drawn - drawn.mean()  # to the fourth place, give or take 0.2
    line = changed(values, after).loc["row0"]
    spread = (after - values)[:, 0].std() / np.sqrt(20)
    assert line["high"] - line["low"] == pytest.approx(3.92 * spread, rel=0.15)
    assert line["rank_turned"] - line["rank_base"] == -2
    assert line["rank_low"] <= -3 and line["rank_high"] >= -1


def test_equal_tables_change_nothing_and_controls_have_no_rank(values):
    found = changed(values, values, ROWS[:-1])
    assert (found[["change", "low", "high"]] == 0).all(axis=None)
    assert found.loc["row5", ["rank_base", "rank_low"]].isna().all()
    assert found.loc["row4", "rank_base"] == 1


def test_few_subjects_change_nothing_clearly(values):
    found = changed(values, values + 0.1)
    assert ablation_page.clear(found).all()
    found["n"] = 14
    assert not ablation_page.clear(found).any()


def test_missing_values_and_subjects_are_left_out_in_pairs(values):
    before, after = values.copy(), values + 0.1
    before[0, 0] = after[1, 0] = np.nan
    turned = measured(after)
    turned = turned[turned["subject"] != "S19"]
    table = ablation_page.changes(measured(before), turned, ROWS, seed=1)
    found = table[table["metric"] == "dice_best"].set_index("row")
    assert found.loc["row0", "n"] == 17 and found.loc["row1", "n"] == 19
    np.testing.assert_allclose(found["change"], 0.1)


def test_a_linear_warp_of_labels_shows_as_measured():
    """Balls with a radius of 5 voxels become 1.4 times as large, and the page says so."""
    grid = np.stack(np.meshgrid(*[np.arange(24)] * 3, indexing="ij"), axis=-1)
    ball = (((grid - 11.5) ** 2).sum(axis=-1) < 5**2).astype(np.uint8)
    lesion = Volume(ball, np.diag([-1.0, -1, 1, 1]))
    atlas = Volume(np.zeros(ball.shape, np.float32), lesion.affine)
    tables = {}
    for how in ("nearest", "linear"):
        lines = []
        for k, drawn in enumerate(np.random.default_rng(0).uniform(-0.5, 0.5, (20, 6))):
            # Turned about the centre by up to 0.2 rad on each axis, and moved by half a voxel.
            affine = np.eye(4)
            affine[:3, :3] = Rotation.from_rotvec(0.4 * drawn[3:]).as_matrix()
            centre = lesion.affine[:3, :3] @ np.full(3, 11.5)
            affine[:3, 3] = centre - affine[:3, :3] @ centre + drawn[:3]
            warped = registration.resample_mask(lesion, atlas, affine, how).array
            lines.append(("brats", f"S{k}", warped.sum() / 1000))
        lines.append(("brats", "none", 0.0))
        tables[how] = pd.DataFrame(lines, columns=["test_set", "subject", "lesion_ml"])
    found = ablation_page.inflation(tables["nearest"], tables["linear"], seed=1)
    (line,) = found.itertuples()
    assert line.n == 20 and line.ratio == pytest.approx(1.4, abs=0.1)
    assert 1.3 < line.low < line.ratio < line.high < 1.5
    assert f"| BRATS | 20 | {line.ratio:.2f} [" in ablation_page.of_inflation(found)
    (line,) = ablation_page.inflation(tables["nearest"], tables["nearest"], seed=1).itertuples()
    assert (line.ratio, line.low, line.high) == (1, 1, 1)


# What is turned.


def test_every_departure_is_turned_or_has_a_reason(paper_config):
    """A topic is one if a source says other than the default configuration, and a key decides."""
    uad_config.check(paper_config)
    departing = {
        line["name"]
        for line in departures.table(paper_config)
        if line["config_keys"]
        and {line["paper"], line["code"]} - {line["here"], departures.SILENT, "missing"}
    }
    spec = ablation.spec()
    assert not set(spec["turned"]) & set(spec["left_out"])
    assert departing == set(spec["turned"]) | set(spec["left_out"])


@pytest.mark.parametrize("name", list(ablation.spec()["turned"]))
def test_what_is_turned_is_the_topic_and_nothing_else(name):
    keys, _ = departures.HERE[name]
    turned = ablation.spec()["turned"][name]
    assert all(any(key == k or key.startswith(f"{k}.") for k in keys) for key in turned)
    before, after = (departures.table(ablation.DEMO.configuration(run)) for run in ("base", name))
    told = {a["name"] for a, b in zip(after, before) if a["here"] != b["here"]}
    # DRAEM-Net's block repeats what is said of all synthetic anomalies.
    assert told == {name}


def test_the_released_run_is_that_of_make_demo_released():
    config = ablation.DEMO.configuration(ablation.RELEASED)
    assert config["methods"]["unet_res"]["frozen"] == "drifting"
    assert config["evaluation"]["dice_search"] == "interval"
    assert config["splits"]["scheme"] == "clean"
    makefile = (ROOT / "Makefile").read_text()
    assert "--configfile config/released.yaml config/demo.yaml" in makefile


def test_a_run_ends_with_models_maps_and_metrics():
    """Models too: one that is missing would not be trained if all that it is for is there."""
    found = ablation.DEMO.targets(ablation.DEMO.configuration("base"))
    folder = ablation.DEMO.results.as_posix()
    assert f"{folder}/models/unet_res-brats/fold-0/model.pt" in found
    assert f"{folder}/models/spark/fold-0/model.pt" in found
    assert f"{folder}/scores/unet_res-brats/fold-0/brats21/anomaly_map.npy" in found
    assert f"{folder}/metrics/perfect/fold-0.tsv" in found
    assert not any("scores/cddpm" in path or "fold-1" in path for path in found)


# Where it runs.


@pytest.fixture
def demo(tmp_path):
    """An ablation in an empty folder, whose base is finished: a model, a metric and a log."""
    demo = dataclasses.replace(ablation.DEMO, folder=tmp_path)
    base = tmp_path / "base"
    for path in ("models/unet/fold-0/model.pt", "metrics/unet/fold-0.tsv", "logs/train.log"):
        (base / demo.results / path).parent.mkdir(parents=True)
        (base / demo.results / path).write_text("base")
    (base / ".snakemake/metadata").mkdir(parents=True)
    (base / ".snakemake/metadata/record").write_text("{}")
    return demo


def test_a_run_starts_from_links_to_the_base(demo):
    folder = demo.start("frozen")
    model = folder / demo.results / "models/unet/fold-0/model.pt"
    assert model.samefile(demo.folder / "base" / demo.results / "models/unet/fold-0/model.pt")
    assert not (folder / demo.results / "logs").exists()  # written in place
    record = folder / ".snakemake/metadata/record"
    assert not record.samefile(demo.folder / "base/.snakemake/metadata/record")
    assert demo.trained("frozen") == []
    other = model.with_name("other")
    other.write_text("new")
    os.replace(other, model)
    assert demo.trained("frozen") == ["unet"]
    assert demo.start("frozen") == folder and model.read_text() == "new"  # goes on


@pytest.mark.parametrize(("name", "kept"), [("again", []), ("again_unet_res", ["unet"])])
def test_what_is_trained_again_is_missing(demo, name, kept):
    (demo.folder / "base" / demo.results / "models/unet_res-brats").mkdir()
    folder = demo.start(name)
    assert [path.name for path in (folder / demo.results / "models").iterdir()] == kept
    assert (folder / demo.results / "metrics/unet/fold-0.tsv").exists()
    assert demo.runs()[name][1] == {"seed": 1}


def test_a_run_is_finished_with_the_overlay_that_it_has(demo):
    assert not demo.finished("frozen")
    (demo.folder / "frozen").mkdir()
    for value, finished in (("drifting", True), ("evaluation", False)):
        overlay = {"methods": {"unet_res": {"frozen": value}}}
        (demo.folder / "frozen/finished.yaml").write_text(yaml.safe_dump(overlay))
        assert demo.finished("frozen") == finished


def test_the_study_turns_what_needs_no_training():
    """Its runs reach the evaluation of every row and no model."""
    assert list(ablation.STUDY.runs()) == ["base", *ablation.spec()["rescored"]]
    before = ablation.STUDY.configuration("base")
    assert before["folds"] == [0, 1, 2] and before["keep_maps"]
    for name in ablation.spec()["rescored"]:
        after = ablation.STUDY.configuration(name)
        assert {key for key in before if before[key] != after[key]} == {"evaluation"}
    targets = ablation.STUDY.targets(before)
    assert "results/study/metrics/perfect/fold-2.tsv" in targets
    assert "results/study/models/unet_res-brats/fold-1/model.pt" in targets


# The page.


def of_all_rows(config, rng, subjects):
    """Metrics of every row and test set."""
    lines = [
        {"row": row, "test_set": test_set, "subject": f"S{s}", "lesion_ml": 1.0 + s}
        for test_set in ablation_page.SETS
        for row in config["rows"]
        for s in range(subjects)
    ]
    table = pd.DataFrame(lines)
    for metric in ("dice_best", "dice_val", "dice_best_released", "auprc"):
        table[metric] = rng.uniform(0.2, 0.6, len(table))
    return table


@pytest.mark.parametrize("subjects", [3, 20])
def test_page(tmp_path, monkeypatch, rng, subjects):
    for name in ("ablation", "parity"):
        page = tmp_path / f"{name}.md"
        page.write_text((ROOT / f"docs/{name}.md").read_text(encoding="utf-8"), encoding="utf-8")
        monkeypatch.setattr(ablation_page, {"ablation": "PAGE", "parity": "PARITY"}[name], page)
    names = ["base", "again", "frozen", "threshold_search", "empty_dice", "lesions", "released"]
    configs = {name: ablation.DEMO.configuration(name) for name in names}
    base = of_all_rows(configs["base"], rng, subjects)
    tables = dict.fromkeys(names, base)
    tables["released"] = of_all_rows(configs["base"], rng, subjects)
    of_row = (base["row"] == "unet_res-brats") & (base["test_set"] == "atlas")
    tables["frozen"] = base.assign(dice_best=base["dice_best"] + 0.123 * of_row)
    tables["threshold_search"] = base.assign(dice_val=base["dice_val"] - 0.05 * of_row)
    tables["lesions"] = base.assign(lesion_ml=1.5 * base["lesion_ml"])
    demo = {name: ablation_page.Run(configs[name], tables[name], 3, 2.34) for name in names}
    study = {name: demo[name] for name in ("base", "threshold_search")}
    ablation_page.write(demo, study, ["box"], {"updates": "because"})
    page = (tmp_path / "ablation.md").read_text(encoding="utf-8")
    assert (tmp_path / "ablation.svg").exists()
    (line,) = re.findall(r"^\| Frozen cDDPM in stage II \| .*$", page, flags=re.M)
    cells = line.strip("| ").split(" | ")
    assert cells[1:4] == ["evaluation mode", "batch statistics drift, drop path active", "3"]
    assert cells[4] == ("– / – / –" if subjects == 3 else "0 / 1 / 0")
    assert cells[5] == "unet_res-brats on ATLAS: +12.3 [12.3, 12.3]" and cells[-1] == "2.3"
    n = sum(block["block"] != "control" for block in configs["base"]["rows"].values())
    assert cells[7] == f"0.0 / {12.3 / n:.1f} / 0.0"  # 12.3 in one of all rows
    both = re.findall(r"^\| Search for the threshold of Dice_val \| .*$", page, flags=re.M)
    assert len(both) == 2  # of the demo and of the study
    for line in both:
        cells = line.strip("| ").split(" | ")
        assert cells[5:9] == ["none", "–", "0.0 / 0.0 / 0.0", f"+0.0 / -{5 / n:.1f} / +0.0"]
    assert page.count("interval search on all voxels pooled (Dice_val; 1 row)</summary>") == 2
    assert "**Dice_val without lesion and without prediction: left out of the mean**: no" in page
    assert f"| BRATS | {subjects} | 1.50 [1.50, 1.50] |" in page
    assert "| Box of the brain | not run yet |" in page
    assert "| Updates per epoch, cDDPM | because |" in page
    side = (tmp_path / "parity.md").read_text(encoding="utf-8")
    _, _, side = side.partition("<!-- side by side: begin -->\n")
    lines = side.partition("<!--")[0].splitlines()
    assert len(lines) == 2 + n and lines[0].count("`released.yaml`") == 3
    part = base[(base["row"] == "ae") & (base["test_set"] == "brats")]
    first = (
        f"| ae | {100 * part['dice_best_released'].mean():.1f} ({100 * part['auprc'].mean():.1f})"
    )
    assert sum(line.startswith(first) for line in lines) == 1
