"""Block `planted` of the configuration; standard library only."""

from dataclasses import dataclass
from typing import Annotated, Literal

from uad.base.settings import Block, Bounds, key

PLACES = ("cortex", "white_matter", "deep", "cerebellum")
TEXTURES = ("smooth", "patchy")


@dataclass(frozen=True)
class Planted(Block):
    """Block `planted`."""

    rows: list[str] | None = key(
        "names out of `rows`, of which those in the table are measured; `null` for all but those "
        "with `external` maps, which are of other scans",
        default=None,
        min_length=1,
    )
    subjects: int = key(
        "healthy test subjects (IXI) whose scans lesions are planted into; fewer if there are "
        "fewer",
        default=20,
        source="here",
        ge=1,
    )
    volumes_ml: list[Annotated[float, Bounds(gt=0)]] = key(
        "of the lesions; rounded to whole voxels",
        default=[0.05, 0.2, 1, 5, 20, 50],
        unit="ml",
        source="here",
        min_length=1,
    )
    contrasts: list[Annotated[float, Bounds(ge=-100, le=100)]] = key(
        "by how much a lesion's voxels are darker (below 0) or brighter than they were",
        default=[-60, -40, -20, -10, 10, 20, 40, 60],
        unit="%",
        source="here",
        min_length=1,
    )
    places: list[Literal[PLACES]] = key(
        "where their centres are (docs/detection_limits.md)",
        default=list(PLACES),
        source="here",
        min_length=1,
    )
    textures: list[Literal[TEXTURES]] = key(
        "`smooth`: the same contrast everywhere; `patchy`: varying from voxel to voxel",
        default=list(TEXTURES),
        source="here",
        min_length=1,
    )
    threshold: Literal["fpr1", "fpr5", "fpr10"] = key(
        "of each row, that 1, 5 or 10 % of the brain voxels of healthy validation subjects exceed",
        default="fpr5",
        source="here",
    )
    alone: bool = key(
        "every lesion in a scan of its own, for methods that look at more than a slice at a time; "
        "`false`: several in one, in slices too far apart to matter to each other",
        default=False,
    )
