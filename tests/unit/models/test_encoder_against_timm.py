"""The encoder is timm's ResNet-50: the same weights, the same output, statistics and depth."""

import numpy as np
import pytest
import torch
from timm_oracles import resnet

from uad.models.networks.encoder import Encoder

PAPER = dict(width=64, blocks=(3, 4, 6, 3), features=512)


def build(drop_path):
    """Ours and timm's with the same weights, in double precision; no block is the identity."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    theirs = resnet.resnet50(in_chans=1, num_classes=512, drop_path_rate=drop_path)
    for name, value in theirs.state_dict().items():
        if "bn" in name or "downsample.1" in name:
            value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + 0.5)
    ours = Encoder(**PAPER, drop_path=drop_path)
    ours.load_state_dict(theirs.state_dict())
    x = torch.rand(4, 1, 64, 96, generator=generator)
    return ours.double(), theirs.double(), x.double()


def assert_equal(found, expected, tolerance=1e-9):
    assert expected.std() > 1e-3
    atol = tolerance * expected.abs().max().item()
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def depth(network):
    """Probability with which timm's blocks are dropped, in order."""
    layers = (network.layer1, network.layer2, network.layer3, network.layer4)
    return [
        getattr(block.drop_path, "drop_prob", 0.0) or 0.0 for layer in layers for block in layer
    ]


@torch.no_grad()
def test_condition_equals_that_of_timm():
    ours, theirs, x = build(0.05)
    assert_equal(ours.eval()(x), theirs.eval()(x))
    # The stages too, of which SparK uses all.
    maps = theirs.forward_intermediates(x, intermediates_only=True)[-4:]
    for found, expected in zip(ours.pyramid(x), maps, strict=True):
        assert_equal(found, expected)


def test_size_and_depth_are_those_of_timm():
    ours, theirs, _ = build(0.05)
    assert sum(p.numel() for p in ours.parameters()) == 24_550_848
    assert sum(p.numel() for p in theirs.parameters()) == 24_550_848
    rates = [block.drop_path for block in ours.bottlenecks]
    assert rates == pytest.approx(depth(theirs))
    assert (rates[0], rates[-1]) == (0, pytest.approx(0.05))


def test_training_equals_that_of_timm():
    """Where timm drops a block, ours does; output, gradient and statistics are the same."""
    ours, theirs, x = build(0.6)
    kept = [torch.ones(len(x)).double()]  # the first block of all has nothing to drop

    def note(_, inputs, output):
        kept.append((output.flatten(1) != 0).any(dim=1).double())

    for module in theirs.modules():
        if type(module).__name__ == "DropPath":
            module.register_forward_hook(note)
    torch.manual_seed(5)
    expected = theirs.train()(x)
    kept = torch.stack(kept)  # (blocks, B)
    assert kept.shape == (16, 4) and 0.1 < 1 - kept.mean() < 0.6
    found = ours.train()(x, kept)
    close = 1e-6  # our rates are in single precision
    assert_equal(found, expected, close)
    weights = torch.from_numpy(np.random.default_rng(0).normal(size=found.shape))
    for output in (found, expected):
        (output * weights).sum().backward()
    for name in ("conv1.weight", "layer2.0.conv2.weight", "layer4.2.bn3.weight"):
        assert_equal(ours.get_parameter(name).grad, theirs.get_parameter(name).grad, close)
    for name, value in theirs.state_dict().items():
        if name.endswith("running_var"):
            assert_equal(ours.state_dict()[name], value, close)
