"""The authors' checkpoints, written here in their layout, as models of this workflow."""

import sys
import types
from types import SimpleNamespace

import pytest
import torch

from uad.base import tsv
from uad.base.errors import InputError
from uad.engine import authors_checkpoints, checkpoints

CHANNELS, MULTIPLIERS, BLOCKS, FEATURES = 8, [1, 2, 2], 2, 16
UNET = {
    "channels": CHANNELS, "multipliers": MULTIPLIERS, "res_blocks": BLOCKS, "head_channels": 8,
    "norm_groups": 4,
}  # fmt: skip
DIFFUSION = {
    "unet": UNET, "steps": 1000, "noise": {"octaves": 3, "persistence": 0.8, "wavelength": 16},
    "training": {"epochs": 1},
}  # fmt: skip
ENCODER = {"width": 4, "blocks": [1, 2], "drop_path": 0.1}
CDDPM = {**DIFFUSION, "encoder": {**ENCODER, "features": FEATURES}}
SPARK = {"encoder": ENCODER, "mask_ratio": 0.65, "training": {}}
UNET_RES = {"widths": [4, 8, 8], "training": {}, "upstream": "cddpm"}


def both(name, *shape):
    """Weight and bias of a layer whose weight has this shape."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def norm(name, c):
    """Those and the statistics of a batch normalisation."""
    return {
        **both(name, c), f"{name}.running_mean": (c,), f"{name}.running_var": (c,),
        f"{name}.num_batches_tracked": (),
    }  # fmt: skip


def below(prefix, shapes):
    return {f"{prefix}.{name}": shape for name, shape in shapes.items()}


def residual(c_in, c_out, embedding):
    """`ResBlock` of guided diffusion, with scale and shift."""
    shapes = both("in_layers.0", c_in) | both("in_layers.2", c_out, c_in, 3, 3)
    shapes |= both("emb_layers.1", 2 * c_out, embedding) | both("out_layers.0", c_out)
    shapes |= both("out_layers.3", c_out, c_out, 3, 3)
    return shapes | (both("skip_connection", c_out, c_in, 1, 1) if c_in != c_out else {})


def their_unet(condition):
    """`UNetModel` with `resblock_updown`; the loops are those that build it."""
    width = 4 * CHANNELS
    embedding = width * (2 if condition else 1)
    shapes = both("time_embed.0", width, CHANNELS) | both("time_embed.2", width, width)
    if condition:
        shapes |= both("label_emb.0", width, FEATURES) | both("label_emb.2", width, width)
    shapes |= both("input_blocks.0.0", CHANNELS, 1, 3, 3)
    c, n, skips = CHANNELS, 1, [CHANNELS]
    for level, multiplier in enumerate(MULTIPLIERS):
        for _ in range(BLOCKS):
            shapes |= below(f"input_blocks.{n}.0", residual(c, multiplier * CHANNELS, embedding))
            c, n = multiplier * CHANNELS, n + 1
            skips.append(c)
        if level < len(MULTIPLIERS) - 1:
            shapes |= below(f"input_blocks.{n}.0", residual(c, c, embedding))
            n += 1
            skips.append(c)
    for i in (0, 2):
        shapes |= below(f"middle_block.{i}", residual(c, c, embedding))
    shapes |= both("middle_block.1.norm", c) | both("middle_block.1.qkv", 3 * c, c, 1)
    shapes |= both("middle_block.1.proj_out", c, c, 1)
    n = 0
    for level, multiplier in reversed(list(enumerate(MULTIPLIERS))):
        for i in range(BLOCKS + 1):
            wide = c + skips.pop()
            shapes |= below(
                f"output_blocks.{n}.0", residual(wide, multiplier * CHANNELS, embedding)
            )
            c = multiplier * CHANNELS
            if level and i == BLOCKS:
                shapes |= below(f"output_blocks.{n}.1", residual(c, c, embedding))
            n += 1
    return below("diffusion.model", shapes | both("out.0", c) | both("out.2", 1, c, 3, 3))


def their_encoder(prefix, features):
    """A timm ResNet of bottlenecks."""
    width, blocks = ENCODER["width"], ENCODER["blocks"]
    shapes = {"conv1.weight": (width, 1, 7, 7), **norm("bn1", width)}
    c = width
    for stage, n in enumerate(blocks):
        w = width * 2**stage
        for i in range(n):
            block = {"conv1.weight": (w, c, 1, 1), **norm("bn1", w)}
            block |= {"conv2.weight": (w, w, 3, 3), **norm("bn2", w)}
            block |= {"conv3.weight": (4 * w, w, 1, 1), **norm("bn3", 4 * w)}
            if i == 0:
                block |= {"downsample.0.weight": (4 * w, c, 1, 1), **norm("downsample.1", 4 * w)}
            shapes |= below(f"layer{stage + 1}.{i}", block)
            c = 4 * w
    return below(prefix, shapes | (both("fc", features, c) if features else {}))


def their_spark():
    shapes = their_encoder("sparse_encoder.sp_cnn", None)
    shapes |= both("sparse_encoder.sp_cnn.fc", 3, 32)  # not used
    c, d = 32, 8
    for i in range(2):
        shapes |= norm(f"en_de_norms.{i}", c) | {f"mask_tokens.{i}": (1, c, 1, 1)}
        side = 1 if i == 0 else 3
        shapes |= both(f"en_de_lins.{i}", d, c, side, side)
        c, d = c // 2, d // 2
    d = 8
    for i in range(3):
        block = both("up", d, d, 4, 4) | {"conv.0.b.0.weight": (d, d, 3, 3)}
        block |= norm("conv.0.b.1", d) | {"conv.0.b.3.weight": (d // 2, d, 3, 3)}
        shapes |= below(f"dense_decoder.dec.{i}", block | norm("conv.0.b.4", d // 2))
        d //= 2
    shapes |= both("dense_decoder.proj", 1, d, 1, 1)
    shapes |= dict.fromkeys(("imn_m", "imn_s", "norm_black"), (1, 3, 1, 1))
    return below("model", shapes)


def their_segmentation():
    def block(c_in, c_out):
        shapes = both("block.1", c_out, c_in, 3, 3) | both("block.3", c_out)
        return shapes | both("block.5", c_out, c_out, 3, 3) | both("block.7", c_out)

    widths, shapes, c = UNET_RES["widths"], {}, 1
    for i, width in enumerate(widths):
        shapes |= below(f"down_path.{i}", block(c, width))
        c = width
    c *= 2
    for i, width in enumerate(reversed(widths[:-1])):
        up = both("up", c, 2 * width, 2, 2) | {"up.bias": (2 * width,)}
        shapes |= below(f"up_path.{i}", up | below("conv_block", block(4 * width, 2 * width)))
        c = 2 * width
    return below("SegUnet", shapes | both("last", 1, c, 1, 1))


def drawn(shapes):
    """Weights of these shapes, all different."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.tensor(len(shapes)) if shape == () else torch.rand(shape, generator=generator)
        for name, shape in shapes.items()
    }


class Config:
    """In the place of omegaconf's, of which Lightning stores objects beside the weights."""

    called = False

    def __init__(self, **content):
        self.content = content

    def __getstate__(self):
        return self.__dict__

    def __setstate__(self, state):
        Config.called = True


def write(path, shapes, **more):
    """A checkpoint as Lightning writes it, with objects of a module that is not there later."""
    module = types.ModuleType("omegaconf_like")
    Config.__module__, Config.__qualname__ = "omegaconf_like", "Config"
    module.Config = Config
    sys.modules["omegaconf_like"] = module
    try:
        config = Config(lr=1e-4)
        config.parent = SimpleNamespace(a=[1, {2: "x"}])
        best = {"best_model_score": torch.tensor(0.25), "monitor": "1/val/Loss_comb"}
        content = {
            "epoch": 7, "global_step": 84, "pytorch-lightning_version": "1.6.0",
            "state_dict": drawn(shapes), "callbacks": {"ModelCheckpoint": best},
            "hyper_parameters": {"cfg": config, "prefix": "1/"}, "optimizer_states": [],
        } | more  # fmt: skip
        torch.save(content, path)
    finally:
        del sys.modules["omegaconf_like"]
    Config.called = False
    return content["state_dict"]


def outputs(folder, *more):
    names = {"model": "model.pt", "history": "history.tsv", "about": "about.json"}
    return {k: folder / v for k, v in (names | dict.fromkeys(more, "upstream.pt")).items()}


# Worked out by hand from their code: names there and here. With two residual blocks per level
# `input_blocks` are: the first convolution, two and a halving, two and a halving, two.
PAIRS = {
    "cddpm": {
        "diffusion.model.time_embed.2.weight": "unet.embed_time.2.weight",
        "diffusion.model.label_emb.0.bias": "unet.embed_condition.0.bias",
        "diffusion.model.input_blocks.0.0.weight": "unet.conv_in.weight",
        "diffusion.model.input_blocks.3.0.in_layers.2.weight": "unet.down.2.conv_in.weight",
        "diffusion.model.input_blocks.4.0.skip_connection.bias": "unet.down.3.skip.bias",
        "diffusion.model.middle_block.0.emb_layers.1.bias": "unet.middle_in.embed.bias",
        "diffusion.model.middle_block.1.qkv.weight": "unet.attention.qkv.weight",
        "diffusion.model.middle_block.2.out_layers.0.bias": "unet.middle_out.norm_out.bias",
        "diffusion.model.output_blocks.2.1.in_layers.0.weight": "unet.up.0.3.norm_in.weight",
        "diffusion.model.output_blocks.3.0.out_layers.3.bias": "unet.up.1.0.conv_out.bias",
        "diffusion.model.output_blocks.8.0.in_layers.2.bias": "unet.up.2.2.conv_in.bias",
        "diffusion.model.out.0.weight": "unet.norm_out.weight",
        "diffusion.model.out.2.weight": "unet.conv_out.weight",
        "encoder.encoder.layer2.1.bn3.running_var": "encoder.layer2.1.bn3.running_var",
        "encoder.encoder.fc.weight": "encoder.fc.weight",
    },
    "ddpm": {
        "diffusion.model.output_blocks.5.1.in_layers.0.bias": "up.1.3.norm_in.bias",
        "diffusion.model.out.2.bias": "conv_out.bias",
    },
    "spark": {
        "model.sparse_encoder.sp_cnn.layer1.0.downsample.1.weight":
            "encoder.layer1.0.downsample.1.weight",
        "model.dense_decoder.dec.1.up.weight": "decoder.1.0.weight",
        "model.dense_decoder.dec.2.conv.0.b.3.weight": "decoder.2.4.weight",
        "model.dense_decoder.dec.0.conv.0.b.4.running_mean": "decoder.0.5.running_mean",
        "model.dense_decoder.proj.bias": "conv_out.bias",
        "model.en_de_norms.1.weight": "norms.1.weight",
        "model.en_de_lins.0.weight": "projections.0.weight",
        "model.mask_tokens.1": "tokens.1",
    },
    "unet_res-brats": {
        "SegUnet.down_path.0.block.1.weight": "down.0.0.weight",
        "SegUnet.down_path.2.block.7.bias": "down.2.5.bias",
        "SegUnet.up_path.1.up.weight": "upsample.1.weight",
        "SegUnet.up_path.0.conv_block.block.5.bias": "up.0.3.bias",
        "SegUnet.last.weight": "head.weight",
    },
}  # fmt: skip
THEIRS = {
    "cddpm": (their_unet(True) | their_encoder("encoder.encoder", FEATURES), CDDPM),
    "ddpm": (their_unet(False), DIFFUSION),
    "spark": (their_spark(), SPARK),
    "unet_res-brats": (their_segmentation(), UNET_RES),
}


@pytest.mark.parametrize("model", THEIRS)
def test_every_weight_gets_its_place(tmp_path, model):
    shapes, block = THEIRS[model]
    # Buffers of the diffusion process are theirs to compute.
    state = write(tmp_path / "c.ckpt", shapes | {"diffusion.betas": (1000,)})
    authors_checkpoints.import_model(
        tmp_path / "c.ckpt", model, block, outputs(tmp_path), 0, "code"
    )
    content = checkpoints.read(tmp_path / "model.pt")
    for theirs, ours in PAIRS[model].items():
        assert torch.equal(content["network"][ours], state[theirs]), (theirs, ours)
    # Each of ours is one of theirs, and none is used twice.
    used = [
        next(k for k, w in state.items() if w.shape == v.shape and torch.equal(w, v))
        for v in content["network"].values()
        if v.dim()
    ]
    assert len(used) == len(set(used))
    assert not Config.called and content["imported"] == "c.ckpt" and content["val_loss"] == 0.25
    test = {"test_levels": [500]} if "unet" in block else None
    assert checkpoints.load(tmp_path / "model.pt", test=test).network is not None
    assert tsv.read(tmp_path / "history.tsv")["val_loss"].tolist() == [0.25]


def test_sadm_brings_the_cddpm_as_it_has_become(tmp_path):
    state = write(tmp_path / "s.ckpt", THEIRS["unet_res-brats"][0] | THEIRS["cddpm"][0])
    found = outputs(tmp_path, "upstream")
    authors_checkpoints.import_model(
        tmp_path / "s.ckpt", "unet_res-brats", UNET_RES, found, 0, "code", CDDPM
    )
    content = checkpoints.read(found["upstream"])
    assert content["method"] == "cddpm"
    name = "layer1.0.bn1.running_mean"
    assert torch.equal(content["network"][f"encoder.{name}"], state[f"encoder.encoder.{name}"])


def test_a_checkpoint_of_another_network_is_refused_in_a_sentence(tmp_path):
    shapes, block = THEIRS["ddpm"]
    write(tmp_path / "c.ckpt", shapes)
    wider = {**block, "unet": {**UNET, "channels": 16}}
    with pytest.raises(
        InputError, match=r"c\.ckpt: does not fit methods\.ddpm .* another shape"
    ) as e:
        authors_checkpoints.import_model(
            tmp_path / "c.ckpt", "ddpm", wider, outputs(tmp_path), 0, "code"
        )
    assert "\n" not in str(e.value) and not (tmp_path / "model.pt").exists()
    with pytest.raises(InputError, match=r"weights \d+ are missing"):
        authors_checkpoints.import_model(
            tmp_path / "c.ckpt", "cddpm", CDDPM, outputs(tmp_path), 0, "code"
        )


def test_what_is_no_checkpoint_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.ckpt: no such file"):
        authors_checkpoints.read(tmp_path / "nowhere.ckpt")
    (tmp_path / "text.ckpt").write_text("no weights")
    with pytest.raises(InputError, match=r"text\.ckpt: cannot be read as a checkpoint"):
        authors_checkpoints.read(tmp_path / "text.ckpt")
    torch.save({"weights": {}}, tmp_path / "plain.ckpt")
    with pytest.raises(InputError, match=r"plain\.ckpt: is no Lightning checkpoint"):
        authors_checkpoints.read(tmp_path / "plain.ckpt")


class Malicious:
    """What would run a command when it is unpacked."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_beside_the_weights_is_run(tmp_path):
    trace = tmp_path / "written"
    write(tmp_path / "c.ckpt", THEIRS["ddpm"][0], more=Malicious(trace))
    content = authors_checkpoints.read(tmp_path / "c.ckpt")
    assert content["state_dict"] and not trace.exists()
