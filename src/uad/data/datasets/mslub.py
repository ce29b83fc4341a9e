"""MSLUB: multiple sclerosis, T1- and T2-weighted (protocol of the cDDPM paper).

Native layout: ``patient##_{T1W,T2W}.nii.gz`` and ``patient##_consensus_gt.nii.gz``, one folder or
one per patient, with skull.
"""

from collections.abc import Sequence
from pathlib import Path
from re import Match
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas is not installed where names of files are looked up
    import pandas as pd

    from uad.data.datasets import Subject

TITLE = "MSLUB"
LICENCE = "see its page"
SOURCE = "https://lit.fe.uni-lj.si/en/research/resources/3D-MR-MS/"
CITATION = "Lesjak et al. 2018, Neuroinformatics 16:51-63"
EXAMPLE = "patient01/patient01_T1W.nii.gz"

CASES = {"T1": 30, "T2": 30}
NAME = r"patient(?P<id>\d{2})"
IMAGE = {"T1": "_T1W", "T2": "_T2W"}
LESION = "_consensus_gt"
OTHERS = "_(?:FLAIR|T1WKS|brainmask)"
LESION_LABELS = None
PREPARED, PREPARED_NAME = "Test/MSLUB", NAME
STRATUM = None


def label(match: Match[str]) -> str:
    """BIDS label of a subject."""
    return f"patient{match['id']}"


def metadata(subjects: "Sequence[Subject]", demographics: Path | str | None) -> "pd.DataFrame":
    """Nothing is known of the subjects beyond their images."""
    import pandas as pd

    return pd.DataFrame(index=range(len(subjects)))
