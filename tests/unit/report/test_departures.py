"""The table of departures: its facts have sources, and what it tells of us is what we do."""

import copy
import csv
import re

import pytest
import torch
import yaml
from conftest import ROOT

from uad.evaluation import histogram, metrics
from uad.models import residuals
from uad.models.anomalies import draem
from uad.plan import config as uad_config
from uad.plan.overlays import with_defaults
from uad.report import departures


@pytest.fixture
def config(paper_config):
    """The paper's configuration, completed."""
    uad_config.check(paper_config)
    return paper_config


@pytest.fixture(scope="module")
def facts():
    return departures.read_facts()


def by_name(config):
    return {line["name"]: line for line in departures.table(config)}


# What the configuration decides.

# Another value of each key that the table names (of one key in it, where it is a block).
CHANGES = [
    ("healthy_subjects", "splits.scheme", "released"),
    ("healthy_subjects", "splits.ixi.train", 100),
    ("healthy_subjects", "healthy", ["ixi", "ixi"]),
    ("atlas_subjects", "splits.scheme", "paper"),
    ("atlas_subjects", "splits.atlas_v2.val", 10),
    ("hard_input", "preprocessing.registration.retry_below", 0.5),
    ("hard_input", "preprocessing.registration.min_similarity", 0.3),
    ("lesions", "preprocessing.registration.lesions", "linear"),
    ("fractional_masks", "preprocessing.masks", "fractional"),
    ("n4_weights", "preprocessing.bias_field.weights", "smoothed"),
    ("box", "preprocessing.box", "released"),
    ("cut_prepared", "preprocessing.cut_prepared", True),
    ("spark_decoder", "methods.spark.decoder_weights", "torch"),
    ("frozen", "methods.unet_res.frozen", "drifting"),
    ("checkpoint", "methods.cddpm.training.validation", "random"),
    ("checkpoint", "methods.unet.training.validation", "random"),
    ("checkpoint", "methods.unet_res.training.validation", "random"),
    ("anomaly_place", "synthetic.validation", "training"),
    *(
        (f"anomaly_{key}", f"{block}.{key}", value)
        for key, value in (("texture", "binary"), ("threshold", "uniform"), ("operators", "seven"))
        for block in ("synthetic", "methods.draem_net.anomalies")
    ),
    ("draem_border", "methods.draem_net.border", "mirrored"),
    ("dice_best", "evaluation.dice_search", "interval"),
    ("threshold_search", "evaluation.threshold_search", "interval"),
    ("empty_dice", "evaluation.empty", "left_out"),
    ("brain_masks", "datasets.ixi.brain_mask", "atlas"),
    ("n4_iterations", "preprocessing.bias_field.iterations", [50, 50]),
    ("curvature_flow", "preprocessing.smoothing.iterations", 0),
    ("autoencoder", "methods.ae.autoencoder.latent", 64),
    ("autoencoder", "methods.vae.autoencoder.halvings", 4),
    ("slope", "methods.ae.autoencoder.slope", 0.3),
    ("slope", "methods.vae.autoencoder.slope", 0.3),
    ("kl", "methods.vae.kl_weight", 0.1),
    ("kl", "methods.vae.kl_reduction", "sum"),
    ("dae", "methods.dae.noise_grid", 12),
    ("dae", "methods.dae.loss", "l1"),
    ("lr_ddpm", "methods.ddpm.training.learning_rate", 1e-4),
    ("lr_ddpm", "methods.pddpm.training.learning_rate", 1e-4),
    ("levels_ddpm", "methods.ddpm.test_levels", [500]),
    ("levels_ddpm", "methods.pddpm.test_levels", [500]),
    ("fae_extractor", "methods.fae.pretrained", None),
    ("fae_batch_norm", "methods.fae.extractor.batch_norm", "frozen"),
    ("fae_input", "methods.fae.size", 64),
    ("fae_map", "methods.fae.window", 9),
    ("fae_map", "methods.fae.sigma", 1.0),
    ("lr_fae", "methods.fae.training.learning_rate", 1e-3),
    ("rd_extractor", "methods.rd.pretrained", None),
    ("rd_input", "methods.rd.size", 256),
    ("rd_blur", "methods.rd.blur", 1.5),
    ("lr_rd", "methods.rd.training.learning_rate", 5e-3),
    ("unet_channels", "methods.cddpm.unet.channels", 64),
    ("unet_channels", "methods.cddpm.unet.multipliers", [1, 1, 2]),
    ("pretrained", "methods.cddpm.pretrained", None),
    ("epochs_spark", "methods.spark.training.epochs", 1),
    ("lr_cddpm", "methods.cddpm.training.learning_rate", 1e-5),
    ("epochs_cddpm", "methods.cddpm.training.epochs", 1200),
    ("updates", "splits.ixi.train", 387),
    ("updates", "healthy", ["ixi", "ixi"]),
    ("updates", "methods.cddpm.training.batch_size", 16),
    ("seg_widths", "methods.unet.widths", [64, 128, 256]),
    ("seg_widths", "methods.unet_res.widths", [64, 128, 256]),
    ("epochs_seg", "methods.unet.training.epochs", 1),
    ("epochs_seg", "methods.unet_res.training.epochs", 1),
    ("last_batch", "methods.unet.training.drop_last", True),
    ("last_batch", "methods.unet_res.training.drop_last", True),
    ("checkpoint", "methods.cddpm.training.validation_slices", 1),
    ("checkpoint", "methods.unet.training.validation_slices", 1),
    ("checkpoint", "methods.unet_res.training.validation_slices", 1),
    ("validate_every", "methods.cddpm.training.validate_every", 1),
    ("validate_every", "methods.unet.training.validate_every", 1),
    ("validate_every", "methods.unet_res.training.validate_every", 1),
    ("lr_pii", "methods.pii.training.learning_rate", 1e-4),
    ("pii_patches", "methods.pii.centre", "anywhere"),
    ("anomaly_share", "methods.draem_net.probability", 1),
    ("lr_draem_net", "methods.draem_net.training.learning_rate", 1e-3),
    ("residual", "residual.kind", "l1"),
    ("residual", "residual.erosion", 3),
    ("components", "evaluation.min_component", 8),
    ("tuned_on", "evaluation.threshold", "released"),
]


@pytest.mark.parametrize(("name", "key", "value"), CHANGES, ids=[f"{n}-{k}" for n, k, _ in CHANGES])
def test_a_changed_key_changes_what_the_table_tells(config, name, key, value):
    before = by_name(config)[name]["here"]
    *blocks, last = key.split(".")
    node = config
    for block in blocks:
        node = node[block]
    assert node[last] != value, "not a change"
    node[last] = value
    assert by_name(config)[name]["here"] != before


def test_every_key_of_the_table_is_changed_above():
    covered = {name: [key for n, key, _ in CHANGES if n == name] for name in departures.HERE}
    for name, (keys, here) in departures.HERE.items():
        assert callable(here) == bool(keys), f"{name}: told by a function if a key decides it"
        for key in keys:
            pattern = re.escape(key).replace(r"\*", "[^.]+") + r"(\.|$)"
            assert any(re.match(pattern, changed) for changed in covered[name]), (name, key)


def test_default_configuration(config):
    followed = {name: line["as_"] for name, line in by_name(config).items()}
    assert [name for name, as_ in followed.items() if as_ == "paper and code"] == [
        "epochs_seg", "residual",
    ]  # fmt: skip
    assert [name for name, as_ in followed.items() if as_ == "paper"] == [
        "order", "lr_ddpm", "levels_ddpm", "rd_input", "lr_rd", "pretrained", "epochs_cddpm",
        "lr_draem_net",
    ]  # fmt: skip
    assert [name for name, as_ in followed.items() if as_ == "code"] == [
        "n4_iterations", "n4_brats", "cut_prepared", "curvature_flow", "unet_channels",
        "epochs_spark", "spark_decoder", "noise", "lr_cddpm", "seg_widths", "anomaly_texture",
        "anomaly_threshold", "anomaly_operators", "components",
    ]  # fmt: skip


def test_updates_are_those_of_the_training(config):
    assert by_name(config)["updates"]["here"] == "11 (358 slices in batches of 32)"
    config["methods"]["cddpm"]["training"]["drop_last"] = False
    assert by_name(config)["updates"]["here"].startswith("12 ")
    config["splits"]["ixi"]["train"] = 20
    config["methods"]["cddpm"]["training"]["drop_last"] = True
    assert by_name(config)["updates"]["here"].startswith("1 ")


def test_methods_that_differ_are_named(config):
    config["methods"]["pddpm"]["test_levels"] = [500]
    line = by_name(config)["levels_ddpm"]
    assert (line["here"], line["as_"]) == ("ddpm: 250, 500, 750; pddpm: 500", "")


def test_follows_the_code_where_the_configuration_does(config):
    config = copy.deepcopy(config)
    config["methods"]["ddpm"]["test_levels"] = config["methods"]["pddpm"]["test_levels"] = [500]
    config["methods"]["cddpm"]["training"]["validate_every"] = 1
    for name in ("unet", "unet_res"):
        config["methods"][name]["training"]["validate_every"] = 1
    config["evaluation"]["threshold"] = "released"
    lines = by_name(config)
    for name in ("levels_ddpm", "validate_every", "tuned_on"):
        assert lines[name]["as_"] == "code", name


# Topics where `config/released.yaml` does not do what the released code does, and why.
NOT_AS_RELEASED = {
    "healthy_subjects": "told in other words: the same lists",
    "order": "images are stripped on the atlas",
    "target": "heads are registered to a head",
    "hard_input": "the code is silent",
    "brain_masks": "the code is silent of ATLAS v2",
    "cut": "as good before as after N4",
    "dae": "the code has the network only",
    "pretrained": "optional there",
    "lr_pii": "original code", "anomaly_share": "original code", "lr_draem_net": "the paper's",
    "slope": "original code", "rd_blur": "original code", "pii_patches": "original code",
    "updates": "depends on who is there",
    "synthetic_test": "cannot be run there",
    "stage_two_model": "the paper has folds",
    "ssim_precision": "single precision is off by 0.0006 at most",
    "fpr": "confusion counts are swapped there",
    "spread": "both are silent",
}  # fmt: skip


def test_released_configuration_follows_the_code(paper_config):
    overlay = yaml.safe_load((ROOT / "config/released.yaml").read_text())
    config = with_overlay(overlay, paper_config)
    uad_config.check(config)
    lines = by_name(config)
    missing = {name for name, line in lines.items() if line["code"] == "missing"}
    other = {n for n, line in lines.items() if "code" not in line["as_"]} - missing
    assert other == set(NOT_AS_RELEASED)
    for name in ("slope", "rd_blur", "pii_patches"):
        assert lines[name]["here"] != by_name_of_default(paper_config)[name]["here"]


def with_overlay(overlay, below):
    merged = copy.deepcopy(overlay)
    with_defaults(merged, ROOT / "config/config.yaml")
    return merged


def by_name_of_default(paper_config):
    uad_config.check(paper_config)
    return by_name(paper_config)


# What the code decides.


def test_constants_are_those_of_the_code(config):
    here = {name: line["here"] for name, line in by_name(config).items()}
    assert float(here["anomaly_threshold"]) == draem.THRESHOLD
    assert int(here["anomaly_operators"]) == len(draem.OPERATORS)
    for block in (config["synthetic"], config["methods"]["draem_net"]["anomalies"]):
        block["operators"] = "seven"
    assert int(by_name(config)["anomaly_operators"]["here"]) == len(draem.OPERATORS_OF_THE_PAPER)
    volume = torch.rand(9, 9, 9)
    assert residuals.ssim(volume, volume).dtype == {"double": torch.float64}[here["ssim_precision"]]
    none = torch.zeros(2, 2, 2, dtype=bool).numpy()
    assert f"{metrics.dice(none, none):g}, counted" == here["empty_dice"]
    assert f"1 part in {2 ** (23 - histogram.DROPPED_BITS)}" in here["threshold_search"]


# The facts.

PAGES = {"sadm-paper.md", "parity.md", "data.md", "baselines.md", "sadm-cddpm.md"}
RELEASED = re.compile(r"(SADM|cDDPM|pDDPM):configs/[\w/]+\.yaml")


def test_every_fact_has_its_sources(facts):
    for fact in facts:
        for source, place in (("paper", "paper_at"), ("code", "code_of")):
            read = fact[f"{source}_read"].split()
            told = fact[source] != departures.SILENT
            assert told == bool(read) == bool(fact[place]), (fact["name"], source)
            for reference in read:
                page, _, line = reference.rpartition(":")
                assert page in PAGES or RELEASED.fullmatch(page), reference
                assert int(line) > 0, reference
        assert re.fullmatch(r"((Sec\.|App\.|Table) [\w.]+(, )?)*[\w.]*", fact["paper_at"]), fact
        assert set(fact["code_of"].split(", ")) <= {"SADM", "cDDPM", "pDDPM", ""}, fact


def test_topics_of_file_and_module_must_agree(tmp_path):
    lines = departures.FACTS.read_text(encoding="utf-8").splitlines(keepends=True)
    for broken in (lines[:-1], [*lines, lines[-1]], [*lines, lines[-1].replace("spread", "new")]):
        (tmp_path / "facts.tsv").write_text("".join(broken), encoding="utf-8")
        with pytest.raises(ValueError, match=r"facts\.tsv: (spread|new): each topic must be once"):
            departures.read_facts(tmp_path / "facts.tsv")


def test_the_file_is_a_plain_table():
    with open(departures.FACTS, encoding="utf-8", newline="") as file:
        first, *rest = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    assert all(len(line) == len(first) and all(line) for line in rest)
    topics = [line[1] for line in rest]
    assert len(set(topics)) == len(topics)


# The page and the text.


def test_page(config, tmp_path):
    departures.write_html(config, True, tmp_path / "d.html")
    page = (tmp_path / "d.html").read_text()
    assert "methods.cddpm.unet" in page and "as the code" in page and "<b>otherwise</b>" in page
    assert "<span>App. B.2</span>" in page and "<span>SADM</span>" in page
    assert departures.pages.SIMULATED in page


def test_markdown_has_a_line_for_each_topic_and_names_its_keys(config, facts):
    lines = departures.markdown(config).splitlines()[2:]
    assert len(lines) == len(facts)
    assert all(line.count(" | ") == 3 for line in lines)
    assert any("(`methods.unet.training.epochs`, `methods.unet_res.tr" in line for line in lines)
