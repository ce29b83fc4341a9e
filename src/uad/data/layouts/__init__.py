"""Cohorts of the user's own, which no module of `uad.data.datasets` knows: a layout each.

`bids` finds the subjects of a BIDS folder, `table` those of a TSV. What is known of the subjects
beyond their images is read by `participants`. Nothing but the standard library is imported where
subjects are found, since this runs where only Snakemake is installed.
"""

import re

from uad.base.errors import InputError
from uad.data.datasets import SESSION

LAYOUTS = ("bids", "table")
ABSENT = ("", "n/a")  # cells that say nothing, in BIDS and elsewhere


def label(name: str, place: str) -> str:
    """Label of a subject or a session: what of its name are letters and digits.

    Parameters
    ----------
    name : str
        As the user calls it, such as ``sub-01``, ``P_012`` or ``2021-07``; a leading ``sub-`` or
        ``ses-`` is BIDS, and no part of it.
    place : str
        Where it is from, for the message.

    Raises
    ------
    InputError
        If nothing is left of it, or it has what separates a subject from its session.
    """
    found = re.sub("[^A-Za-z0-9]", "", re.sub(r"\A(?:sub|ses)-", "", name.strip()))
    if not found or SESSION in found:
        raise InputError(
            f"{place} has the name {name!r}, but names need a letter or digit, and no {SESSION!r}"
        )
    return found
