"""Patients of several data sets as one: roles of their own data sets, no leak, the same voxels."""

import numpy as np
import pandas as pd
import pytest
from conftest import write_pack

from uad.base.errors import InputError
from uad.data import packed, patients, splits
from uad.data.leakage import NO_TWINS, Same


def of(**roles):
    """A split of two folds; `"test"` in both, or a role per fold."""
    lines = [
        (subject, fold, role)
        for subject, of_folds in roles.items()
        for fold, role in enumerate([of_folds] * 2 if isinstance(of_folds, str) else of_folds)
        if role
    ]
    return pd.DataFrame(lines, columns=splits.COLUMNS)


TABLES = {
    "brats21": of(S0="test", S1=("train", "val"), S2=("val", "train"), S3=(None, "train")),
    "atlas_v2": of(S0=("train", "train"), S1="test", S2="val"),
}


def test_roles_are_those_of_their_data_sets_without_test_subjects():
    found = patients.split(TABLES, [0, 1], NO_TWINS)
    assert splits.subjects(found, 0, "train") == ["brats21-S1", "atlas_v2-S0"]
    assert splits.subjects(found, 1, "train") == ["brats21-S2", "brats21-S3", "atlas_v2-S0"]
    assert splits.subjects(found, 0, "val") == ["brats21-S2", "atlas_v2-S2"]
    assert splits.subjects(found, 1, "val") == ["brats21-S1", "atlas_v2-S2"]
    assert set(found["role"]) == {"train", "val"}
    assert set(patients.split(TABLES, [1], NO_TWINS)["fold"]) == {1}


def test_a_patient_who_is_tested_is_refused():
    leaking = pd.concat([TABLES["brats21"], of(S1=(None, "test"))])
    with pytest.raises(InputError, match=r"brats21/S1 is a val subject in fold 1, but brats21/S1"):
        patients.split({**TABLES, "brats21": leaking}, [0, 1], NO_TWINS)
    patients.split({**TABLES, "brats21": leaking}, [0], NO_TWINS)


def test_a_patient_in_two_data_sets_is_one_patient():
    same = Same([[("atlas_v2", "S0"), ("brats21", "S0")]])  # trains here, is tested there
    with pytest.raises(InputError, match=r"atlas_v2/S0 is a train .* brats21/S0, the same patient"):
        patients.split(TABLES, [0], same)


def test_sessions_are_one_patient():
    leaking = {"brats21": of(S1ses002="test", S1="train")}
    with pytest.raises(InputError, match="the same patient, is a test subject there"):
        patients.split(leaking, [0], NO_TWINS)


def test_voxels_are_those_of_the_data_sets(tmp_path):
    packs = {}
    for seed, name in enumerate(TABLES):
        pack = write_pack(tmp_path / name, 4, seed)
        table = pack.subjects.assign(brain_ml=1.0, lesion_ml=np.arange(4.0), site=name)
        volumes = [{k: getattr(pack, k)[i] for k in packed.ARRAYS} for i in range(4)]
        packed.write(tmp_path / f"{name}-2", table, volumes, 4, pack.image.shape[1:])
        packs[name] = packed.Pack(tmp_path / f"{name}-2")
    chosen = patients.table(packs, patients.split(TABLES, [0, 1], NO_TWINS))
    names = ["brats21-S1", "brats21-S2", "brats21-S3", "atlas_v2-S0", "atlas_v2-S2"]
    assert chosen["subject"].tolist() == names
    assert list(chosen.columns) == [
        "subject", "label", "voxel_ml", "brain_ml", "lesion_ml", "dataset",
    ]  # fmt: skip
    shape = packs["brats21"].image.shape[1:]
    packed.write(tmp_path / "patients", chosen, patients.contents(packs, chosen), 5, shape)
    found = packed.Pack(tmp_path / "patients")
    for name in names:
        dataset, _, subject = name.partition("-")
        volume, expected = found.volume(name), packs[dataset].volume(subject)
        for array in packed.ARRAYS:
            np.testing.assert_array_equal(getattr(volume, array), getattr(expected, array))
    assert found.subjects["lesion_ml"].tolist() == [1, 2, 3, 0, 2]


def test_other_grids_are_refused(tmp_path):
    packs = {
        "a": write_pack(tmp_path / "a", 1),
        "b": write_pack(tmp_path / "b", 1, shape=(12, 40, 48)),
    }
    chosen = pd.DataFrame({"dataset": ["a"], "label": ["S0"]})
    with pytest.raises(InputError, match=r"b: has volumes of \(12, 40, 48\) voxels"):
        next(patients.contents(packs, chosen))
