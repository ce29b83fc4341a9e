"""The saved state of a training, from which a killed run resumes.

It is stored every few minutes, and at once on SIGTERM (a time limit, a cancelled job), which then
ends the job, and on SIGUSR1, after which training continues.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import torch

from uad.base.errors import InputError
from uad.base.files import discard
from uad.base.logs import log
from uad.engine import checkpoints


@dataclass
class Cursor:
    """Position of a training: the current epoch, and its batches that are done.

    Attributes
    ----------
    epoch : int
        Epochs that are done.
    losses : list of Tensor
        Of the batches of the current epoch that are done.
    seconds : float
        Spent on them.
    rng : dict or None
        State of the epoch's random generator after them; None before the first.
    """

    epoch: int = 0
    losses: list = field(default_factory=list)
    seconds: float = 0.0
    rng: dict | None = None


@dataclass
class State:
    """Progress of a training.

    Attributes
    ----------
    cursor : Cursor
    history : list of dict
        A line per epoch.
    best : dict or None
        The network's state at the lowest validation loss, `best_loss`.
    skipped : int
        Steps without finite gradients, one after the other, up to the last epoch's end.
    """

    cursor: Cursor = field(default_factory=Cursor)
    history: list = field(default_factory=list)
    best: dict | None = None
    best_loss: float = float("inf")
    skipped: int = 0


class SavedState:
    """The file that holds the state, and when it is written.

    Parameters
    ----------
    path : path-like
    fingerprint : str
        Of all that affects the weights; a file with another one is not resumed.
    minutes : float
        Between two saves.
    label : str
        Of the training, for messages.
    """

    def __init__(self, path, fingerprint: str, minutes: float, label: str):
        self.path, self.fingerprint = Path(path), fingerprint
        self.minutes, self.label = minutes, label
        self.signal, self.saved = None, time.monotonic()

    @contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Within, SIGTERM and SIGUSR1 wait for the end of the step (`save_if_due`)."""

        def note(number: int, _: FrameType | None) -> None:
            if self.signal != signal.SIGTERM:  # a later SIGUSR1 must not hide it
                self.signal = number

        before = {s: signal.signal(s, note) for s in (signal.SIGTERM, signal.SIGUSR1)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def save_if_due(self, state: State, parts: dict) -> None:
        """Store the state if a signal arrived, or if the last save is older than `minutes`.

        Parameters
        ----------
        state : State
        parts : dict
            What has a `state_dict`, by name: network, optimiser, ...

        Raises
        ------
        InputError
            If the job was stopped by SIGTERM.
        """
        if self.signal is None and time.monotonic() - self.saved <= 60 * self.minutes:
            return
        self.save(state, parts)
        self.saved = time.monotonic()
        if self.signal == signal.SIGTERM:
            raise InputError(f"{self.label}: stopped by SIGTERM; run again to resume")
        self.signal = None

    def save(self, state: State, parts: dict) -> None:
        """Store the state."""
        content = {
            "fingerprint": self.fingerprint,
            "parts": {name: part.state_dict() for name, part in parts.items()},
            "state": {**vars(state), "cursor": vars(state.cursor)},
        }
        checkpoints.write(content, self.path)
        cursor = state.cursor
        log.info("saved the state: %d epochs and %d batches", cursor.epoch, len(cursor.losses))

    def resume(self, parts: dict, device: torch.device | str) -> State:
        """The saved state if it fits, with `parts` restored; else a new one."""
        if not self.path.exists():
            return State()
        try:
            content = checkpoints.read(self.path, device)
        except InputError as error:
            log.warning("starting over: %s", error)
            return State()
        if content.get("fingerprint") != self.fingerprint:
            log.info(
                "starting over: configuration, code or data changed since %s was saved", self.path
            )
            return State()
        for name, part in parts.items():
            # The scale of gradients in half precision is not in what a CPU saved; it starts anew.
            if name in content["parts"]:
                part.load_state_dict(content["parts"][name])
        state = State(**content["state"])
        state.cursor = cursor = Cursor(**content["state"]["cursor"])
        log.info("resuming after epoch %d and %d batches", cursor.epoch, len(cursor.losses))
        return state

    def discard(self) -> None:
        """Delete the file, once the model is stored."""
        discard(self.path)
