"""The list of departures follows the configuration."""

import copy

from uad import deviations


def by_topic(config):
    return {line["topic"]: line for line in deviations.table(config)}


def test_default_configuration(paper_config):
    lines = by_topic(paper_config)
    assert lines["Channels of the cDDPM's U-Net"]["here"] == "128, 256, 256"
    assert lines["Channels of the cDDPM's U-Net"]["as_"] == "code"
    assert lines["Epochs, cDDPM"]["as_"] == "paper"
    assert lines["Curvature flow (iterations, time step)"]["as_"] == "code"
    assert lines["Order of steps"]["as_"] == "paper"
    assert lines["Encoder of the cDDPM"]["as_"] == ""


def test_it_follows_the_configuration(paper_config):
    config = copy.deepcopy(paper_config)
    config["methods"]["cddpm"]["unet"]["multipliers"] = [1, 1, 2]
    config["preprocessing"]["smoothing"]["iterations"] = 0
    config["splits"]["scheme"] = "released"
    config["datasets"]["ixi"]["brain_mask"] = "atlas"
    lines = by_topic(config)
    assert lines["Channels of the cDDPM's U-Net"]["as_"] == "paper"
    assert lines["Curvature flow (iterations, time step)"]["as_"] == ""
    assert lines["ATLAS v2 subjects"]["here"] == "6 + 169 / 480"
    assert "ixi: propagated from the atlas" in lines["Brain masks"]["here"]


def test_every_key_exists(paper_config):
    for line in deviations.table(paper_config):
        node = paper_config
        for part in (line["key"] or "").split("."):
            if part == "*":
                node = next(iter(node.values()))
            elif part:
                node = node[part]


def test_page(paper_config, tmp_path):
    deviations.write_html(paper_config, True, tmp_path / "d.html")
    page = (tmp_path / "d.html").read_text()
    assert "methods.cddpm.unet" in page and "as the code" in page and "<b>otherwise</b>" in page
    assert deviations.pages.SIMULATED in page
