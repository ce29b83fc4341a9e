"""ATLAS v2.0: stroke lesions, T1-weighted.

Native layout: ``Training/R###/sub-r###s###/ses-1/anat/sub-…_T1w.nii.gz`` and ``…_mask.nii.gz``, 1
mm, in MNI152NLin2009aSym space, with skull.
"""

from collections.abc import Sequence
from pathlib import Path
from re import Match
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas is not installed where names of files are looked up
    import pandas as pd

    from uad.data.datasets import Subject

TITLE = "ATLAS v2.0"
LICENCE = "no redistribution"
SOURCE = "https://fcon_1000.projects.nitrc.org/indi/retro/atlas.html"
CITATION = "Liew et al. 2022, Scientific Data 9:320"
EXAMPLE = (
    "Training/R001/sub-r001s001/ses-1/anat/sub-r001s001_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz"
)

CASES = {"T1": 655}
NAME = r"sub-(?P<id>r\d{3}s\d{3})_ses-(?P<session>\d+)_space-MNI152NLin2009aSym"
IMAGE = {"T1": "_T1w"}
LESION = "_label-L_desc-T1lesion_mask"
OTHERS = None
PARTS, VERSIONS = {}, {}
LESION_LABELS = None
PREPARED, PREPARED_NAME = "Test/ATLAS_v2", NAME
STRATUM = "site"


def label(match: Match[str]) -> str:
    """BIDS label of a subject."""
    return match["id"]


def metadata(subjects: "Sequence[Subject]", demographics: Path | str | None) -> "pd.DataFrame":
    """The site, from the label."""
    import pandas as pd

    return pd.DataFrame({"site": [s.subject.split("s")[0] for s in subjects]})
