"""The hot paths and what they are measured against: libraries that the reference uses.

Arrays have the paper's size: volumes of 50 slices of 96 x 96 voxels of 2 mm, batches of 32 slices.
Baselines are written from public descriptions of the methods, with the libraries named.
"""

import copy
import os
from unittest import mock

import numpy as np
import torch
import torchio as tio
from paper import BATCH, SHAPE
from scipy import ndimage
from skimage.metrics import structural_similarity
from sklearn.metrics import average_precision_score, precision_recall_curve
from timing import Path
from torchmetrics.functional.image import structural_similarity_index_measure

from uad.base import devices
from uad.data import augmentation, slices
from uad.evaluation import metrics
from uad.evaluation.histogram import ScoreHistogram
from uad.models import median, methods, residuals
from uad.models.networks import unet

VOLUMES = 100  # pooled


def all_paths(config):
    """Every path; data are drawn with a fixed seed."""
    rng = np.random.default_rng(0)
    brain, lesion = _ball(0.45), _ball(0.12)
    image = ndimage.gaussian_filter(rng.random(SHAPE), 1).astype(np.float32) * brain
    other = ndimage.gaussian_filter(rng.random(SHAPE), 1).astype(np.float32) * brain
    reconstruction = image + 0.2 * other
    score = (rng.random(SHAPE, dtype=np.float32) + np.float32(0.5) * lesion) * brain
    yield _samples(image, rng)
    yield _ssim(image, reconstruction)
    yield Path(
        "median filter, size 5",
        "SciPy `median_filter`",
        4,
        lambda: ndimage.median_filter(score, 5) * brain,
        lambda: median.median_filter(score, brain),
    )
    yield Path(
        "average precision and best Dice of a volume",
        "scikit-learn",
        4,
        lambda: _by_scikit_learn(score, lesion),
        lambda: _both(metrics.count(score, lesion)),
    )
    yield Path(
        f"the same of {VOLUMES} volumes pooled",
        "scikit-learn",
        20,
        lambda: _by_scikit_learn(np.stack([score] * VOLUMES), np.stack([lesion] * VOLUMES)),
        lambda: _pooled(score, lesion),
        repeats=1,
    )
    yield _step(config["methods"]["cddpm"])


def whole_volume_augmentation():
    """TorchIO's transforms of the paper (App. B)."""
    return tio.Compose(
        [
            tio.RandomGamma(p=augmentation.P_GAMMA),
            tio.RandomBiasField(p=augmentation.P_BIAS),
            tio.RandomBlur(p=augmentation.P_BLUR),
            tio.RandomGhosting(p=augmentation.P_GHOSTING),
        ]
    )


def _ball(radius):
    """An ellipsoid in the middle; `radius` as a share of each side of the volume."""
    axes = np.meshgrid(*(np.linspace(-0.5, 0.5, n) for n in SHAPE), indexing="ij")
    return sum(axis**2 for axis in axes) < radius**2


def whole_volume_sample(volume, z, transforms):
    """The slice (X, Y) at a position of a volume (Z, X, Y) that is augmented as a whole."""
    tensor = torch.from_numpy(volume.transpose(1, 2, 0)[None].copy())
    subject = tio.Subject(image=tio.ScalarImage(tensor=tensor, affine=np.diag([2.0, 2, 2, 1])))
    return transforms(subject).image.data[0, :, :, z]


def _samples(image, rng):
    """A batch of augmented training slices; the baseline transforms whole volumes, in memory."""
    volumes = np.stack([image] * BATCH)
    whole = whole_volume_augmentation()

    def baseline():
        for volume in volumes:
            whole_volume_sample(volume, rng.integers(SHAPE[0]), whole)

    def ours():
        z = rng.integers(0, SHAPE[0], BATCH)
        drawn = [augmentation.draw(rng) for _ in z]
        augmentation.slices(volumes, np.arange(BATCH), z, drawn)

    return Path("32 training samples", "TorchIO, whole volumes", 30, baseline, ours)


def _ssim(image, reconstruction):
    """Both in double precision; of the libraries that have it scikit-image is the fastest."""
    x, y = torch.from_numpy(image), torch.from_numpy(reconstruction)

    def baseline():
        structural_similarity(
            image.astype(float),
            reconstruction.astype(float),
            data_range=float(np.ptp(image)),
            gaussian_weights=True,
            sigma=1.0,
            use_sample_covariance=False,
            full=True,
        )

    return Path("SSIM map", "scikit-image", 1, baseline, lambda: residuals.ssim(x, y))


def _usual_ssim(x, y):
    _, similarity = structural_similarity_index_measure(
        y[None, None],
        x[None, None],
        sigma=1.0,
        kernel_size=9,
        return_full_image=True,
        data_range=float(max(x.max() - x.min(), y.max() - y.min())),
    )
    return similarity[0, 0]


def usual_residual(image, reconstruction, brain):
    """`residuals.anomaly_map` by torchmetrics and SciPy."""
    residual = 1 - _usual_ssim(image, reconstruction).numpy()
    return ndimage.median_filter(residual * brain, median.MEDIAN_SIZE) * brain


def _by_scikit_learn(score, lesion):
    score, lesion = score.ravel(), lesion.ravel()
    precision, recall, _ = precision_recall_curve(lesion, score)
    dice = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return average_precision_score(lesion, score), dice.max()


def _both(counts):
    return metrics.average_precision(counts), metrics.best_dice(counts)[0]


def _pooled(score, lesion):
    histogram = ScoreHistogram()
    for _ in range(VOLUMES):
        histogram.add(score, lesion)
    return _both(histogram.counts())


def one_after_the_other(conv, x, how):
    """`unet.resampled_conv` as torch's users write it."""
    return conv(unet.resample(x, how))


def _step(block):
    """A training step of the cDDPM as with `precision: bf16-mixed`, and as torch's defaults do it.

    The baseline doubles an image and convolves it, one after the other.
    """
    plain = methods.build("cddpm", methods.params_of("cddpm", block, SHAPE[1:]))
    image = torch.rand(8, 1, *SHAPE[1:])
    batch = slices.Batch(image, torch.ones_like(image), torch.zeros_like(image))

    def step(method, precision, conv):
        optimizer = torch.optim.AdamW(method.network.parameters(), lr=1e-4)

        def run():
            optimizer.zero_grad(set_to_none=True)
            with (
                mock.patch.object(unet, "resampled_conv", conv),
                devices.autocast(torch.device("cpu"), precision),
            ):
                loss = method.loss(batch, np.random.default_rng(0))
            loss.backward()
            optimizer.step()

        return run

    fast = copy.deepcopy(plain)
    fast.network.to(memory_format=torch.channels_last)
    return Path(
        "cDDPM training step, batch 8 (bf16, channels last)",
        "float32, contiguous",
        2,
        step(plain, "32-true", one_after_the_other),
        step(fast, "bf16-mixed", unet.resampled_conv),
        repeats=3,
        threads=os.cpu_count(),
    )
