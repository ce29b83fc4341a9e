"""The denoiser is the U-Net of diffusers with scale and shift: same weights, same output."""

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

from uad.models.networks.unet import UNet

# Two blocks a level, several heads of attention, groups of several channels.
SMALL = dict(channels=16, multipliers=(1, 2, 2), res_blocks=2, head_channels=8, norm_groups=4)
PAPER = dict(channels=128, multipliers=(1, 2, 2), res_blocks=3, head_channels=64, norm_groups=32)


def oracle(channels, multipliers, res_blocks, head_channels, norm_groups):
    """diffusers' network of our settings."""
    n = len(multipliers)
    return UNet2DModel(
        in_channels=1,
        out_channels=1,
        block_out_channels=[channels * multiplier for multiplier in multipliers],
        layers_per_block=res_blocks,
        down_block_types=("ResnetDownsampleBlock2D",) * n,
        up_block_types=("ResnetUpsampleBlock2D",) * n,
        attention_head_dim=head_channels,
        norm_num_groups=norm_groups,
        attn_norm_num_groups=norm_groups,
        norm_eps=1e-5,
        resnet_time_scale_shift="scale_shift",
        flip_sin_to_cos=True,  # cosines first
        freq_shift=0,
    )


def build(condition=None):
    """Our small network, all of whose layers count: none is left at zero."""
    network = UNet(**SMALL, condition=condition).eval()
    generator = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        centre = float("norm" in name and name.endswith("weight"))
        torch.nn.init.normal_(parameter, centre, 0.1, generator=generator)
    return network


def copy(ours, theirs):
    """Weights of our network into diffusers', by name."""
    theirs.conv_in.load_state_dict(ours.conv_in.state_dict())
    theirs.conv_norm_out.load_state_dict(ours.norm_out.state_dict())
    theirs.conv_out.load_state_dict(ours.conv_out.state_dict())
    down = iter(ours.down)
    for block in theirs.down_blocks:
        for resnet in [*block.resnets, *(block.downsamplers or [])]:
            copy_block(next(down), resnet)
    copy_block(ours.middle_in, theirs.mid_block.resnets[0])
    copy_block(ours.middle_out, theirs.mid_block.resnets[1])
    for stage, block in zip(ours.up, theirs.up_blocks, strict=True):
        resnets = [*block.resnets, *(block.upsamplers or [])]
        for one, resnet in zip(stage, resnets, strict=True):
            copy_block(one, resnet)
    assert next(down, None) is None
    attention = theirs.mid_block.attentions[0]
    attention.group_norm.load_state_dict(ours.attention.norm.state_dict())
    weights, biases = ours.attention.qkv.weight[:, :, 0].chunk(3), ours.attention.qkv.bias.chunk(3)
    for layer, weight, bias in zip(
        (attention.to_q, attention.to_k, attention.to_v), weights, biases, strict=True
    ):
        layer.load_state_dict({"weight": weight, "bias": bias})
    out = ours.attention.out
    attention.to_out[0].load_state_dict({"weight": out.weight[:, :, 0], "bias": out.bias})
    assert attention.heads == ours.attention.heads == 4


def copy_block(ours, theirs):
    """Weights of a residual block."""
    names = {"norm_in": "norm1", "conv_in": "conv1", "norm_out": "norm2", "conv_out": "conv2"}
    for name, other in names.items():
        getattr(theirs, other).load_state_dict(getattr(ours, name).state_dict())
    # Whole, since it is wider where there is a condition.
    theirs.time_emb_proj = ours.embed
    if theirs.conv_shortcut is not None:
        theirs.conv_shortcut.load_state_dict(ours.skip.state_dict())


class Embedding(torch.nn.Module):
    """In the place of diffusers' embedding of the time: this and that of a condition, joined."""

    def __init__(self, of_time, of_condition, condition):
        super().__init__()
        self.of_time, self.of_condition, self.condition = of_time, of_condition, condition

    def forward(self, embedded, *_):
        return torch.cat([self.of_time(embedded), self.of_condition(self.condition)], dim=1)


@pytest.mark.parametrize("condition", [None, 6])
@torch.no_grad()
def test_output_equals_that_of_diffusers(condition):
    ours, theirs = build(condition), oracle(**SMALL).eval()
    copy(ours, theirs)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 1, 32, 48, generator=generator)
    t = torch.tensor([3, 250, 999])
    first, _, second = ours.embed_time
    theirs.time_embedding.linear_1.load_state_dict(first.state_dict())
    theirs.time_embedding.linear_2.load_state_dict(second.state_dict())
    vector = None
    if condition:
        vector = torch.randn(3, condition, generator=generator)
        weights = {name: p.double().numpy() for name, p in ours.embed_condition.named_parameters()}

        def embed(c):
            h = c.double().numpy() @ weights["0.weight"].T + weights["0.bias"]
            h = h / (1 + np.exp(-h))
            return torch.from_numpy(h @ weights["2.weight"].T + weights["2.bias"]).float()

        of_condition = torch.nn.Module()
        of_condition.forward = embed
        theirs.time_embedding = Embedding(theirs.time_embedding, of_condition, vector)
    found, expected = ours(x, t, vector), theirs(x, t).sample
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def test_size_is_that_of_diffusers():
    with torch.device("meta"):
        sizes = [
            sum(p.numel() for p in network.parameters())
            for network in (UNet(**PAPER), oracle(**PAPER))
        ]
    assert sizes == [37_513_857, 37_513_857]
