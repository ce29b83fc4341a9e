"""What jobs ask of a machine, and mistakes of the user while jobs are planned."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from uad.base.errors import InputError


class Requests:
    """Resources of jobs.

    Parameters
    ----------
    config : dict
        Complete; `accelerator` and `local_gpus` decide.
    """

    def __init__(self, config: dict):
        self.on_cpu = config["accelerator"] == "cpu"
        self._local_gpus = config["local_gpus"]

    def growing(self, **amounts: int | tuple[int, int] | Callable) -> dict[str, Callable]:
        """Resources that grow with each attempt, if a cluster is told to retry.

        A pair holds the amount, and the one where the configuration keeps to the CPU. A function
        of the wildcards returns a number or a pair.
        """

        def of(amount):
            def request(wildcards, attempt):
                first = amount(wildcards) if callable(amount) else amount
                return (first[self.on_cpu] if isinstance(first, tuple) else first) * attempt

            return request

        return {name: of(amount) for name, amount in amounts.items()}

    def gpus(self, wildcards: Any) -> int:
        """GPUs that a job asks for: none where the configuration keeps to the CPU."""
        return 0 if self.on_cpu else 1

    def local_gpus(self, wildcards: Any, threads: int) -> int:
        """Jobs that may compute on this machine's GPUs at once.

        It decides no result: Snakemake leaves out parameters that ask for `threads` when it looks
        for changes.
        """
        return self._local_gpus


class Raising:
    """An object whose methods raise another error than `InputError`, with the same sentence.

    Parameters
    ----------
    of : object
        Functions that its methods return raise it too: input functions of rules.
    error : type
        Snakemake's, which it shows without a traceback.
    """

    def __init__(self, of: Any, error: type[Exception]):
        self._of, self._error = of, error

    def __getattr__(self, name: str) -> Any:
        return raising(getattr(self._of, name), self._error)


def raising(found: Any, error: type[Exception]) -> Any:
    """A function that raises `error` where it raised `InputError`; anything else as it is."""
    if not callable(found):
        return found

    @wraps(found)
    def call(*arguments, **named):
        try:
            return raising(found(*arguments, **named), error)
        except InputError as mistake:
            raise error(str(mistake)) from None

    return call
