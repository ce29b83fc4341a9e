"""The plan, asked directly: models, inputs of jobs, figures, costs; no dry run."""

import copy
import itertools
import re
from dataclasses import fields
from types import SimpleNamespace

import pytest
from conftest import ROOT

from uad.base.errors import InputError
from uad.base.paths import PREPROCESSED, Paths
from uad.contract import new
from uad.evaluation.controls import CONTROLS
from uad.models import methods
from uad.plan import config as settings
from uad.plan.figures import Figures, costs
from uad.plan.overlays import with_defaults
from uad.plan.plan import Plan
from uad.report import tables


def plan_of(**changes):
    """The plan of the demo with some changes."""
    for name in ("demo", "config"):
        with_defaults(changes, ROOT / f"config/{name}.yaml")
    settings.check(changes)
    return Plan(changes, ROOT)


def of(**wildcards):
    return SimpleNamespace(**wildcards)


@pytest.fixture(scope="module")
def plan():
    return plan_of()


# Figures.


def test_an_archive_has_all_that_its_tables_are_made_of(plan):
    """Or another lab could not write them again."""
    assert {field.name for field in fields(tables.Comparison)} <= set(Figures(plan).shared_tables())


def test_every_figure_has_a_caption(plan):
    figures = Figures(plan)
    names = figures.captions()
    assert {path.rpartition("/")[2] for path in figures.all()} <= set(names)
    texts = figures.caption_texts(of())
    assert len(texts) == len(names) and all(len(text) > 40 for _, text in texts)
    titles = [title for title, _ in texts]
    for title in ("cases of BRATS", "cohort brats21", "Dice against lesion volume"):
        assert title in titles
    assert not any("{" in text or "imulated" in text for _, text in texts)


def test_models_of_a_row_are_its_own_and_those_that_they_stand_on(plan):
    found = Figures(plan).models_by_row()
    assert found["sadm_res-brats"] == ["cddpm", "unet_res-brats"]
    assert found["unet_res-brats"] == ["unet_res-brats", "cddpm"] and found["chance"] == []


# Models.


def test_models_come_after_what_they_stand_on(plan):
    assert plan.models.index("spark") < plan.models.index("cddpm")
    assert plan.models.index("cddpm") < plan.models.index("unet_res-brats")
    assert plan.pretrained == ["spark"]
    rows = plan.config["rows"].values()
    named = {name for row in rows for name in row["maps"] if name not in CONTROLS}
    assert set(plan.models) == named | {"spark"}
    paper = {"ae", "vae", "dae", "ddpm", "pddpm", "cddpm"}
    assert [name for name in plan.reconstructing if name in paper] == [
        "ae", "vae", "dae", "ddpm", "pddpm", "cddpm",
    ]  # fmt: skip


def test_fewer_rows_need_fewer_models():
    plan = plan_of(table={"rows": ["sadm-atlas", "perfect"]})
    assert plan.models == ["spark", "cddpm", "unet-atlas"]
    assert list(plan.config["rows"]) == ["sadm-atlas", "perfect"]


def test_a_model_trains_on_its_data_and_on_what_it_stands_on(plan):
    files = plan.training_data(of(model="unet_res-brats", fold="1"))
    assert files["train"] == files["val"] == plan.paths.packed("brats21")
    assert files["upstream"] == "results/demo/models/cddpm/fold-1/model.pt"
    draem = plan.training_data(of(model="unet-draem", fold="0"))
    assert draem["train"] == plan.paths.packed("ixi") and draem["val"] == plan.paths.packed("draem")
    assert "upstream" not in draem
    cddpm = plan.training_data(of(model="cddpm", fold="0"))
    assert cddpm["pretrained"] == "results/demo/models/spark/fold-0/model.pt"


def test_weights_that_are_missing_are_named(plan):
    other = plan_of(methods={"rd": {"pretrained": "nowhere/rd.pth"}})
    with pytest.raises(InputError, match="nowhere/rd.pth: no such file, but methods.rd.pretrained"):
        other.training_data(of(model="rd", fold="0"))


# Rows.


def test_a_row_reads_maps_of_networks_and_reconstructions_of_the_others(plan):
    files = plan.row_files(of(row="sadm_res-brats", fold="0"))
    n = len(plan.test_datasets)
    assert plan.test_datasets == ["brats21", "atlas_v2", "draem", "ixi"]
    assert len(files["packed"]) == 4 * n and len(files["splits"]) == n
    assert files["maps"] == [
        f"results/demo/scores/unet_res-brats/fold-0/{dataset}/anomaly_map.npy"
        for dataset in plan.test_datasets
    ]
    assert files["reconstructions"] == [
        f"results/demo/reconstructions/cddpm/fold-0/{dataset}/reconstruction.npy"
        for dataset in plan.test_datasets
    ]
    # Maps are deleted after use: the model that made them tells whether the row is up to date.
    assert files["models"] == ["results/demo/models/unet_res-brats/fold-0/model.pt"]


def test_controls_read_no_model(plan):
    files = plan.row_files(of(row="chance", fold="1"))
    assert files["maps"] == files["reconstructions"] == files["models"] == []
    assert plan.row_parameters(of(row="chance")) == {
        "maps": ["chance"], "networks": [], "reconstructing": [], "residual": {},
    }  # fmt: skip


def test_the_residual_is_a_parameter_of_rows_that_have_one(plan):
    with_residual = [r for r in plan.config["rows"] if plan.row_parameters(of(row=r))["residual"]]
    assert "cddpm" in with_residual and "sadm-brats" in with_residual
    assert not {"unet-brats", "rd", "pii-pii", "perfect"} & set(with_residual)


def test_networks_that_stand_on_another_see_its_reconstructions(plan):
    seen = plan.upstream_reconstructions(of(model="unet_res-atlas", fold="0"))
    assert len(seen) == 4 and all("/cddpm/fold-0/" in path for path in seen)
    assert plan.upstream_reconstructions(of(model="unet-atlas", fold="0")) == []


def test_training_subjects_are_scored_only_for_released_thresholds(plan):
    assert not any(map(plan.tuned_on_training, plan.test_datasets))
    released = plan_of(evaluation={"threshold": "released"})
    assert [d for d in plan.test_datasets if released.tuned_on_training(d)] == [
        "brats21", "atlas_v2", "draem",
    ]  # fmt: skip


def test_published_values_are_one_file_wherever_the_run_is(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = plan.published()
    assert path == str(ROOT / "workflow/resources/table1_paper.csv")
    assert path in plan.other_inputs()
    other = plan_of(table={"published": None})
    assert other.published() == [] and path not in other.other_inputs()


def test_claims_are_one_file_wherever_the_run_is(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = str(ROOT / "workflow/resources/claims_sadm.yaml")
    assert "MIDL" in plan.claims["paper"] and path in plan.other_inputs()
    other = plan_of(table={"claims": None})
    assert other.claims == {} and path not in other.other_inputs()


def test_claims_about_weights_need_the_weights(plan):
    assert len(Figures(plan).judged_weights()) == 3 * len(plan.folds)
    for changes in ({"claims": None}, {"claims": "workflow/resources/claims_cddpm.yaml"}):
        assert Figures(plan_of(table=changes)).judged_weights() == []
    assert Figures(plan_of(table={"rows": ["cddpm"]})).judged_weights() == []


# Figures.


def test_figures_of_the_paper(plan):
    figures = Figures(plan)
    names = [path.rpartition("/")[2] for path in figures.all()]
    assert names == [
        "cases_brats.png", "cases_atlas.png", "cases_draem.png", "comparison.png",
        "lesion_volume.svg", "weights.svg", "precision_recall.svg", "synthetic.png",
    ]  # fmt: skip
    assert figures.branches("sadm_res-brats") == ["cddpm", "unet_res-brats"]
    assert figures.parts(of(row="sadm_res-brats")) == {"brats": ["cddpm", "unet_res-brats"]}
    assert figures.parts(of(row="cddpm")) == {}


def test_no_figure_without_its_rows():
    figures = Figures(plan_of(table={"rows": ["unet-brats"], "test_sets": ["brats"]}))
    assert figures.all() == []


def test_cases_of_a_row_depend_on_that_row_and_on_the_choice(plan):
    figures = Figures(plan)
    files = figures.case_files(of(row="unet-brats"))
    assert files["maps"] and all("/unet-brats/" in path for path in files["maps"])
    assert files["reconstructions"] == []
    assert files["metrics"] == [
        f"results/demo/metrics/sadm_res-{name}/fold-0.tsv" for name in ("brats", "atlas", "draem")
    ]


ADDED = {"block": "I", "label": "X", "healthy": True}


@pytest.mark.parametrize("maps", [["ddpm", "rd"], ["own"]])
def test_other_rows_leave_the_jobs_of_a_row_alone(plan, maps, tmp_path):
    """A row that is added to a finished table must rerun none of these, nor a method."""
    code, _ = new.write("own", tmp_path)
    changes = {"rows": {"extra": ADDED | {"maps": maps}}, "methods": {"own": {"code": str(code)}}}
    more = plan_of(**changes)
    assert "extra" in more.config["rows"] and ("own" in more.models) == (maps == ["own"])
    for row, fold in itertools.product(plan.config["rows"], "01"):
        wildcards = of(row=row, fold=fold)
        for function in ("row_files", "row_parameters"):
            assert getattr(plan, function)(wildcards) == getattr(more, function)(wildcards)
        ours, theirs = Figures(plan), Figures(more)
        assert ours.case_files(wildcards) == theirs.case_files(wildcards)
        assert ours.parts(wildcards) == theirs.parts(wildcards)
        assert ours.map_files(wildcards) == theirs.map_files(wildcards)
        for script in ("evaluate.py", "collect_cases.py", "collect_maps.py"):
            assert plan.row_code(script)(wildcards) == more.row_code(script)(wildcards)
    for model, fold in itertools.product(plan.models, "01"):
        wildcards = of(model=model, fold=fold)
        for function in ("training_data", "training_block", "test_block", "training_code"):
            assert getattr(plan, function)(wildcards) == getattr(more, function)(wildcards)
        for script in ("reconstruct.py", "score.py"):
            assert plan.model_code(script)(wildcards) == more.model_code(script)(wildcards)


def test_a_method_elsewhere_is_told_to_its_jobs_and_to_those_that_stand_on_it(tmp_path):
    code, _ = new.write("own", tmp_path)
    plan = plan_of(
        rows={"own": ADDED | {"maps": ["own"]}, "top": ADDED | {"maps": ["top"]}},
        methods={
            "own": {"code": str(code), "reconstructs": True},
            "top": {"code": str(code), "upstream": "own"},
        },
    )
    told = {"own": str(code)}
    assert plan.outside(of(model="own"), 1) == told
    assert plan.outside(of(model="top"), 1) == told | {"top": str(code)}
    assert plan.outside(of(model="unet_res-brats"), 1) == {}
    assert plan.docstring_of("own").startswith("Own: one line")
    # The code decides, not where it is.
    before = plan.training_code(of(model="own")), plan.training_block(of(model="own"))
    other = code.with_name("moved.py")
    code.rename(other)
    moved = plan_of(
        rows={"own": ADDED | {"maps": ["own"]}},
        methods={"own": {"code": str(other), "reconstructs": True}},
    )
    after = moved.training_code(of(model="own")), moved.training_block(of(model="own"))
    assert after == before
    found = set(moved.all_code["methods"])
    known = set(plan_of().all_code.get("methods", ()))  # of a fork
    assert found - known == {"own"} and "own" not in known


def test_what_has_no_epochs_is_in_no_figure_of_the_training():
    code = str(ROOT / "examples/methods/voxel_atlas.py")
    block = {"code": code, "smooth": 1, "prior": 2, "training": {"epochs": 0}}
    plan = plan_of(rows={"own": ADDED | {"maps": ["own"]}}, methods={"own": block})
    assert "own" in plan.models and plan.epochs["own"] == 0
    assert plan.learning == [model for model in plan.models if model != "own"]


def test_references_choose_the_cases(plan):
    """Not the names of rows: with another reference, the figures are of that one."""
    figures = Figures(plan)
    assert figures.chosen_by == {
        name: f"sadm_res-{name}" for name in ("brats", "atlas", "draem")
    }  # fmt: skip
    assert figures.case_title(of(test_set="brats")) == "SADM_res trained and tested on BRATS"
    other = Figures(plan_of(table={"references": ["cddpm", "sadm-brats"], "claims": None}))
    assert other.chosen_by == {"brats": "sadm-brats"} and other.weighted == ["sadm-brats"]
    assert set(other.curves) == {"cddpm", "sadm-brats", "unet-brats"}
    assert other.by_volume == {"brats": ["cddpm", "sadm-brats"]}
    assert Figures(plan_of(table={"references": [], "claims": None})).case_sets == []


def test_references_must_be_rows_and_those_left_out_are_no_mistake():
    with pytest.raises(InputError, match="table.references names nobody, but rows has only"):
        plan_of(table={"references": ["nobody"]})
    with pytest.raises(InputError, match="table.references names cddpm more than once"):
        plan_of(table={"references": ["cddpm", "cddpm"]})
    plan = plan_of(table={"rows": ["unet-brats", "cddpm"]})
    assert plan.config["table"]["references"] == ["cddpm"]


def test_code_is_found_beside_the_overlay_that_names_it(tmp_path):
    code, _ = new.write("own", tmp_path)
    config = {"rows": {"own": ADDED | {"maps": ["own"]}}, "methods": {"own": {"code": "own.py"}}}
    with_defaults(config, ROOT / "config/config.yaml")
    settings.check(copy.deepcopy(config), [tmp_path])
    assert methods.outside("own") == {"own": str(code)}
    with pytest.raises(InputError, match="methods.own.code is 'own.py', but must be a Python file"):
        settings.check(config)


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({"unet": {"code": "x.py"}}, "methods.unet.code is 'x.py', but unet is a method of the pr"),
        ({"own": {"code": 1}}, "methods.own.code is 1, but must be the path of a Python file"),
        ({"own": {"code": []}}, "methods.own.code is .., but must be the path of a Python file"),
        ({"own": {}}, "unknown key methods.own"),
    ],
)
def test_code_that_cannot_be_is_named(block, sentence):
    with pytest.raises(InputError, match=sentence):
        plan_of(methods=block)


def test_a_method_may_have_an_environment_of_its_own(tmp_path):
    code, _ = new.write("own", tmp_path)
    (tmp_path / "mine.yaml").write_text("dependencies: []")
    block = {"code": str(code), "reconstructs": True, "env": str(tmp_path / "mine.yaml")}
    changes = {
        "methods": {"own": block, "unet_res": {"upstream": "own"}},
        "rows": {"own": ADDED | {"maps": ["own"]}},
        "table": {"rows": ["own", "unet_res-brats", "cddpm"], "claims": None},
    }
    found = plan_of(**copy.deepcopy(changes)).environment("../../envs/torch.yaml")
    assert found(of(model="own")) == found(of(model="unet_res-brats")) == block["env"]
    assert found(of(model="cddpm")) == str(ROOT / "envs/torch.yaml")
    changes["methods"]["own"]["env"] = "nowhere.yaml"
    with pytest.raises(InputError, match="methods.own.env is 'nowhere.yaml', but must be a conda"):
        plan_of(**changes)


@pytest.mark.parametrize("name", ["Own", "chance", "own-brats"])
def test_names_of_methods(name, tmp_path):
    code, _ = new.write("own", tmp_path)
    with pytest.raises(InputError, match=f"methods.{name}: a method's name is a lower-case letter"):
        plan_of(methods={name: {"code": str(code)}})


def test_its_keys_are_checked_as_those_of_the_others(tmp_path):
    code, _ = new.write("own", tmp_path)
    with pytest.raises(InputError, match="methods.own.width is 0, but must be at least 1"):
        plan_of(methods={"own": {"code": str(code), "width": 0}})
    with pytest.raises(InputError, match=r"methods.own.widths .did you mean width.."):
        plan_of(methods={"own": {"code": str(code), "widths": 3}})
    code.write_text(code.read_text().replace("width: int", "upstream: int"))
    with pytest.raises(InputError, match="methods.own: its Params has the key upstream, but every"):
        plan_of(methods={"own": {"code": str(code)}})


# Costs.


def test_costs_count_jobs_of_this_run_and_of_all_folds():
    plan = plan_of(folds=[1])
    table = {(line["rule"], line["of"]): line for line in costs(plan)}
    assert table["train_model", "unet"]["jobs"] == 3  # brats, atlas, draem
    assert table["train_model", "unet"]["jobs_full"] == 6
    assert table["reconstruct", "cddpm"]["files"] == [
        f"reconstruct/cddpm/fold-1/{dataset}.tsv" for dataset in plan.test_datasets
    ]
    assert table["register_to_sri24", "ixi"]["jobs"] == 10
    assert ("score", "cddpm") not in table and ("strip_skull_hd_bet", "ixi") not in table


# Subjects.


def test_subjects_of_simulated_data_are_known_before_they_exist(plan):
    assert [len(plan.cohort.subjects(name)) for name in plan.datasets] == [10, 8, 8]
    files = plan.cohort.raw_files(of(dataset="brats21", subject="BraTS00003"))
    assert files["image"].startswith("results/demo/raw/brats21/BraTS2021_00003/")
    with pytest.raises(InputError, match="ixi has no subject nobody"):
        plan.cohort.raw_files(of(dataset="ixi", subject="nobody"))


def test_missing_data_are_told_when_they_are_needed(tmp_path):
    folder = str(tmp_path / "nowhere")
    plan = plan_of(simulation=None, datasets={"ixi": {"folder": folder}})
    assert plan.cohort.n_subjects("ixi") == 0 and plan.cohort.native_files(of(dataset="ixi")) == []
    assert f"{folder}: no such folder" in plan.cohort.known(of(dataset="ixi"))["missing"]
    with pytest.raises(InputError, match="no such folder"):
        plan.cohort.subjects("ixi")
    with pytest.raises(InputError, match="no such folder"):
        plan.cohort.check()


# Paths.


def test_no_two_results_share_a_path():
    paths = Paths("r")
    found = [
        *(paths.preprocessed("d", "s", kind) for kind in PREPROCESSED),
        *paths.packed("d"), paths.split("d"), paths.inventory("d"), paths.inventory_page,
        paths.quality("d"), paths.quality("d", "tsv"), paths.leaks(), paths.leaks("tsv"),
        paths.model("m", 0), paths.reconstruction("m", 0, "d"), paths.anomaly_map("m", 0, "d"),
        *(paths.metrics("m", 0, of) for of in (
            "subjects", "healthy", "pooled", "curve", "validation",
        )),
        paths.cases("m"), paths.weights("m", 0), paths.method_page("m"), paths.front_page,
        paths.failed_page, paths.earlier_page, paths.methods_text, paths.provenance,
    ]  # fmt: skip
    assert len(set(found)) == len(found) and all(path.startswith("r/") for path in found)
    assert paths.relative(paths.front_page) == "index.html"


def test_every_path_below_the_results_is_written_once():
    """Rules and library ask `Paths`; nobody puts a folder of the results together."""
    folders = "preprocessed|packed|splits|models|reconstructions|scores|metrics|tables|figures"
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "workflow").rglob("*.smk")]:
        if path.name in ("paths.py", "archive.py"):  # the archive reads pages, not results
            continue
        for text in re.findall(rf'f?"[^"\n]*(?:\}}|^)/?(?:{folders})/[^"\n]*"', path.read_text()):
            raise AssertionError(f"{path.name}: {text}")


# As in the released code.


def test_a_drifting_upstream_model_reconstructs_for_its_rows():
    """Its own reconstructions for each stage II model; those of the cDDPM for all other rows."""
    plan = plan_of(methods={"unet_res": {"frozen": "drifting"}})
    assert plan.drifting == ["unet_res-draem", "unet_res-brats", "unet_res-atlas"]
    own = "results/demo/reconstructions/unet_res-brats/fold-0/brats21/reconstruction.npy"
    model = of(model="unet_res-brats", fold="0")
    assert plan.upstream_reconstructions(model)[0] == own
    drifted = "results/demo/models/unet_res-brats/fold-0/upstream.pt"
    assert plan.reconstructing_model(model) == drifted
    assert plan.reconstructing_block(model) == {"test_levels": [500]}
    assert plan.scored_files("sadm_res-brats", 0, ["brats21"])["reconstructions"] == [own]
    cddpm = own.replace("unet_res-brats", "cddpm")
    for row in ("cddpm", "sadm-brats"):
        assert plan.scored_files(row, 0, ["brats21"])["reconstructions"] == [cddpm]
    code = plan.reconstructing_code(of(model="cddpm"))
    assert plan.reconstructing_code(model) == code
    assert plan.row_parameters(of(row="sadm_res-brats"))["reconstructing"] == ["cddpm"]
    assert len(plan.levels()) == len(plan.reconstructing) + 3  # kept, and so on the disk


def test_an_upstream_model_in_evaluation_mode_reconstructs_once_for_all(plan):
    assert plan.drifting == []
    model = of(model="cddpm", fold="0")
    assert plan.reconstructing_model(model) == "results/demo/models/cddpm/fold-0/model.pt"
    assert plan.scored_files("sadm_res-brats", 0, ["brats21"])["reconstructions"] == [
        "results/demo/reconstructions/cddpm/fold-0/brats21/reconstruction.npy"
    ]


def test_synthetic_anomalies_concern_those_that_see_them(plan):
    """Models trained on them and the test set; how they validate does not concern the test set."""
    other = plan_of(synthetic={"validation": "training", "texture": "binary"})
    for model in ("unet-brats", "cddpm", "draem_net"):
        assert plan.synthetic(of(model=model)) is None
    assert other.synthetic(of(model="unet-draem"))["texture"] == "binary"
    assert other.anomalies() == {**plan.anomalies(), "texture": "binary"}
    files = other.training_data(of(model="unet-draem", fold="0"))
    assert files["val"] == files["train"] == other.paths.packed("ixi")
    block = other.training_block(of(model="draem_net"))
    assert block["anomalies"]["texture"] == "binary"


# The authors' checkpoints.


def test_imported_models_are_not_trained(tmp_path):
    plan = plan_of(checkpoints={"cddpm": str(tmp_path), "unet_res-brats": str(tmp_path)})
    assert plan.imported == ["cddpm", "unet_res-brats"]
    assert "spark" not in plan.models  # the cDDPM's encoder comes with it
    assert plan.of_rule("imported") == "cddpm|unet_res-brats" and plan.of_rule("drifting") == "none"
    assert not {"cddpm", "unet_res-brats"} & set(plan.of_rule().split("|"))
    assert plan.epochs["cddpm"] == 1 and plan.epochs["unet_res-atlas"] > 1
    model = of(model="cddpm", fold="1")
    with pytest.raises(InputError, match=r"fold-1\.ckpt: no such file, but checkpoints\.cddpm"):
        plan.checkpoint(model)
    (tmp_path / "fold-1.ckpt").touch()
    assert plan.checkpoint(model) == f"{tmp_path}/fold-1.ckpt"
    assert plan.drifted_block(of(model="unet_res-brats")) is None


def test_an_imported_drifting_model_brings_its_upstream_model(tmp_path):
    plan = plan_of(
        checkpoints={"unet_res-brats": str(tmp_path)}, methods={"unet_res": {"frozen": "drifting"}}
    )
    assert plan.of_rule("drifting", "imported") == "unet_res-brats"
    assert plan.of_rule("drifting") == "unet_res-draem|unet_res-atlas"
    assert plan.drifted_block(of(model="unet_res-brats"))["encoder"]["features"] == 32
    assert plan.pretrained == ["spark"]  # for the cDDPM of the other rows


def test_subjects_of_each_role_are_counted_before_there_are_splits():
    counts = plan_of().role_counts()
    assert counts["ixi"] == counts["draem"] == {"train": 5, "val": 2, "test": 3}
    # The demo simulates 8 patients of either kind, and all that do not train or validate test.
    assert counts["brats21"] == counts["atlas_v2"] == {"train": 3, "val": 2, "test": 3}


def test_excluded_subjects_are_left_out_with_the_reason():
    every = plan_of().cohort
    label = next(iter(every.subjects("ixi")))
    found = plan_of(datasets={"ixi": {"exclude": {label: "moved"}}}).cohort
    assert list(found.subjects("ixi")) == list(every.subjects("ixi"))[1:]
    assert found.known(of(dataset="ixi"))["excluded"] == [(label, "excluded: moved")]
    assert found.known(of(dataset="ixi"))["left_out"] == []
    assert found.not_usable(of(dataset="ixi"), 1) == [(label, "excluded: moved")]
    assert found.left_out() == [f"ixi: leaving out {label}: excluded: moved"]


def test_a_link_to_nothing_costs_its_subject_only(tmp_path):
    for name in ("IXI002-Guys-0828-T1.nii.gz", "IXI012-HH-1211-T1.nii.gz"):
        (tmp_path / name).touch()
    (tmp_path / "IXI013-HH-1212-T1.nii.gz").symlink_to(tmp_path / "moved.nii.gz")
    cohort = plan_of(simulation=None, datasets={"ixi": {"folder": str(tmp_path)}}).cohort
    assert list(cohort.subjects("ixi")) == ["IXI002", "IXI012"]
    assert cohort.known(of(dataset="ixi"))["left_out"] == [
        ("IXI013", "IXI013-HH-1212-T1.nii.gz is a link to nothing")
    ]
    assert cohort.left_out() == [
        "ixi: leaving out IXI013: IXI013-HH-1212-T1.nii.gz is a link to nothing"
    ]


def test_an_excluded_subject_must_be_there():
    cohort = plan_of(datasets={"ixi": {"exclude": {"IXI999": "moved"}}}).cohort
    with pytest.raises(InputError, match="ixi.exclude names IXI999, .* labels are like IXI0"):
        cohort.subjects("ixi")
