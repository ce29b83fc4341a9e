"""Batches: sizes, uniform slices, determinism, fixed validation slices."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT

from uad.data import slices
from uad.models import anomalies, method


def source(pack, **changes):
    settings = dict(
        pack=pack, rows=np.array([0, 2, 3]), batch_size=4, slices_per_volume=5, drop_last=False,
        augment=False, corrupt=None, partners=False,
    )  # fmt: skip
    return slices.TrainingSlices(**{**settings, **changes})


@pytest.mark.parametrize(
    ("drop_last", "batch_size", "sizes"),
    [(False, 4, [4, 4, 4, 3]), (True, 4, [4, 4, 4]), (True, 32, [15]), (True, 5, [5, 5, 5])],
)
def test_batches_of_an_epoch(pack, rng, drop_last, batch_size, sizes):
    data = source(pack, drop_last=drop_last, batch_size=batch_size)
    found = [len(batch) for batch in data.epoch(rng)]
    assert found == sizes
    assert data.batches == len(sizes)


def test_the_papers_batches_per_epoch(pack):
    data = source(pack, rows=np.arange(358), batch_size=32, slices_per_volume=1, drop_last=True)
    assert data.batches == 11


def test_slices_come_from_the_chosen_volumes_with_their_masks(pack, rng):
    for batch in source(pack).epoch(rng):
        assert batch.image.shape[1:] == (1, 48, 48)
        for image, brain, lesion in zip(batch.image, batch.brain, batch.lesion):
            hits = [
                (row, z)
                for row in (0, 2, 3)
                for z in range(12)
                if np.array_equal(pack.image[row, z], image[0])
                and np.array_equal(pack.lesion[row, z], lesion[0])
                and np.array_equal(pack.brain[row, z], brain[0])
            ]
            assert hits


def test_an_epoch_visits_every_volume_equally(pack):
    visited = []

    class Spy:
        image, brain, lesion = pack.image, pack.brain, pack.lesion

    data = source(Spy, slices_per_volume=4)
    original = data._batch
    object.__setattr__(
        data, "_batch", lambda rows, rng: visited.extend(rows) or original(rows, rng)
    )
    list(data.epoch(np.random.default_rng(0)))
    assert sorted(visited) == [0] * 4 + [2] * 4 + [3] * 4


def test_slices_are_uniform(pack, rng):
    drawn = [int(z) for _ in range(200) for z in rng.integers(0, 12, 15)]
    counts = np.bincount(drawn, minlength=12)
    assert counts.min() > 0.7 * counts.mean()


@pytest.mark.parametrize("anomaly", ["", "draem"])
def test_same_generator_same_epoch(pack, anomaly):
    data = source(pack, augment=True, corrupt=anomalies.load(anomaly))
    first, second = (
        torch.cat([batch.image for batch in data.epoch(np.random.default_rng(2))]) for _ in range(2)
    )
    assert torch.equal(first, second)


def test_corruption_gives_slices_and_their_labels(pack, rng):
    def corrupt(image, rng):
        mask = np.zeros(image.shape, bool)
        mask[rng.integers(0, len(image))] = True
        return np.where(mask, np.float32(7), image), mask

    for batch in source(pack, corrupt=corrupt).epoch(rng):
        assert torch.equal(batch.image == 7, batch.lesion == 1)
        assert torch.equal(batch.lesion.sum(dim=(1, 2, 3)), torch.full((len(batch),), 48.0))


def test_synthetic_anomalies_replace_the_labels(pack, rng):
    corrupt = anomalies.load("draem")
    batches = list(source(pack, corrupt=corrupt, slices_per_volume=20).epoch(rng))
    lesion = torch.cat([b.lesion for b in batches])
    assert 0.01 < lesion.mean() < 0.12
    assert set(lesion.unique().tolist()) == {0, 1}


def test_fixed_slices_are_evenly_spaced(pack):
    batches = slices.fixed(pack, np.array([1, 3]), per_volume=3, batch_size=4)
    assert [len(b) for b in batches] == [4, 2]
    image = torch.cat([b.image for b in batches])[:, 0].numpy()
    expected = [pack.image[row, z] for row in (1, 3) for z in (2, 6, 10)]
    np.testing.assert_array_equal(image, np.stack(expected))


def test_volume_in_parts():
    parts = method.in_parts(torch.zeros(23, 4, 5))
    assert [p.shape for p in parts] == [(10, 1, 4, 5), (10, 1, 4, 5), (3, 1, 4, 5)]


def test_partners_are_the_same_slices_of_other_volumes(pack, rng):
    # Phantoms are told apart by their slices; every partner must be a slice of another volume.
    data = source(pack, partners=True, slices_per_volume=20)
    images = np.asarray(pack.image)
    for batch in data.epoch(rng):
        for own, other in zip(batch.image[:, 0].numpy(), batch.partner[:, 0].numpy()):
            if not own.any() or not other.any():
                continue
            ((row, z),) = np.argwhere((images == own).all(axis=(2, 3)))
            (partner,) = np.flatnonzero((images[:, z] == other).all(axis=(1, 2)))
            assert partner in {0, 2, 3} - {row}


def test_partner_of_a_lonely_volume_is_itself(pack, rng):
    (batch,) = source(pack, rows=np.array([1]), partners=True, batch_size=8).epoch(rng)
    assert torch.equal(batch.image, batch.partner)


def test_no_partners_unless_wanted(pack, rng):
    assert next(source(pack).epoch(rng)).partner is None
    assert slices.fixed(pack, np.array([1, 3]), 2, 4)[0].partner is None


def test_fixed_partners_are_the_next_volumes(pack):
    (batch,) = slices.fixed(pack, np.array([1, 3]), per_volume=2, batch_size=4, partners=True)
    assert torch.equal(batch.partner[:2], batch.image[2:])
    assert torch.equal(batch.partner[2:], batch.image[:2])


# Draws slices of a cohort twice as large as the memory, and prints what memory the process has of
# its own, in KiB. (Pages of the files are the system's to give and take.)
LARGER_THAN_MEMORY = """
import os, sys
from pathlib import Path
sys.path.insert(0, {scripts!r})
import numpy as np, pandas as pd
from uad.base import tsv
from uad.data import packed, slices
folder, shape = Path({folder!r}), (50, 96, 96)
memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
n = 2 * memory // (4 * int(np.prod(shape)))
for name, dtype in packed.ARRAYS.items():
    np.lib.format.open_memmap(folder / (name + ".npy"), "w+", dtype, (n, *shape))  # sparse files
tsv.write(pd.DataFrame({{"subject": [f"S{{i}}" for i in range(n)]}}),
                   folder / "subjects.tsv")
data = slices.TrainingSlices(packed.Pack(folder), np.arange(n), 32, 1, True, True, None, False)
drawn = sum(len(batch) for batch, _ in zip(data.epoch(np.random.default_rng(0)), range(5)))
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(drawn, status["RssAnon"].split()[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_cohort_larger_than_memory(tmp_path):
    code = LARGER_THAN_MEMORY.format(scripts=str(ROOT / "src"), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    drawn, own_kib = map(int, done.stdout.split())
    assert drawn == 5 * 32
    assert own_kib < 500 * 1024


def test_fixed_slices_get_the_same_anomalies_again(pack):
    """As models that are trained on synthetic ones can be validated."""
    batches = [
        slices.fixed(
            pack, np.array([1, 3]), 3, 4, corrupt=anomalies.load("draem"),
            rng=np.random.default_rng(6),
        )
        for _ in range(2)
    ]  # fmt: skip
    for one, other in zip(*batches):
        assert torch.equal(one.image, other.image) and torch.equal(one.lesion, other.lesion)
    plain = slices.fixed(pack, np.array([1, 3]), 3, 4)
    changed = torch.cat([(b.image != p.image).float() for b, p in zip(batches[0], plain)])
    lesion = torch.cat([b.lesion for b in batches[0]])
    assert lesion.any() and (changed <= lesion).all()
