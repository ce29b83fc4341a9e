"""What a change computes again: every line of docs/reruns.md, in dry runs of the finished demo."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

pytestmark = pytest.mark.demo

# What sums up all rows or folds, whatever a change of theirs is.
TABLES = {
    "compare", "judge_claims", "detail_pages", "figure_pages", "front_page", "record_provenance",
}  # fmt: skip
FIGURES = {"plot_comparison", "plot_training"}
# What a change of the number of folds writes again.
SUMMARIES = TABLES | {
    "describe_method", "plot_training", "plot_weights", "plot_lesion_volume", "write_methods",
}  # fmt: skip
TRAINING = {"train_model", "pretrain"}


@pytest.fixture
def copy_of_demo(demo, checkout):
    """A checkout whose results are the demo's, for dry runs after an edit."""
    (checkout.folder / "results").mkdir()
    (checkout.folder / "results/demo").symlink_to(demo)
    shutil.copytree(ROOT / ".snakemake/metadata", checkout.folder / ".snakemake/metadata")
    return checkout


def planned(checkout, *arguments, overlays=(), environment=None):
    """Outputs per rule that a dry run of the demo would make."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *map(str, arguments), "-n"]
    command += ["--configfile", "config/demo.yaml", *map(str, overlays)]
    environment = {**os.environ, **(environment or {})}
    done = subprocess.run(
        command,
        cwd=checkout.folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Those in a group are indented.
    jobs = re.findall(
        r"^( *)(?:local)?rule (\w+):\n(?:\1    .*\n)*?\1    output: (.+)$", done.stdout, flags=re.M
    )
    found = {}
    for _, rule, output in jobs:
        found.setdefault(rule, []).append(output.split(",")[0])
    return found


def models(outputs):
    """Models or rows that outputs belong to."""
    return {output.split("/")[3] for output in outputs}


def in_fold_1(outputs):
    """The same, of those of fold 1.

    Fold 0 is that of the example cases, which SADM_res chooses: when it changes, every row's cases
    are collected again, and maps of networks are made again for them.
    """
    return models(output for output in outputs if "/fold-1" in output)


def own(checkout, file):
    """Path of a demo's file in a copy, on a way of real folders: it may be changed or deleted."""
    folder = checkout.folder / "results/demo"
    for part in ("", *Path(file).parts[:-1]):
        folder = folder / part
        if folder.is_symlink():
            original = folder.resolve()
            folder.unlink()
            folder.mkdir()
            for child in original.iterdir():
                if child.name.startswith("."):  # another worker is writing it
                    continue
                if child.is_dir():
                    (folder / child.name).symlink_to(child)
                else:  # a link to a file would be newer than the file
                    shutil.copy2(child, folder)
    return folder / Path(file).name


def edit(checkout, file, old, new):
    """Replace some text of a file, once; `file` is below the library unless it is in `workflow`."""
    path = checkout.folder / (file if file.startswith("workflow") else f"src/uad/{file}")
    text = path.read_text(encoding="utf-8")
    assert old in text, file
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def overlaid(checkout, *arguments, **changes):
    """What a dry run with an overlay would make."""
    return planned(checkout, *arguments, overlays=[checkout.overlay(**changes)])


# Nothing.


def test_finished_demo_plans_nothing(copy_of_demo):
    assert planned(copy_of_demo) == {}


def test_a_comment_reruns_nothing(copy_of_demo):
    places = ("src/**/*.py", "workflow/scripts/*.py", "workflow/rules/*.smk", "Snakefile")
    for place in (*places, "config/*.yaml", "envs/*.yaml"):
        for path in copy_of_demo.folder.glob(place):
            path.write_text(path.read_text(encoding="utf-8") + "\n# A remark.\n", encoding="utf-8")
    assert planned(copy_of_demo) == {}


# Module, a sentence of it, and a better one.
WORDINGS = [
    ("imaging/volumes.py", "expected one 3-D volume, found", "found instead of one 3-D volume"),
    ("imaging/volumes.py", "header contradicts itself", "the header contradicts itself"),
    ("imaging/registration.py", "brain cut off:", "part of the brain is cut off:"),
    ("data/datasets/__init__.py", "occurs twice:", "is there twice:"),
    ("data/packed.py", "cannot be read as a packed array", "is no packed array"),
    ("engine/checkpoints.py", "holds no model of this workflow", "is no model of this workflow"),
    ("engine/loop.py", "so there is no best state", "so no state is the best"),
    ("engine/loop.py", "epoch %d: train %.5f", "after epoch %d: train %.5f"),
    ("base/devices.py", "but torch sees no GPU", "but torch finds no GPU"),
    ("base/logs.py", "MiB of memory", "MiB"),
    ("base/errors.py", "is one sentence that names it", "is a sentence that names it"),
    ("base/settings.py", "One line for the table of keys", "A line for the table of keys"),
]


@pytest.mark.parametrize(("module", "old", "new"), WORDINGS)
def test_a_better_wording_reruns_nothing(copy_of_demo, module, old, new):
    edit(copy_of_demo, module, old, new)
    assert planned(copy_of_demo) == {}


def test_another_path_reruns_the_record_of_the_code_only(copy_of_demo):
    edit(copy_of_demo, "base/paths.py", "FORMAT = 2\n", 'FORMAT = 2\nMORE = "more.tsv"\n')
    assert set(planned(copy_of_demo)) == {"record_provenance", "front_page"}


def test_all_wordings_together_rerun_nothing(copy_of_demo):
    for wording in WORDINGS:
        edit(copy_of_demo, *wording)
    assert planned(copy_of_demo) == {}


def test_another_locale_reruns_nothing(copy_of_demo):
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert planned(copy_of_demo, environment=plain) == {}


def test_how_it_runs_reruns_no_result(copy_of_demo):
    jobs = overlaid(copy_of_demo, threads={"train": 2, "infer": 2}, keep_maps=True)
    assert set(jobs) == {"record_provenance", "front_page"}
    training = {"save_minutes": 5}
    assert set(overlaid(copy_of_demo, training=training)) <= {
        "record_provenance", "front_page", "describe_method", "tabulate_deviations",
    }  # fmt: skip


# Pages, tables and figures.


def test_a_docstring_of_a_method_rewrites_its_page(copy_of_demo):
    edit(copy_of_demo, "models/methods/rd/__init__.py", '"""', '"""A better title. ')
    jobs = planned(copy_of_demo)
    assert set(jobs) == {"describe_method", "write_methods", "front_page"}
    assert jobs["describe_method"] == ["results/demo/methods/rd.html"]


def test_a_caption_rewrites_the_texts_only(copy_of_demo):
    edit(copy_of_demo, "workflow/report/table1.rst", "\n", "\n\nOne sentence more.\n")
    assert set(planned(copy_of_demo)) == {"write_methods", "front_page"}


def test_a_template_rewrites_its_page_only(copy_of_demo):
    edit(copy_of_demo, "report/templates/front_page.html.j2", "<h2>", "<h2> ")
    assert set(planned(copy_of_demo)) == {"record_provenance", "front_page"}


def test_another_reading_of_a_claim_judges_again_and_no_more(copy_of_demo):
    file = "workflow/resources/claims_sadm.yaml"
    edit(copy_of_demo, file, "margin: 0.05", "margin: 0.04")
    assert set(planned(copy_of_demo)) == {
        "judge_claims", "figure_pages", "record_provenance", "front_page",
    }  # fmt: skip


def test_the_style_sheet_rewrites_all_pages_and_computes_nothing(copy_of_demo):
    edit(copy_of_demo, "report/templates/style.css", "}", "color: inherit; }")
    jobs = planned(copy_of_demo)
    assert set(jobs) == TABLES | {
        "describe_method", "quality_page", "audit_splits", "tabulate_inventory",
        "tabulate_deviations",
    }  # fmt: skip


def test_the_form_of_tables_rewrites_what_shows_them(copy_of_demo):
    edit(copy_of_demo, "base/tsv.py", "%.6g", "%.5g")
    jobs = planned(copy_of_demo)
    assert {"compare", "audit_splits", "front_page"} <= set(jobs)
    assert not TRAINING & set(jobs) and not {"pack", "make_splits", "evaluate"} & set(jobs)


def test_colours_of_pictures_redraw_them_only(copy_of_demo):
    edit(copy_of_demo, "report/pictures.py", '"inferno"', '"magma"')
    assert set(planned(copy_of_demo)) == {
        "plot_cases", "plot_comparison", "plot_synthetic", "figure_pages", "detail_pages",
        "record_provenance", "front_page",
    }  # fmt: skip


def test_a_figure_asked_for_later_trains_nothing(copy_of_demo):
    jobs = planned(copy_of_demo, "figures", "--forcerun", "collect_cases")
    assert {"score", "collect_cases"} <= set(jobs)
    assert not {"train_model", "reconstruct", "pack"} & set(jobs)


# Settings after training.


def test_settings_of_the_evaluation_train_nothing(copy_of_demo):
    jobs = overlaid(copy_of_demo, evaluation={"min_component": 3})
    assert len(jobs["evaluate"]) == 50 and "compare" in jobs
    assert not (TRAINING | {"reconstruct"}) & set(jobs)


def test_test_levels_train_nothing(copy_of_demo):
    jobs = overlaid(copy_of_demo, methods={"cddpm": {"test_levels": [400]}})
    assert models(jobs["reconstruct"]) == {"cddpm"} and not TRAINING & set(jobs)
    # Unet's map is a part of SADM's; it is made again, so Unet is evaluated again.
    kinds, sources = ("unet", "unet_res", "sadm", "sadm_res"), ("draem", "brats", "atlas")
    supervised = {f"{kind}-{source}" for kind in kinds for source in sources}
    assert in_fold_1(jobs["evaluate"]) == supervised | {"cddpm"}


@pytest.mark.parametrize("residual", [{"erosion": 1}, {"kind": "l1"}])
def test_the_residual_trains_and_reconstructs_nothing(copy_of_demo, residual):
    jobs = overlaid(copy_of_demo, residual=residual)
    assert not (TRAINING | {"reconstruct"}) & set(jobs)
    rows = in_fold_1(jobs["evaluate"])
    assert {"ae", "cddpm", "sadm_res-brats"} <= rows
    assert not {"fae", "rd", "pii-pii", "draem_net-draem", "perfect", "chance"} & rows


def test_a_metric_trains_and_reconstructs_nothing(copy_of_demo):
    edit(
        copy_of_demo, "evaluation/metrics.py", "MIN_FALSE_COMPONENT = 8", "MIN_FALSE_COMPONENT = 9"
    )
    jobs = planned(copy_of_demo)
    assert len(jobs["evaluate"]) == 50
    assert not (TRAINING | {"reconstruct", "pack"}) & set(jobs)


# Rows.


def test_a_row_that_is_added_computes_itself_and_the_joint_tables(copy_of_demo):
    row = {"block": "I", "label": "Both", "healthy": True, "maps": ["ddpm", "cddpm"]}
    jobs = overlaid(copy_of_demo, rows={"both": row})
    assert models(jobs.pop("evaluate")) == {"both"}
    assert jobs.pop("collect_cases") == ["results/demo/figures/data/cases/both.npz"]
    assert jobs.pop("collect_maps") == ["results/demo/figures/data/maps/both.zip"]
    assert {Path(output).stem for output in jobs.pop("describe_method")} == {"ddpm", "cddpm"}
    assert set(jobs) == TABLES | {"plot_comparison", "write_methods"}


def test_a_row_with_a_map_of_a_network_makes_that_map_again(copy_of_demo):
    """It is deleted after its last use; rows that add it up too are evaluated again."""
    row = {"block": "III", "label": "X", "healthy": True, "maps": ["ddpm", "unet-brats"]}
    jobs = overlaid(copy_of_demo, rows={"x-brats": row})
    assert models(jobs["score"]) == {"unet-brats"}
    assert models(jobs["evaluate"]) == {"x-brats", "unet-brats", "sadm-brats"}
    assert not (TRAINING | {"reconstruct"}) & set(jobs)


def test_a_method_that_is_added_computes_itself_and_the_joint_tables(demo, copy_of_demo):
    # As if the table had been made without RD.
    rows = yaml.safe_load((ROOT / "config/config.yaml").read_text())["rows"]
    joint = overlaid(copy_of_demo, table={"rows": [row for row in rows if row != "rd"]})
    gone = [Path(path).relative_to("results/demo") for of in joint.values() for path in of]
    for folder in ("models/rd", "metrics/rd"):
        gone += [path.relative_to(demo) for path in (demo / folder).rglob("*") if path.is_file()]
    gone += [Path("figures/data/cases/rd.npz"), Path("methods/rd.html")]
    gone += [Path("figures/data/maps/rd.zip"), Path("rows/rd.html")]
    for file in gone:
        own(copy_of_demo, file).unlink()
    jobs = planned(copy_of_demo)
    for rule in ("train_model", "score", "evaluate"):
        assert models(jobs.pop(rule)) == {"rd"}
    assert jobs.pop("collect_cases") == ["results/demo/figures/data/cases/rd.npz"]
    assert jobs.pop("collect_maps") == ["results/demo/figures/data/maps/rd.zip"]
    assert jobs.pop("describe_method") == ["results/demo/methods/rd.html"]
    assert set(jobs) == TABLES | FIGURES | {"write_methods"}


# Code and settings of training.


def test_an_operator_of_draem_retrains_what_learns_from_it(copy_of_demo):
    edit(copy_of_demo, "models/anomalies/draem.py", "THRESHOLD = 0.5", "THRESHOLD = 0.6")
    jobs = planned(copy_of_demo)
    assert models(jobs["train_model"]) == {"draem_net", "unet-draem", "unet_res-draem"}
    assert "pretrain" not in jobs and "synthesize" in jobs


def test_an_edit_of_a_network_reruns_its_users_only(copy_of_demo):
    edit(copy_of_demo, "models/networks/seg_unet.py", "nn.SiLU()", "nn.ReLU()")
    jobs = planned(copy_of_demo)
    supervised = {f"{m}-{s}" for m in ("unet", "unet_res") for s in ("draem", "brats", "atlas")}
    assert models(jobs["train_model"]) == {"dae"} | supervised
    assert models(jobs["reconstruct"]) == {"dae"}
    assert "pack" not in jobs and "register_to_sri24" not in jobs
    rows = models(jobs["evaluate"])
    assert "perfect" not in rows and "sadm-brats" in rows


def test_an_edit_of_the_diffusion_model_reruns_all_that_stand_on_it(copy_of_demo):
    edit(copy_of_demo, "models/networks/encoder.py", "padding=3", "padding=3, dilation=1")
    jobs = planned(copy_of_demo)
    trained = models(jobs["train_model"])
    assert trained == {"cddpm", "unet_res-draem", "unet_res-brats", "unet_res-atlas"}
    assert len(jobs["pretrain"]) == 2 and len(jobs["reconstruct"]) == 8


LEARNING_RATES = [
    ("unet", {"unet-draem", "unet-brats", "unet-atlas"}, set()),
    ("cddpm", {"cddpm", "unet_res-draem", "unet_res-brats", "unet_res-atlas"}, {"cddpm"}),
]


@pytest.mark.parametrize(("method", "users", "reconstructing"), LEARNING_RATES)
def test_a_learning_rate_retrains_its_method_and_what_stands_on_it(
    copy_of_demo, method, users, reconstructing
):
    jobs = overlaid(copy_of_demo, methods={method: {"training": {"learning_rate": 0.004}}})
    assert models(jobs["train_model"]) == users and len(jobs["train_model"]) == 2 * len(users)
    assert models(jobs.get("reconstruct", [])) == reconstructing
    assert not {"pretrain", "pack", "make_splits", "synthesize", "register_to_sri24"} & set(jobs)


# Data and folds.


def test_a_changed_scan_reruns_its_subject_and_what_uses_its_data_set(demo, copy_of_demo):
    scan = sorted((demo / "raw/brats21").glob("*/*_t1.nii.gz"))[-1].relative_to(demo)
    path = own(copy_of_demo, scan)
    path.write_bytes(path.read_bytes() + b"\0")
    jobs = planned(copy_of_demo)
    steps = ("register_to_sri24", "strip_skull", "correct_bias", "downsample", "measure_quality")
    for rule in steps:
        (output,) = jobs.pop(rule)
        assert f"/brats21/sub-BraTS{scan.parent.name[-5:]}/" in output
    for rule in ("inventory", "pack", "make_splits", "quality_page", "plot_cohort"):
        (output,) = jobs.pop(rule)
        assert "brats21" in output
    assert models(jobs.pop("train_model")) == {"unet-brats", "unet_res-brats"}
    assert {output.split("/")[5] for output in jobs.pop("reconstruct")} == {"brats21"}
    # It may be a test subject, so whatever is tested on the data set is; nothing else is prepared.
    assert set(jobs) == (SUMMARIES - {"write_methods"}) | {
        "score", "evaluate", "weigh_maps", "collect_cases", "collect_maps", "plot_cases",
        "plot_comparison",
        "plot_precision_recall", "plot_splits", "audit_splits", "tabulate_inventory",
    }  # fmt: skip


def test_fewer_folds_write_summaries_only(copy_of_demo):
    assert set(planned(copy_of_demo, "--config", "folds=[0]")) == SUMMARIES


def test_one_more_fold_computes_that_fold_only(demo, copy_of_demo):
    # As if fold 0 alone had run: without fold 1, and without what tells how many folds there are.
    summaries = planned(copy_of_demo, "--config", "folds=[0]")
    files = [Path(path).relative_to("results/demo") for of in summaries.values() for path in of]
    for folder in ("models", "reconstructions", "metrics", "figures/data/weights"):
        files += [path.relative_to(demo) for path in (demo / folder).glob("*/*fold-1*")]
    for file in files:
        path = own(copy_of_demo, file)
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    jobs = planned(copy_of_demo)
    for rule, outputs in summaries.items():
        assert sorted(jobs.pop(rule)) == sorted(outputs)
    assert set(jobs) == {
        "pretrain", "train_model", "reconstruct", "score", "evaluate", "weigh_maps",
    }  # fmt: skip
    assert all("fold-1" in output for outputs in jobs.values() for output in outputs)


def test_naming_one_model_reruns_only_that(copy_of_demo):
    target = "results/demo/models/unet_res-brats/fold-1/model.pt"
    assert planned(copy_of_demo, target) == {}
    assert planned(copy_of_demo, target, "--force") == {"train_model": [target]}
