"""A run through kills ends with the same tables and models as one left alone, byte for byte."""

import kills
import numpy as np
import pandas as pd
import pytest
import torch

from uad.base import tsv

RESULTS = "results/demo"


def differences(found, expected):
    """Files that one folder lacks or that differ, as relative paths; and how many were compared."""
    names = set()
    for folder in (found, expected):
        for pattern in (
            "models/**/*.pt", "models/**/history.tsv", "metrics/**/*.tsv", "tables/table*",
            "splits/*.tsv", "packed/**/*", "figures/*.tsv",
        ):  # fmt: skip
            # Hidden files too: nothing may be left of a write that was cut off.
            names |= {p.relative_to(folder) for p in folder.glob(pattern) if p.is_file()}
    different = [
        str(n)
        for n in sorted(names)
        if not ((found / n).exists() and (expected / n).exists() and same(found / n, expected / n))
    ]
    return different, len(names)


def same(first, second):
    """Equal bytes, but for what tells when and from which commit something was made."""
    if first.suffix == ".pt":
        one, other = (torch.load(path, weights_only=True) for path in (first, second))
        weights = one.pop("network"), other.pop("network")
        for about in (one, other):
            del about["revision"]
        equal = [list(w) for w in weights] == [list(weights[0])] * 2
        return equal and one == other and all(
            weights[0][name].numpy().tobytes() == weights[1][name].numpy().tobytes()
            for name in weights[0]
        )  # fmt: skip
    if first.name == "history.tsv":
        one, other = (tsv.read(path).drop(columns="seconds") for path in (first, second))
        return one.equals(other)
    return first.read_bytes() == second.read_bytes()


def test_same_sees_a_difference(tmp_path):
    content = {"network": {"w": torch.zeros(2)}, "revision": "a", "seed": 1}
    paths = [tmp_path / name for name in ("a.pt", "b.pt", "c.pt", "d.pt")]
    others = [
        content,
        {**content, "revision": "b"},
        {**content, "seed": 2},
        {**content, "network": {"w": torch.tensor([0.0, 1e-30])}},
    ]
    for path, what in zip(paths, others):
        torch.save(what, path)
    assert [same(paths[0], path) for path in paths] == [True, True, False, False]
    for folder, value in (("x", 1), ("y", 2)):
        (tmp_path / folder / "splits").mkdir(parents=True)
        pd.DataFrame({"a": [value]}).to_csv(tmp_path / folder / "splits/s.tsv")
    assert differences(tmp_path / "x", tmp_path / "y") == (["splits/s.tsv"], 1)


def arguments(*targets):
    return [*targets, "--configfile", "config/demo.yaml"]


@pytest.mark.demo
def test_some_kills_change_nothing(demo, checkout, tmp_path, capsys):
    """Two models and their metrics, from the finished demo's packed data."""
    results = checkout.folder / RESULTS
    results.mkdir(parents=True)
    for name in ("atlas", "raw", "preprocessed", "packed", "splits", "inventory"):
        (results / name).symlink_to(demo / name)
    targets = [f"{RESULTS}/metrics/{row}/fold-0.tsv" for row in ("ae", "unet-brats")]
    # Saved often: of a training that is killed every few seconds something must be left.
    command = [*arguments(*targets), "--config", "training={save_minutes: 0.02}"]
    report = kills.run(checkout.folder, command, (2, 8), np.random.default_rng(7), tmp_path / "log")
    with capsys.disabled():
        print(f"\n{report}")
    assert len(report.kills) >= 4
    for name in ("metrics/ae/fold-0.tsv", "metrics/unet-brats/fold-0.tsv",
                 "models/ae/fold-0/model.pt", "models/unet-brats/fold-0/model.pt"):  # fmt: skip
        assert same(results / name, demo / name), name


@pytest.mark.faults
def test_the_demo_through_thirty_kills(demo, checkout, tmp_path, capsys):
    report = kills.run(
        checkout.folder, arguments(), (5, 25), np.random.default_rng(30), tmp_path / "log"
    )
    different, compared = differences(checkout.folder / RESULTS, demo)
    with capsys.disabled():
        print(f"\n{report}\n{compared} files compared, {len(different)} differ {different}")
    assert len(report.kills) >= 30
    assert compared > 100 and different == []
