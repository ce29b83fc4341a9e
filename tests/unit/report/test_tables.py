"""All tables from files: what is written, what stops it, and what the splits leak."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from uad.base import tsv
from uad.base.errors import InputError
from uad.report import tables

ROWS = {
    "cddpm": {"block": "I", "label": "cDDPM", "healthy": "ixi", "maps": ["cddpm"]},
    "sadm_res-brats": {
        "block": "III",
        "label": "SADM_res",
        "healthy": "ixi",
        "maps": ["cddpm", "unet_res-brats"],
    },
    "unet-brats": {"block": "III", "label": "Unet", "healthy": "none", "maps": ["unet-brats"]},
    "perfect": {"block": "control", "label": "perfect", "healthy": "none", "maps": ["perfect"]},
}
FOLDS = [0, 2]
SUBJECTS = [f"S{i}" for i in range(5)]
HEALTHY = ["H0", "H1"]
COMPARISON = tables.Comparison(
    rows=ROWS,
    folds=FOLDS,
    test_sets=["brats"],
    seed=1,
    simulated=True,
    threshold="released",
    registered=["brats"],
    random_extractors=["cddpm"],
    references=["cddpm", "sadm_res-brats"],
    min_component=0,
)
OUTPUTS = {
    "csv": "table1.csv",
    "tex": "table1.tex",
    "html": "table1.html",
    "csv2": "table2.csv",
    "html2": "table2.html",
    "csv3": "table3.csv",
    "html3": "table3.html",
    "statistics": "statistics.tsv",
    "comparisons": "comparisons.tsv",
    "agreement": "agreement.tsv",
}


def metrics(row, fold, level):
    """Metrics of a row in a fold: of subjects, of healthy ones, and pooled."""
    rng = np.random.default_rng([fold, *row.encode()])
    values = {
        name: np.full(len(SUBJECTS), level) if level == 1 else level + 0.1 * rng.random(5)
        for name in (
            "dice_best",
            "dice_best_released",
            "dice_val",
            "auprc",
            "auroc",
            "dice_fpr1",
            "dice_fpr5",
        )
    }
    values |= dict.fromkeys(("dice_fpr10", "lesion_recall", "lesion_precision"), level)
    values |= dict.fromkeys(("recon_l1_healthy", "recon_l1_lesion"), 0.1)
    values |= {"hd95_mm": 0.0, "volume_error_ml": 0.0, "score_mean": 0.5, "lesion_ml": 2.0}
    values |= {"threshold": 0.5}
    which = {"row": row, "test_set": "brats", "fold": fold}
    subjects = pd.DataFrame({**which, "subject": SUBJECTS, **values})
    healthy = pd.DataFrame({**which, "subject": HEALTHY, "score_mean": 0.1, "fp_ml": 0.0})
    pooled = {"dice_pooled_best": level, "auprc_pooled": level, "auroc_subjects": level}
    return {"metrics": subjects, "healthy": healthy, "pooled": pd.DataFrame([which | pooled])}


@pytest.fixture
def inputs(tmp_path):
    """Files of all rows and folds, and a split with one leak in fold 0 and another in fold 1."""
    found = {"metrics": [], "healthy": [], "pooled": []}
    for level, row in zip((0.2, 0.6, 0.3, 1), ROWS):
        for fold in FOLDS:
            for kind, table in metrics(row, fold, level).items():
                found[kind].append(tmp_path / f"{row}-{fold}-{kind}.tsv")
                tsv.write(table, found[kind][-1])
    split = [("A", 0, "train"), ("A", 0, "test"), ("B", 1, "val"), ("B", 1, "test")]
    split += [("A", 2, "train"), ("B", 2, "test")]
    tsv.write(pd.DataFrame(split, columns=["subject", "fold", "role"]), tmp_path / "ixi.tsv")
    tsv.write(pd.DataFrame({"subject": SUBJECTS}), tmp_path / "subjects.tsv")
    kept = {"subject": SUBJECTS, "lesion_kept": [101.0, 100, 60, 80, 100]}
    tsv.write(pd.DataFrame(kept), tmp_path / "quality.tsv")
    for name, subjects in {"brats21": SUBJECTS, "healthy": HEALTHY}.items():
        tested = [(subject, fold, "test") for fold in FOLDS for subject in subjects]
        split = pd.DataFrame(tested, columns=["subject", "fold", "role"])
        tsv.write(split, tmp_path / f"{name}.tsv")
    return found | {
        "known": [tmp_path / "subjects.tsv"],
        "quality": [tmp_path / "quality.tsv"],
        "splits": [tmp_path / "ixi.tsv"],
        "test_splits": [tmp_path / "brats21.tsv", tmp_path / "healthy.tsv"],
        "published": ROOT / "workflow/resources/table1_paper.csv",
    }


def write(inputs, folder, **changes):
    outputs = {name: folder / file for name, file in OUTPUTS.items()}
    tables.write_all(inputs, outputs, replace(COMPARISON, **changes))
    return {name: path.read_text(encoding="utf-8") for name, path in outputs.items()}


def test_everything_is_written(inputs, tmp_path):
    texts = write(inputs, tmp_path / "out")
    first = pd.read_csv(tmp_path / "out/table1.csv")
    assert list(first["method"]) == ["cddpm", "sadm_res", "unet", "perfect"]
    assert (first["n_subjects"] == 5).all() and (first["n_folds"] == 2).all()
    expected = [metrics("cddpm", f, 0.2)["metrics"]["dice_best"].mean() for f in FOLDS]
    assert first["dice_best_mean"][0] == pytest.approx(np.mean(expected), abs=1e-6)
    assert first["paper_dice_mean"][0] == pytest.approx(0.5855)
    comparisons = tsv.read(tmp_path / "out/comparisons.tsv")
    assert set(comparisons["reference"]) == {"sadm_res-brats"}
    assert list(tsv.read(tmp_path / "out/agreement.tsv")["test_set"]) == ["brats", "brats"]
    # What is said beside the numbers.
    leak = "Released lists of ixi: up to 1 subjects of the test set are also trained on"
    assert f'<p class="warning">{leak}</p>' in texts["html"] and f"% {leak}\n" in texts["tex"]
    for name in ("html", "html2", "html3"):
        assert "cDDPM<sup>*</sup>" in texts[name] and "* random extractor" in texts[name]
        assert "Computed on simulated scans" in texts[name]
    # Volumes of 1, 1, 0.6, 0.8 and 1 of the whole: Dice of 1, 1, 0.75, 0.889 and 1.
    caption = " ".join(texts["html"].split())
    assert "on average, 88.0 % of a lesion in BRATS (least: 60.0 %, S2). What they" in caption
    assert "would have a [DICE] of 92.8 in BRATS.</p>" in caption.replace(" </p>", "</p>")
    for name in ("html", "html3"):
        assert "tuned on training and validation subjects" in texts[name]


def test_all_pairs_on_request(inputs, tmp_path, monkeypatch):
    assert "pairs" not in write(inputs, tmp_path / "out")
    monkeypatch.setitem(OUTPUTS, "pairs", "pairs.tsv")
    write(inputs, tmp_path / "more")
    pairs = tsv.read(tmp_path / "more/pairs.tsv")
    assert len(pairs) == 3 * len(set(pairs["metric"])) == 9  # of three rows; no control
    # The other tables are as they were.
    for name in ("table2.csv", "comparisons.tsv"):
        assert (tmp_path / "more" / name).read_text() == (tmp_path / "out" / name).read_text()


def test_a_block_of_any_name_is_a_heading(inputs, tmp_path):
    rows = {**ROWS, "unet-brats": ROWS["unet-brats"] | {"block": "Ours & theirs"}}
    outputs = {name: tmp_path / "out" / file for name, file in OUTPUTS.items()}
    tables.write_all(inputs, outputs, replace(COMPARISON, rows=rows))
    for name in ("html", "html2", "html3"):
        assert ">Ours &amp; theirs</th>" in outputs[name].read_text()
    assert "Ours \\& theirs" in outputs["tex"].read_text()
    found = tsv.read(outputs["comparisons"]).query("row == 'unet-brats'")
    assert set(found["reference"]) == {"cddpm", "sadm_res-brats"}


def test_without_published_values(inputs, tmp_path):
    texts = write(inputs | {"published": []}, tmp_path / "out")
    assert pd.read_csv(tmp_path / "out/table1.csv")["paper_dice_mean"].isna().all()
    assert "Grey, below" not in texts["html"] and "and the paper" not in texts["html2"]


def harm(paths, folds, **changes):
    """Change columns of the files of some folds."""
    for path in paths:
        table = tsv.read(path)
        if set(table["fold"]) <= set(folds):
            tsv.write(table.assign(**{k: v for k, v in changes.items() if k in table}), path)


WITHOUT_LESIONS = dict.fromkeys(
    ["dice_best", "dice_best_released", "dice_val", "auprc", "auroc", "dice_fpr1", "dice_fpr5",
     "dice_fpr10", "lesion_recall", "lesion_precision", "hd95_mm", "volume_error_ml",
     "dice_pooled_best", "auprc_pooled"], float("nan"),
) | {"lesion_ml": 0.0}  # fmt: skip
WITHOUT_THRESHOLD = dict.fromkeys(
    ["threshold", "dice_val", "lesion_recall", "lesion_precision", "hd95_mm", "volume_error_ml",
     "fp_ml"], float("nan"),
)  # fmt: skip


def harm_all(inputs, folds, changes):
    for kind in ("metrics", "healthy", "pooled"):
        harm(inputs[kind], folds, **changes)


@pytest.mark.parametrize("simulated", [True, False])
def test_a_test_set_without_lesions_has_no_values_and_a_reason(inputs, tmp_path, simulated):
    harm_all(inputs, FOLDS, WITHOUT_LESIONS)
    texts = write(inputs, tmp_path / "out", simulated=simulated)
    first = pd.read_csv(tmp_path / "out/table1.csv")
    assert first.filter(regex="^(dice|auprc)_.*mean").isna().all(axis=None)
    said = "BRATS: no test subject has a lesion, so that nothing which compares with lesions is"
    for name in ("html", "html2", "html3"):
        assert f'<p class="warning">{said} defined</p>' in texts[name]
    assert f"% {said} defined\n" in texts["tex"]
    assert not any("nan" in text.lower() for name, text in texts.items() if "html" in name)
    assert "count as [DICE] 0" not in texts["html"]


def test_a_fold_without_lesions_is_left_out_of_the_means(inputs, tmp_path):
    harm_all(inputs, FOLDS[:1], WITHOUT_LESIONS)
    texts = write(inputs, tmp_path / "out")
    first = pd.read_csv(tmp_path / "out/table1.csv")
    expected = metrics("cddpm", FOLDS[1], 0.2)["metrics"]["dice_best"].mean()
    assert first["dice_best_mean"][0] == pytest.approx(expected, abs=1e-6)
    assert f"BRATS, folds {FOLDS[0]}: no test subject has a lesion" in texts["html"]


def test_without_a_threshold_only_what_needs_one_is_missing(inputs, tmp_path):
    harm_all(inputs, FOLDS, WITHOUT_THRESHOLD)
    texts = write(inputs, tmp_path / "out")
    first = pd.read_csv(tmp_path / "out/table1.csv")
    assert first["dice_val_mean"].isna().all() and first["dice_best_mean"].notna().all()
    said = "BRATS: no validation subject has a lesion to choose a threshold by, so that nothing at"
    assert said in texts["html"] and said in texts["html3"]
    harm_all(inputs, FOLDS, {"dice_val": 0.0})
    with pytest.raises(InputError, match="control perfect: dice_val .* must be missing"):
        write(inputs, tmp_path / "again")


def test_nothing_is_written_if_a_control_is_wrong(inputs, tmp_path):
    path = inputs["metrics"][-1]
    tsv.write(tsv.read(path).assign(dice_best=0.9), path)
    with pytest.raises(InputError, match="control perfect"):
        write(inputs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_leaks_of_the_folds_that_are_used(inputs):
    assert tables.leaks(inputs["splits"], [2]) == ""
    assert "also validate" in tables.leaks(inputs["splits"], [1])
    both = tables.leaks(inputs["splits"] * 2, [1])
    assert both.count("Released lists of ixi: ") == 2 and "; " in both


@pytest.mark.parametrize("kind", ["metrics", "healthy", "pooled"])
def test_a_file_cut_at_300_bytes_stops_the_tables_by_name(inputs, tmp_path, kind):
    path = inputs[kind][0]
    content = path.read_bytes()
    path.write_bytes(content[:300] if len(content) > 300 else content[: len(content) * 2 // 3])
    with pytest.raises(InputError, match=f"^{path}: "):
        write(inputs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_row_without_a_test_set_or_of_another_fold_stops_the_tables(inputs, tmp_path):
    path, other = inputs["metrics"][:2]
    for content in (path.read_text().partition("\n")[0] + "\n", other.read_text()):
        path.write_text(content)
        with pytest.raises(InputError, match=f"^{path}: "):
            write(inputs, tmp_path / "out")


def test_a_quality_table_without_a_test_subject_stops_the_tables(inputs, tmp_path):
    path = inputs["quality"][0]
    tsv.write(tsv.read(path)[:-1], path)
    with pytest.raises(InputError, match=f"^{path}: has 0 lines of S4"):
        write(inputs, tmp_path / "out")


def test_nothing_is_said_of_lesions_that_this_run_has_not_cropped(inputs, tmp_path):
    outputs = {name: tmp_path / "out" / file for name, file in OUTPUTS.items()}
    tables.write_all(inputs | {"quality": []}, outputs, replace(COMPARISON, registered=[]))
    assert "Cropping" not in outputs["html"].read_text()
