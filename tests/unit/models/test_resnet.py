"""ResNet-18 and WideResNet-50-2: torchvision's names and shapes, written down by hand; features."""

import pytest
import torch
import torch.nn.functional as F

from uad.models.networks.resnet import resize, resnet18, wide_resnet50_2

# Convolutions of the published state dicts, up to the stage that is used.
RESNET18 = {
    "conv1": (64, 3, 7, 7),
    "layer1.0.conv1": (64, 64, 3, 3),
    "layer1.0.conv2": (64, 64, 3, 3),
    "layer1.1.conv1": (64, 64, 3, 3),
    "layer1.1.conv2": (64, 64, 3, 3),
    "layer2.0.conv1": (128, 64, 3, 3),
    "layer2.0.conv2": (128, 128, 3, 3),
    "layer2.0.downsample.0": (128, 64, 1, 1),
    "layer2.1.conv1": (128, 128, 3, 3),
    "layer2.1.conv2": (128, 128, 3, 3),
}
WIDE_RESNET50_2 = {
    "conv1": (64, 3, 7, 7),
    "layer1.0.conv1": (128, 64, 1, 1),
    "layer1.0.downsample.0": (256, 64, 1, 1),
    **{f"layer1.{i}.conv1": (128, 256, 1, 1) for i in (1, 2)},
    **{f"layer1.{i}.conv2": (128, 128, 3, 3) for i in range(3)},
    **{f"layer1.{i}.conv3": (256, 128, 1, 1) for i in range(3)},
    "layer2.0.conv1": (256, 256, 1, 1),
    "layer2.0.downsample.0": (512, 256, 1, 1),
    **{f"layer2.{i}.conv1": (256, 512, 1, 1) for i in (1, 2, 3)},
    **{f"layer2.{i}.conv2": (256, 256, 3, 3) for i in range(4)},
    **{f"layer2.{i}.conv3": (512, 256, 1, 1) for i in range(4)},
    "layer3.0.conv1": (512, 512, 1, 1),
    "layer3.0.downsample.0": (1024, 512, 1, 1),
    **{f"layer3.{i}.conv1": (512, 1024, 1, 1) for i in range(1, 6)},
    **{f"layer3.{i}.conv2": (512, 512, 3, 3) for i in range(6)},
    **{f"layer3.{i}.conv3": (1024, 512, 1, 1) for i in range(6)},
}
COUNTER = "num_batches_tracked"


def state_shapes(convolutions):
    """All entries of a state dict: each convolution is followed by a normalisation."""
    shapes = {}
    for name, shape in convolutions.items():
        head, _, last = name.rpartition(".")
        bn = f"{head}.1" if last == "0" else name.replace("conv", "bn")
        shapes[f"{name}.weight"] = shape
        for entry in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{bn}.{entry}"] = shape[:1]
        shapes[f"{bn}.{COUNTER}"] = ()
    return shapes


def published(convolutions, seed=0):
    """A made-up file of the complete network, with what is not built here, without counters."""
    generator = torch.Generator().manual_seed(seed)
    shapes = state_shapes(convolutions)
    last = max(int(name[5]) for name in convolutions if name.startswith("layer"))
    shapes.update({f"layer{k}.0.conv1.weight": (2, 2, 1, 1) for k in range(last + 1, 5)})
    shapes.update({"fc.weight": (1000, 512), "fc.bias": (1000,)})
    return {
        name: torch.rand(shape, generator=generator) + 0.5
        for name, shape in shapes.items()
        if COUNTER not in name
    }


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.mark.parametrize(
    ("make", "stages", "convolutions"),
    [(resnet18, 2, RESNET18), (wide_resnet50_2, 3, WIDE_RESNET50_2)],
)
def test_names_and_shapes_are_the_published_ones(make, stages, convolutions):
    with torch.device("meta"):
        state = make(stages).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == state_shapes(convolutions)


def test_parameters_of_the_complete_and_of_the_used_networks():
    with torch.device("meta"):
        small, wide = resnet18(2), wide_resnet50_2(3)
        assert count(resnet18(4)) + 512 * 1000 + 1000 == 11_689_512
        assert count(wide_resnet50_2(4)) + 2048 * 1000 + 1000 == 68_883_240
    assert count(small.conv1, small.bn1) == 9_536
    assert (count(small.layer1), count(small.layer2)) == (147_968, 525_568)
    assert count(small) == 683_072
    assert count(wide) == 24_862_528


def conv_bn(x, state, name, stride=1):
    """A convolution of a state dict and its normalisation, in evaluation mode."""
    head, _, last = name.rpartition(".")
    bn = f"{head}.1" if last == "0" else name.replace("conv", "bn")
    weight = state[f"{name}.weight"]
    x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
    entries = ("running_mean", "running_var", "weight", "bias")
    return F.batch_norm(x, *(state[f"{bn}.{entry}"] for entry in entries))


def reference(x, state, stages):
    """Features computed from a state dict alone, block by block."""
    x = F.max_pool2d(F.relu(conv_bn(x, state, "conv1", 2)), 3, 2, 1)
    maps = [x]
    for stage in range(1, stages + 1):
        i = 0
        while (block := f"layer{stage}.{i}") + ".conv1.weight" in state:
            stride = 2 if stage > 1 and i == 0 else 1
            if f"{block}.conv3.weight" in state:
                h = F.relu(conv_bn(x, state, f"{block}.conv1"))
                h = F.relu(conv_bn(h, state, f"{block}.conv2", stride))
                h = conv_bn(h, state, f"{block}.conv3")
            else:
                h = F.relu(conv_bn(x, state, f"{block}.conv1", stride))
                h = conv_bn(h, state, f"{block}.conv2")
            if f"{block}.downsample.0.weight" in state:
                x = conv_bn(x, state, f"{block}.downsample.0", stride)
            x = F.relu(h + x)
            i += 1
        maps.append(x)
    return maps


@pytest.mark.parametrize(
    ("make", "stages", "channels"),
    [(resnet18, 2, (8, 8, 16)), (wide_resnet50_2, 3, (8, 32, 64, 128))],
)
def test_features_equal_those_computed_from_the_state_dict(make, stages, channels):
    torch.manual_seed(0)
    network = make(stages, width=8).double()
    for name, value in network.state_dict().items():
        if "bn" in name or "downsample.1" in name:
            value.copy_(torch.rand(value.shape) + 0.5)
    x = torch.rand(2, 3, 64, 96).double()
    found = network(x)
    for k, (ours, theirs) in enumerate(zip(found, reference(x, network.state_dict(), stages))):
        size = 4 * 2 ** max(k - 1, 0)
        assert ours.shape == (2, channels[k], 64 // size, 96 // size)
        torch.testing.assert_close(ours, theirs)
    assert len(found) == stages + 1


@pytest.mark.parametrize(
    ("make", "stages", "convolutions"),
    [(resnet18, 2, RESNET18), (wide_resnet50_2, 3, WIDE_RESNET50_2)],
)
def test_published_weights_load_by_their_names(make, stages, convolutions):
    network, weights = make(stages), published(convolutions)
    network.load_published(weights)
    for name, value in network.state_dict().items():
        if COUNTER not in name:
            assert torch.equal(value, weights[name]), name
    # Newer files are ordered dicts that know the version of their modules; they count batches.
    make(stages, width=2).load_published(make(4, width=2).state_dict())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.pop("layer2.1.bn2.running_var"), "Missing key"),
        # ResNet-34 has all names of ResNet-18, and a third block.
        (lambda w: w.update({"layer1.2.conv1.weight": torch.ones(64, 64, 3, 3)}), "Unexpected key"),
        (lambda w: w.update({"conv1.weight": torch.ones(64, 1, 7, 7)}), "size mismatch"),
    ],
)
def test_weights_of_another_network_are_refused(change, sentence):
    weights = published(RESNET18)
    change(weights)
    with pytest.raises(RuntimeError, match=sentence):
        resnet18(2).load_published(weights)


def test_parameters_are_frozen_and_statistics_adapt_on_demand():
    x = torch.rand(4, 3, 32, 32)
    for adapt in (False, True):
        network = resnet18(1, width=4, adapt=adapt)
        assert not any(p.requires_grad for p in network.parameters())
        before = {name: value.clone() for name, value in network.state_dict().items()}
        network.train()(x)
        network.eval()(x)
        changed = {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
        assert all("running" in name or COUNTER in name for name in changed)
        assert bool(changed) == adapt
        assert not network.training


def test_resizing_keeps_the_corners():
    x = torch.tensor([[0.0, 3], [6, 9]])[None, None]
    expected = torch.tensor([[0.0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]])
    torch.testing.assert_close(resize(x, (3, 4))[0, 0], expected)
