"""The configuration: files, schema and methods agree; every mistake is named in a sentence."""

import copy
import csv
import dataclasses
import json
import os
import subprocess
import sys

import jsonschema
import pytest
import yaml
from conftest import ROOT

from uad.base import modules
from uad.base.errors import InputError
from uad.base.settings import Block
from uad.data import datasets
from uad.models import methods
from uad.plan import check_rows, claims, config, docs, needs, schema

SCHEMA = ROOT / "workflow/schemas/config.schema.json"


def merged(base, overlay):
    """Snakemake's merge of an overlay over a configuration."""
    out = copy.deepcopy(base)
    for key, value in overlay.items():
        nested = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if nested else value
    return out


def test_paper_configuration_is_valid(paper_config):
    config.check(paper_config)


def test_demo_is_a_small_overlay(paper_config):
    overlay = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    config.check(merged(paper_config, overlay))
    assert overlay["simulation"]


def test_blocks_do_not_share_objects(paper_config):
    # A YAML alias would make an overlay of one method change another.
    one, other = (paper_config["methods"][name]["training"] for name in ("unet", "unet_res"))
    assert one is not other


def blocks_of_the_configuration():
    """Every class that is a block."""
    for name in methods.built_in():
        schema.of_method(name)
    pending = [Block]
    while pending:
        cls = pending.pop()
        pending += cls.__subclasses__()
        if cls is not Block:
            yield cls


def test_every_key_says_what_it_means_and_no_other_is_allowed():
    found = list(blocks_of_the_configuration())
    assert len(found) > 40
    for cls in found:
        assert cls.__dataclass_params__.frozen, cls
        for field in dataclasses.fields(cls):
            assert field.metadata.get("description") or field.name == "slice_shape", (cls, field)
        unknown = "ignore" if cls is schema.Splits else "forbid"
        assert cls.__pydantic_config__["extra"] == unknown and cls.__pydantic_config__["strict"]


def test_methods_of_config_and_folder_agree(paper_config):
    here = [name for name, block in paper_config["methods"].items() if "code" not in block]
    assert sorted(here) == methods.built_in()


@pytest.mark.parametrize("name", methods.built_in())
def test_method_says_where_it_comes_from(name):
    assert {key for key, value in methods.load(name).INFO.items() if value} == {
        "paper", "code", "licence",
    }  # fmt: skip


def test_keys_for_the_run_are_those_that_every_method_has():
    common = {field.name for field in dataclasses.fields(schema.Method)}
    assert common == set(methods.FOR_THE_RUN)


def datasets_of_the_project():
    return modules.names(datasets.__path__)


def test_checked_values_stay_as_they_were_written(paper_config):
    checked = copy.deepcopy(paper_config)
    config.check(checked)
    for block in paper_config["methods"].values():
        block["training"] = {**paper_config["training"], **block["training"]}
    common = paper_config["synthetic"]
    paper_config["methods"]["draem_net"]["anomalies"] = {
        name: common[name] for name in ("threshold", "operators", "texture")
    }
    used = needs.used_datasets(checked)
    for content in (checked, paper_config):  # a fork's own need not name every key
        content["methods"] = {n: b for n, b in content["methods"].items() if "code" not in b}
    for block in ("splits", "lesion_sources"):  # a fork's own data set is not used here
        own = paper_config["datasets"].keys() - set(datasets_of_the_project())
        named = paper_config[block].items()
        paper_config[block] = {n: of for n, of in named if not {n, str(of)} & own}
    # Parameters of jobs are compared as text: 1 is not 1.0, and the order counts.
    paper_config["datasets"] = {
        name: paper_config["datasets"][name] for name in used if name != "draem"
    }
    assert json.dumps(checked) == json.dumps(paper_config)


def test_keys_that_are_left_out_get_their_defaults(paper_config):
    given = copy.deepcopy(paper_config)
    left_out = [
        ("keep_maps",), ("local_gpus",), ("simulation",), ("residual", "erosion"),
        ("training", "weight_decay"), ("methods", "unet", "pretrained"),
        ("methods", "ae", "training"), ("datasets", "ixi", "layout"), ("table", "published"),
    ]  # fmt: skip
    for *parents, key in left_out:
        block = given
        for parent in parents:
            block = block[parent]
        del block[key]
    config.check(given)
    paper_config["table"]["published"] = None
    config.check(paper_config)
    assert given == paper_config


def run_python(code, *blocked):
    """Run code in a new interpreter in which some packages cannot be imported."""
    head = f"import sys; sys.modules.update(dict.fromkeys({blocked!r}))\n"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", head + code], env=env, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_planning_needs_nothing_scientific():
    # Methods of a fork may need what they import.
    code = "import yaml; from uad.plan import config\n"
    code += "found = yaml.safe_load(open('config/config.yaml'))\n"
    code += "own = {name for name, of in found['methods'].items() if 'code' in of}\n"
    code += "rows = {n: of for n, of in found['rows'].items() if not own & set(of['maps'])}\n"
    code += "methods = {n: of for n, of in found['methods'].items() if n not in own}\n"
    code += "config.check(found | {'rows': rows, 'methods': methods})"
    run_python(code, "torch", "numpy", "scipy", "pandas", "nibabel", "SimpleITK", "matplotlib")


def test_jobs_need_no_pydantic():
    code = "from uad.base import settings; from uad.models import methods\n"
    code += "import uad.engine.training, uad.imaging.settings, uad.evaluation.settings\n"
    code += "methods.build('unet', {'widths': [4, 8]}); methods.load('cddpm')"
    run_python(code, "pydantic", "pydantic_core", "annotated_types")


@pytest.mark.parametrize("name", methods.built_in())
def test_method_builds_from_its_block(paper_config, name):
    block = paper_config["methods"][name]
    method = methods.build(name, methods.params_of(name, block, slice_shape=(96, 96)))
    assert method.network is not None
    assert block["reconstructs"] == (method.levels > 0)


def test_readme_lists_every_key(tmp_path):
    copied = tmp_path / "README.md"
    copied.write_text((ROOT / "config/README.md").read_text())
    docs.update_readme(copied, ROOT / "config/config.yaml")
    assert copied.read_text() == (ROOT / "config/README.md").read_text(), "run make docs"


def test_schema_for_editors_is_up_to_date(tmp_path):
    docs.write_schema(tmp_path / "schema.json")
    assert (tmp_path / "schema.json").read_text() == SCHEMA.read_text(), "run make docs"


@pytest.mark.parametrize(
    "path",
    sorted([*(ROOT / "config").glob("*.yaml"), *(ROOT / "docs/examples").glob("*.yaml")]),
    ids=lambda path: path.name,
)
def test_schema_for_editors_fits_configurations_and_overlays(path):
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    text = path.read_text()
    named = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == SCHEMA
    written = yaml.safe_load(text)
    assert not list(validator.iter_errors(written))
    for wrong in (
        {"sed": 1}, {"seed": "a"}, {"splits": {"mine": {"vl": 1}}}, {"splits": {"ixi": {"val": 0}}},
        {"methods": {"aee": {}}}, {"methods": {"ae": {"dropout": 1}}}, {"rows": {"ae": {"l": 1}}},
        {"methods": {"spark": {"encoder": {"width": 6}}}}, {"lesion_sources": {}},
        {"datasets": {"mine": {"folder": "x"}}},
    ):  # fmt: skip
        assert list(validator.iter_errors(written | wrong)), wrong


def test_metrics_page_lists_every_column(tmp_path):
    copied = tmp_path / "metrics.md"
    copied.write_text((ROOT / "docs/metrics.md").read_text())
    docs.update_metrics_page(copied, ROOT / "workflow/schemas/metrics.schema.yaml")
    assert copied.read_text() == (ROOT / "docs/metrics.md").read_text(), "run make docs"
    assert "| `hd95_mm` |" in copied.read_text() and "| `fp_ml` |" in copied.read_text()


def test_published_values_are_of_rows_that_there_are(paper_config):
    """Each published row is one of the configuration, in its block and with its data; no row of a
    fork needs published values."""
    with open(ROOT / "workflow/resources/table1_paper.csv", newline="") as file:
        published = list(csv.DictReader(file))
    assert len(published) == 22 * 3
    for line in published:
        name = line["method"]
        if line["d_unhealthy"] != "none":
            name += f"-{line['d_unhealthy']}"
        block = paper_config["rows"][name]
        healthy = paper_config["healthy"][0] if block["healthy"] else "none"
        assert (block["block"], healthy) == (line["block"], line["d_healthy"])
        assert line["test_set"] in paper_config["table"]["test_sets"]


def trained_on(source):
    """A row of the Unet."""
    return {"block": "III", "label": "U", "healthy": False, "maps": [f"unet-{source}"]}


# Names of the configuration as messages list them; a fork may have more.
WRITTEN = yaml.safe_load((ROOT / "config/config.yaml").read_text())
NAMES = {block: ", ".join(WRITTEN[block]) for block in ("methods", "rows", "lesion_sources")}
SOURCES = NAMES["lesion_sources"]
NAMES_AND_PATHS = "braces and characters that cannot be printed are not allowed in names and paths"
MISTAKES = {
    "brace in a path": (
        {"results": "results/{dataset}"},
        f"configuration: results is 'results/{{dataset}}', but {NAMES_AND_PATHS}",
    ),
    "line break in a path": (
        {"datasets": {"ixi": {"folder": "data/IXI\nT1"}}},
        f"configuration: datasets.ixi.folder is 'data/IXI.nT1', but {NAMES_AND_PATHS}",
    ),
    "row that leads elsewhere": (
        {"rows": {"../../x-brats": {"block": "II", "label": "X", "healthy": True, "maps": []}}},
        "configuration: rows has the name '../../x-brats', but names there must match",
    ),
    "map that leads elsewhere": (
        {"rows": {"x": {"block": "I", "label": "X", "healthy": True, "maps": ["../../x"]}}},
        "configuration: rows.x has the unknown method ../../x",
    ),
    "source that leads elsewhere": (
        {"rows": {"x": {"block": "I", "label": "X", "healthy": True, "maps": ["unet-../../x"]}}},
        "configuration: rows.x: unet-../../x is trained on ../../x",
    ),
    "misspelt key": (
        {"methods": {"cddpm": {"trainig": {}}}},
        r"unknown key methods.cddpm.trainig \(did you mean training\?\)",
    ),
    "line break in a key": ({"fold\ns": [1]}, r"unknown key 'fold.ns' \(did you mean folds\?\)"),
    "unknown top-level key": ({"fold": [1]}, r"unknown key fold \(did you mean folds\?\)"),
    "wrong choice": (
        {"datasets": {"ixi": {"brain_mask": "bet"}}},
        "datasets.ixi.brain_mask is 'bet', but must be 'hd_bet', 'deepbet', 'atlas' or 'threshold'",
    ),
    "deepbet on another contrast": (
        {"modality": "T2", "datasets": {"ixi": {"brain_mask": "deepbet"}}},
        "datasets.ixi.brain_mask is deepbet, which knows T1 heads only, but modality is T2",
    ),
    "no orientation": (
        {"datasets": {"wmh": {"assume_orientation": "RAA"}}},
        "datasets.wmh.assume_orientation is 'RAA', but must say where the three voxel axes point",
    ),
    "wrong type": ({"seed": "abc"}, "seed is 'abc', but must be a whole number"),
    "too small": ({"splits": {"folds": 0}}, "splits.folds is 0, but must be at least 1"),
    "fold out of range": (
        {"folds": [0, 5]},
        "folds names fold 5, but splits.folds is 5, so folds go from 0 to 4",
    ),
    "unknown scheme": (
        {"splits": {"scheme": "random"}},
        "splits.scheme is 'random', but must be 'clean', 'paper' or 'released'",
    ),
    "misspelt key of the lists": (
        {"splits": {"released": {"purge_leaks": True}}},
        r"unknown key splits.released.purge_leaks \(did you mean purge_leakage\?\)",
    ),
    "more folds than the released lists": (
        {"splits": {"scheme": "released", "folds": 6}},
        "splits.folds is 6, but the released lists have only 5 folds",
    ),
    "repeated fold": ({"folds": [1, 1]}, "folds names 1 more than once"),
    "unknown method": (
        {
            "rows": {
                "x-draem": {"block": "II", "label": "X", "healthy": True, "maps": ["xnet-draem"]}
            }
        },
        f"rows.x-draem has the unknown method xnet; known are {NAMES['methods']}, .*perfect",
    ),
    "unknown training data": (
        {"rows": {"unet-isles": trained_on("isles")}},
        f"unet-isles: unet-isles is trained on isles, but the known data are {SOURCES}",
    ),
    "data without training subjects": (
        {"rows": {"unet-mslub": trained_on("mslub")}},
        "splits.mslub.train is 0, but unet-mslub is trained on mslub",
    ),
    "unknown row in the table": (
        {"table": {"rows": ["cddpm", "xnet"]}},
        f"table.rows names xnet, but rows has only {NAMES['rows']}",
    ),
    "unknown test set": (
        {"table": {"test_sets": ["isles"]}},
        f"table.test_sets names isles, but lesion_sources has only {SOURCES}",
    ),
    "test set that is not simulated": (
        {
            "simulation": {"seed": 1, "subjects": {"ixi": 9, "brats21": 9, "atlas_v2": 9}},
            "table": {"test_sets": ["wmh"]},
        },
        "missing key simulation.subjects.wmh: rows or test sets of the table need wmh",
    ),
    "a row of another method's anomalies": (
        {
            "rows": {
                "pii-foreign": {"block": "II", "label": "P", "healthy": False, "maps": ["unet"]}
            }
        },
        f"pii-foreign: pii-foreign is trained on foreign, but the known data are {SOURCES}",
    ),
    "wrong place of patches": (
        {"methods": {"pii": {"centre": "middle"}}},
        "methods.pii.centre is 'middle', but must be 'brain' or 'anywhere'",
    ),
    "no anomalies": (
        {"methods": {"draem_net": {"probability": 0}}},
        "methods.draem_net.probability is 0, but must be more than 0",
    ),
    "upstream that does not reconstruct": (
        {"methods": {"unet_res": {"upstream": "unet"}}},
        "methods.unet_res.upstream is 'unet', which is not a method that reconstructs",
    ),
    "slices that do not close": (
        {"methods": {"fae": {"size": 96}}},
        "methods.fae.size is 96, but must be a multiple of 64",
    ),
    "even window": (
        {"methods": {"fae": {"window": 6}}},
        "methods.fae.window is 6, but must be 3, 5, 7, 9 or 11",
    ),
    "patch that does not tile the slices": (
        {"methods": {"pddpm": {"patch": 36}}},
        "methods.pddpm.patch needs slices with sides that are multiples of 36 pixels, but "
        "preprocessing makes them 96 x 96",
    ),
    "slices that cannot be halved so often": (
        {"methods": {"ae": {"autoencoder": {"halvings": 6}}}},
        "methods.ae.autoencoder.halvings needs slices with sides that are multiples of 64 pixels",
    ),
    "U-Net with too many levels": (
        {"methods": {"ddpm": {"unet": {"multipliers": [1] * 7}}}},
        "methods.ddpm.unet.multipliers needs slices with sides that are multiples of 64 pixels",
    ),
    "row of a method without maps": (
        {"rows": {"spark": {"block": "I", "label": "S", "healthy": True, "maps": ["spark"]}}},
        "rows.spark: spark has no anomaly map, it only gives other methods the weights",
    ),
    "encoder of another size": (
        {"methods": {"cddpm": {"encoder": {"blocks": [3, 4, 23, 3]}}}},
        r"methods.spark.encoder.blocks is \[3, 4, 6, 3\], but methods.cddpm, which starts from it, "
        r"has \[3, 4, 23, 3\]",
    ),
    "slices that cannot be cut into patches": (
        {"preprocessing": {"crop": [192, 176, 100]}, "methods": {"pddpm": {"patch": 8}}},
        "methods.spark hides patches of 32 x 32 pixels, into which slices of 96 x 88 ",
    ),
    "levels of registration": (
        {"preprocessing": {"registration": {"iterations": [10]}}},
        "preprocessing.registration needs as many iterations as shrink_factors",
    ),
    "name of an earlier version": (
        {"unhealthy": {"brats": "brats21"}},
        "configuration: unhealthy is called lesion_sources now",
    ),
    "key of an earlier version": (
        {"preprocessing": {"registration": {"transform": "Affine"}}},
        "configuration: preprocessing.registration.transform is gone, since the transform is",
    ),
    "masks of an earlier version": (
        {"datasets": {"brats21": {"brain_mask": "nonzero"}}},
        "datasets.brats21.brain_mask is 'nonzero', but must be 'hd_bet', 'deepbet', 'atlas' or "
        "'threshold'",
    ),
    "true for a number": (
        {"threads": {"train": True}},
        "threads.train is true, but must be a whole number",
    ),
    "true for a number with decimals": (
        {"training": {"learning_rate": True}},
        "training.learning_rate is true, but must be a number",
    ),
    "one for a switch": ({"keep_maps": 1}, "keep_maps is 1, but must be true or false"),
    "part of a thread": (
        {"threads": {"train": 3.5}},
        "threads.train is 3.5, but must be a whole number",
    ),
    "part of a thread as text": (
        {"threads": {"train": "3.5"}},
        "threads.train is '3.5', but must be a whole number",
    ),
    "infinitely many millimetres": (
        {"atlas": {"spacing_mm": float("inf")}},
        "atlas.spacing_mm is Infinity, but must be a finite number",
    ),
    "number for a name": ({"results": 7}, "results is 7, but must be text"),
    "nowhere": ({"results": ""}, "results is empty"),
    "text for a list": ({"folds": "0"}, "folds is '0', but must be a list"),
    "no block": ({"atlas": "sri24"}, "atlas is 'sri24', but must be a block of keys"),
    "no block of a method": (
        {"methods": {"ae": None}},
        "methods.ae is null, but must be a block of keys",
    ),
    "no block of a split": (
        {"splits": {"ixi": 3}},
        "splits.ixi is 3, but must be a block of keys",
    ),
    "no training": (
        {"methods": {"ae": {"training": 5}}},
        "methods.ae.training is 5, but must be a block of keys",
    ),
    "misspelt key of a training": (
        {"methods": {"ae": {"training": {"epoch": 5}}}},
        r"unknown key methods.ae.training.epoch \(did you mean epochs\?\)",
    ),
    "misspelt key of a network": (
        {"methods": {"cddpm": {"encoder": {"features_": 5}}}},
        r"unknown key methods.cddpm.encoder.features_ \(did you mean features\?\)",
    ),
    "misspelt key of a row": (
        {"rows": {"ae": {"lable": "AE"}}},
        r"unknown key rows.ae.lable \(did you mean label\?\)",
    ),
    "misspelt key of a simulation": (
        {"simulation": {"seeds": 1}},
        r"unknown key simulation.seeds \(did you mean seed\?\)",
    ),
    "misspelt method": (
        {"methods": {"unet_ress": {"widths": [4, 8]}}},
        r"unknown key methods.unet_ress \(did you mean unet_res\?\)",
    ),
    "misspelt data set": (
        {"datasets": {"brats": {"folder": "data/x", "brain_mask": "hd_bet"}}},
        r"unknown key datasets.brats \(did you mean brats21\?\)",
    ),
    "misspelt data set of a split": (
        {"splits": {"atlas": {"train": 1, "val": 1, "test": None}}},
        r"unknown key splits.atlas \(did you mean atlas_v2\?\)",
    ),
    "misspelt key of the splits": (
        {"splits": {"shceme": "clean"}},
        r"unknown key splits.shceme \(did you mean scheme\?\)",
    ),
    "lesions of a data set that there is not": (
        {"lesion_sources": {"isles": "isles22"}},
        "lesion_sources.isles is 'isles22', but must be atlas_v2, brats21, mslub, wmh.*, draem "
        "or all_patients",
    ),
    "lesions of healthy subjects": (
        {"lesion_sources": {"healthy": "ixi"}},
        "lesion_sources.healthy is 'ixi', but must be atlas_v2, brats21, mslub, wmh.*, draem "
        "or all_patients",
    ),
    "another name for synthetic anomalies": (
        {"lesion_sources": {"draem": "brats21"}},
        "lesion_sources.draem is 'brats21', but draem is the name of synthetic anomalies",
    ),
    "two names of a data set": (
        {"lesion_sources": {"glioma": "brats21"}},
        "lesion_sources names brats21 more than once",
    ),
    "name that is no part of a model's": (
        {"lesion_sources": {"bra-ts": "brats21"}},
        "lesion_sources has the name 'bra-ts', but names there must match",
    ),
    "a test set twice": (
        {"table": {"test_sets": ["brats", "brats"]}},
        "table.test_sets names brats more than once",
    ),
    "too short a list": (
        {"preprocessing": {"crop": [192, 192]}},
        "preprocessing.crop has 2 entries, but needs at least 3",
    ),
    "too long a list": (
        {"training": {"betas": [0.9, 0.9, 0.9]}},
        "training.betas has 3 entries, but may have no more than 2",
    ),
    "odd number in a list": (
        {"preprocessing": {"crop": [192, 191, 100]}},
        "preprocessing.crop.1 is 191, but must be a multiple of 2",
    ),
    "more simulated subjects than names": (
        {"simulation": {"seed": 1, "subjects": {"ixi": 9, "brats21": 9, "atlas_v2": 1000}}},
        "simulation.subjects.atlas_v2 is 1000, but must be at most 999",
    ),
    "simulated data set that there is not": (
        {"simulation": {"seed": 1, "subjects": {"ixy": 9}}},
        r"unknown key simulation.subjects.ixy \(did you mean ixi\?\)",
    ),
    "simulation incomplete": (
        {"simulation": {"seed": 1}},
        "missing key simulation.subjects",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(paper_config, name):
    overlay, sentence = MISTAKES[name]
    with pytest.raises(InputError, match=sentence) as error:
        config.check(merged(paper_config, overlay))
    assert "\n" not in str(error.value)


# Claims.


@pytest.mark.parametrize("overlays", [(), ("cddpm",), ("demo",), ("demo", "study")])
def test_claims_of_the_configurations_are_valid(paper_config, overlays):
    given = paper_config
    for name in overlays:
        given = merged(given, yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))
    config.check(given)
    content = claims.read_claims(given["table"]["claims"])
    assert all(claim["margin"] >= 0 for claim in content["claims"].values())


def a_claim(**changes):
    """The file of one claim, with some keys changed; None leaves a key out."""
    compare = {"row": "cddpm", "than": ["ddpm"], "test_sets": ["brats"]}
    compare |= {key: changes.pop(key) for key in list(changes) if key in compare}
    claim = {"title": "A", "quote": "B", "source": "C", "kind": "above", "metric": "dice_best",
             "compare": [compare], **changes}  # fmt: skip
    claim = {key: value for key, value in claim.items() if value is not None}
    return {"paper": "P", "claims": {"one": claim}}


CLAIMS = {
    "unknown row": (
        a_claim(than=["ddmp"]),
        f"table.claims: one names ddmp, but rows has only {NAMES['rows']}",
    ),
    "unknown favourite": (a_claim(row="cddpm-brat"), "names cddpm-brat, but rows has only"),
    "unknown test set": (
        a_claim(test_sets=["brats", "brast"]),
        f"table.claims: one names brast, but lesion_sources has only {SOURCES}",
    ),
    "unknown kind": (
        a_claim(kind="higher"),
        "claims.one.kind is 'higher', but must be 'above', 'not_below' or 'best_weight'",
    ),
    "unknown metric": (a_claim(metric="dice"), "claims.one.metric is 'dice', but must be"),
    "unknown key": (a_claim(kinde="x"), "unknown key claims.one.kinde .did you mean kind"),
    "missing key": (a_claim(quote=None), "missing key claims.one.quote"),
    "margin of what has none": (a_claim(margin=0.1), "one has a margin, but only not_below"),
    "margin too large": (
        a_claim(kind="not_below", margin=5), "claims.one.margin is 5, but must be less than 1"
    ),
    "itself": (a_claim(than=["cddpm"]), "one compares cddpm with itself"),
    "weight of one map": (a_claim(kind="best_weight"), "of table.references only that add a"),
    "weight of another metric": (
        a_claim(kind="best_weight", row="sadm_res-brats", metric="auprc"), "not for the auprc of"
    ),
    "no comparison": (a_claim(test_sets=[]), "claims.one.compare.0.test_sets has 0 entries"),
    "no claims": ({"paper": "P", "claims": {}}, "claims has 0 entries, but needs at least 1"),
    "a list": (["one"], "must have the keys paper, claims"),
}  # fmt: skip


@pytest.mark.parametrize("name", CLAIMS)
def test_mistakes_in_claims_are_named(paper_config, tmp_path, name):
    content, sentence = CLAIMS[name]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    paper_config["table"]["claims"] = str(path)
    with pytest.raises(InputError, match=sentence) as error:
        config.check(paper_config)
    assert "\n" not in str(error.value)
    assert "mine.yaml" in str(error.value) or "table.claims: one" in str(error.value)


def test_claims_that_cannot_be_read(paper_config, tmp_path):
    path = tmp_path / "mine.yaml"
    paper_config["table"]["claims"] = str(path)
    with pytest.raises(InputError, match="table.claims is .*mine.yaml', but there is no such file"):
        config.check(copy.deepcopy(paper_config))
    path.write_text("claims: [1\npaper: x")
    with pytest.raises(InputError, match=r"mine.yaml cannot be read as YAML; see line 2"):
        config.check(paper_config)


def test_claims_may_be_about_rows_that_the_table_leaves_out(paper_config, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(a_claim(test_sets=["wmh"])))
    paper_config["table"] |= {"rows": ["cddpm"], "claims": str(path)}
    config.check(paper_config)
    assert list(paper_config["rows"]) == ["cddpm"]


def test_a_page_begins_with_a_claim_that_there_is(paper_config):
    paper_config["table"]["multiverse"] = {"headline": "sadm_res_beats_cddpm"}
    config.check(copy.deepcopy(paper_config))
    paper_config["table"]["multiverse"] = {"headline": "sadm_wins"}
    with pytest.raises(InputError, match="headline is 'sadm_wins', but .* has no claim of that"):
        config.check(copy.deepcopy(paper_config))
    paper_config["table"]["claims"] = None
    with pytest.raises(InputError, match="headline names a claim, but table.claims is null"):
        config.check(paper_config)


# Numbers that YAML or `--config` leave as text, and what they are.
TEXTS = {
    ("folds", 0): ("0", 0),
    ("threads", "train"): ("4", 4),
    ("training", "learning_rate"): ("1e-4", 1e-4),  # a text in YAML 1.1
    ("training", "betas", 1): (".99", 0.99),
    ("training", "drop_last"): ("false", False),
    ("preprocessing", "crop", 2): ("96", 96),
    ("splits", "ixi", "train"): ("20", 20),
    ("splits", "ixi", "test"): ("null", None),
    ("methods", "fae", "window"): ("7", 7),
    ("methods", "fae", "pretrained"): ("null", None),
    ("methods", "rd", "blur"): ("2", 2),
    ("methods", "cddpm", "encoder", "drop_path"): ("5E-2", 0.05),
    ("methods", "unet", "training", "epochs"): ("+5", 5),
    ("residual", "erosion"): ("0", 0),
    ("table", "published"): ("null", None),
}


@pytest.mark.parametrize("place", TEXTS, ids=lambda place: ".".join(map(str, place)))
def test_texts_that_read_as_numbers_are_numbers(paper_config, place):
    text, value = TEXTS[place]
    block = paper_config
    for part in place[:-1]:
        block = block[part]
    block[place[-1]] = text
    config.check(paper_config)
    found = paper_config
    for part in place:
        found = found[part]
    assert found == value and type(found) is type(value)


def test_names_that_look_like_numbers_stay_texts(paper_config):
    paper_config["rows"]["ae"]["label"] = "12"
    paper_config["results"] = "2024"
    config.check(paper_config)
    assert paper_config["rows"]["ae"]["label"] == "12" and paper_config["results"] == "2024"


def test_an_overlay_may_bring_a_method_and_a_data_set(paper_config):
    paper_config["table"]["claims"] = None  # which name all of the paper's rows
    brought = {
        "methods": {"dae": paper_config["methods"].pop("dae")},
        "rows": {"dae": paper_config["rows"].pop("dae")},
        "datasets": {"wmh": paper_config["datasets"].pop("wmh")},
        "splits": {"wmh": paper_config["splits"].pop("wmh")},
        "lesion_sources": {"hyperintensities": paper_config["lesion_sources"].pop("wmh")},
        "table": {"test_sets": ["hyperintensities"]},
    }
    without = copy.deepcopy(paper_config)
    config.check(without)
    assert "dae" not in needs.models(without) and "wmh" not in without["datasets"]
    config.check(found := merged(paper_config, brought))
    assert "dae" in needs.models(found) and "wmh" in found["datasets"]
    assert needs.test_sets(found) == {"hyperintensities": "wmh"}


# Whatever key is left out, misspelt or given something else: a sentence that names it.

# Of these blocks, which have many by free names, one is enough.
EXAMPLES = {"rows": "cddpm", "datasets": "ixi", "lesion_sources": "brats", "methods": "cddpm"}


def places(node, place=()):
    """Keys of a configuration, from the outside in."""
    for key, child in node.items():
        if EXAMPLES.get(".".join(place), key) == key:
            yield (*place, key)
            if isinstance(child, dict):
                yield from places(child, (*place, key))


PLACES = list(places(yaml.safe_load((ROOT / "config/config.yaml").read_text())))


def mistaken(base, place, change):
    """What checking says after a change of the block in which a key is; None if it is fine."""
    found = copy.deepcopy(base)
    *parents, key = place
    block = found
    for parent in parents:
        block = block[parent]
    change(block, key)
    try:
        config.check(found)
    except InputError as error:
        assert str(error).startswith("configuration: ") and "\n" not in str(error)
        return str(error)
    return None


def misspell(block, key):
    block[key + "x"] = block.pop(key)


def replace(block, key):
    block[key] = 3 if isinstance(block[key], dict) else {"a": 1}


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_any_mistake_is_named(paper_config, place):
    path = ".".join(place)
    free = len(place) == 2 and place[0] in EXAMPLES  # others may be called otherwise
    dropped = mistaken(paper_config, place, lambda block, key: block.pop(key))
    assert dropped is None or place[-1] in dropped
    said = mistaken(paper_config, place, misspell)
    if not free:
        assert said.startswith(f"configuration: unknown key {path}x (did you mean ")
    assert path in mistaken(paper_config, place, replace)


def test_a_cddpm_from_scratch_may_have_any_encoder_and_slice(paper_config):
    overlay = {
        "methods": {
            "cddpm": {"pretrained": None, "encoder": {"width": 32}},
            "pddpm": {"patch": 8},
        },
        "preprocessing": {"crop": [192, 176, 100]},
    }
    config.check(merged(paper_config, overlay))


@pytest.mark.parametrize(
    "path", ["seed", "methods.unet.widths", "splits.ixi.val", "rows.cddpm.maps"]
)
def test_missing_keys_are_named(paper_config, path):
    *parents, key = path.split(".")
    block = paper_config
    for parent in parents:
        block = block[parent]
    del block[key]
    with pytest.raises(InputError, match=f"missing key {path}"):
        config.check(paper_config)


def test_models_come_from_the_rows(paper_config):
    config.check(paper_config)
    models = needs.models(paper_config)
    assert len(models) == len(set(models))
    assert models.index("cddpm") < models.index("unet_res-draem")
    assert {"ae", "vae", "dae", "ddpm", "pii", "draem_net", "unet-brats"} < set(models)
    paper_config["rows"] = {"unet_res-atlas": paper_config["rows"]["unet_res-atlas"]}
    assert needs.models(paper_config) == ["spark", "cddpm", "unet_res-atlas"]
    paper_config["methods"]["cddpm"]["pretrained"] = None
    assert needs.models(paper_config) == ["cddpm", "unet_res-atlas"]


def test_rows_with_random_extractors(paper_config):
    config.check(paper_config)
    assert needs.weight_files(paper_config) == {
        "fae": "data/weights/resnet18-f37072fd.pth",
        "rd": "data/weights/wide_resnet50_2-95faca4d.pth",
    }
    assert needs.random_extractors(paper_config) == []
    paper_config["methods"]["fae"]["pretrained"] = None
    paper_config["rows"]["sum-draem"] = {
        "block": "II", "label": "S", "healthy": True, "maps": ["unet-draem", "fae"],
    }  # fmt: skip
    assert needs.random_extractors(paper_config) == ["fae", "sum-draem"]


@pytest.mark.parametrize(
    ("rows", "test_sets", "used"),
    [
        (None, ["brats"], ["ixi", "brats21", "atlas_v2", "draem"]),  # others are trained on
        (["cddpm"], ["wmh", "brats"], ["ixi", "brats21", "wmh"]),
        (["unet-draem"], ["brats"], ["ixi", "brats21", "draem"]),
        (["sadm-atlas", "perfect"], ["draem"], ["ixi", "atlas_v2", "draem"]),
    ],
)
def test_only_what_the_table_needs_is_left(paper_config, rows, test_sets, used):
    every = list(paper_config["rows"])
    paper_config["table"].update(rows=rows, test_sets=test_sets)
    for _ in range(2):  # checking a checked one changes nothing
        config.check(paper_config)
        assert list(paper_config["rows"]) == (rows or every)
        assert needs.used_datasets(paper_config) == used
        assert list(paper_config["datasets"]) == [name for name in used if name != "draem"]
        assert list(needs.test_sets(paper_config)) == test_sets


def cddpm_protocol(paper_config, *more):
    """The cDDPM paper's protocol, with those of its rows that there are."""
    for name in ("cddpm.yaml", *more):
        paper_config = merged(paper_config, yaml.safe_load((ROOT / "config" / name).read_text()))
    rows = paper_config["table"]["rows"]
    paper_config["table"]["rows"] = [row for row in rows if row in paper_config["rows"]]
    return paper_config


def test_the_cddpms_protocol(paper_config):
    found = cddpm_protocol(paper_config)
    config.check(found)
    assert "cddpm" in found["rows"] and "sadm-brats" not in found["rows"]
    assert needs.used_datasets(found) == ["ixi", "brats21", "atlas_v2", "mslub", "wmh"]
    assert found["residual"] == {"kind": "l1", "erosion": 3}
    assert found["results"] != paper_config["results"]


def test_the_cddpms_protocol_on_t2(paper_config):
    found = cddpm_protocol(paper_config, "cddpm_t2.yaml")
    config.check(found)
    assert found["modality"] == "T2"
    assert list(found["datasets"]) == ["ixi", "brats21", "mslub"]


def test_the_cddpms_protocol_on_simulated_scans(paper_config):
    found = cddpm_protocol(paper_config, "demo.yaml")
    config.check(found)
    assert set(found["datasets"]) < set(found["simulation"]["subjects"]) | {"draem"}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("cddpm", ("ixi", "ixi")),
        ("pii", ("ixi", "ixi")),
        ("draem_net", ("ixi", "ixi")),
        ("unet-draem", ("ixi", "draem")),
        ("unet_res-brats", ("brats21", "brats21")),
        ("unet-atlas", ("atlas_v2", "atlas_v2")),
    ],
)
def test_training_data_of_a_model(paper_config, model, expected):
    assert needs.training_datasets(model, paper_config) == expected


# Synthetic anomalies, and what drifts.


def test_draem_net_has_the_common_anomalies_and_its_own_changes(paper_config):
    paper_config["synthetic"] |= {"operators": "seven", "texture": "binary"}
    paper_config["methods"]["draem_net"]["anomalies"] = {"texture": "noise"}
    config.check(paper_config)
    assert paper_config["methods"]["draem_net"]["anomalies"] == {
        "threshold": "fixed", "operators": "seven", "texture": "noise",
    }  # fmt: skip


def test_only_an_encoder_drifts(paper_config):
    paper_config["methods"]["unet_res"] |= {"frozen": "drifting", "upstream": "ddpm"}
    with pytest.raises(InputError, match=r"methods\.unet_res\.frozen .* ddpm, has no encoder"):
        config.check(paper_config)


@pytest.mark.parametrize("text", ["true", "false", "healthy"])
def test_drop_last_from_the_command_line(paper_config, text):
    paper_config["training"]["drop_last"] = text
    config.check(paper_config)
    assert paper_config["training"]["drop_last"] == {"true": True, "false": False}.get(text, text)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("cdpm", r"unknown key checkpoints\.cdpm \(did you mean cddpm\?\)"),
        ("unet-brats", r"checkpoints names unet-brats, but the authors have released spark, ddpm,"),
    ],
)
def test_only_what_the_authors_have_released_can_be_imported(paper_config, model, sentence):
    paper_config["checkpoints"] = {model: "folder"}
    with pytest.raises(InputError, match=sentence):
        config.check(paper_config)


def test_what_can_be_imported_is_what_names_are_known_of():
    from uad.engine import authors_checkpoints

    assert tuple(authors_checkpoints.WEIGHTS) == check_rows.IMPORTED
