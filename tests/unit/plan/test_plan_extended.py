"""Rows that are not the paper's: `config/extended.yaml`, and a network that learns all patients."""

import copy

import pytest
import yaml
from conftest import ROOT
from test_plan import of, plan_of

from uad.base.errors import InputError
from uad.data import datasets, downloads
from uad.plan import config as settings
from uad.plan.overlays import with_defaults
from uad.plan.prediction import Bundling

EXTENDED = yaml.safe_load((ROOT / "config/extended.yaml").read_text())
SMALL = yaml.safe_load((ROOT / "config/extended_demo.yaml").read_text())


def extended(**changes):
    """The plan of the demo with the rows of config/extended.yaml."""
    both = copy.deepcopy(EXTENDED)
    for name, block in changes.items():
        both[name] = {**both.get(name, {}), **block} if isinstance(block, dict) else block
    return plan_of(**both)


def test_rows_come_beside_those_of_the_paper():
    without, plan = plan_of(), extended()
    assert set(plan.config["rows"]) == {*without.config["rows"], *EXTENDED["rows"]}
    assert {*plan.models} == {
        *without.models, "mahalanobis", "ssim_ensemble", "andi", "disyre", "anomaly_dino",
        "unet-all",
    }  # fmt: skip
    # No other row is computed in another way.
    for name, block in without.config["rows"].items():
        assert plan.config["rows"][name] == block
    for name, block in without.config["methods"].items():
        assert plan.config["methods"][name] == block


def test_the_small_form_makes_several_reconstructions():
    config = copy.deepcopy(SMALL)
    for name in ("extended", "demo", "config"):
        with_defaults(config, ROOT / f"config/{name}.yaml")
    settings.check(config)
    assert len(config["methods"]["cddpm"]["test_levels"]) == 3
    assert len(config["methods"]["ddpm"]["test_levels"]) == 3
    assert set(EXTENDED["rows"]) <= set(config["rows"])


def test_a_network_of_all_patients_trains_on_those_of_the_test_sets():
    plan = extended()
    files = plan.training_data(of(model="unet-all", fold="1"))
    assert files["train_split"] == files["val_split"] == "results/demo/splits/all_patients.tsv"
    assert files["train"] == plan.paths.packed("all_patients")
    assert plan.patients == ["brats21", "atlas_v2"]
    assert "all_patients" in plan.split_datasets and "all_patients" not in plan.datasets
    assert "all_patients" not in plan.test_datasets


def test_who_is_not_tested_is_not_pooled():
    assert extended(table={"test_sets": ["atlas", "draem"]}).patients == ["atlas_v2"]
    # Of these nobody trains.
    with pytest.raises(InputError, match=r"unet-all is trained on the training patients"):
        extended(table={"test_sets": ["wmh"], "rows": ["unet-all", "perfect"]})


def test_patients_are_no_test_set_and_no_cohort():
    with pytest.raises(InputError, match="table.test_sets names all, but all_patients only train"):
        extended(table={"test_sets": ["brats", "all"]})
    with pytest.raises(InputError, match=r"datasets.all_patients: a data set's name .* and not"):
        own = {"layout": "bids", "folder": "x", "brain_mask": "threshold"}
        extended(datasets={"all_patients": own})
    without = copy.deepcopy(EXTENDED)
    del without["lesion_sources"]
    with pytest.raises(InputError, match=r"unet-all.*trained on all"):
        plan_of(**without)


def test_the_model_card_names_the_data_behind_the_patients():
    data = Bundling(extended()).data(of(row="unet-all"))
    assert [one["title"] for one in data] == [
        datasets.load(name).TITLE for name in ("brats21", "atlas_v2")
    ]


def test_ways_to_score_stand_on_models_of_the_table():
    plan = extended()
    for model, upstream in (("mahalanobis", "cddpm"), ("ssim_ensemble", "cddpm"), ("andi", "ddpm")):
        assert plan.block(model)["upstream"] == upstream
        assert model not in plan.learning


def test_download_fetches_the_weights_of_the_memory_bank():
    items = downloads.read_items(ROOT / "workflow/resources/downloads.yaml")
    assert "dinov2_vits14" in downloads.wanted(items, extended().places())
    assert "dinov2_vits14" not in downloads.wanted(items, plan_of().places())
