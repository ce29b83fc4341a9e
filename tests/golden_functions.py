"""Golden values of pure functions: what they gave, on a stored volume, when the file was written.

Unlike the demo's golden values these are tight: nothing in them amplifies rounding, so another
processor changes the last digits only.

    python tests/golden_functions.py    draws a volume and writes tests/golden_functions.npz
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

import phantoms
from uad.data import drawing
from uad.evaluation import histogram, metrics, statistics
from uad.imaging import brain_masks, downsample, quality
from uad.imaging.settings import Downsampling, Smoothing
from uad.imaging.volumes import Volume
from uad.models import diffusion, noise, residuals
from uad.report import table1

FILE = Path(__file__).with_suffix(".npz")
SHAPE = (10, 24, 24)  # (Z, X, Y)
SETTINGS = Downsampling(
    smoothing=Smoothing(time_step=0.125, iterations=3),
    crop=[20, 20, 8],
    percentiles=[1, 99],
    spacing_mm=2,
)


def draw():
    """What is stored as input: a volume (Z, X, Y), its masks, a reconstruction, an anomaly score.

    Rounded, so that the file is small.
    """
    rng = np.random.default_rng(3141)
    image, brain, lesion = phantoms.volume(rng, SHAPE)
    score = np.clip(rng.random(SHAPE) * 0.6 + 0.3 * lesion, 0.01, 1) * brain
    drawn = {"image": image, "reconstruction": rng.normal(image, 0.05), "score": score}
    drawn = {name: np.round(array * 256).astype(np.int16) for name, array in drawn.items()}
    return {**drawn, "brain": brain, "lesion": lesion}


def compute(inputs):
    """Every function's result.

    Parameters
    ----------
    inputs : mapping of str to ndarray
        As from `draw`.

    Returns
    -------
    dict of str to ndarray of float64
    """
    image, reconstruction, score = (
        (inputs[name] / 256).astype(np.float32) for name in ("image", "reconstruction", "score")
    )
    brain, lesion = inputs["brain"], inputs["lesion"]
    volume = Volume(np.ascontiguousarray(image.transpose(1, 2, 0)), np.diag([-1.0, -1, 1, 1]))
    mask = np.ascontiguousarray(brain.transpose(1, 2, 0))
    x, y = torch.from_numpy(image), torch.from_numpy(reconstruction)
    counts, pooled = metrics.count(score, lesion), histogram.ScoreHistogram()
    pooled.add(score, lesion)
    prediction = score > 0.5
    process = diffusion.Diffusion(1000)
    field = noise.fractal_field(5, (16, 16), 6, 0.8, 64)
    rows = np.arange(12)
    subjects = pd.DataFrame(
        {
            "row": np.where(rows < 6, "cddpm", "sadm_res-brats"),
            "fold": rows % 2,
            "subject": [f"S{i}" for i in rows // 2 % 3],
            "test_set": "brats",
            **{name: score[brain][k : k + 12] for k, name in enumerate(statistics.MEASURED)},
        }
    )
    blocks = {name: {"block": "I", "healthy": "ixi"} for name in subjects["row"].unique()}
    split = drawing.clean(
        [f"S{i:02d}" for i in range(24)], rows.repeat(2) % 3, 10, 4, 6, 2, np.random.default_rng(7)
    )
    return {
        "downsampled image": downsample.downsample(
            volume, volume.like(mask), volume.like(mask), SETTINGS
        )[0].array,
        "brain mask by threshold": brain_masks.from_threshold(volume.array),
        "noise of a scan": quality.noise(volume.array, mask),
        "SSIM residual": 1 - residuals.ssim(x, y).numpy(),
        "anomaly map": residuals.anomaly_map(x, y, brain),
        "simplex noise": field,
        "noised slices": process.q_sample(x[:3, None], torch.tensor([0, 400, 999]), y[:3, None]),
        "metrics": [
            *metrics.best_dice(counts),
            metrics.average_precision(counts),
            metrics.auroc(counts),
            metrics.dice(prediction, lesion),
            *metrics.lesion_wise(prediction, lesion),
            metrics.hd95(prediction, lesion, 2),
        ],
        "pooled thresholds": [
            *metrics.best_dice(pooled.counts()),
            *(pooled.threshold_at(share) for share in (0.01, 0.05, 0.1)),
        ],
        "splits": [
            [int(subject[1:]), fold, drawing.ROLES.index(role)]
            for subject, fold, role in split[drawing.COLUMNS].itertuples(index=False)
        ],
        "table 1": table1.table1(subjects, blocks)
        .filter(regex="^(dice|auprc)")
        .to_numpy(dtype=float),
        "bootstrap": statistics.bootstrap(
            score[brain][:60].reshape(20, 3), np.random.default_rng(9)
        ),
    }


def load():
    """Stored inputs, and stored results by function."""
    with np.load(FILE) as file:
        inputs = {name: file[name] for name in draw()}
        return inputs, {n.removeprefix("= "): file[n] for n in file if n.startswith("= ")}


if __name__ == "__main__":
    drawn = draw()
    results = {f"= {name}": np.asarray(value, np.float64) for name, value in compute(drawn).items()}
    np.savez_compressed(FILE, **drawn, **results)
