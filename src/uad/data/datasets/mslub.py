"""MSLUB: multiple sclerosis, T1- and T2-weighted, FLAIR (protocol of the cDDPM paper).

Native layout: ``patient##_{T1W,T2W,FLAIR}.nii.gz`` and ``patient##_consensus_gt.nii.gz`` in one
folder or in one per patient, where the names may lack the patient: ``patient##/T1W.nii.gz``. With
skull.

The masks are drawn on FLAIR. The images on its grid are those in the patients' own folders, or in
``coregistered``; those in ``raw`` are as they were scanned, on grids of their own, and those in
``coregistered_resampled`` on a third.
"""

from collections.abc import Sequence
from pathlib import Path
from re import Match
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas is not installed where names of files are looked up
    import pandas as pd

    from uad.data.datasets import Subject

TITLE = "MSLUB"
LICENCE = "CC BY"
SOURCE = "https://lit.fe.uni-lj.si/en/research/resources/3D-MR-MS/"
CITATION = "Lesjak et al. 2018, Neuroinformatics 16:51-63"
EXAMPLE = "patient01/patient01_T1W.nii.gz"

CASES = {"T1": 30, "T2": 30, "FLAIR": 30}
NAME = r"patient(?P<id>\d{2})(?:_|/(?:raw/)?)"
IMAGE = {"T1": "T1W", "T2": "T2W", "FLAIR": "FLAIR"}
LESION = "consensus_gt"
OTHERS = "(?:T1WKS|brainmask)"
PARTS = {
    "longitudinal": r"(?:.*/)?longi\w*/.*",  # two studies of other patients
    "MNI": r"(?:.*/)?MNI/.*",
}
VERSIONS = {
    "co-registered": r"(?!(?:.*/)?(?:raw|coregistered_resampled)/).*",
    "coregistered_resampled": r"(?:.*/)?coregistered_resampled/.*",
    "raw": r".*",
}
LESION_LABELS = None
PREPARED, PREPARED_NAME = "Test/MSLUB", r"patient(?P<id>\d{2})"
STRATUM = None


def label(match: Match[str]) -> str:
    """BIDS label of a subject."""
    return f"patient{match['id']}"


def metadata(subjects: "Sequence[Subject]", demographics: Path | str | None) -> "pd.DataFrame":
    """Nothing is known of the subjects beyond their images."""
    import pandas as pd

    return pd.DataFrame(index=range(len(subjects)))
