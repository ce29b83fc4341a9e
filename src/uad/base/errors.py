"""Messages for the user: the one exception, and reasons for leaving something out."""


class InputError(Exception):
    """Something the user gave is wrong; the message is one sentence that names it.

    Raised for files, folders and configuration, never for defects of the code. Scripts print the
    sentence without a traceback (`logs.job`).
    """


def because(reason: str) -> str:
    """Why a file or subject is not used, for tables and pages.

    The text does not count in the digest of code (`uad.base.syntax`): rewording it reruns nothing,
    and existing results keep the old text.
    """
    return reason
