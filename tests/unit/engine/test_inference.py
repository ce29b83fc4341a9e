"""Reconstructions and maps of one model: volume by volume, in the precision of its training."""

import numpy as np
import pytest
import torch
from conftest import SMALL_DIFFUSION, write_pack

from uad.engine import checkpoints, inference
from uad.models import methods, residuals


@pytest.fixture
def job(tmp_path):
    """Packed phantoms, a split and an untrained DDPM; what an inference job needs of them."""
    write_pack(tmp_path / "packed", 3)
    split = tmp_path / "split.tsv"
    split.write_text("subject\tfold\trole\nS0\t0\ttrain\nS1\t0\ttest\nS2\t0\tval\n")
    torch.manual_seed(0)
    method = methods.build("ddpm", SMALL_DIFFUSION)
    torch.nn.init.normal_(method.network.conv_out.weight, std=0.05)  # else all grey

    def run(precision, name):
        model = tmp_path / f"{precision}.pt"
        training = {"precision": precision}
        checkpoints.save(
            model, "ddpm", SMALL_DIFFUSION, method.network.state_dict(), "code", training=training
        )
        common = dict(
            fold=0, files=[str(tmp_path / "packed" / n) for n in ("image.npy", "subjects.tsv")],
            split_path=split, with_training=False, model_path=model, device=torch.device("cpu"),
            threads=1, code="code",
        )  # fmt: skip
        made, maps = tmp_path / f"{name}-r.npy", tmp_path / f"{name}-m.npy"
        inference.reconstruct(**common, seed=1, output=made)
        inference.score(
            **common, reconstruction_path=made, residual={"kind": "ssim", "erosion": 0}, output=maps
        )
        return np.load(made), np.load(maps)

    return run


def test_validation_comes_before_test_subjects(job, tmp_path):
    made, maps = job("32-true", "first")
    assert made.shape == (2, 2, 12, 48, 48) and made.dtype == np.float16
    pack = inference.packed.Pack(tmp_path / "packed")
    for i, subject in enumerate(("S2", "S1")):
        volume = pack.volume(subject)
        mean = torch.from_numpy(made[i].astype(np.float32)).mean(dim=0)
        expected = residuals.anomaly_map(torch.from_numpy(volume.image), mean, volume.brain)
        np.testing.assert_array_equal(maps[i], expected)


def test_networks_compute_in_the_precision_of_their_training(job):
    exact, reduced = job("32-true", "exact")[0], job("bf16-mixed", "reduced")[0]
    assert np.array_equal(job("16-mixed", "cpu")[0], exact)  # 32 bits on the CPU
    assert not np.array_equal(reduced, exact)
    # bfloat16 has 8 bits: steps of 1/256 below 1.
    np.testing.assert_allclose(reduced.astype(float), exact.astype(float), atol=0.02)
