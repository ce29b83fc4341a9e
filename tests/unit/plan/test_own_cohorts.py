"""Cohorts by configuration alone, several healthy ones, and what of a run they leave alone."""

import copy
import re
from types import SimpleNamespace

import pytest
import yaml
from conftest import ROOT

from uad.base.errors import InputError
from uad.plan import config as settings
from uad.plan import needs
from uad.plan.overlays import with_defaults
from uad.plan.plan import Plan
from uad.simulation import names as simulated


def of(**wildcards):
    return SimpleNamespace(**wildcards)


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.fixture
def cohorts(tmp_path):
    """Two cohorts, as an overlay over the demo: healthy ones in a table, patients in BIDS."""
    for i in range(10):
        touch(tmp_path / f"well/P{i}.nii.gz")
    lines = [f"P{i}\tP{i}.nii.gz\tP{i}.nii.gz\t{20 + i}\tOslo\n" for i in range(10)]
    (tmp_path / "well/scans.tsv").write_text("subject\timage\tbrain\tage\tsite\n" + "".join(lines))
    for i in range(8):
        touch(tmp_path / f"ill/sub-{i}/anat/sub-{i}_T1w.nii.gz")
        touch(tmp_path / f"ill/derivatives/x/sub-{i}/anat/sub-{i}_label-lesion_mask.nii.gz")
    for name in ("T1.nii", "T1_brain.nii"):
        touch(tmp_path / name)
    return {
        "simulation": None,
        "atlas": {"head": str(tmp_path / "T1.nii"), "brain": str(tmp_path / "T1_brain.nii")},
        "datasets": {
            "well": {
                "layout": "table",
                "table": str(tmp_path / "well/scans.tsv"),
                "brain_mask": "given",
                "stratify": "age_group",
                "licence": "CC0",
            },
            "ill": {
                "layout": "bids", "folder": str(tmp_path / "ill"), "brain_mask": "threshold",
                "lesion_labels": [2],
            },
        },
        "healthy": ["well"],
        "splits": {"well": {"train": 5, "val": 2, "test": 3}, "ill": {"train": 3, "val": 2}},
        "lesion_sources": {"tumours": "ill"},
        "rows": {
            "unet-tumours": {
                "block": "III", "label": "Unet", "healthy": False, "maps": ["unet-tumours"],
            },
        },
        "table": {
            "rows": ["cddpm", "unet-draem", "unet-tumours", "perfect", "chance", "intensity"],
            "test_sets": ["tumours", "draem"], "claims": None, "published": None,
        },
    }  # fmt: skip


def plan_of(changes):
    changes = copy.deepcopy(changes)
    for name in ("demo", "config"):
        with_defaults(changes, ROOT / f"config/{name}.yaml")
    settings.check(changes)
    return Plan(changes, ROOT)


def test_cohorts_take_the_place_of_data_sets(cohorts):
    plan = plan_of(cohorts)
    plan.cohort.check()
    assert plan.datasets == ["well", "ill"] == plan.cohort.registered
    assert plan.healthy == "well" and plan.test_datasets == ["ill", "draem", "well"]
    assert plan.training_data(of(model="cddpm", fold="0"))["train"] == plan.paths.packed("well")
    drawn = plan.training_data(of(model="unet-draem", fold="0"))
    assert drawn["val"] == plan.paths.packed("draem")
    theirs = plan.training_data(of(model="unet-tumours", fold="0"))
    assert theirs["train_split"] == plan.paths.split("ill")
    rows = plan.table_rows()
    assert rows["cddpm"]["healthy"] == "well" and rows["unet-tumours"]["healthy"] == "none"


def test_what_rules_ask_of_a_cohort(cohorts):
    plan = plan_of(cohorts)
    found, well, ill = plan.cohort, of(dataset="well", subject="P3"), of(dataset="ill", subject="4")
    assert list(found.raw_files(well)) == ["image"]
    assert found.given_brain(well)["brain"].endswith("well/P3.nii.gz")
    assert found.raw_files(ill)["lesion"].endswith("sub-4_label-lesion_mask.nii.gz")
    assert found.archive(well) == {
        "title": "well", "licence": "CC0", "source": "not stated", "citation": "not stated",
        "modality": "T1", "cases": None,
    }  # fmt: skip
    assert found.demographics(well) == cohorts["datasets"]["well"]["table"]
    assert found.demographics(ill) == []
    participants = touch(ROOT.__class__(cohorts["datasets"]["ill"]["folder"], "participants.tsv"))
    assert found.demographics(ill) == str(participants)
    assert found.stratum(well) == "age_group" and found.stratum(ill) is None
    assert found.lesion_labels(ill) == [2] and found.lesion_labels(well) is None
    assert plan.extracted_by("given") == "well" and plan.comes_stripped(ill)
    assert found.split_lists("ill") == []


def test_several_healthy_data_sets_are_one(cohorts, tmp_path):
    more = copy.deepcopy(cohorts)
    more["datasets"]["also_well"] = {**cohorts["datasets"]["well"], "only": ["P1", "P2", "P4"]}
    more["splits"]["also_well"] = {"train": 1, "val": 1, "test": 1}
    more["healthy"] = ["well", "also_well"]
    plan = plan_of(more)
    assert plan.healthy == "healthy" and plan.datasets == ["well", "also_well", "ill"]
    assert plan.test_datasets == ["ill", "draem", "healthy"]
    assert plan.exported == ["healthy", "draem", "ill"]
    assert plan.training_data(of(model="cddpm", fold="0"))["train"] == plan.paths.packed("healthy")
    assert plan.table_rows()["cddpm"]["healthy"] == "well+also_well"
    assert list(plan.cohort.subjects("also_well")) == ["P1", "P2", "P4"]
    sentence = "also_well: leaving out P0: not named by datasets.also_well.only and 6 more"
    assert plan.cohort.left_out()[0].startswith(sentence)


def test_maps_made_elsewhere_of_several_healthy_data_sets(cohorts, tmp_path):
    more = copy.deepcopy(cohorts)
    more["datasets"]["also_well"] = cohorts["datasets"]["well"]
    more["splits"]["also_well"] = more["splits"]["well"]
    more["healthy"] = ["well", "also_well"]
    touch(tmp_path / "maps/healthy/alsowellP3.nii.gz")
    more["external"] = {"theirs": {"folder": str(tmp_path / "maps"), "space": "native"}}
    more["rows"]["theirs"] = {"block": "I", "label": "T", "healthy": True, "maps": ["theirs"]}
    more["table"]["rows"] = ["theirs"]
    plan = plan_of(more)
    ways = plan.external.ways(of(external="theirs", fold="0"))
    assert set(ways) == {"ill", "healthy"} and len(ways["healthy"]) == 20
    assert ways["healthy"]["alsowellP3"][-1].endswith("well/P3.nii.gz")
    assert "/also_well/sub-P3/" in ways["healthy"]["alsowellP3"][0]
    assert plan.external.prepared()["healthy"] is False


MISTAKES = {
    "a name that is the project's": (
        {"datasets": {"ixi": {"layout": "table", "table": "x.tsv", "brain_mask": "atlas"}}},
        "datasets.ixi.layout is 'table', but ixi is a data set of the project",
    ),
    "a name that is taken": (
        {"datasets": {"healthy": {"layout": "table", "table": "x.tsv", "brain_mask": "atlas"}}},
        "datasets.healthy: a data set's name is .* and not draem, healthy, all_patients or planted",
    ),
    "a name with a hyphen": (
        {"datasets": {"my-own": {"layout": "table", "table": "x.tsv", "brain_mask": "atlas"}}},
        "datasets.my-own: a data set's name is a lower-case letter and then",
    ),
    "no layout": (
        {"datasets": {"mine": {"folder": "x", "brain_mask": "atlas"}}},
        "unknown key datasets.mine; a cohort of your own has the key layout: bids or table",
    ),
    "no table": (
        {"datasets": {"mine": {"layout": "table", "brain_mask": "atlas"}}},
        "missing key datasets.mine.table",
    ),
    "a folder for a table": (
        {"datasets": {"mine": {"layout": "table", "folder": "x", "brain_mask": "atlas"}}},
        r"unknown key datasets.mine.folder",
    ),
    "no folder": (
        {"datasets": {"mine": {"layout": "bids", "brain_mask": "atlas"}}},
        "missing key datasets.mine.folder",
    ),
    "no brain mask": (
        {"datasets": {"mine": {"layout": "bids", "folder": "x"}}},
        "missing key datasets.mine.brain_mask",
    ),
    "given masks of a known data set": (
        {"datasets": {"ixi": {"brain_mask": "given"}}},
        "datasets.ixi.brain_mask is 'given', but must be 'hd_bet', 'deepbet', 'atlas' or",
    ),
    "healthy subjects that there are not": (
        {"healthy": ["mine"]},
        "healthy names mine, but datasets has only .*ixi, .*, well, ill",
    ),
    "nobody healthy": ({"healthy": []}, "healthy has 0 entries, but needs at least 1"),
    "healthy twice": ({"healthy": ["well", "well"]}, "healthy names well more than once"),
    "healthy with lesions": (
        {"healthy": ["brats21"]},
        "healthy names brats21, but its subjects have lesions",
    ),
    "healthy and a source of lesions": (
        {"healthy": ["well", "ill"]},
        "healthy names ill, but so does lesion_sources.tumours",
    ),
    "prepared and others": (
        {"healthy": ["well", "ixi"], "datasets": {"ixi": {"layout": "prepared"}}},
        "healthy names data sets as the authors prepared them and others, well, ixi",
    ),
    "no split": (
        {"splits": {"ill": None}},
        "splits.ill is null, but must be a block of keys",
    ),
    "simulated": (
        {"simulation": {"seed": 1, "subjects": {"ixi": 5}}},
        "datasets.well is a cohort of your own, which nothing simulates; set simulation: null",
    ),
    "a known row of before": (
        {"rows": {"cddpm": {"healthy": "ixi"}}},
        "rows.cddpm.healthy is 'ixi', but must be true or false",
    ),
    "excluded without a reason": (
        {"datasets": {"well": {"exclude": ["P1"]}}},
        r'datasets.well.exclude is \["P1"\], but must be subjects with a reason each, or the path',
    ),
    "excluded with no words": (
        {"datasets": {"ill": {"exclude": {"1": ""}}}},
        'datasets.ill.exclude is {"1": ""}, but must be subjects with a reason each, or the path',
    ),
    "deepbet on FLAIR": (
        {"modality": "FLAIR", "datasets": {"ill": {"brain_mask": "deepbet"}}},
        "datasets.ill.brain_mask is deepbet, which knows T1 heads only, but modality is FLAIR",
    ),
}


def merged(base, overlay):
    out = copy.deepcopy(base)
    for key, value in overlay.items():
        nested = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if nested else value
    return out


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(cohorts, name):
    overlay, sentence = MISTAKES[name]
    with pytest.raises(InputError, match=sentence) as error:
        plan_of(merged(cohorts, overlay))
    assert str(error.value).startswith("configuration: ") and "\n" not in str(error.value)


def test_what_is_missing_is_told_when_it_is_needed(cohorts):
    lost = merged(cohorts, {"datasets": {"well": {"table": "nowhere.tsv"}}})
    found = plan_of(lost).cohort
    sentence = r"nowhere.tsv: no such table \(configuration key datasets.well.table\)"
    assert re.match(sentence, found.known(of(dataset="well"))["missing"])
    with pytest.raises(InputError, match=sentence):
        found.check()


@pytest.mark.parametrize("key", ["only", "exclude"])
def test_chosen_subjects_must_be_there(cohorts, key):
    value = ["P99"] if key == "only" else {"P99": "moved"}
    cohort = plan_of(merged(cohorts, {"datasets": {"well": {key: value}}})).cohort
    with pytest.raises(InputError, match=f"well.{key} names P99, .* labels are like P0"):
        cohort.subjects("well")


@pytest.mark.parametrize("name", ["well", "ill", "ixi"])
def test_a_table_of_excluded_subjects_is_as_good_as_the_mapping(cohorts, tmp_path, name):
    """Rules see the listing alone, so that a change of either runs the same jobs again."""
    base = {} if name == "ixi" else cohorts
    every = plan_of(base).cohort
    label = list(every.subjects(name))[2]
    path = tmp_path / "excluded.tsv"
    path.write_text(f"subject\treason\n{label}\tmoved\n")
    in_table, in_mapping = (
        plan_of(merged(base, {"datasets": {name: {"exclude": value}}}))
        for value in (str(path), {label: "moved"})
    )
    assert in_table.cohort.listings == in_mapping.cohort.listings
    assert label not in in_table.cohort.subjects(name)
    assert (label, "excluded: moved") in in_table.cohort.not_usable(of(dataset=name), 1)
    # The run's record names the table.
    assert set(in_table.other_inputs()) == {*in_mapping.other_inputs(), str(path)}
    path.write_text("subject\treason\nP99\tmoved\n")
    lost = plan_of(merged(base, {"datasets": {name: {"exclude": str(path)}}})).cohort
    sentence = f"{path} (configuration key datasets.{name}.exclude) names P99, but there is no such"
    with pytest.raises(InputError, match=re.escape(sentence)):
        lost.check()


def test_only_is_for_known_data_sets_too():
    every = plan_of({}).cohort
    labels = list(every.subjects("ixi"))[:9]
    found = plan_of({"datasets": {"ixi": {"only": labels}}}).cohort
    assert list(found.subjects("ixi")) == labels
    others = [label for label in every.subjects("ixi") if label not in labels]
    said = [(label, "not named by datasets.ixi.only") for label in others]
    assert others and found.known(of(dataset="ixi"))["excluded"] == said


# What else runs is left alone.


@pytest.mark.parametrize("name", simulated.known())
def test_a_simulated_data_set_depends_on_no_other(name):
    from uad.base.digests import files

    script = ROOT / "workflow/scripts/simulate_scan.py"
    found = {path.stem for path in files(script, f"uad.simulation.counterparts.{name}")}
    assert found & set(simulated.known()) == {name}
    text = (ROOT / "workflow/rules/simulate.smk").read_text()
    assert f'code=plan.code("simulate_scan.py", "uad.simulation.counterparts.{name}")' in text


def test_cohorts_leave_the_code_of_known_data_sets_alone():
    plan = plan_of({})
    from uad.base.digests import files

    for script in ("pack.py", "make_splits.py", "register_to_sri24.py", "strip_skull.py"):
        module = plan.cohort.metadata_module(of(dataset="ixi"))
        found = {path.as_posix() for path in files(ROOT / "workflow/scripts" / script, module)}
        assert not [path for path in found if "/layouts/" in path], script


def test_cohorts_that_are_not_used_need_not_be_there(cohorts):
    unused = merged(cohorts, {"table": {"rows": ["cddpm"], "test_sets": ["draem"]}})
    unused["datasets"]["ill"]["folder"] = "nowhere"
    plan = plan_of(unused)
    plan.cohort.check()
    assert plan.datasets == ["well"]
    again = copy.deepcopy(plan.config)
    settings.check(again)  # as jobs may
    assert again == plan.config


def test_the_paper_has_one_healthy_data_set(paper_config):
    settings.check(paper_config)
    assert needs.healthy(paper_config) == "ixi"


def test_the_tutorials_overlay_is_valid():
    for path in sorted((ROOT / "docs/examples").glob("*.yaml")):
        overlay = yaml.safe_load(path.read_text())
        for name in ("demo", "config"):
            with_defaults(overlay, ROOT / f"config/{name}.yaml")
        settings.check(overlay)
