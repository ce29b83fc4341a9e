"""Planted lesions: exact masks, places, contrasts, scans that several share, and no leak."""

import copy
import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT
from scipy import ndimage

from uad.base.errors import InputError
from uad.contract import cases, checks
from uad.data import packed
from uad.models import methods
from uad.plan import config as configuration
from uad.plan.overlays import with_defaults
from uad.simulation import planted
from uad.simulation.settings import PLACES, Planted

SPACING_MM = 3.0
SHAPE = (34, 60, 64)  # (Z, X, Y), 3 mm
SETTINGS = Planted(
    subjects=2, volumes_ml=[0.05, 1, 20], contrasts=[-60, 40], textures=["smooth", "patchy"]
)


def brain_of(seed):
    """An ellipsoid with a grey rim and core, white matter between, a ventricle, and noise."""
    rng = np.random.default_rng(seed)
    grid = np.meshgrid(*map(np.arange, SHAPE), indexing="ij", sparse=True)
    middle = np.array(SHAPE) / 2
    radius = np.sqrt(sum(((g - c) / (0.46 * n)) ** 2 for g, c, n in zip(grid, middle, SHAPE)))
    brain = radius < 1
    image = np.where(radius > 0.8, 0.55, 0.9)
    image[radius < 0.3] = 0.6
    image[radius < 0.08] = 0.1
    image = ndimage.gaussian_filter(image, 0.6) + rng.normal(0, 0.02, SHAPE)
    return np.float32(image.clip(0, 1) * brain), brain


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """Three healthy subjects."""
    folder = tmp_path_factory.mktemp("packed") / "ixi"
    volumes = []
    for seed in range(3):
        image, brain = brain_of(seed)
        volumes.append({"image": image, "brain": brain, "lesion": np.zeros(SHAPE, np.uint8)})
    table = pd.DataFrame({"subject": ["S0", "S1", "S2"], "voxel_ml": SPACING_MM**3 / 1000})
    packed.write(folder, table, volumes, 3, SHAPE)
    return packed.Pack(folder)


def made(healthy, settings=SETTINGS, seed=1):
    return planted.Scans(healthy, ["S0", "S2"], SPACING_MM, "T1", settings, seed)


@pytest.fixture(scope="module")
def scans(healthy, tmp_path_factory):
    """What is planted, written and opened again, and its lesions."""
    found, folder = made(healthy), tmp_path_factory.mktemp("out") / "planted"
    packed.write(folder, found.table, found.contents(), len(found.table), SHAPE)
    return packed.Pack(folder), found.lesions


def mask_of(pack, line):
    (row,) = pack.rows([line["subject"]])
    return np.array(pack.lesion[row]) == line["number"]


def test_every_combination_is_planted_once(scans):
    _, lesions = scans
    keys = ["source", "place", "texture", "contrast", "volume_ml"]
    assert len(lesions) == 2 * len(PLACES) * 2 * 2 * 3
    assert not lesions.duplicated(keys).any()


def test_masks_are_what_differs_from_the_scan_as_it_was(scans, healthy):
    pack, lesions = scans
    for label, source in zip(pack.subjects["subject"], pack.subjects["source"]):
        before, after = healthy.volume(source), pack.volume(label)
        changed = before.image != after.image
        if label.endswith("p000"):
            assert not changed.any() and not after.lesion.any()
            continue
        assert not (changed & ~after.lesion).any()
        np.testing.assert_array_equal(before.brain, after.brain)
        of_smooth = lesions[(lesions["subject"] == label) & (lesions["texture"] == "smooth")]
        for _, line in of_smooth[of_smooth["contrast"] < 0].iterrows():
            mask = mask_of(pack, line)
            assert changed[mask & (before.image > 0)].all()


def test_volumes_are_exact_and_inside_the_brain(scans):
    pack, lesions = scans
    for _, line in lesions.iterrows():
        mask = mask_of(pack, line)
        assert mask.sum() == line["voxels"] == round(line["volume_ml"] / 0.027)
        assert (mask & pack.volume(line["subject"]).brain).sum() == mask.sum()
        assert mask[line["z"], line["x"], line["y"]]
        assert abs(line["planted_ml"] - line["volume_ml"]) <= 0.027 / 2 + 1e-9


def test_a_larger_lesion_holds_every_smaller_one(scans):
    pack, lesions = scans
    for _, part in lesions.groupby(["source", "place", "texture", "contrast"]):
        masks = [mask_of(pack, line) for _, line in part.sort_values("volume_ml").iterrows()]
        for small, large in itertools.pairwise(masks):
            assert not (small & ~large).any()


def test_contrast_is_a_share_of_the_local_tissue(scans, healthy):
    pack, lesions = scans
    for _, line in lesions.iterrows():
        mask = mask_of(pack, line)
        before, after = (p.volume(n).image[mask] for p, n in
                         ((healthy, line["source"]), (pack, line["subject"])))  # fmt: skip
        real = 100 * (after.mean(dtype=float) / before.mean(dtype=float) - 1)
        assert line["planted_contrast"] == pytest.approx(real, abs=1e-3)
        if line["texture"] == "smooth":
            highest = healthy.volume(line["source"]).image.max()
            expected = np.minimum(before * (1 + line["contrast"] / 100), highest)
            np.testing.assert_allclose(after, expected, rtol=1e-5)
            if line["contrast"] < 0:
                assert real == pytest.approx(line["contrast"], abs=1e-3)
        elif line["contrast"] < 0 and line["voxels"] > 300:
            assert np.std(after / before) > 0.15
            assert (after / before).mean() == pytest.approx(0.4, abs=0.03)


def test_range_of_the_scan_is_kept(scans, healthy):
    pack, _ = scans
    for label, source in zip(pack.subjects["subject"], pack.subjects["source"]):
        before, after = healthy.volume(source).image, pack.volume(label).image
        assert after.max() <= before.max() and after.min() >= min(before.min(), 0)


def test_lesions_of_a_scan_are_apart(scans):
    pack, lesions = scans
    shared = 0
    for _, part in lesions.groupby("subject"):
        extents = sorted(
            (z.min(), z.max())
            for z in (np.nonzero(mask_of(pack, of))[0] for _, of in part.iterrows())
        )
        assert all(b[0] - a[1] > planted.APART for a, b in itertools.pairwise(extents))
        shared += len(extents) > 1
    assert shared > 5
    assert (
        lesions.groupby("subject")["number"]
        .apply(list)
        .map(lambda numbers: numbers == list(range(1, len(numbers) + 1)))
        .all()
    )


def test_alone_every_lesion_has_a_scan_of_its_own(healthy):
    scans = made(healthy, replace(SETTINGS, alone=True))
    assert not scans.lesions["subject"].duplicated().any()
    assert len(scans.table) == len(scans.lesions) + 2
    together = made(healthy).lesions.drop(columns=["subject", "number"])
    order = list(together.columns[:5])
    alone = scans.lesions.drop(columns=["subject", "number"])
    pd.testing.assert_frame_equal(
        alone.sort_values(order, ignore_index=True), together.sort_values(order, ignore_index=True)
    )


def test_same_seed_same_bytes_whatever_else_is_planted(healthy):
    first, again, other = made(healthy), made(healthy), made(healthy, seed=2)
    pd.testing.assert_frame_equal(first.lesions, again.lesions)
    for one, two in zip(first.contents(), again.contents()):
        assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not first.lesions[["z", "x", "y"]].equals(other.lesions[["z", "x", "y"]])
    centre = ["source", "place", "z", "x", "y"]
    fewer = made(healthy, replace(SETTINGS, volumes_ml=[1], places=["deep"])).lesions[centre]
    expected = first.lesions[centre].query("place == 'deep'").drop_duplicates()
    assert fewer.drop_duplicates().to_numpy().tolist() == expected.to_numpy().tolist()


def test_places_are_where_they_are_said_to_be(healthy):
    volume = healthy.volume("S0")
    found = planted.where(volume.image, volume.brain, SPACING_MM)
    assert list(found) == list(PLACES)
    depth = ndimage.distance_transform_edt(volume.brain) * SPACING_MM
    for place, mask in found.items():
        assert mask.any() and not (mask & ~volume.brain).any(), place
    assert depth[found["cortex"]].max() <= planted.CORTEX_MM
    assert volume.image[found["cortex"]].max() < (0.55 + 0.9) / 2 + 0.05
    assert depth[found["white_matter"]].min() >= planted.CORE_MM
    assert volume.image[found["white_matter"]].mean() == pytest.approx(0.9, abs=0.05)
    z, _, y = np.nonzero(found["cerebellum"])
    assert z.max() < 0.3 * SHAPE[0] and y.min() > 0.5 * SHAPE[2]
    assert volume.image[found["deep"]].min() > 0.2  # not in the ventricle
    assert np.abs(np.mean(np.nonzero(found["deep"]), axis=1) - np.array(SHAPE) / 2).max() < 6


def test_on_t2_fluid_is_bright(healthy):
    volume = healthy.volume("S0")
    t1 = planted.tissues(volume.image, volume.brain, "T1")
    inverted = np.where(volume.brain, 1 - volume.image, 0).astype(np.float32)
    t2 = planted.tissues(inverted, volume.brain, "T2")
    for name, mask in t1.items():
        assert mask.any() and (mask == t2[name]).mean() > 0.99


@pytest.mark.parametrize("volumes_ml", [[0.001, 1], [1, 1.001]])
def test_volumes_that_voxels_cannot_tell_are_refused(healthy, volumes_ml):
    with pytest.raises(InputError, match="planted.volumes_ml"):
        made(healthy, replace(SETTINGS, volumes_ml=volumes_ml))


def test_a_place_that_a_subject_lacks_is_left_out(healthy, monkeypatch):
    real = planted.where

    def without(image, brain, *args):
        found = real(image, brain, *args)
        return found | {"deep": found["deep"] & (image.sum() < 0)}

    monkeypatch.setattr(planted, "where", without)
    assert set(made(healthy).lesions["place"]) == set(PLACES) - {"deep"}
    with pytest.raises(InputError, match=r"no healthy subject has a voxel in deep"):
        made(healthy, replace(SETTINGS, places=["deep"]))


# Who gets lesions.

SPLIT = pd.DataFrame(
    [
        *[(f"T{i}", fold, "test") for fold in (0, 1) for i in range(5)],
        *[("A", 0, "train"), ("B", 0, "val"), ("A", 1, "val"), ("B", 1, "train")],
        *[("L", 0, "test"), ("L", 1, "train")],  # leaks between folds
        *[("M", 0, "test"), ("M", 0, "val"), ("M", 1, "test")],  # and within one
        ("O", 0, "test"),
    ],
    columns=["subject", "fold", "role"],
)


def test_only_subjects_that_do_nothing_but_test_get_lesions():
    assert planted.sources(SPLIT, [0, 1], 20, 1) == ["T0", "T1", "T2", "T3", "T4"]
    assert planted.sources(SPLIT, [0], 20, 1) == ["O", "T0", "T1", "T2", "T3", "T4"]
    drawn = planted.sources(SPLIT, [0, 1], 3, 1)
    assert len(drawn) == 3 and drawn == planted.sources(SPLIT, [0, 1], 3, 1)
    assert len({tuple(planted.sources(SPLIT, [0, 1], 3, seed)) for seed in range(20)}) > 3
    with pytest.raises(InputError, match="planted: null"):
        planted.sources(SPLIT[SPLIT["subject"].isin(["A", "B", "L", "M"])], [0, 1], 3, 1)


def test_every_scan_tests_in_every_fold(scans):
    split = planted.split_of(scans[0].subjects, [0, 3])
    assert len(split) == 2 * len(scans[0].subjects) and set(split["role"]) == {"test"}


# Several lesions in one scan.


def demo_cases():
    config = {}
    for name in ("demo", "config"):
        with_defaults(config, ROOT / f"config/{name}.yaml")
    configuration.check(config)
    return cases.of_config(copy.deepcopy(config))


CASES = {name: case for name, case in demo_cases().items() if case.has_map}


@pytest.mark.parametrize("name", CASES)
def test_a_lesion_does_not_change_the_map_of_slices_apart(name):
    """Every built-in method's map, beyond `APART` slices; nearer it may well change."""
    case = CASES[name]
    rng = np.random.default_rng(0)
    shape = (2 * planted.APART + 2, *case.slice_shape)
    image = ndimage.gaussian_filter(rng.random(shape), 1)
    image = np.float32((image - image.min()) / (image.max() - image.min()))
    image[-1, 0, 0], image[-1, 0, 1] = 0, 1  # the range is that of other slices
    brain = np.ones(shape, bool)
    changed = image.copy()
    changed[:2, 20:30, 20:30] *= 0.4
    maps = []
    for x in (image, changed):
        methods.use(case.outside)
        method = case.build().eval()
        x = torch.from_numpy(x)
        levels = torch.stack([x * 0.9, x * 0.8])  # of an upstream method
        volume = checks.SimpleNamespace(image=x, brain=brain, reconstruction=levels)
        maps.append(checks.anomaly_map(method, volume))
    assert not np.array_equal(maps[0][:2], maps[1][:2])
    apart = slice(2 + planted.APART, None)
    np.testing.assert_allclose(maps[1][apart], maps[0][apart], atol=1e-6)
