"""The one exception that is meant for the user."""


class InputError(Exception):
    """Something the user gave is wrong; the message is one sentence that names it.

    Raised for files, folders and configuration, never for defects of the code. Scripts print the
    sentence without a traceback (`logs.job`).
    """
