"""SparK: the specification's size, sparse against dense, statistics by hand, and the transfer."""

import numpy as np
import pytest
import torch
from test_networks import count

from uad.base.errors import InputError
from uad.models import methods
from uad.models.methods.spark.network import SparK
from uad.models.networks.encoder import BatchNorm, Encoder, enlarge

SMALL = {"width": 4, "blocks": [1, 2], "drop_path": 0.1}  # stride 8


def encoder():
    """A small encoder of which no block is the identity."""
    torch.manual_seed(0)
    network = Encoder(**SMALL, features=None)
    for block in network.bottlenecks:
        torch.nn.init.normal_(block.bn3.weight)
    return network


@pytest.fixture
def x():
    return torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(1))


# Patches of the two slices: 2 x 3.
VISIBLE = torch.tensor([[[1, 0, 0], [0, 1, 1]], [[0, 1, 0], [0, 0, 0]]], dtype=torch.bool)


def test_parameters_at_the_papers_size(paper_config):
    network = SparK(**paper_config["methods"]["spark"]["encoder"])
    assert count(network.encoder) == 23_501_760
    assert count(network.decoder, network.conv_out) == 10_304_913
    assert count(network.projections) == 4_146_112
    assert count(network.norms) == 7_680
    assert sum(token.numel() for token in network.tokens) == 3_840
    assert count(network) == 37_964_305


def test_stages_of_the_papers_slices():
    network = Encoder(width=4, blocks=(3, 4, 6, 3), features=None, drop_path=0.05).eval()
    with torch.no_grad():
        stages = network.pyramid(torch.rand(1, 1, 96, 96))
    assert [tuple(h.shape[1:]) for h in stages] == [
        (16, 24, 24), (32, 12, 12), (64, 6, 6), (128, 3, 3),
    ]  # fmt: skip
    assert network.widths == [16, 32, 64, 128]
    assert network.stride == 32 and network.fc is None


def test_enlarged_map():
    found = enlarge(VISIBLE, torch.empty(2, 1, 4, 6))
    assert found[0].int().tolist() == [[1, 1, 0, 0, 0, 0]] * 2 + [[0, 0, 1, 1, 1, 1]] * 2


@pytest.mark.parametrize("training", [True, False])
def test_sparse_is_dense_when_everything_is_visible(x, training):
    network = encoder().train(training)
    seen = torch.ones_like(VISIBLE)
    for dense, sparse in zip(network.pyramid(x), network.pyramid(x, visible=seen)):
        torch.testing.assert_close(sparse, dense, atol=1e-4, rtol=1e-4)


def test_hidden_positions_stay_zero_and_visible_ones_do_not(x):
    for h in encoder().train().pyramid(x * enlarge(VISIBLE, x)[:, None], visible=VISIBLE):
        seen = enlarge(VISIBLE, h)
        at = h.permute(0, 2, 3, 1)
        assert (at[~seen] == 0).all() and at[seen].abs().sum(dim=0).min() > 0


@pytest.mark.parametrize("training", [True, False])
def test_what_is_hidden_does_not_matter(x, training):
    torch.manual_seed(0)
    network = SparK(**SMALL).train(training)
    other = torch.where(enlarge(VISIBLE, x)[:, None], x, torch.rand_like(x))
    assert not torch.equal(other, x)
    assert torch.equal(network(x, VISIBLE), network(other, VISIBLE))


def test_batch_statistics_of_visible_positions_by_hand():
    bn = BatchNorm(1).train()
    image = torch.tensor([[1.0, 2, 9, 9], [3, 4, 9, 9]])[None, None]
    found = bn(image, torch.tensor([[[True, False]]]))
    # Of 1, 2, 3, 4 alone: mean 2.5, variance 1.25, unbiased 5 / 3.
    expected = (np.array([[1, 2], [3, 4]]) - 2.5) / np.sqrt(1.25 + bn.eps)
    np.testing.assert_allclose(found[0, 0, :, :2].detach(), expected, rtol=1e-5)
    assert (found[0, 0, :, 2:] == 0).all()
    assert bn.running_mean.item() == pytest.approx(0.25)
    assert bn.running_var.item() == pytest.approx(0.9 + 0.1 * 5 / 3)
    bn.eval()
    assert bn(image, torch.tensor([[[True, False]]]))[0, 0, 0, 0].item() == pytest.approx(
        0.75 / np.sqrt(0.9 + 0.1 * 5 / 3 + bn.eps)
    )


def test_borders_of_visible_patches_are_padded_with_zeros_in_every_layer():
    # A patch alone in a slice gives what the patch gives as a slice of its own: nothing comes back
    # from where the first convolution has spread it.
    network = encoder().eval()
    patch = torch.rand(1, 1, 8, 8)
    inside = torch.zeros(1, 1, 24, 24)
    inside[..., 8:16, 8:16] = patch
    visible = torch.zeros(1, 3, 3, dtype=torch.bool)
    visible[0, 1, 1] = True
    for alone, h in zip(network.pyramid(patch), network.pyramid(inside, visible=visible)):
        n = alone.shape[-1]
        torch.testing.assert_close(h[..., n : 2 * n, n : 2 * n], alone)


def pretraining(mask_ratio=0.65):
    torch.manual_seed(0)
    return methods.build("spark", {"encoder": SMALL, "mask_ratio": mask_ratio})


@pytest.mark.parametrize(
    ("side", "ratio", "seen"),
    [(24, 0.65, 3), (16, 0.65, 1), (16, 0.99, 1), (16, 0.01, 3), (48, 0.65, 13)],
)
def test_number_of_visible_patches(rng, side, ratio, seen):
    visible = pretraining(ratio).draw_visible(rng, torch.empty(50, 1, side, side))
    assert visible.shape == (50, side // 8, side // 8)
    assert (visible.sum(dim=(1, 2)) == seen).all()


def test_every_patch_is_hidden_as_often(rng):
    visible = pretraining().draw_visible(rng, torch.empty(9000, 1, 24, 24))
    np.testing.assert_allclose(visible.float().mean(dim=0), 1 / 3, atol=0.02)
    assert not (visible[0] == visible[1:]).all(dim=(1, 2)).all()


def test_loss_is_that_of_the_hidden_patches(monkeypatch, x):
    from uad.data.slices import Batch

    method = pretraining()
    monkeypatch.setattr(method, "draw_visible", lambda rng, x: VISIBLE)
    # Wrong by 7 where visible and by 0.5 where hidden.
    error = torch.where(enlarge(VISIBLE, x)[:, None], 7, 0.5)
    monkeypatch.setattr(method.network, "forward", lambda x, visible, kept: x + error)
    loss = method.loss(Batch(x, None, None), np.random.default_rng(0))
    assert loss.item() == pytest.approx(0.25)


CDDPM = {
    "unet": {
        "channels": 8, "multipliers": [1], "res_blocks": 1, "head_channels": 8, "norm_groups": 4,
    },
    "encoder": {**SMALL, "features": 8},
    "steps": 1000,
    "test_levels": [500],
    "noise": {"octaves": 1, "persistence": 0.8, "wavelength": 16},
}  # fmt: skip


def test_the_cddpm_takes_all_but_the_head(x, rng):
    source, method = pretraining(), methods.build("cddpm", CDDPM)
    source.network.train()
    source.network(x, VISIBLE)  # moves the running statistics
    before = {k: v.clone() for k, v in method.network.state_dict().items()}
    method.load_pretrained(source.network.state_dict())
    taken = source.network.encoder.state_dict()
    assert any(k.endswith("running_var") for k in taken)
    for name, value in method.network.state_dict().items():
        if name.startswith("encoder.") and ".fc." not in name:
            assert torch.equal(value, taken[name.removeprefix("encoder.")]), name
        else:
            assert torch.equal(value, before[name]), name


def test_weights_of_another_size_are_refused(tmp_path):
    from uad.engine import checkpoints

    narrow = methods.build("spark", {"encoder": {**SMALL, "width": 8}, "mask_ratio": 0.65})
    checkpoints.save(tmp_path / "m.pt", "spark", {}, narrow.network.state_dict(), "code")
    with pytest.raises(InputError, match="m.pt: the weights do not fit the network"):
        checkpoints.load_pretrained(methods.build("cddpm", CDDPM), tmp_path / "m.pt")
    other = methods.build("unet", {"widths": [4, 8]})
    checkpoints.save(tmp_path / "u.pt", "unet", {}, other.network.state_dict(), "code")
    with pytest.raises(InputError, match="u.pt: the weights do not fit the network"):
        checkpoints.load_pretrained(methods.build("cddpm", CDDPM), tmp_path / "u.pt")


def test_decoder_starts_as_the_reference_s():
    """Kaiming-normal transposed convolutions, normal 0.02 others, no biases; torch's are others."""
    torch.manual_seed(0)
    encoder = {"width": 32, "blocks": [1, 1], "drop_path": 0.0}
    first = SparK(**encoder).decoder[0]
    up, conv = first[0], first[1]
    fan_out = up.weight.shape[0] * 16  # as torch counts it for transposed convolutions
    assert up.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)
    assert conv.weight.std().item() == pytest.approx(0.02, rel=0.02)
    network = SparK(**encoder)
    assert not up.bias.any() and not network.conv_out.bias.any()
    drawn = SparK(**encoder, decoder_weights="torch").decoder[0]
    assert drawn[0].weight.std().item() == pytest.approx(up.weight.std().item() / 2.4, rel=0.05)
    assert drawn[0].bias.any()
    # What is not of the decoder starts as torch draws it.
    assert network.projections[0].bias.any()
