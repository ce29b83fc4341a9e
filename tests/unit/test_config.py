"""The configuration: files, schema and methods agree; every mistake is named in a sentence."""

import copy
from pathlib import Path

import jsonschema
import pytest
import yaml
from conftest import ROOT

from uad import config, methods
from uad.errors import InputError

SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"


def merged(base, overlay):
    """Snakemake's merge of an overlay over a configuration."""
    out = copy.deepcopy(base)
    for key, value in overlay.items():
        nested = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if nested else value
    return out


def test_paper_configuration_is_valid(paper_config):
    config.check(paper_config, SCHEMA)


def test_demo_is_a_small_overlay(paper_config):
    overlay = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    config.check(merged(paper_config, overlay), SCHEMA)
    assert overlay["simulation"]


def test_blocks_do_not_share_objects(paper_config):
    # A YAML alias would make an overlay of one method change another.
    one, other = (paper_config["methods"][name]["training"] for name in ("unet", "unet_res"))
    assert one is not other


# Blocks that name data sets: those of another protocol may be left out.
PARTLY_USED = (
    "/properties/datasets",
    "/properties/splits",
    "/properties/unhealthy",
    "/$defs/simulation/properties/subjects",
)


def test_schema_has_no_open_keys():
    def objects(node, path=""):
        if isinstance(node, dict):
            if node.get("type") == "object":
                yield path, node
            for key, child in node.items():
                yield from objects(child, f"{path}/{key}")

    found = list(objects(yaml.safe_load(SCHEMA.read_text())))
    assert len(found) > 20
    for path, node in found:
        closed = node.get("additionalProperties")
        assert closed is False or "propertyNames" in node, path
        if closed is False:
            optional = set(node["properties"]) - set(node["required"])
            assert not optional or path in PARTLY_USED, path


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(yaml.safe_load(SCHEMA.read_text()))


def test_methods_of_schema_config_and_folder_agree(paper_config):
    schema = yaml.safe_load(SCHEMA.read_text())
    named = set(schema["properties"]["methods"]["properties"])
    files = {p.stem for p in Path(methods.__file__).parent.glob("*.py")} - {"__init__"}
    assert named == set(paper_config["methods"]) == files - set(methods.CONTROLS)


@pytest.mark.parametrize("name", ["cddpm", "unet", "unet_res", "pii", "draem_net"])
def test_method_builds_from_its_block(paper_config, name):
    block = paper_config["methods"][name]
    params = {k: v for k, v in block.items() if k not in methods.FOR_THE_RUN}
    method = methods.build(name, params)
    assert method.network is not None
    assert block["reconstructs"] == (method.levels > 0)


def test_readme_lists_every_key(tmp_path):
    copied = tmp_path / "README.md"
    copied.write_text((ROOT / "config/README.md").read_text())
    config.update_readme(copied, SCHEMA, ROOT / "config/config.yaml")
    assert copied.read_text() == (ROOT / "config/README.md").read_text(), "run make docs"


def test_rows_have_published_values(paper_config):
    paper = (ROOT / "workflow/resources/table1_paper.csv").read_text()
    for row, block in paper_config["rows"].items():
        if block["block"] != "control":
            method, _, unhealthy = row.partition("-")
            expected = f"{block['block']},{method},{block['healthy']},{unhealthy or 'none'},brats,"
            assert f"\n{expected}" in paper, row


MISTAKES = {
    "misspelt key": (
        {"methods": {"cddpm": {"trainig": {}}}},
        r"unknown key methods.cddpm.trainig \(did you mean training\?\)",
    ),
    "unknown top-level key": ({"fold": [1]}, r"unknown key fold \(did you mean folds\?\)"),
    "wrong choice": (
        {"datasets": {"ixi": {"brain_mask": "bet"}}},
        "datasets.ixi.brain_mask is 'bet', but must be one of: hd_bet, atlas, threshold, nonzero",
    ),
    "wrong type": ({"seed": "abc"}, "seed: 'abc' is not of type 'integer'"),
    "too small": ({"splits": {"folds": 0}}, "splits.folds: 0 is less than the minimum of 1"),
    "fold out of range": (
        {"folds": [0, 5]},
        "folds names fold 5, but splits.folds is 5, so folds go from 0 to 4",
    ),
    "unknown scheme": (
        {"splits": {"scheme": "random"}},
        "splits.scheme is 'random', but must be one of: clean, paper, released",
    ),
    "misspelt key of the lists": (
        {"splits": {"released": {"purge_leaks": True}}},
        r"unknown key splits.released.purge_leaks \(did you mean purge_leakage\?\)",
    ),
    "more folds than the released lists": (
        {"splits": {"scheme": "released", "folds": 6}},
        "splits.folds is 6, but the released lists have only 5 folds",
    ),
    "repeated fold": ({"folds": [1, 1]}, "folds: .* has non-unique elements"),
    "unknown method": (
        {
            "rows": {
                "x-draem": {"block": "II", "label": "X", "healthy": "ixi", "maps": ["xnet-draem"]}
            }
        },
        "rows.x-draem has the unknown method xnet; known are cddpm, .*, perfect",
    ),
    "unknown training data": (
        {
            "rows": {
                "unet-wmh": {"block": "III", "label": "U", "healthy": "none", "maps": ["unet-wmh"]}
            }
        },
        "rows.unet-wmh: unet-wmh is trained on wmh, but the known data are brats, atlas, draem",
    ),
    "a row of another method's anomalies": (
        {
            "rows": {
                "pii-foreign": {"block": "II", "label": "P", "healthy": "none", "maps": ["unet"]}
            }
        },
        "rows.pii-foreign: pii-foreign is trained on foreign, but the known data are brats",
    ),
    "wrong place of patches": (
        {"methods": {"pii": {"centre": "middle"}}},
        "methods.pii.centre is 'middle', but must be one of: brain, anywhere",
    ),
    "no anomalies": (
        {"methods": {"draem_net": {"probability": 0}}},
        "methods.draem_net.probability: 0 is less than or equal to the minimum of 0",
    ),
    "upstream that does not reconstruct": (
        {"methods": {"unet_res": {"upstream": "unet"}}},
        "methods.unet_res.upstream is 'unet', which is not a method that reconstructs",
    ),
    "levels of registration": (
        {"preprocessing": {"registration": {"iterations": [10]}}},
        "preprocessing.registration needs as many iterations as shrink_factors",
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
        config.check(merged(paper_config, overlay), SCHEMA)
    assert "\n" not in str(error.value)


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
        config.check(paper_config, SCHEMA)


def test_models_come_from_the_rows(paper_config):
    models = config.models(paper_config)
    assert models[0] == "cddpm"
    assert len(models) == 9
    paper_config["rows"] = {"unet_res-atlas": paper_config["rows"]["unet_res-atlas"]}
    assert config.models(paper_config) == ["cddpm", "unet_res-atlas"]


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
    assert config.training_datasets(model, paper_config) == expected
