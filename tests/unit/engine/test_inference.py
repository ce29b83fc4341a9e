"""Reconstructions and maps, volume by volume, in the precision of a model's training."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import SMALL_DIFFUSION, write_pack

from uad.base import resumable, seeding
from uad.base.errors import InputError
from uad.data import packed
from uad.engine import checkpoints, reconstruction, scoring
from uad.engine.jobs import Evaluated, Job
from uad.models import methods


@pytest.fixture
def job(tmp_path):
    """Reconstruct and score packed phantoms with an untrained DDPM and an untrained Unet."""
    write_pack(tmp_path / "packed", 3)
    split = tmp_path / "split.tsv"
    split.write_text("subject\tfold\trole\nS0\t0\ttrain\nS1\t0\ttest\nS2\t0\tval\n")
    torch.manual_seed(0)
    method = methods.build("ddpm", SMALL_DIFFUSION)
    torch.nn.init.normal_(method.network.conv_out.weight, std=0.05)  # else all grey
    segmentation = methods.build("unet", {"widths": [8, 16]})
    data = Evaluated(
        [str(tmp_path / "packed" / n) for n in ("image.npy", "subjects.tsv")], split, False
    )
    params = {k: v for k, v in SMALL_DIFFUSION.items() if k != "test_levels"}

    def run(precision, name, test_levels=(250, 500), seed=1, **of_rule):
        model, network = tmp_path / f"{precision}.pt", tmp_path / f"unet-{precision}.pt"
        if not model.exists():
            training = {"precision": precision}
            state = method.network.state_dict()
            checkpoints.save(model, "ddpm", params, state, "code", training=training)
            state = segmentation.network.state_dict()
            checkpoints.save(network, "unet", {"widths": [8, 16]}, state, "code", training=training)
        job = Job(0, torch.device("cpu"), threads=1, params={"code": "code", **of_rule})
        test = {"test_levels": list(test_levels)}
        made, maps = tmp_path / f"{name}-r.npy", tmp_path / f"{name}-m.npy"
        reconstruction.reconstruct(data, model, test, seed, job, made)
        scoring.score(data, network, {}, None, job, maps)
        return np.load(made), np.load(maps)

    return run


def test_validation_comes_before_test_subjects(job, tmp_path):
    made, maps = job("32-true", "first")
    assert made.shape == (2, 2, 12, 48, 48) and made.dtype == np.float16
    pack, network = packed.Pack(tmp_path / "packed"), checkpoints.load(tmp_path / "unet-32-true.pt")
    for i, subject in enumerate(("S2", "S1")):
        volume = pack.volume(subject)
        expected = network.anomaly_map(torch.from_numpy(volume.image), volume.brain, None)
        np.testing.assert_array_equal(maps[i], expected)
        assert maps[i].any()


def test_noise_of_a_subject_is_its_own(job, tmp_path):
    """It depends neither on which subjects come before nor on names."""
    made, _ = job("32-true", "first", seed=5)
    pack = packed.Pack(tmp_path / "packed")
    ddpm = checkpoints.load(tmp_path / "32-true.pt", test={"test_levels": [250, 500]})
    assert not any(module.training for module in ddpm.modules())
    assert not any(parameter.requires_grad for parameter in ddpm.parameters())
    for i, subject in enumerate(("S2", "S1")):
        volume = pack.volume(subject)
        brain, mean = (
            round(100 * volume.brain.mean()),
            round(100 * volume.image[volume.brain].mean()),
        )
        rng = seeding.generator(5, "reconstruct", 0, brain, mean)
        expected = ddpm.reconstruct(torch.from_numpy(volume.image), rng)
        np.testing.assert_array_equal(made[i], expected.numpy().astype(np.float16))


def test_changed_scans_can_have_the_noise_of_the_scans_they_were_made_of(job, tmp_path):
    """Then a reconstruction differs only where, and if, the scan does."""
    job("32-true", "first", seed=5)
    pack = packed.Pack(tmp_path / "packed")
    volumes = [pack.volume("S1"), pack.volume("S1"), pack.volume("S2")]
    volumes[1].image[:5] *= 0.2  # in slices of their own, and enough for another mean
    assert reconstruction.content(volumes[1]) != reconstruction.content(volumes[0])
    table = pd.DataFrame(
        {"subject": ["a", "b", "c"], "source": ["S1", "S1", "S2"], "voxel_ml": 0.008}
    )
    contents = [{name: getattr(v, name) for name in packed.ARRAYS} for v in volumes]
    packed.write(tmp_path / "changed", table, contents, 3, pack.image.shape[1:])
    split = tmp_path / "changed.tsv"
    split.write_text("subject\tfold\trole\nc\t0\ttest\na\t0\ttest\nb\t0\ttest\n")
    data = Evaluated([str(tmp_path / "changed" / "image.npy")], split, False)
    of = Job(0, torch.device("cpu"), threads=1, params={"code": "code"})
    original = [str(tmp_path / "packed" / name) for name in ("image.npy", "subjects.tsv")]
    made = {}
    for name, files in (("as", original), ("own", [])):
        path = tmp_path / f"{name}.npy"
        test = {"test_levels": [250, 500]}
        reconstruction.reconstruct(data, tmp_path / "32-true.pt", test, 5, of, path, files)
        made[name] = np.load(path)
    _, as_it_was, changed = made["as"]
    np.testing.assert_array_equal(changed[:, 5:], as_it_was[:, 5:])
    assert not np.array_equal(changed[:, :5], as_it_was[:, :5])
    assert not np.array_equal(made["own"][2][:, 5:], as_it_was[:, 5:])
    of_originals = np.load(tmp_path / "first-r.npy")  # S2, S1
    np.testing.assert_array_equal(made["as"][:2], of_originals)


def test_content_is_that_of_the_scan_not_its_last_digits():
    rng = np.random.default_rng(0)
    brain = rng.random((4, 8, 8)) < 0.314
    image = np.where(brain, 0.5, 0).astype(np.float32)

    def of(subject, image, brain=brain):
        return packed.PackedVolume(subject, image, brain, brain, brain)

    volume = of("a", image)
    found = reconstruction.content(volume)
    assert found == (round(100 * brain.mean()), 50)
    other = of("b", image * np.float32(1 + 1e-6))
    assert reconstruction.content(other) == found
    assert reconstruction.content(of("a", 2 * image)) != found
    assert reconstruction.content(of("a", image, ~brain & False)) == (0, 0)


def test_networks_compute_in_the_precision_of_their_training(job):
    exact, reduced = job("32-true", "exact")[0], job("bf16-mixed", "reduced")[0]
    assert np.array_equal(job("16-mixed", "cpu")[0], exact)  # 32 bits on the CPU
    assert not np.array_equal(reduced, exact)
    # bfloat16 has 8 bits: steps of 1/256 below 1.
    np.testing.assert_allclose(reduced.astype(float), exact.astype(float), atol=0.02)


def test_test_levels_are_those_of_the_job(job):
    assert job("32-true", "one", test_levels=[100])[0].shape == (2, 1, 12, 48, 48)


@pytest.mark.parametrize(
    ("job_of", "change"),
    [
        ("reconstruct", {"test_levels": [250, 501]}),
        ("reconstruct", {"seed": 2}),
        ("reconstruct", {"code": "other"}),
        ("score", {"code": "other"}),
        ("score", {"any": {"parameter": ["of", "the rule"]}}),
    ],
)
def test_volumes_of_other_settings_are_not_gone_on_from(job, monkeypatch, caplog, job_of, change):
    """A job that was killed part-way and starts again with another setting begins anew."""
    caplog.set_level("INFO")
    expected = job("32-true", "whole", **change)
    original = resumable.write_resumable

    def killed(output, n, shape, dtype, compute, fitting, label):
        def until_killed(i):
            if label == job_of and i == 1:
                raise KeyboardInterrupt
            return compute(i)

        original(output, n, shape, dtype, until_killed, fitting, label)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(resumable, "write_resumable", killed)
        job("32-true", "twice")
    assert "starting over" not in caplog.text
    for whole, found in zip(expected, job("32-true", "twice", **change)):
        np.testing.assert_array_equal(found, whole)
    assert "starting over: settings, code or inputs have changed" in caplog.text
    assert "resuming" not in caplog.text


@pytest.mark.parametrize(
    ("of_subjects", "of_voxels", "said"),
    [
        (slice(1), (12, 48, 48), r"shape \(1, 2, 12, 48, 48\).*the 2 subjects of \(12, 48, 48\)"),
        (slice(None), (12, 48, 40), r"shape \(2, 2, 12, 48, 40\)"),
        (None, None, "cannot be read"),
    ],
)
def test_reconstructions_of_others_are_refused(job, tmp_path, of_subjects, of_voxels, said):
    """As they are in adopted results; before anything is scored, and by name."""
    made, _ = job("32-true", "first")
    path, output = tmp_path / "first-r.npy", tmp_path / "refused.npy"
    if of_voxels is None:
        path.write_bytes(path.read_bytes()[:-100])
    else:
        np.save(path, made[of_subjects][..., : of_voxels[2]])
    of = Job(0, torch.device("cpu"), threads=1, params={"code": "code"})
    data = Evaluated([str(tmp_path / "packed/image.npy")], tmp_path / "split.tsv", False)
    with pytest.raises(InputError, match=rf"first-r\.npy: .*{said}.*delete the file and run again"):
        scoring.score(data, tmp_path / "unet-32-true.pt", {}, path, of, output)
    assert not output.exists()


def test_reconstructions_of_training_subjects_too_can_be_scored(job, tmp_path):
    """They come last; but where training subjects are scored, theirs are needed."""
    made, maps = job("32-true", "first")
    path, files = tmp_path / "more.npy", [str(tmp_path / "packed/image.npy")]
    np.save(path, made[[0, 1, 1]])
    of = Job(0, torch.device("cpu"), threads=1, params={"code": "code"})
    network, split = tmp_path / "unet-32-true.pt", tmp_path / "split.tsv"
    scoring.score(Evaluated(files, split, False), network, {}, path, of, tmp_path / "maps.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "maps.npy"), maps)
    with pytest.raises(InputError, match=r"first-r\.npy: .*does not fit the 3 subjects"):
        all_of_them = Evaluated(files, split, with_training=True)
        scoring.score(all_of_them, network, {}, tmp_path / "first-r.npy", of, tmp_path / "x.npy")


def test_volumes_are_of_one_kind_of_device(job, tmp_path):
    """What chose it, and how many threads there are, decides nothing."""
    split = tmp_path / "split.tsv"
    data = Evaluated([split], split, with_training=False)
    on_cpu, on_gpu = (
        Job(0, torch.device(name), threads=1, params={"accelerator": name, "code": "c"})
        for name in ("cpu", "cuda")
    )
    same = replace(on_cpu, threads=2, params={"accelerator": "auto", "code": "c"})
    assert data.fingerprint(on_cpu, []) == data.fingerprint(same, [])
    assert data.fingerprint(on_cpu, []) != data.fingerprint(on_gpu, [])
    assert data.fingerprint(on_cpu, []) != replace(data, with_training=True).fingerprint(on_cpu, [])
