"""IXI: healthy volunteers from three London hospitals, T1- and T2-weighted.

Native layout: a flat folder per modality, ``IXI###-SITE-####-T1.nii.gz``, and the spreadsheet
``IXI.xls``.
"""

from collections.abc import Sequence
from pathlib import Path
from re import Match
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas is not installed where names of files are looked up
    import pandas as pd

    from uad.data.datasets import Subject

TITLE = "IXI"
LICENCE = "CC BY-SA 3.0"
SOURCE = "https://brain-development.org/ixi-dataset/"
CITATION = "Information eXtraction from Images (IXI), Imperial College London"
EXAMPLE = "IXI002-Guys-0828-T1.nii.gz"

CASES = {"T1": 581, "T2": 578}
NAME = r"(?P<id>IXI\d{3})-(?P<site>Guys|HH|IOP)-\d{4}"
IMAGE = {"T1": "-T1", "T2": "-T2"}
LESION = None
OTHERS = r"-(?:PD|MRA|DTI.*)"
PARTS, VERSIONS = {}, {}
LESION_LABELS = None
PREPARED, PREPARED_NAME = "Train/ixi", NAME
STRATUM = "age_group"


def label(match: Match[str]) -> str:
    """BIDS label of a subject."""
    return match["id"]


def metadata(subjects: "Sequence[Subject]", demographics: Path | str | None) -> "pd.DataFrame":
    """Site, age and age group of each subject.

    Parameters
    ----------
    subjects : list of datasets.Subject
    demographics : path-like or None
        ``IXI.xls``; some subjects are missing from it or have no age.

    Returns
    -------
    DataFrame
        One line per subject, in order.
    """
    import re

    import pandas as pd

    from uad.base.errors import InputError
    from uad.data.drawing import age_group

    sites = [re.search(NAME, s.image)["site"] for s in subjects]
    ages = {}
    if demographics is not None:
        try:
            sheet = pd.read_excel(demographics)
            ids = sheet["IXI_ID"].astype(int).map("IXI{:03d}".format)
            ages = dict(zip(ids[::-1], sheet["AGE"][::-1]))  # the first of repeated lines counts
        except Exception as error:  # missing columns, wrong format, damaged file
            raise InputError(
                f"{demographics}: cannot be read as IXI demographics ({error})"
            ) from error
    found = [ages.get(s.subject, float("nan")) for s in subjects]
    return pd.DataFrame(
        {"site": sites, "age": found, "age_group": [age_group(age) for age in found]}
    )
