"""What is meant for the user: the one exception, and why something is left out."""


class InputError(Exception):
    """Something the user gave is wrong; the message is one sentence that names it.

    Raised for files, folders and configuration, never for defects of the code. Scripts print the
    sentence without a traceback (`logs.job`).
    """


def because(reason: str) -> str:
    """Why a file or subject is not used, for tables and pages.

    The words are left out of the digest of code (`uad.base.syntax`): a better wording computes
    nothing again, and results that are there keep the old one.
    """
    return reason
