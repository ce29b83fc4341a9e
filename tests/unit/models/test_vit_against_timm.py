"""The vision transformer is timm's ViT of DINOv2: the same names, weights and output."""

import pytest
import torch
from timm_oracles import vision_transformer

from uad.models.networks.vit import VisionTransformer

SMALL = {"width": 24, "depth": 2, "heads": 3, "patch": 14, "grid": 4}
VITS14 = {"width": 384, "depth": 12, "heads": 6, "patch": 14, "grid": 37}


def theirs(of):
    return vision_transformer.VisionTransformer(
        img_size=of["patch"] * of["grid"], patch_size=of["patch"], embed_dim=of["width"],
        depth=of["depth"], num_heads=of["heads"], num_classes=0, init_values=1.0,
        dynamic_img_size=True,
    )  # fmt: skip


def randomised(network):
    """No branch is small, no factor one."""
    generator = torch.Generator().manual_seed(0)
    for value in network.state_dict().values():
        value.copy_(torch.randn(value.shape, generator=generator) * 0.3 + 0.05)
    return network.double().eval()


@torch.no_grad()
@pytest.mark.parametrize("grid", [(4, 4), (3, 5), (7, 2), (9, 8)])
def test_tokens_equal_those_of_timm(grid):
    """At the size that it was trained at, and where positions are interpolated."""
    other = randomised(theirs(SMALL))
    ours = VisionTransformer(**SMALL).double()
    ours.load_state_dict(other.state_dict())
    x = torch.rand(2, 3, *(14 * n for n in grid), generator=torch.Generator().manual_seed(1))
    found = ours(x.double())
    expected = other.forward_features(x.double())[:, 1:]  # (B, h w, width)
    assert expected.std() > 0.1
    assert found.shape == (2, SMALL["width"], *grid)
    # timm interpolates positions in single precision.
    tolerance = 1e-9 if grid == (4, 4) else 1e-5
    torch.testing.assert_close(found.flatten(2).mT, expected, rtol=0, atol=tolerance)


def test_names_and_shapes_are_those_of_dinov2():
    """As in its published file, dinov2_vits14_pretrain.pth: 22 million weights."""
    with torch.device("meta"):
        ours = VisionTransformer(**VITS14)
        published = vision_transformer.vit_small_patch14_dinov2(pretrained=False)
    shapes = {name: value.shape for name, value in ours.state_dict().items()}
    assert shapes == {name: value.shape for name, value in published.state_dict().items()}
    assert shapes["pos_embed"] == (1, 1 + 37**2, 384)
    hidden = 384  # the token that hides patches in training, which is not built
    assert sum(shape.numel() for shape in shapes.values()) + hidden == 22_056_576


def test_published_weights_load_by_their_names():
    weights = randomised(theirs(SMALL)).float().state_dict()
    ours = VisionTransformer(**SMALL)
    ours.load_published(weights | {"mask_token": torch.zeros(1, 24)})
    for name, value in ours.state_dict().items():
        assert torch.equal(value, weights[name]), name


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.pop("blocks.1.ls2.gamma"), "Missing key"),
        (lambda w: w.update({"register_tokens": torch.zeros(1, 4, 24)}), "Unexpected key"),
        (lambda w: w.update({"pos_embed": torch.zeros(1, 26, 24)}), "size mismatch"),
    ],
)
def test_weights_of_another_network_are_refused(change, sentence):
    weights = dict(theirs(SMALL).state_dict())
    change(weights)
    with pytest.raises(RuntimeError, match=sentence):
        VisionTransformer(**SMALL).load_published(weights)
