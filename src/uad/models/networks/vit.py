"""Vision transformer as of DINOv2: the features of its patches (Oquab et al. 2023).

Dosovitskiy et al. (2021) with a learned scale of every residual branch. Parameter names are those
of DINOv2's published state dicts (and of timm), so that its weights load by their own keys.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

EPSILON = 1e-6  # of the normalisations
EXPANSION = 4  # width of the hidden layer, relative to the tokens'


class Attention(nn.Module):
    """Self-attention over all tokens, (B, N, C) -> (B, N, C)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # (B, N, 3 C) -> (B, N, 3, heads, C / heads) -> 3 of (B, heads, N, C / heads)
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class LayerScale(nn.Module):
    """A factor per channel."""

    def __init__(self, width: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gamma


class Block(nn.Module):
    """Attention, then a layer for each token alone, each added to its normalised input."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, EPSILON)
        self.attn = Attention(width, heads)
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, EPSILON)
        self.mlp = nn.Sequential()
        self.mlp.add_module("fc1", nn.Linear(width, EXPANSION * width))
        self.mlp.add_module("act", nn.GELU())
        self.mlp.add_module("fc2", nn.Linear(EXPANSION * width, width))
        self.ls2 = LayerScale(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class PatchEmbed(nn.Module):
    """Cuts (B, 3, H, W) into patches and maps each to a token: (B, width, H / p, W / p)."""

    def __init__(self, patch: int, width: int):
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.proj(x)


class VisionTransformer(nn.Module):
    """(B, 3, H, W) -> normalised tokens of the patches, (B, width, H / patch, W / patch).

    Parameters
    ----------
    width : int
        Of a token.
    depth : int
        Blocks.
    heads : int
        Of the attention; divides `width`.
    patch : int
        Side of a patch in pixels; H and W are multiples of it.
    grid : int
        Patches along a side of the images that it was trained on. For others, the embedding of
        positions is interpolated as timm does it, bicubic and smoothed where it shrinks.
    """

    def __init__(self, width: int, depth: int, heads: int, patch: int, grid: int):
        super().__init__()
        self.grid = grid
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + grid**2, width) * 0.02)
        self.patch_embed = PatchEmbed(patch, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, EPSILON)

    def positions(self, size: tuple[int, int]) -> torch.Tensor:
        """Embedding of the positions of a grid of patches, (1, 1 + h w, width)."""
        if size == (self.grid, self.grid):
            return self.pos_embed
        first, patches = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        image = patches.unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2)
        image = F.interpolate(image, size, mode="bicubic", antialias=True)
        return torch.cat([first, image.flatten(2).transpose(1, 2)], dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.patch_embed(x)  # (B, width, h, w)
        size = maps.shape[-2:]
        tokens = maps.flatten(2).transpose(1, 2)  # (B, h w, width)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), tokens], dim=1)
        tokens = tokens + self.positions(tuple(size))
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, 1:].transpose(1, 2).unflatten(2, size)

    def load_published(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take a state dict of DINOv2, without the token that hides patches in its training.

        Raises
        ------
        RuntimeError
            If anything else is missing, too much or of another shape.
        """
        self.load_state_dict({k: v for k, v in weights.items() if k != "mask_token"})
