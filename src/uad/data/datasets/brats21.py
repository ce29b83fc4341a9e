"""BraTS 2021: gliomas, T1- and T2-weighted images and tumour segmentations.

Native layout: per case ``BraTS2021_#####/BraTS2021_#####_{t1,t2,seg}.nii.gz``, skull-stripped,
1 mm, on the SRI24 grid.
"""

from collections.abc import Sequence
from pathlib import Path
from re import Match
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas is not installed where names of files are looked up
    import pandas as pd

    from uad.data.datasets import Subject

TITLE = "BraTS21"
LICENCE = "challenge terms, no redistribution"
SOURCE = "https://www.synapse.org/brats2021"
CITATION = "Baid et al. 2021, arXiv:2107.02314"
EXAMPLE = "BraTS2021_00000/BraTS2021_00000_t1.nii.gz"

CASES = {"T1": 1251, "T2": 1251}
NAME = r"BraTS2021_(?P<id>\d{5})"
IMAGE = {"T1": "_t1", "T2": "_t2"}
LESION = "_seg"  # labels 1, 2, 4: the whole tumour
OTHERS = "_(?:t1ce|flair)"
LESION_LABELS = None
PREPARED, PREPARED_NAME = "Test/Brats21", NAME
STRATUM = None


def label(match: Match[str]) -> str:
    """BIDS label of a subject."""
    return f"BraTS{match['id']}"


def metadata(subjects: "Sequence[Subject]", demographics: Path | str | None) -> "pd.DataFrame":
    """Nothing is known of the subjects beyond their images."""
    import pandas as pd

    return pd.DataFrame(index=range(len(subjects)))
