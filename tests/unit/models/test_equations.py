"""Networks without a published twin, against their equations written out on the same weights.

Everything is computed by NumPy and SciPy in double precision from the state dict alone, so that
another order of layers, activation, pooling, padding or slope is seen. The U-Net of the diffusion
models and the encoder are compared with other libraries (`test_*_against_*`).
"""

import numpy as np
import pytest
import torch
from scipy import ndimage, signal

from uad.models.methods.draem_net.network import Discriminative, Reconstructive
from uad.models.methods.fae.network import FeatureAutoencoder
from uad.models.methods.pii.network import WideResNet
from uad.models.methods.rd.network import Decoder, OneClassBottleneck
from uad.models.methods.spark.network import SparK
from uad.models.networks.autoencoder import Autoencoder
from uad.models.networks.seg_unet import SegUNet

# Layers on arrays (B, C, H, W); `w` holds the weights of one layer, `weight` and perhaps `bias`.


def bias(w):
    return w.get("bias", np.zeros(1))[:, None, None]


def valid(channel, kernel):
    return signal.correlate(channel, kernel, "valid", "direct")


def conv(x, w, stride=1, mode="constant"):
    """Convolution that keeps the size before the stride; `mode` as for `numpy.pad`."""
    half = w["weight"].shape[-1] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (half, half), (half, half)), mode=mode)
    out = np.stack(
        [[sum(map(valid, channels, kernels)) for kernels in w["weight"]] for channels in padded]
    )
    return out[:, :, ::stride, ::stride] + bias(w)


def transposed(x, w, padding):
    """Transposed convolution of stride 2 that doubles the size: every pixel paints the kernel."""
    n, _, height, width = x.shape
    _, c_out, k, _ = w["weight"].shape
    out = np.zeros((n, c_out, 2 * height + k, 2 * width + k))
    for i in range(height):
        for j in range(width):
            painted = np.einsum("bc,cokl->bokl", x[:, :, i, j], w["weight"])
            out[:, :, 2 * i : 2 * i + k, 2 * j : 2 * j + k] += painted
    start = slice(padding, padding + 2 * height), slice(padding, padding + 2 * width)
    return out[:, :, *start] + bias(w)


def batch_norm(x, w):
    """In evaluation mode."""
    scale = w["weight"] / np.sqrt(w["running_var"] + 1e-5)
    return (x - w["running_mean"][:, None, None]) * scale[:, None, None] + bias(w)


def group_norm(x, w, groups):
    parts = x.reshape(len(x), groups, -1)
    parts = parts - parts.mean(axis=2, keepdims=True)
    parts = parts / np.sqrt((parts**2).mean(axis=2, keepdims=True) + 1e-5)
    return parts.reshape(x.shape) * w["weight"][:, None, None] + bias(w)


def silu(x):
    return x / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def leaky(x):
    return np.where(x > 0, x, 0.01 * x)


def pooled(x, by):
    """Halved: `by` is what becomes of four pixels, such as `numpy.mean`."""
    n, c, height, width = x.shape
    return by(x.reshape(n, c, height // 2, 2, width // 2, 2), axis=(3, 5))


def repeated(x):
    return x.repeat(2, axis=2).repeat(2, axis=3)


def bilinear(x):
    """Doubled, with the corner pixels on corner pixels."""
    height, width = x.shape[2:]
    at = np.meshgrid(
        np.linspace(0, height - 1, 2 * height), np.linspace(0, width - 1, 2 * width), indexing="ij"
    )
    return np.stack([[ndimage.map_coordinates(c, at, order=1) for c in image] for image in x])


def joined(*parts):
    return np.concatenate(parts, axis=1)


class Weights(dict):
    """A state dict in double precision; called with the start of names, what follows it."""

    def __call__(self, start):
        start += "."
        return Weights({k.removeprefix(start): v for k, v in self.items() if k.startswith(start)})


def prepared(network, seed=0):
    """A network in evaluation mode in which every layer counts, and its weights."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if not value.is_floating_point():
            continue
        if value.dim() < 2 and not name.endswith(("bias", "running_mean")):  # of normalisations
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        else:
            fan_in = max(value[0].numel(), 8)
            deviation = (2 / fan_in) ** 0.5
            value.copy_(torch.randn(value.shape, generator=generator) * deviation)
    network = network.double().eval().requires_grad_(False)
    return network, Weights({k: v.numpy() for k, v in network.state_dict().items()})


def image(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape)


def assert_equal(found, expected):
    assert expected.std() > 1e-3
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-9 * abs(expected).max())


# The segmentation network (Kascenas et al. 2022), of one and of two branches.


def standardised(w):
    kernels = w["weight"].reshape(len(w["weight"]), -1)
    kernels = kernels - kernels.mean(axis=1, keepdims=True)
    kernels = kernels / (kernels.std(axis=1, ddof=1, keepdims=True) + 1e-5)
    return {**w, "weight": kernels.reshape(w["weight"].shape)}


def double_conv(x, w, groups):
    for first in (0, 3):
        x = silu(conv(x, standardised(w(f"{first}")), mode="reflect"))
        x = group_norm(x, w(f"{first + 2}"), groups)
    return x


def segmentation(w, groups, *inputs):
    """Levels of 4, 6 and 8 channels a branch; normalised in groups as given, per width."""
    levels = []
    for branch in inputs:
        x, found = branch, []
        for level, width in enumerate((4, 6, 8)):
            x = double_conv(pooled(x, np.mean) if level else x, w(f"down.{level}"), groups[width])
            found.append(x)
        levels.append(found)
    fine, middle, coarse = (joined(*level) for level in zip(*levels))
    h = coarse
    for step, skip in enumerate((middle, fine)):
        h = joined(transposed(h, w(f"upsample.{step}"), 0), skip)
        h = double_conv(h, w(f"up.{step}"), groups[skip.shape[1]])
    return conv(h, w("head"))


@pytest.mark.parametrize("branches", [1, 2])
def test_segmentation_network(branches):
    network, weights = prepared(SegUNet((4, 6, 8), branches))
    inputs = [image(2, 1, 8, 12, seed=seed) for seed in range(branches)]
    # The middle one of the divisors, the upper of two.
    groups = {4: 2, 6: 3, 8: 4, 12: 4}
    found = network(*map(torch.from_numpy, inputs))
    assert_equal(found, segmentation(weights, groups, *inputs))


# The autoencoder (Baur et al. 2021).


def test_autoencoder():
    network, w = prepared(Autoencoder((16, 24), (8, 16), halvings=2, latent=5, slope=0.01))
    x = image(2, 1, 16, 24)
    h = leaky(conv(x, w("down.0"), stride=2))
    h = leaky(conv(h, w("down.2"), stride=2))
    h = conv(h, w("down.4")).reshape(2, -1)  # an eighth of the channels
    z = h @ w["heads.0.weight"].T + w["heads.0.bias"]
    assert_equal(network.encode(torch.from_numpy(x))[0], z)
    h = (z @ w["from_latent.0.weight"].T + w["from_latent.0.bias"]).reshape(2, 2, 4, 6)
    h = relu(conv(h, w("up.0")))
    h = leaky(transposed(h, w("up.2"), 2))
    h = leaky(transposed(h, w("up.4"), 2))
    assert_equal(network(torch.from_numpy(x)), conv(h, w("up.6")))


# DRAEM (Zavrtanik et al. 2021).


def unit(x, w, first=0):
    return relu(batch_norm(conv(x, w(f"{first}")), w(f"{first + 1}")))


def double(x, w):
    return unit(unit(x, w), w, 3)


def encoded(x, w, levels):
    maps = []
    for level in range(levels):
        x = double(pooled(x, np.max) if level else x, w(f"down.{level}"))
        maps.append(x)
    return maps


def test_draem_reconstructive():
    network, w = prepared(Reconstructive([4, 6, 8]))
    x = image(2, 1, 8, 12)
    h = encoded(x, w, 3)[-1]
    for step in range(2):
        h = double(unit(bilinear(h), w(f"up.{step}.0")), w(f"up.{step}.1"))
    assert_equal(network(torch.from_numpy(x)), conv(h, w("head")))


def test_draem_discriminative():
    network, w = prepared(Discriminative([4, 6, 8]))
    x = image(2, 2, 8, 12)
    *skips, h = encoded(x, w, 3)
    for step, skip in enumerate(reversed(skips)):
        h = joined(unit(bilinear(h), w(f"up.{step}.0")), skip)
        h = double(h, w(f"up.{step}.1"))
    assert_equal(network(torch.from_numpy(x)), conv(h, w("head")))


# FAE (Meissen et al. 2022).


def feature_autoencoder(x, w, kept):
    """Four units, two down and two up; `kept` is multiplied to each one's output."""
    kept = iter(kept)
    for level in range(2):
        x = leaky(batch_norm(conv(x, w(f"down.{level}.0"), stride=2), w(f"down.{level}.1")))
        x = x * next(kept)
    x = conv(x, w("middle"))
    for level in range(2):
        x = leaky(batch_norm(transposed(x, w(f"up.{level}.0"), 2), w(f"up.{level}.1")))
        x = x * next(kept)
    return conv(x, w("head"))


def test_feature_autoencoder():
    network, weights = prepared(FeatureAutoencoder(3, [4, 5], dropout=0.1))
    x = image(2, 3, 8, 12)
    assert_equal(network(torch.from_numpy(x)), feature_autoencoder(x, weights, [1] * 4))
    kept = [abs(image(2, c, 1, 1)) for c in (4, 5, 4, 3)]
    found = network(torch.from_numpy(x), [torch.from_numpy(k) for k in kept])
    assert_equal(found, feature_autoencoder(x, weights, kept))


# Reverse distillation (Deng & Li 2022).


def bottleneck(x, w, change=None):
    """1x1, 3x3, 1x1; `change` is "down" (stride 2) or "up" (2x2 transposed), in the middle."""
    shortcut = x
    stride = 2 if change == "down" else 1
    h = relu(batch_norm(conv(x, w("conv1")), w("bn1")))
    middle = transposed(h, w("conv2"), 0) if change == "up" else conv(h, w("conv2"), stride)
    h = relu(batch_norm(middle, w("bn2")))
    h = batch_norm(conv(h, w("conv3")), w("bn3"))
    if w("downsample"):
        other = w("downsample.0")
        shortcut = transposed(x, other, 0) if change == "up" else conv(x, other, stride)
        shortcut = batch_norm(shortcut, w("downsample.1"))
    return relu(h + shortcut)


def halved(x, w):
    return relu(batch_norm(conv(x, w("0"), stride=2), w("1")))


def test_bottleneck_of_reverse_distillation():
    network, w = prepared(OneClassBottleneck(1))
    fine, middle, coarse = (image(1, 4 * 2**i, 8 // 2**i, 8 // 2**i, seed=i) for i in range(3))
    h = joined(
        halved(halved(fine, w("from_fine.0")), w("from_fine.1")),
        halved(middle, w("from_middle")),
        coarse,
    )
    for i, change in enumerate(["down", None, None]):
        h = bottleneck(h, w(f"blocks.{i}"), change)
    assert_equal(network(*map(torch.from_numpy, (fine, middle, coarse))), h)


def test_decoder_of_reverse_distillation():
    network, w = prepared(Decoder(1))
    h, expected = image(1, 32, 1, 2), []
    x = torch.from_numpy(h)
    for stage, blocks in enumerate((3, 4, 6)):
        for i in range(blocks):
            h = bottleneck(h, w(f"stages.{stage}.{i}"), None if i else "up")
        expected.insert(0, h)
    for found, one in zip(network(x), expected, strict=True):
        assert_equal(found, one)


# PII (Tan et al. 2021).


def wide_block(x, w, scale):
    active = relu(batch_norm(x, w("norm1")))
    h = conv(active, w("conv1"), stride=2 if scale == 0.5 else 1)
    h = repeated(h) if scale == 2 else h
    h = conv(relu(batch_norm(h, w("norm2"))), w("conv2"))
    if w("shortcut"):
        x = conv(active, w("shortcut"), stride=2 if scale == 0.5 else 1)
    elif scale == 0.5:
        x = pooled(x, np.mean)
    return h + (repeated(x) if scale == 2 else x)


def test_wide_resnet():
    network, w = prepared(WideResNet(4, (4, 6, 6)))
    x = image(2, 1, 8, 12)
    h = conv(x, w("layers.0"))
    # 4, 4, 6, 6 on the way down; back to the stem and to one channel.
    for layer, scale in enumerate((1, 0.5, 0.5, 2, 2), start=1):
        h = wide_block(h, w(f"layers.{layer}"), scale)
    assert_equal(network(torch.from_numpy(x)), h)


# SparK (Tian et al. 2023): the decoder; the encoder has tests of its own.


def test_spark_paints_in():
    network, w = prepared(SparK(4, (1, 1), 0.0))
    x = image(2, 1, 16, 24)
    visible = np.array([[[1, 0, 0], [0, 1, 1]], [[0, 1, 0], [0, 0, 0]]], bool)

    def enlarged(n):
        return visible.repeat(n, axis=1).repeat(n, axis=2)[:, None]

    seen = torch.from_numpy(x * enlarged(8))
    fine, coarse = network.encoder.pyramid(seen, visible=torch.from_numpy(visible))
    parts = []
    for i, (stage, mask) in enumerate(((coarse.numpy(), enlarged(1)), (fine.numpy(), enlarged(2)))):
        normalised = batch_norm(stage, w(f"norms.{i}"))
        filled = np.where(mask, normalised, w[f"tokens.{i}"])
        parts.append(conv(filled, w(f"projections.{i}")))
    h = parts[0]
    for i in range(3):
        if i == 1:
            h = h + parts[1]
        h = transposed(h, w(f"decoder.{i}.0"), 1)
        h = batch_norm(conv(h, w(f"decoder.{i}.1")), w(f"decoder.{i}.2"))
        h = np.clip(h, 0, 6)
        h = batch_norm(conv(h, w(f"decoder.{i}.4")), w(f"decoder.{i}.5"))
    found = network(torch.from_numpy(x), torch.from_numpy(visible))
    assert_equal(found, conv(h, w("conv_out")))
