"""The list of departures follows the configuration."""

import copy

import pytest

from uad.plan import config as uad_config
from uad.report import departures


@pytest.fixture
def config(paper_config):
    """The paper's configuration, completed."""
    uad_config.check(paper_config)
    return paper_config


def by_topic(config):
    return {line["topic"]: line for line in departures.table(config)}


def test_default_configuration(config):
    lines = by_topic(config)
    assert lines["Channels of the cDDPM's U-Net"]["here"] == "128, 256, 256"
    assert lines["Channels of the cDDPM's U-Net"]["as_"] == "code"
    assert lines["Epochs, cDDPM"]["as_"] == "paper"
    assert lines["Learning rate, DDPM and pDDPM"]["as_"] == "paper"
    assert lines["Test levels of the pDDPM"]["as_"] == "paper"
    assert lines["Weight of the VAE's divergence"]["here"].startswith("0.001, mean over dimensions")
    assert lines["Curvature flow (iterations, time step)"]["as_"] == "code"
    assert lines["Order of steps"]["as_"] == "paper"
    assert lines["Encoder of the cDDPM"]["as_"] == "paper"


def test_it_follows_the_configuration(config):
    config = copy.deepcopy(config)
    config["methods"]["cddpm"]["unet"]["multipliers"] = [1, 1, 2]
    config["methods"]["pddpm"]["test_levels"] = [500]
    config["methods"]["cddpm"]["pretrained"] = None
    config["residual"] = {"kind": "l1", "erosion": 3}
    config["evaluation"] = {"min_component": 8, "threshold": "released"}
    config["preprocessing"]["smoothing"]["iterations"] = 0
    config["splits"]["scheme"] = "released"
    config["datasets"]["ixi"]["brain_mask"] = "atlas"
    config["methods"]["rd"]["pretrained"] = None
    lines = by_topic(config)
    assert lines["Channels of the cDDPM's U-Net"]["as_"] == "paper"
    assert lines["Test levels of the pDDPM"]["as_"] == "code"
    assert lines["Curvature flow (iterations, time step)"]["as_"] == ""
    assert lines["Encoder of the cDDPM"]["here"] == "trained from scratch"
    residual = lines["Residual map of reconstructions"]
    assert residual["here"] == "absolute difference, brain eroded by 3 voxels"
    removed = lines["Components removed before Dice at a threshold"]
    assert removed["here"] == "fewer than 8 voxels"
    assert lines["Threshold of Dice_val"]["as_"] == "code"
    assert lines["ATLAS v2 subjects"]["here"] == "6 + 169 / 480"
    assert lines["Extractor of FAE"]["here"] == "ResNet-18, ImageNet weights"
    assert lines["Extractor of RD"]["here"] == "WideResNet-50-2, random"
    assert "ixi: propagated from the atlas" in lines["Brain masks"]["here"]


def test_every_key_exists(config):
    for line in departures.table(config):
        node = config
        for part in (line["key"] or "").split("."):
            if part == "*":
                node = next(iter(node.values()))
            elif part:
                node = node[part]


def test_page(config, tmp_path):
    departures.write_html(config, True, tmp_path / "d.html")
    page = (tmp_path / "d.html").read_text()
    assert "methods.cddpm.unet" in page and "as the code" in page and "<b>otherwise</b>" in page
    assert departures.pages.SIMULATED in page
