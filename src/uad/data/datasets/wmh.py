"""WMH challenge: white matter hyperintensities, T1 and FLAIR (protocol of the cDDPM paper).

Native layout: per site and case ``Utrecht/0/{pre/T1,pre/FLAIR,wmh}.nii.gz``; in Amsterdam a
folder per scanner comes between, ``Amsterdam/GE3T/100``. ``pre/T1`` is on the grid of the lesion
mask (that of FLAIR, thick slices), unlike ``orig/3DT1``. With skull. These are the cases in
``training``; those in ``test``, in part from other scanners, are not used, nor are the masks of
further observers in ``additional_annotations``.
"""

from collections.abc import Sequence
from pathlib import Path
from re import Match
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas is not installed where names of files are looked up
    import pandas as pd

    from uad.data.datasets import Subject

TITLE = "WMH"
LICENCE = "see its page"
SOURCE = "https://dataverse.nl/dataset.xhtml?persistentId=doi:10.34894/AECRSD"
CITATION = "Kuijf et al. 2019, IEEE Transactions on Medical Imaging 38:2556-2568"
EXAMPLE = "Utrecht/0/pre/T1.nii.gz"

CASES = {"T1": 60, "FLAIR": 60}
NAME = r"(?P<site>Utrecht|Singapore|GE3T)/(?P<id>\d+)/"
IMAGE = {"T1": "pre/T1", "FLAIR": "pre/FLAIR"}
LESION = "wmh"
OTHERS = r"(?:orig|pre)/.*"
PARTS = {
    "test": r"(?:.*/)?test/.*",
    "additional_annotations": r"(?:.*/)?additional_annotations/.*",
}
VERSIONS = {}
LESION_LABELS = (1,)  # 2 is other pathology
PREPARED, PREPARED_NAME = "Test/WMH", r"(?P<site>Utrecht|Singapore|GE3T)_(?P<id>\d+)"
STRATUM = "site"


def label(match: Match[str]) -> str:
    """BIDS label of a subject."""
    return match["site"] + match["id"]


def metadata(subjects: "Sequence[Subject]", demographics: Path | str | None) -> "pd.DataFrame":
    """The site, from the label."""
    import pandas as pd

    return pd.DataFrame({"site": [s.subject.rstrip("0123456789") for s in subjects]})
