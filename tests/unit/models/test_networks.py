"""Parameter counts of the specification at the paper's sizes, shapes, and initial behaviour."""

import numpy as np
import pytest
import torch

from uad.models.methods.draem_net.network import Discriminative, Reconstructive
from uad.models.methods.pii.network import Block, WideResNet
from uad.models.networks.autoencoder import Autoencoder, dropout
from uad.models.networks.encoder import Encoder
from uad.models.networks.seg_unet import SegUNet, StandardisedConv, norm_groups
from uad.models.networks.unet import GroupNorm32, UNet, resample, resampled_conv, timestep_embedding

PAPER_UNET = dict(
    channels=128, multipliers=(1, 2, 2), res_blocks=3, head_channels=64, norm_groups=32
)


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def test_conditioned_unet_has_the_papers_size():
    unet = UNet(**PAPER_UNET, condition=512)
    assert count(unet) == 44_068_481
    assert count(unet.embed_time) == 328_704
    assert count(unet.embed_condition) == 525_312
    assert count(unet.conv_in, unet.down) == 13_913_344
    assert count(unet.middle_in, unet.attention, unet.middle_out) == 3_675_648
    assert count(unet.up) == 25_624_064
    assert count(unet.norm_out, unet.conv_out) == 1_409


@pytest.mark.parametrize(
    ("multipliers", "condition", "expected"),
    [((1, 2, 2), None, 37_513_857), ((1, 1, 2), 512, 31_573_121), ((1, 1, 2), None, 26_198_145)],
)
def test_unet_variants(multipliers, condition, expected):
    assert (
        count(UNet(**{**PAPER_UNET, "multipliers": multipliers}, condition=condition)) == expected
    )


def test_encoder_is_a_resnet_50():
    encoder = Encoder(width=64, blocks=(3, 4, 6, 3), features=512, drop_path=0.05)
    assert count(encoder) == 24_550_848
    assert count(encoder) - count(encoder.fc) == 23_501_760
    keys = set(encoder.state_dict())
    assert {"conv1.weight", "layer1.0.downsample.0.weight", "layer4.2.bn3.running_var"} <= keys


@pytest.mark.parametrize(
    ("widths", "branches", "expected"),
    [
        ((64, 128, 256, 512), 2, 16_736_705),
        ((64, 128, 256, 512), 1, 7_701_825),
        ((64, 128, 256), 2, 4_016_065),
        ((64, 128, 256), 1, 1_864_257),
    ],
)
def test_segmentation_networks(widths, branches, expected):
    assert count(SegUNet(widths, branches)) == expected


def test_config_holds_the_papers_sizes(paper_config):
    methods = paper_config["methods"]
    features = methods["cddpm"]["encoder"]["features"]
    assert count(UNet(**methods["cddpm"]["unet"], condition=features)) == 44_068_481
    assert count(Encoder(**methods["cddpm"]["encoder"])) == 24_550_848
    assert count(SegUNet(methods["unet"]["widths"], branches=1)) == 7_701_825
    assert count(SegUNet(methods["dae"]["widths"], branches=1)) == 7_701_825
    for name in ("ddpm", "pddpm"):
        assert count(UNet(**methods[name]["unet"])) == 37_513_857
    for name, heads, expected in (("ae", 1, 1_519_377), ("vae", 2, 1_814_417)):
        network = Autoencoder((96, 96), **methods[name]["autoencoder"], heads=heads)
        assert count(network) == expected
    assert count(SegUNet(methods["unet_res"]["widths"], branches=2)) == 16_736_705


def small_unet():
    return UNet(8, (1, 2), 1, 8, 4, condition=6)


def test_untrained_unet_returns_zero():
    unet = small_unet()
    x, c = torch.rand(3, 1, 16, 24), torch.rand(3, 6)
    out = unet(x, torch.tensor([0, 5, 999]), c)
    assert out.shape == x.shape
    assert (out == 0).all()


def test_unet_output_depends_on_time_and_condition():
    unet = small_unet()
    for p in unet.parameters():
        torch.nn.init.normal_(p, std=0.2, generator=torch.Generator().manual_seed(1))
    x = torch.rand(1, 1, 16, 16).repeat(3, 1, 1, 1)
    condition = torch.rand(1, 6)
    out = unet(x, torch.tensor([1, 1, 700]), torch.cat([condition, condition + 1, condition]))
    assert not torch.allclose(out[0], out[1])
    assert not torch.allclose(out[0], out[2])


@pytest.mark.parametrize("how", ["up", "down", None])
def test_resampling_and_convolution_in_one(how):
    """Values and gradients are those of one after the other."""
    conv = torch.nn.Conv2d(3, 5, 3, padding=1).double()
    found, expected = [], []
    for function, results in (
        (lambda x: resampled_conv(conv, x, how), found),
        (lambda x: conv(resample(x, how)), expected),
    ):
        x = torch.from_numpy(np.random.default_rng(0).random((2, 3, 6, 8))).requires_grad_()
        y = function(x)
        weights = torch.from_numpy(np.random.default_rng(1).random(y.shape))
        results += [y, *torch.autograd.grad((weights * y).sum(), (x, *conv.parameters()))]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_normalisation_is_in_32_bits_with_and_without_gradients(seed, monkeypatch):
    """Of 16-bit values each result is the exact one, rounded once: half a unit in the last place.

    With gradients torch's kernel is given 32-bit values. Without, on the CPU, it takes the 16-bit
    ones as they are and computes in 32 bits by itself; only the order of its sums differs.
    """
    rng = np.random.default_rng(seed)
    norm, given = GroupNorm32(4, 8), []
    weight, bias = (torch.from_numpy(rng.normal(size=8).astype(np.float32)) for _ in range(2))
    norm.load_state_dict({"weight": weight, "bias": bias})
    x = torch.from_numpy(rng.normal(3, 1, (2, 8, 16, 16)).astype(np.float32)).bfloat16()
    kernel = torch.nn.functional.group_norm
    exact = kernel(x.double(), 4, weight.double(), bias.double())

    def watched(x, *rest):
        given.append(x.dtype)
        return kernel(x, *rest)

    monkeypatch.setattr(torch.nn.functional, "group_norm", watched)
    with_gradients = norm(x)
    with torch.no_grad():
        without = norm(x)
    assert given == [torch.float32, torch.bfloat16]
    assert torch.equal(with_gradients, kernel(x.float(), 4, weight, bias).bfloat16())
    for found in (with_gradients, without):
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.double(), exact, rtol=2**-8, atol=1e-4)


def test_timestep_embedding_puts_cosines_first():
    embedding = timestep_embedding(torch.tensor([0, 7]), 8)
    assert embedding[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    frequencies = 10_000 ** (-np.arange(4) / 4)
    np.testing.assert_allclose(embedding[1, :4], np.cos(7 * frequencies), rtol=1e-5)
    np.testing.assert_allclose(embedding[1, 4:], np.sin(7 * frequencies), rtol=1e-5)


def test_stochastic_depth_drops_whole_blocks_per_sample(rng):
    encoder = Encoder(width=4, blocks=(2, 2), features=3, drop_path=0.5).train()
    kept = encoder.draw_kept(rng, 4000, "cpu")
    assert kept.shape == (4, 4000)
    np.testing.assert_allclose(1 - kept.mean(dim=1), [0, 1 / 6, 1 / 3, 1 / 2], atol=0.03)


@torch.no_grad()
def test_a_dropped_block_is_its_shortcut_and_a_kept_one_weighs_more():
    torch.manual_seed(0)
    block = Encoder(width=4, blocks=(2,), features=3, drop_path=0.2).bottlenecks[1].eval()
    torch.nn.init.normal_(block.bn3.weight)
    x = torch.rand(2, 16, 8, 8)
    whole = block(x)
    branch = block.bn3(block.conv3(block.relu(block.bn2(block.conv2(
        block.relu(block.bn1(block.conv1(x)))
    )))))  # fmt: skip
    torch.testing.assert_close(whole, torch.relu(x + branch))
    first, second = block(x, torch.tensor([0.0, 1.0]))
    assert torch.equal(first, x[0])
    torch.testing.assert_close(second, torch.relu(x[1] + branch[1] / 0.8))


def test_standardised_filters_have_zero_mean_and_unit_deviation():
    conv = StandardisedConv(3, 5)
    seen = {}
    conv._conv_forward = lambda x, weight, bias: seen.setdefault("weight", weight)
    conv(torch.rand(1, 3, 8, 8))
    torch.testing.assert_close(
        seen["weight"].mean(dim=(1, 2, 3)), torch.zeros(5), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(seen["weight"].std(dim=(1, 2, 3)), torch.ones(5), atol=1e-3, rtol=0)


def test_norm_groups_are_the_middle_divisors():
    assert [norm_groups(c) for c in (64, 128, 256, 512)] == [8, 16, 16, 32]


def test_siamese_branches_can_be_encoded_apart():
    network = SegUNet((4, 8, 8), branches=2).eval()
    residual, image = torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16)
    together = network(residual, image)
    apart = network.decode(network.encode(residual), network.encode(image))
    torch.testing.assert_close(apart, together)
    assert not torch.allclose(network(image, residual), together)


PAPER_AUTOENCODER = dict(channels=(32, 128), latent=128, slope=0.01)


@pytest.mark.parametrize(
    ("side", "halvings", "heads", "expected"),
    [
        (96, 3, 1, 1_519_377),
        (96, 3, 2, 1_814_417),
        (96, 4, 1, 1_510_641),
        (96, 4, 2, 1_584_497),
        (128, 4, 1, 1_625_777),  # of Baur et al.
    ],
)
def test_autoencoders(side, halvings, heads, expected):
    network = Autoencoder((side, side), halvings=halvings, heads=heads, **PAPER_AUTOENCODER)
    assert count(network) == expected
    x = torch.rand(2, 1, side, side)
    assert [z.shape for z in network.encode(x)] == [(2, 128)] * heads
    assert network.down(x).shape == (2, 16 * (side // 2**halvings) ** 2)
    assert network(x).shape == x.shape


def test_autoencoder_of_slices_that_are_not_square():
    network = Autoencoder((16, 24), (8, 16), halvings=2, latent=5, slope=0.01)
    assert network(torch.rand(3, 1, 16, 24)).shape == (3, 1, 16, 24)


def test_autoencoder_without_weights_is_grey():
    network = Autoencoder((16, 16), (8, 16), halvings=2, latent=5, slope=0.01)
    for name, p in network.named_parameters():
        torch.nn.init.constant_(p, 0.25 if name.endswith("bias") else 0)
    assert (network(torch.rand(2, 1, 16, 16)) == 0.25).all()


def test_dropout_keeps_the_mean(rng):
    dropped = dropout(torch.ones(400, 500), 0.2, rng)
    assert set(dropped.unique().tolist()) == {0, 1.25}
    assert (dropped == 0).float().mean().item() == pytest.approx(0.2, abs=0.005)


def test_wrong_number_of_branches_is_refused():
    with pytest.raises(ValueError, match="2 branch"):
        SegUNet((4, 8), branches=2)(torch.rand(1, 1, 8, 8))


@pytest.mark.parametrize(
    ("widths", "expected"),
    [((64, 128, 256, 256, 256), 4_164_763), ((64, 128, 256, 256), 2_590_363)],
)
def test_wide_resnet(widths, expected):
    with torch.device("meta"):
        network = WideResNet(16, widths)
        assert count(network) == expected
        assert network(torch.zeros(2, 1, 96, 96)).shape == (2, 1, 96, 96)
    assert not any(name.endswith("bias") for name, _ in network.named_parameters()
                   if "norm" not in name)  # fmt: skip


def test_strided_shortcut_of_the_wide_resnet():
    block = Block(4, 8, scale=0.5)
    with torch.no_grad():
        block.conv2.weight.zero_()  # leaves the shortcut
        x = torch.rand(1, 4, 6, 6)
        active = torch.relu(block.norm1(x))
        expected = torch.nn.functional.conv2d(active, block.shortcut.weight, stride=2)
        assert torch.allclose(block(x), expected, atol=1e-6)


def test_draem_networks():
    with torch.device("meta"):
        reconstructive = Reconstructive([128, 256, 512, 1024, 1024])
        discriminative = Discriminative([64, 128, 256, 512, 512, 512])
        assert reconstructive(torch.zeros(1, 1, 96, 96)).shape == (1, 1, 96, 96)
        assert discriminative(torch.zeros(1, 2, 96, 96)).shape == (1, 2, 96, 96)
    assert count(reconstructive) == 69_043_969
    assert count(discriminative) == 28_371_842


def test_draem_initial_weights():
    torch.manual_seed(0)
    weights = torch.cat([
        m.weight.flatten() for m in Reconstructive([16, 32, 32]).modules()
        if isinstance(m, torch.nn.Conv2d)
    ])  # fmt: skip
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
