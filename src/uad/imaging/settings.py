"""Block `preprocessing` of the configuration; standard library only."""

from dataclasses import dataclass
from typing import Annotated, Literal

from uad.base.settings import Block, Bounds, Count, key


@dataclass(frozen=True)
class Registration(Block):
    """Block `preprocessing.registration`: the affine search of ANTs, and when it has failed.

    The limits hold for the similarity as `registration.quality` measures it, and were set on real
    scans (docs/registration.md).
    """

    resolution_mm: float = key(
        "images are resampled to this for the affine search only",
        unit="mm",
        source="here",
        ge=1,
        le=4,
    )
    iterations: list[Count] = key(
        "of the affine search, per level, coarse to fine", source="here", min_length=1
    )
    shrink_factors: list[Annotated[int, Bounds(ge=1)]] = key(
        "per level", source="here", min_length=1
    )
    smoothing_sigmas: list[Annotated[float, Bounds(ge=0)]] = key(
        "per level", unit="voxels", source="here", min_length=1
    )
    min_similarity: float = key(
        "correlation with the atlas in its brain, on voxels of 3 mm; subjects below are excluded",
        source="here",
        ge=-1,
        le=1,
    )
    retry_below: float = key(
        "similarity of the first, rigid search below which others from other positions follow",
        source="here",
        ge=-1,
        le=1,
    )
    min_coverage: float = key(
        "share of the atlas brain that the image reaches; subjects below are excluded",
        source="here",
        ge=0,
        le=1,
    )
    scale_range: list[Annotated[float, Bounds(gt=0)]] = key(
        "least and greatest stretch of the affine; subjects beyond are excluded",
        source="here",
        min_length=2,
        max_length=2,
    )
    lesions: Literal["nearest", "linear"] = key(
        "how lesion masks are carried to the atlas: by `nearest` neighbours; or `linear`, as in "
        "the authors' scripts, everything above zero being lesion, which inflates it",
        default="nearest",
        source="here",
    )


@dataclass(frozen=True)
class BiasField(Block):
    """Block `preprocessing.bias_field`: N4."""

    shrink_factor: int = key("the field is estimated on every n-th voxel", source="code", ge=1)
    iterations: list[Count] = key("most iterations per level", source="code", min_length=1)
    tolerance: float = key("convergence threshold", source="code", gt=0)
    weights: Literal["binary", "smoothed"] = key(
        "voxels that the field is estimated from: those of the `binary` brain mask; or, as in the "
        "authors' scripts, by weights, the mask `smoothed` with a sigma of 1 mm (not of images "
        "that come without skull, whose weights the scripts do not find)",
        default="binary",
        source="here",
    )


@dataclass(frozen=True)
class Smoothing(Block):
    """Block `preprocessing.smoothing`: curvature flow; in the code's loader, not in the paper."""

    time_step: float = key("of curvature flow", source="code", gt=0, le=0.25)
    iterations: int = key("0 switches it off", source="code", ge=0)


@dataclass(frozen=True)
class Downsampling(Block):
    """What `downsample` takes from the block `preprocessing`."""

    smoothing: Smoothing = key("curvature flow")
    crop: list[Annotated[int, Bounds(ge=8, multiple_of=2)]] = key(
        "size about the brain's centre, x, y, z; the paper crops to 192 x 192 x 160 and then "
        "drops 15 slices at each end",
        unit="voxels of 1 mm",
        source="Sec. 4.1",
        min_length=3,
        max_length=3,
    )
    percentiles: list[Annotated[float, Bounds(ge=0, le=100)]] = key(
        "intensities inside the brain that become 0 and 1",
        unit="%",
        source="code",
        min_length=2,
        max_length=2,
    )
    spacing_mm: int = key(
        "of the volumes that the networks see", unit="mm", source="Sec. 4.1", ge=1
    )
    masks: Literal["binary", "fractional"] = key(
        "brain masks of the authors' prepared data, which were warped linearly: `binary`, all "
        "above zero; or `fractional`, as they are when they multiply scores in the authors' code",
        default="binary",
        source="here",
    )
    box: Literal["whole", "released"] = key(
        "what is cut out before cropping: the `whole` bounding box of the brain mask; or, as in "
        "the authors' scripts (`released`), without its last plane along each axis",
        default="whole",
        source="here",
    )
    cut_prepared: bool = key(
        "cut the authors' prepared data, which come cut, to the bounding box once more; their "
        "loader does not",
        default=False,
        source="code",
    )


@dataclass(frozen=True)
class Preprocessing(Downsampling):
    """Block `preprocessing`."""

    registration: Registration = key("affine registration to the atlas")
    bias_field: BiasField = key("N4 bias field correction")
