"""Planted lesions that a row sees: a closed form for `intensity`, what counts as detected."""

import math

import numpy as np
import pandas as pd
import pytest

from uad.base.errors import InputError
from uad.contract import phantoms
from uad.data import packed
from uad.evaluation import planted
from uad.evaluation.controls import intensity, perfect
from uad.simulation import planted as simulation
from uad.simulation.settings import Planted

SPACING_MM = 3.0
CONTRASTS = [-60, -40, -20, -10, 10, 40]
VOLUMES_ML = [0.05, 0.3, 1, 5]


def planted_into(folder, noise):
    """Scans with planted lesions: ellipsoid brains, noisy, or all but plain."""
    rng, shape = np.random.default_rng(1), (24, 48, 48)
    volumes = []
    for _ in range(3):
        brain = phantoms.ellipsoid(shape, np.array(shape) / 2, np.array(shape) * 0.45)
        core = phantoms.ellipsoid(shape, np.array(shape) / 2, np.array(shape) * 0.32)
        image = np.where(core, 0.9, 0.5) + noise * rng.standard_normal(shape)
        image[phantoms.ellipsoid(shape, (12, 24, 20), (3, 3, 4))] = 0.1  # fluid
        image[12, 24, 40] = 1
        volumes.append({"image": np.float32(image.clip(0, 1) * brain), "brain": brain,
                        "lesion": np.zeros(shape, np.uint8)})  # fmt: skip
    table = pd.DataFrame({"subject": ["S0", "S1", "S2"], "voxel_ml": 0.027})
    packed.write(folder / "ixi", table, volumes, 3, shape)
    healthy = packed.Pack(folder / "ixi")
    settings = Planted(
        volumes_ml=VOLUMES_ML, contrasts=CONTRASTS, places=["cortex", "white_matter", "deep"]
    )
    found = simulation.Scans(healthy, ["S0", "S1", "S2"], SPACING_MM, "T1", settings, 1)
    packed.write(folder / "planted", found.table, found.contents(), len(found.table), shape)
    return packed.Pack(folder / "planted"), found.lesions, healthy


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    return planted_into(tmp_path_factory.mktemp("packed"), noise=0.05)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return planted_into(tmp_path_factory.mktemp("plain"), noise=0.002)


def dark(healthy):
    """The control `intensity`, built from scans without lesions: dark is abnormal."""
    return intensity.build([healthy.volume("S0")], np.random.default_rng(0))


def in_closed_form(healthy, lesions, scans, cut):
    """Whether `intensity` sees each lesion, from the scan as it was and what was planted.

    The score is 1.2 - x, so that a voxel is predicted if its intensity is below 1.2 - threshold;
    a smooth lesion makes x (1 + c) of x.
    """
    found = []
    for _, line in lesions.iterrows():
        (row,) = scans.rows([line["subject"]])
        x = healthy.volume(line["source"]).image[scans.lesion[row] == line["number"]]
        dimmed = x.astype(float) * (1 + line["contrast"] / 100)
        new = np.count_nonzero((dimmed < cut) & (x >= cut))
        gone = np.count_nonzero((dimmed >= cut) & (x < cut))
        found.append(new - gone >= max(1, math.ceil(len(x) / 10)))
    return np.array(found)


@pytest.mark.parametrize("cut", [0.25, 0.31, 0.47, 0.62])
def test_intensity_has_a_closed_form(scans, cut):
    pack, lesions, healthy = scans
    found = planted.measure(dark(healthy), pack, lesions, threshold=1.2 - cut)
    smooth = (lesions["texture"] == "smooth").to_numpy()
    expected = in_closed_form(healthy, lesions[smooth], pack, cut)
    np.testing.assert_array_equal(found["detected"].to_numpy()[smooth], expected)
    assert expected.any() and not expected.all()
    # What is brighter than it was is never newly predicted by a score of darkness.
    assert not found.loc[lesions["contrast"] > 0, "detected"].any()


@pytest.mark.parametrize("cut", [0.25, 0.31, 0.47, 0.62])
def test_intensity_sees_no_fewer_lesions_that_are_darker(scans, cut):
    pack, lesions, healthy = scans
    found = planted.measure(dark(healthy), pack, lesions, threshold=1.2 - cut)
    smooth = found[found["texture"] == "smooth"]
    wide = smooth.pivot_table(
        index=["source", "place", "volume_ml"], columns="contrast", values="newly_above"
    )
    wide = wide[[c for c in CONTRASTS if c < 0]]  # darkest first
    assert (wide.diff(axis=1).iloc[:, 1:] <= 0).to_numpy().all()


@pytest.mark.parametrize("cut", [0.25, 0.31, 0.47, 0.62])
def test_intensity_sees_no_fewer_lesions_that_are_larger(plain, cut):
    """In tissue of one intensity; of several, a larger lesion may reach into brighter tissue."""
    pack, lesions, healthy = plain
    found = planted.measure(dark(healthy), pack, lesions, threshold=1.2 - cut)
    part = found[(found["texture"] == "smooth") & (found["place"] == "white_matter")]
    wide = part.pivot_table(index=["source", "contrast"], columns="volume_ml", values="detected")
    assert (wide.diff(axis=1).iloc[:, 1:] >= 0).to_numpy().all()


def test_the_ground_truth_sees_every_lesion(scans):
    pack, lesions, _ = scans
    found = planted.measure(perfect.build([], None), pack, lesions, threshold=0.5)
    assert found["detected"].all() and (found["newly_above"] == 1).all()
    assert (found["before"] == 0).all() and (found["after"] == lesions["voxels"]).all()
    assert found["rise"].isna().all()  # the scan before has the same score everywhere


def test_what_was_above_the_threshold_before_is_no_detection(scans):
    pack, lesions, _ = scans
    found = planted.measure(
        lambda volume: volume.brain.astype(np.float32), pack, lesions, threshold=0.5
    )
    assert not found["detected"].any() and (found["newly_above"] == 0).all()
    assert (found["before"] == found["after"]).all() and (found["before"] > 0).all()


@pytest.mark.parametrize(("new", "detected"), [(0, 0), (1, 0), (2, 1), (9, 1)])
def test_a_tenth_of_the_voxels_must_be_new(new, detected):
    """Of 11 voxels 2 must be; 3 were above before, and as many stay."""
    before, after = np.zeros(11), np.zeros(11)
    before[:2] = after[:2] = 1
    after[2 : 2 + new] = 1
    above, now, found, share, rise = planted._seen(after, before, 0.5, 0.25)
    assert (above, now, found, share) == (2, 2 + new, detected, new / 11)
    assert rise == pytest.approx(new / 11 / 0.25)


def test_a_small_lesion_needs_one_voxel():
    assert planted._seen(np.array([0, 1.0]), np.zeros(2), 0.5, 1)[2] == 1
    assert planted._seen(np.array([0, 0.4]), np.zeros(2), 0.5, 1)[2] == 0
    # One that comes and one that goes are none.
    assert planted._seen(np.array([0, 1.0]), np.array([1.0, 0]), 0.5, 1)[2] == 0


def test_rise_is_in_deviations_of_the_scan_before(scans):
    pack, lesions, healthy = scans
    score = dark(healthy)
    found = planted.measure(score, pack, lesions, threshold=0.5)
    line = found.iloc[5]
    (row,) = pack.rows([line["subject"]])
    mask = pack.lesion[row] == line["number"]
    before, after = score(healthy.volume(line["source"])), score(pack.volume(line["subject"]))
    deviation = before[healthy.volume(line["source"]).brain].std()
    expected = (after[mask].mean() - before[mask].mean()) / deviation
    assert line["rise"] == pytest.approx(expected, rel=1e-4)
    # Brighter lesions have a lower score of darkness.
    assert (np.sign(found["rise"]) == -np.sign(found["contrast"])).all()


def test_a_table_that_does_not_fit_is_refused(scans):
    pack, lesions, healthy = scans
    with pytest.raises(InputError, match="but the table of planted lesions says"):
        planted.measure(dark(healthy), pack, lesions.assign(voxels=lesions["voxels"] + 1), 0.5)
