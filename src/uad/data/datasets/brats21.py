"""BraTS 2021: gliomas, T1- and T2-weighted and FLAIR images, and tumour segmentations.

Native layout: per case ``BraTS2021_#####/BraTS2021_#####_{t1,t2,flair,seg}.nii.gz``,
skull-stripped, 1 mm, on the SRI24 grid. The training data of 2020
(``BraTS20_Training_###_t1.nii.gz``) and of 2023 (``BraTS-GLI-#####-###-t1n.nii.gz``; the last
number is the session's) will do as well. The labels differ, 1, 2, 4 or 1, 2, 3, but all above zero
is tumour.
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

CASES = {"T1": 1251, "T2": 1251, "FLAIR": 1251}
NAME = (
    r"BraTS(?:2021_(?P<id>\d{5})|20_Training_(?P<id2020>\d{3})"
    r"|-GLI-(?P<id2023>\d{5})-(?P<session>\d{3}))"
)
IMAGE = {"T1": "(?:_t1|-t1n)", "T2": "(?:_t2|-t2w)", "FLAIR": "(?:_flair|-t2f)"}
LESION = "[_-]seg"
OTHERS = "(?:_t1ce|-t1c)"
PARTS = {}
VERSIONS = {
    "BraTS 2021": r"(?:.*/)?BraTS2021_[^/]*",
    "BraTS 2023": r"(?:.*/)?BraTS-GLI-[^/]*",
    "BraTS 2020": r"(?:.*/)?BraTS20_[^/]*",
}
LESION_LABELS = None  # the whole tumour
PREPARED, PREPARED_NAME = "Test/Brats21", r"BraTS2021_(?P<id>\d{5})"
STRATUM = None


def label(match: Match[str]) -> str:
    """BIDS label of a subject."""
    known = match.groupdict()
    if known.get("id2020"):
        return f"BraTS20Training{known['id2020']}"
    if known.get("id2023"):
        return f"BraTSGLI{known['id2023']}"
    return f"BraTS{known['id']}"


def metadata(subjects: "Sequence[Subject]", demographics: Path | str | None) -> "pd.DataFrame":
    """Nothing is known of the subjects beyond their images."""
    import pandas as pd

    return pd.DataFrame(index=range(len(subjects)))
