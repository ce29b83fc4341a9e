"""Blocks of the configuration that several methods share; standard library only.

The networks that take them are in `uad.models.networks`.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from uad.base.settings import Block, Bounds, Count, Positive, key

# Channels per level of a network.
Widths = Annotated[list[Positive], Bounds(min_length=2)]


@dataclass(frozen=True)
class UNet(Block):
    """Arguments of `networks.unet.UNet`: the denoiser of the diffusion models."""

    channels: int = key("width at full resolution", source="code", ge=2, multiple_of=2)
    multipliers: list[Count] = key(
        "width of each level relative to it", source="code", min_length=1
    )
    res_blocks: int = key("residual blocks per level", source="code", ge=1)
    head_channels: int = key("channels per attention head", source="code", ge=1)
    norm_groups: int = key("groups of the normalisations", source="code", ge=1)


@dataclass(frozen=True)
class Encoder(Block):
    """Arguments of `networks.encoder.Encoder`, all but the length of what its head gives."""

    width: int = key("channels of the stem", source="cDDPM code", ge=1)
    blocks: list[Count] = key("bottlenecks per stage", source="cDDPM code", min_length=1)
    drop_path: float = key("stochastic depth of the last block", source="cDDPM code", ge=0, lt=1)


@dataclass(frozen=True)
class ConditionEncoder(Encoder):
    """An encoder with a head: a slice as a vector."""

    features: int = key("length of the conditioning vector", source="cDDPM code", ge=1)


@dataclass(frozen=True)
class Autoencoder(Block):
    """Arguments of `networks.autoencoder.Autoencoder`; it halves slices to a dense bottleneck."""

    channels: list[Annotated[int, Bounds(ge=8)]] = key(
        "fewest and most; doubled at every halving of the resolution",
        source="Baur et al.",
        min_length=2,
        max_length=2,
    )
    halvings: int = key(
        "times that the resolution is halved; Baur et al. halve 128 pixels 4 times",
        source="here",
        ge=1,
    )
    latent: int = key("length of the latent vector", source="App. B", ge=1)
    slope: float = key("of the leaky ReLU below zero", source="here", ge=0)


@dataclass(frozen=True)
class Noise(Block):
    """Arguments of `uad.models.noise.draw`: simplex noise."""

    octaves: int = key("of simplex noise", source="code", ge=1)
    persistence: float = key(
        "amplitude of each octave relative to the one before", source="code", gt=0
    )
    wavelength: float = key("of the first octave", unit="pixels", source="code", gt=0)


@dataclass(frozen=True)
class Anomalies(Block):
    """How synthetic anomalies are drawn (`uad.models.anomalies.draem`)."""

    threshold: Literal["fixed", "uniform"] = key(
        "of the noise, above which is the anomaly: `fixed` at 0.5, as in the authors' code; or "
        "`uniform` in [0, 1] per slice, as App. C says without naming a range",
        default="fixed",
        source="code",
    )
    operators: Literal["ten", "seven"] = key(
        "image operators of which three make the texture: `ten`, as in the authors' code; or the "
        "`seven` of App. C, without gamma, inversion and rotation",
        default="ten",
        source="code",
    )
    texture: Literal["noise", "binary"] = key(
        "what they are applied to: the `noise` itself, as in the authors' code; or the `binary` "
        "map, as in App. C",
        default="noise",
        source="code",
    )


AS_RELEASED = Anomalies()  # as the authors' code draws them


@dataclass(frozen=True)
class Synthetic(Anomalies):
    """Block `synthetic`: anomalies of the D_unhealthy `draem`, and those of validation."""

    validation: Literal["test", "training"] = key(
        "which anomalies choose the checkpoint of models that are trained on synthetic ones: "
        "`test`, in the brain, like those of the test set; or `training`, anywhere, like those "
        "that they are trained on, as in the authors' code",
        default="test",
        source="here",
    )


@dataclass(frozen=True)
class Residual(Block):
    """Block `residual`: the anomaly map of the methods that reconstruct."""

    kind: Literal["ssim", "l1"] = key(
        "`ssim`: one minus the local structural similarity; `l1`: absolute difference, as in the "
        "cDDPM paper",
        source="Sec. 4.2",
    )
    erosion: int = key(
        "by which the brain mask shrinks in each axial slice before scoring; 3 in the cDDPM's code",
        default=0,
        unit="voxels",
        source="Sec. 4.2",
        ge=0,
    )
