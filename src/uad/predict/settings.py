"""Blocks `bundle` and `predict` of the configuration; standard library only."""

from dataclasses import dataclass
from typing import Literal

from uad.base.settings import Block, key

# Ways to find a scan's brain; those of `datasets.<name>.brain_mask` that prediction knows.
PROGRAMS = ("hd_bet", "deepbet")  # with environments of their own
BRAIN_MASKS = (*PROGRAMS, "atlas", "threshold")


@dataclass(frozen=True)
class Bundle(Block):
    """Block `bundle`."""

    row: str = key("row whose models `snakemake bundle` puts into one file", min_length=1)


@dataclass(frozen=True)
class Predict(Block):
    """Block `predict`."""

    scans: str = key(
        "a NIfTI file, a folder of them, or a BIDS folder, for `snakemake predict`", min_length=1
    )
    bundle: str = key("file that `snakemake bundle` wrote", min_length=1)
    out: str = key("folder of maps, pages and summary", min_length=1)
    brain_mask: Literal[BRAIN_MASKS] | None = key(
        "as `datasets.<name>.brain_mask`; `threshold` for scans without a skull; `null`: as the "
        "bundle's healthy volumes",
        default=None,
    )
