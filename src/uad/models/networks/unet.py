"""Denoising U-Net with a conditioning vector, after guided diffusion (Dhariwal & Nichol 2021).

The cDDPM (Behrendt et al. 2023b, Sec. 3) adds to it a feature vector of the clean slice, which is
embedded and concatenated with the time embedding, and reaches every residual block as a scale and
shift of its second normalisation.

Differs from the paper: App. B.1 of SADM gives channels [128, 128, 256]; every released
configuration has [128, 256, 256], which is the default here (`channels: 128`,
`multipliers: [1, 2, 2]`).
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn


def timestep_embedding(t: torch.Tensor, dim: int, max_period: float = 10_000) -> torch.Tensor:
    """Sinusoidal embedding of integer timesteps: cosines first, then sines.

    Parameters
    ----------
    t : Tensor of int, shape (B,)
    dim : int
        Even.

    Returns
    -------
    Tensor of float32, shape (B, dim)
    """
    half = dim // 2
    exponents = torch.arange(half, dtype=torch.float32, device=t.device) / half  # (dim / 2,)
    # (B, 1) * (dim / 2,) -> (B, dim / 2)
    angles = t[:, None].float() * torch.exp(-math.log(max_period) * exponents)
    return torch.cat([angles.cos(), angles.sin()], dim=1)  # (B, dim)


class GroupNorm32(nn.GroupNorm):
    """Group normalisation computed in float32 also under mixed precision."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type == "cpu" and not torch.is_grad_enabled():
            # The CPU's kernel does so by itself, without copies. It sums in another order, so that
            # the last of 16 bits may differ; its backward pass takes longer than the copies.
            return super().forward(x)
        return super().forward(x.float()).to(x.dtype)


def zeroed(module: nn.Module) -> nn.Module:
    """Set a module's parameters to zero, so that its branch starts as the identity."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def resample(x: torch.Tensor, how: Literal["down", "up"] | None) -> torch.Tensor:
    """Halve by average pooling, double by repetition, or leave as it is."""
    if how == "down":
        return F.avg_pool2d(x, 2)  # (B, C, H / 2, W / 2)
    if how == "up":
        return F.interpolate(x, scale_factor=2, mode="nearest")  # (B, C, 2 H, 2 W)
    return x


def resampled_conv(
    conv: nn.Conv2d, x: torch.Tensor, how: Literal["down", "up"] | None
) -> torch.Tensor:
    """`conv(resample(x, how))` for a 3 x 3 convolution that pads by 1; the same up to rounding.

    Of four neighbours in a doubled image most are equal, so a convolution of it is a transposed one
    of the image itself, whose 4 x 4 weights are sums of the 3 x 3 ones: 2.25 times less to compute.
    """
    if how != "up":
        return conv(resample(x, how))
    weight = conv.weight.flip(2, 3).transpose(0, 1)  # (C_in, C_out, 3, 3)
    rows = F.pad(weight, (0, 0, 0, 1)) + F.pad(weight, (0, 0, 1, 0))  # (C_in, C_out, 4, 3)
    summed = F.pad(rows, (0, 1)) + F.pad(rows, (1, 0))  # (C_in, C_out, 4, 4)
    return F.conv_transpose2d(x, summed, conv.bias, stride=2, padding=1)  # (B, C_out, 2 H, 2 W)


class ResBlock(nn.Module):
    """Residual block whose second normalisation is scaled and shifted by the embedding."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        embedding: int,
        groups: int,
        how: Literal["down", "up"] | None = None,
    ):
        super().__init__()
        self.how = how
        self.norm_in = GroupNorm32(groups, c_in)
        self.conv_in = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.embed = nn.Linear(embedding, 2 * c_out)
        self.norm_out = GroupNorm32(groups, c_out)
        self.conv_out = zeroed(nn.Conv2d(c_out, c_out, 3, padding=1))
        self.skip = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        # (B, C_in, H, W) -> (B, C_out, h, w), half or double the size with `how`
        h = resampled_conv(self.conv_in, F.silu(self.norm_in(x)), self.how)
        # (B, E) -> (B, 2 C_out, 1, 1) -> two of (B, C_out, 1, 1)
        scale, shift = self.embed(F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        h = self.norm_out(h) * (1 + scale) + shift
        return self.skip(resample(x, self.how)) + self.conv_out(F.silu(h))


class Attention(nn.Module):
    """Self-attention over all positions, in heads of `head_channels`."""

    def __init__(self, channels: int, head_channels: int, groups: int):
        super().__init__()
        self.heads = channels // head_channels
        self.norm = GroupNorm32(groups, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, c, h, w = x.shape
        qkv = self.qkv(self.norm(x).reshape(b, c, h * w))  # (B, 3C, HW)
        # (B, 3C, HW) -> (B, 3, heads, HW, C / heads) -> three of (B, heads, HW, C / heads)
        q, k, v = qkv.reshape(b, 3, self.heads, c // self.heads, h * w).transpose(-1, -2).unbind(1)
        attended = F.scaled_dot_product_attention(q, k, v)  # (B, heads, HW, C / heads)
        attended = attended.transpose(-1, -2).reshape(b, c, h * w)  # (B, C, HW)
        return x + self.out(attended).reshape(b, c, h, w)  # (B, C, H, W)


class UNet(nn.Module):
    """The denoiser: (B, 1, H, W), timesteps (B,), condition (B, `condition`) -> (B, 1, H, W).

    Parameters
    ----------
    channels : int
        Width at full resolution.
    multipliers : sequence of int
        Width of each level relative to `channels`; each further level halves the resolution.
    res_blocks : int
        Residual blocks per level on the way down; one more on the way up.
    head_channels : int
        Channels per attention head; attention only in the middle, since the factors configured in
        the released code (3, 6, 12) never occur.
    norm_groups : int
    condition : int or None
        Length of the conditioning vector; None for the unconditioned DDPM.

    Notes
    -----
    The untrained network returns exactly zero: its last convolution starts at zero.
    """

    def __init__(
        self,
        channels: int,
        multipliers: Sequence[int],
        res_blocks: int,
        head_channels: int,
        norm_groups: int,
        condition: int | None = None,
    ):
        super().__init__()
        self.channels = channels
        width = 4 * channels
        self.embed_time = nn.Sequential(
            nn.Linear(channels, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.embed_condition = None
        embedding = width
        if condition is not None:
            self.embed_condition = nn.Sequential(
                nn.Linear(condition, width), nn.SiLU(), nn.Linear(width, width)
            )
            embedding = 2 * width  # time and condition side by side, not added

        def block(c_in, c_out, how=None):
            return ResBlock(c_in, c_out, embedding, norm_groups, how)

        self.conv_in = nn.Conv2d(1, channels, 3, padding=1)
        self.down = nn.ModuleList()
        c = channels
        skips = [c]
        for level, multiplier in enumerate(multipliers):
            for _ in range(res_blocks):
                self.down.append(block(c, channels * multiplier))
                c = channels * multiplier
                skips.append(c)
            if level < len(multipliers) - 1:
                self.down.append(block(c, c, "down"))
                skips.append(c)

        self.middle_in = block(c, c)
        self.attention = Attention(c, min(head_channels, c), norm_groups)
        self.middle_out = block(c, c)

        self.up = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(multipliers))):
            stage = nn.ModuleList()
            for _ in range(res_blocks + 1):
                stage.append(block(c + skips.pop(), channels * multiplier))
                c = channels * multiplier
            if level > 0:
                stage.append(block(c, c, "up"))
            self.up.append(stage)

        self.norm_out = GroupNorm32(norm_groups, c)
        self.conv_out = zeroed(nn.Conv2d(c, 1, 3, padding=1))

    def forward(
        self, x: torch.Tensor, t: torch.Tensor, condition: torch.Tensor | None = None
    ) -> torch.Tensor:
        # (B,) -> (B, channels) -> (B, E), E = 4 channels
        embedding = self.embed_time(timestep_embedding(t, self.channels))
        if self.embed_condition is not None:
            # (B, E) and (B, E) -> (B, 2 E)
            embedding = torch.cat([embedding, self.embed_condition(condition)], dim=1)
        h = self.conv_in(x)  # (B, channels, H, W)
        skips = [h]
        for block in self.down:
            h = block(h, embedding)
            skips.append(h)
        h = self.middle_out(self.attention(self.middle_in(h, embedding)), embedding)
        for stage in self.up:
            for block in stage:
                if block.how is None:
                    h = torch.cat([h, skips.pop()], dim=1)  # (B, C + C_skip, h, w)
                h = block(h, embedding)
        return self.conv_out(F.silu(self.norm_out(h)))  # (B, 1, H, W)
