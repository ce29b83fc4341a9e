"""Planted lesions in the plan: which rows are measured, on what, and mistakes in the block."""

import pytest
from test_plan import of, plan_of

from uad.base.errors import InputError
from uad.plan.figures import Figures
from uad.plan.planted import Planted

EXTERNAL = {
    "external": {"theirs": {"folder": "maps", "space": "packed"}},
    "rows": {"theirs": {"block": "I", "label": "T", "healthy": True, "maps": ["theirs"]}},
}


@pytest.fixture(scope="module")
def planted():
    return Planted(plan_of(planted={}))


def test_nothing_is_planted_unless_asked_for():
    found = Planted(plan_of(planted=None))
    assert found.rows == [] and found.of_every_row() == []
    assert not any("detection" in path for path in Figures(plan_of(planted=None)).all())
    assert any("detection" in path for path in Figures(plan_of(planted={})).all())


def test_all_rows_are_measured_but_those_of_maps_made_elsewhere(planted):
    assert planted.rows == list(planted.plan.config["rows"])
    without = Planted(plan_of(planted={}, **EXTERNAL))
    assert "theirs" in without.plan.config["rows"] and "theirs" not in without.rows
    with pytest.raises(InputError, match=r"planted\.rows names theirs, but its maps theirs"):
        plan_of(planted={"rows": ["theirs"]}, **EXTERNAL)


def test_rows_that_are_not_in_the_table_are_not_measured():
    chosen = {"rows": ["cddpm", "sadm-brats"]}
    plan = plan_of(planted=chosen, table={"rows": ["cddpm", "ae"]})
    assert Planted(plan).rows == ["cddpm"]
    plan = plan_of(planted=chosen, table={"rows": ["ae"]})
    assert plan.config["planted"] is None
    with pytest.raises(InputError, match=r"planted\.rows.*cdpm.*did you mean cddpm"):
        plan_of(planted={"rows": ["cdpm"]})


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"subjects": 0}, "planted.subjects is 0"),
        ({"volumes_ml": [1, 1]}, "planted.volumes_ml names 1 more than once"),
        ({"volumes_ml": [0]}, "planted.volumes_ml.0 is 0"),
        ({"contrasts": [-120]}, "planted.contrasts.0 is -120"),
        ({"places": ["brainstem"]}, "planted.places.0 is 'brainstem'"),
        ({"threshold": "val"}, "planted.threshold is 'val'"),
        ({"volume": [1]}, r"unknown key planted.volume \(did you mean volumes_ml"),
    ],
)
def test_mistakes_are_named(block, words):
    with pytest.raises(InputError, match=words):
        plan_of(planted=block)


def test_a_network_gets_the_reconstructions_of_the_planted_scans(planted):
    files = planted.upstream_reconstructions(of(model="unet_res-brats", fold="1"))
    assert files == ["results/demo/reconstructions/cddpm/fold-1/planted/reconstruction.npy"]
    assert planted.upstream_reconstructions(of(model="unet-brats", fold="1")) == []
    drifting = plan_of(planted={}, methods={"unet_res": {"frozen": "drifting"}})
    files = Planted(drifting).upstream_reconstructions(of(model="unet_res-brats", fold="1"))
    assert files == [
        "results/demo/reconstructions/unet_res-brats/fold-1/planted/reconstruction.npy"
    ]


def test_a_row_is_scored_on_planted_scans_at_its_own_threshold(planted):
    files = planted.scored_files(of(row="sadm_res-brats", fold="0"))
    root = "results/demo"
    assert files["maps"] == [f"{root}/scores/unet_res-brats/fold-0/planted/anomaly_map.npy"]
    assert files["reconstructions"] == [
        f"{root}/reconstructions/cddpm/fold-0/planted/reconstruction.npy"
    ]
    assert files["thresholds"] == f"{root}/metrics/sadm_res-brats/fold-0_pooled.tsv"
    assert files["splits"] == [f"{root}/splits/planted.tsv"]
    # Scored again if a model is newer, since what it made is deleted.
    assert files["models"] == [
        f"{root}/models/unet_res-brats/fold-0/model.pt", f"{root}/models/cddpm/fold-0/model.pt",
    ]  # fmt: skip
    assert files["tuned_split"] == f"{root}/splits/brats21.tsv"


def test_the_front_page_shows_references_and_the_control(planted):
    references = planted.plan.config["table"]["references"]
    assert planted.first() == [*references, "intensity"]
    plan = plan_of(planted={}, table={"rows": ["ae", "vae"]})
    assert Planted(plan).first() == ["ae", "vae"]
    assert Planted(plan).labels() == {"ae": "AE", "vae": "VAE"}


def test_what_decides_the_scans_is_neither_rows_nor_threshold(planted):
    assert set(planted.settings) == {
        "subjects", "volumes_ml", "contrasts", "places", "textures", "alone",
    }  # fmt: skip
    assert planted.threshold == "threshold_fpr5"


def test_the_front_page_has_the_figure():
    facts = Figures(plan_of(planted={})).facts(["config/config.yaml"])
    assert "figures/detection_limits.svg" in facts["figures"]
    facts = Figures(plan_of(planted=None)).facts(["config/config.yaml"])
    assert not any("detection" in name for name in facts["figures"])
