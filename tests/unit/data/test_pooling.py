"""Several healthy data sets as one: volumes, labels, roles."""

import numpy as np
import pandas as pd
import pytest
from conftest import write_pack

from uad.base import tsv
from uad.base.errors import InputError
from uad.data import packed, pooling, splits


@pytest.fixture
def two(tmp_path):
    """Two packed data sets with equal labels, the second with an age and other intensities."""
    first = write_pack(tmp_path / "well", 3)
    write_pack(tmp_path / "also_well", 2)
    second = packed.Pack(tmp_path / "also_well")
    image = np.load(tmp_path / "also_well/image.npy")
    np.save(tmp_path / "also_well/image.npy", image / 2)
    table = second.subjects.assign(age=[30.0, 40.0])
    tsv.write(table, tmp_path / "also_well/subjects.tsv", sealed=True)
    assert set(second.subjects["subject"]) <= set(
        packed.Pack(tmp_path / "well").subjects["subject"]
    )
    return {"well": tmp_path / "well", "also_well": tmp_path / "also_well"}, first


def test_volumes_of_all_under_labels_with_their_data_set(two, tmp_path):
    packs, _ = two
    table = pooling.pool(packs, tmp_path / "healthy")
    found = packed.Pack(tmp_path / "healthy")
    labels = [f"{n}{s}" for n, path in zip(("well", "alsowell"), packs.values())
              for s in packed.Pack(path).subjects["subject"]]  # fmt: skip
    assert list(found.subjects["subject"]) == list(table["subject"]) == labels
    assert list(found.subjects["dataset"]) == ["well"] * 3 + ["also_well"] * 2
    assert list(found.subjects["age"].dropna()) == [30, 40]
    for name, path in packs.items():
        for subject in packed.Pack(path).subjects["subject"]:
            one = packed.Pack(path).volume(subject)
            pooled = found.volume(name.replace("_", "") + subject)
            for kind in ("image", "brain", "lesion", "weight"):
                np.testing.assert_array_equal(getattr(pooled, kind), getattr(one, kind))


def test_binary_and_fractional_brain_masks(two, tmp_path):
    packs, _ = two
    brain = np.load(packs["well"] / "brain.npy")
    np.save(packs["well"] / "brain.npy", (brain * 128).astype(np.uint8))
    pooling.pool(packs, tmp_path / "healthy")
    found = packed.Pack(tmp_path / "healthy")
    assert set(np.unique(found.brain[:3])) == {0, 128}
    assert set(np.unique(found.brain[3:])) == {0, packed.FULL}
    other = packed.Pack(packs["also_well"])
    label = other.subjects["subject"].iloc[0]
    np.testing.assert_array_equal(
        found.volume(f"alsowell{label}").weight, other.volume(label).brain.astype(np.float32)
    )


def test_roles_of_all(tmp_path):
    lines = {"well": [("A", 0, "train"), ("B", 0, "test")], "also_well": [("A", 0, "test")]}
    paths = {}
    for name, of in lines.items():
        paths[name] = tmp_path / f"{name}.tsv"
        tsv.write(pd.DataFrame(of, columns=splits.COLUMNS), paths[name], sealed=True)
    found = pooling.pooled_split(paths)
    splits.check(found)
    assert splits.subjects(found, 0, "train") == ["wellA"]
    assert splits.subjects(found, 0, "test") == ["wellB", "alsowellA"]


def test_volumes_must_be_on_one_grid(two, tmp_path):
    packs, _ = two
    image = np.load(packs["also_well"] / "image.npy")
    np.save(packs["also_well"] / "image.npy", image[:, :-1])
    with pytest.raises(InputError, match="volumes of also_well have the shape .* need one grid"):
        pooling.pool(packs, tmp_path / "healthy")
