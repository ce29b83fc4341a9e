"""The configuration: files, schema and methods agree; every mistake is named in a sentence."""

import copy
from pathlib import Path

import jsonschema
import pytest
import yaml
from conftest import ROOT

from uad.base.errors import InputError
from uad.models import methods
from uad.plan import config, docs

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
    files = {p.stem for p in Path(methods.__file__).parent.glob("[a-z]*")}
    assert named == set(paper_config["methods"]) == files


NAMES = [
    "ae",
    "vae",
    "dae",
    "fae",
    "rd",
    "ddpm",
    "pddpm",
    "cddpm",
    "pii",
    "draem_net",
    "unet",
    "unet_res",
]


@pytest.mark.parametrize("name", NAMES)
def test_method_builds_from_its_block(paper_config, name):
    block = paper_config["methods"][name]
    method = methods.build(name, methods.params_of(name, block, slice_shape=(96, 96)))
    assert method.network is not None
    assert block["reconstructs"] == (method.levels > 0)


def test_readme_lists_every_key(tmp_path):
    copied = tmp_path / "README.md"
    copied.write_text((ROOT / "config/README.md").read_text())
    docs.update_readme(copied, SCHEMA, ROOT / "config/config.yaml")
    assert copied.read_text() == (ROOT / "config/README.md").read_text(), "run make docs"


def test_metrics_page_lists_every_column(tmp_path):
    copied = tmp_path / "metrics.md"
    copied.write_text((ROOT / "docs/metrics.md").read_text())
    docs.update_metrics_page(copied, ROOT / "workflow/schemas/metrics.schema.yaml")
    assert copied.read_text() == (ROOT / "docs/metrics.md").read_text(), "run make docs"
    assert "| `hd95_mm` |" in copied.read_text() and "| `fp_ml` |" in copied.read_text()


def test_rows_have_published_values(paper_config):
    paper = (ROOT / "workflow/resources/table1_paper.csv").read_text()
    for row, block in paper_config["rows"].items():
        if block["block"] != "control":
            method, _, unhealthy = row.partition("-")
            expected = f"{block['block']},{method},{block['healthy']},{unhealthy or 'none'},brats,"
            assert f"\n{expected}" in paper, row


def trained_on(source):
    """A row of the Unet."""
    return {"block": "III", "label": "U", "healthy": "none", "maps": [f"unet-{source}"]}


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
        {"rows": {"../../x-brats": {"block": "II", "label": "X", "healthy": "ixi", "maps": []}}},
        "configuration: rows: '../../x-brats' does not match",
    ),
    "map that leads elsewhere": (
        {"rows": {"x": {"block": "I", "label": "X", "healthy": "ixi", "maps": ["../../x"]}}},
        "configuration: rows.x has the unknown method ../../x",
    ),
    "source that leads elsewhere": (
        {"rows": {"x": {"block": "I", "label": "X", "healthy": "ixi", "maps": ["unet-../../x"]}}},
        "configuration: rows.x: unet-../../x is trained on ../../x",
    ),
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
        "rows.x-draem has the unknown method xnet; known are ae, .*, perfect",
    ),
    "unknown training data": (
        {"rows": {"unet-isles": trained_on("isles")}},
        "rows.unet-isles: unet-isles is trained on isles, but the known data are brats, atlas, ",
    ),
    "data without training subjects": (
        {"rows": {"unet-mslub": trained_on("mslub")}},
        "splits.mslub.train is 0, but unet-mslub is trained on mslub",
    ),
    "unknown row in the table": (
        {"table": {"rows": ["cddpm", "xnet"]}},
        "table.rows names xnet, but rows has only ae, .*, cddpm, .*unet-draem, ",
    ),
    "unknown test set": (
        {"table": {"test_sets": ["isles"]}},
        "table.test_sets names isles, but unhealthy has only brats, atlas, draem, mslub, wmh",
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
    "slices that do not close": (
        {"methods": {"fae": {"size": 96}}},
        "methods.fae.size: 96 is not a multiple of 64",
    ),
    "even window": (
        {"methods": {"fae": {"window": 6}}},
        "methods.fae.window is 6, but must be one of: 3, 5, 7",
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
        {"rows": {"spark": {"block": "I", "label": "S", "healthy": "ixi", "maps": ["spark"]}}},
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


def test_a_cddpm_from_scratch_may_have_any_encoder_and_slice(paper_config):
    overlay = {
        "methods": {
            "cddpm": {"pretrained": None, "encoder": {"width": 32}},
            "pddpm": {"patch": 8},
        },
        "preprocessing": {"crop": [192, 176, 100]},
    }
    config.check(merged(paper_config, overlay), SCHEMA)


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
    assert len(models) == len(set(models))
    assert models.index("cddpm") < models.index("unet_res-draem")
    assert {"ae", "vae", "dae", "ddpm", "pii", "draem_net", "unet-brats"} < set(models)
    paper_config["rows"] = {"unet_res-atlas": paper_config["rows"]["unet_res-atlas"]}
    assert config.models(paper_config) == ["spark", "cddpm", "unet_res-atlas"]
    paper_config["methods"]["cddpm"]["pretrained"] = None
    assert config.models(paper_config) == ["cddpm", "unet_res-atlas"]


def test_rows_with_random_extractors(paper_config):
    assert config.weight_files(paper_config) == {
        "fae": "data/weights/resnet18-f37072fd.pth",
        "rd": "data/weights/wide_resnet50_2-95faca4d.pth",
    }
    assert config.random_extractors(paper_config) == []
    paper_config["methods"]["fae"]["pretrained"] = None
    paper_config["rows"]["sum-draem"] = {
        "block": "II", "label": "S", "healthy": "ixi", "maps": ["unet-draem", "fae"],
    }  # fmt: skip
    assert config.random_extractors(paper_config) == ["fae", "sum-draem"]


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
        config.check(paper_config, SCHEMA)
        assert list(paper_config["rows"]) == (rows or every)
        assert config.used_datasets(paper_config) == used
        assert list(paper_config["datasets"]) == [name for name in used if name != "draem"]
        assert list(config.test_sets(paper_config)) == test_sets


def cddpm_protocol(paper_config, *more):
    """The cDDPM paper's protocol, with those of its rows that there are."""
    for name in ("cddpm.yaml", *more):
        paper_config = merged(paper_config, yaml.safe_load((ROOT / "config" / name).read_text()))
    rows = paper_config["table"]["rows"]
    paper_config["table"]["rows"] = [row for row in rows if row in paper_config["rows"]]
    return paper_config


def test_the_cddpms_protocol(paper_config):
    found = cddpm_protocol(paper_config)
    config.check(found, SCHEMA)
    assert "cddpm" in found["rows"] and "sadm-brats" not in found["rows"]
    assert config.used_datasets(found) == ["ixi", "brats21", "atlas_v2", "mslub", "wmh"]
    assert found["residual"] == {"kind": "l1", "erosion": 3}
    assert found["results"] != paper_config["results"]


def test_the_cddpms_protocol_on_t2(paper_config):
    found = cddpm_protocol(paper_config, "cddpm_t2.yaml")
    config.check(found, SCHEMA)
    assert found["modality"] == "T2"
    assert list(found["datasets"]) == ["ixi", "brats21", "mslub"]


def test_the_cddpms_protocol_on_simulated_scans(paper_config):
    found = cddpm_protocol(paper_config, "demo.yaml")
    config.check(found, SCHEMA)
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
    assert config.training_datasets(model, paper_config) == expected
