"""The training loop: one for all methods, resumable, in mixed precision where a GPU has it.

Every epoch's random numbers come from a generator named after the epoch, and its state is stored
with the batches that are done, so a run that is killed and started again continues with the
numbers it would have drawn anyway. On the CPU the result is the same to the byte. The state is
stored every few minutes, and at once on SIGTERM (a time limit, a cancelled job), which then ends
the job, and on SIGUSR1, after which training goes on.

The checkpoint with the lowest validation loss wins (SADM App. B), measured on fixed slices with
fixed noise levels and noise.
"""

import csv
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from uad.base import devices, seeding
from uad.base.errors import InputError
from uad.base.files import replacing
from uad.base.logs import log, progress
from uad.engine import checkpoints


@dataclass
class State:
    """Where a run is.

    `best` holds the network's state at the lowest validation loss. Of the epoch in progress
    `losses` are those of the batches that are done, `seconds` the time spent, and `drawn` the state
    of its random generator (None: it has not begun).
    """

    epoch: int = 0
    history: list = field(default_factory=list)
    best: dict | None = None
    best_loss: float = float("inf")
    losses: list = field(default_factory=list)
    seconds: float = 0.0
    drawn: dict | None = None


def fit(method, source, validation, settings, seed, device, state_path, fingerprint, label):
    """Train `method.network`.

    Parameters
    ----------
    method : nn.Module
        With `network` and `loss`; see `uad.models.methods`.
    source : slices.TrainingSlices
    validation : list of slices.Batch
        Fixed.
    settings : uad.engine.settings.Training
    seed : int
        Of this model and fold.
    device : torch.device
        Of `source` and `validation` too.
    state_path : path-like
        Where the state for resuming is kept; removed by the caller when the model is stored.
    fingerprint : str
        State with another fingerprint (other configuration, code or data) is not resumed.
    label : str
        For the progress bar.

    Returns
    -------
    State

    Raises
    ------
    InputError
        If the loss is no longer finite, or the job was told to end (SIGTERM).
    """
    run = _Run(method, source, settings, device, state_path, fingerprint, label)
    state = run.resume()
    with run.heeding_signals():
        epochs = progress(range(state.epoch, settings.epochs), label)
        for epoch in epochs:
            began = time.monotonic() - state.seconds
            train_loss = run.train_epoch(seeding.generator(seed, "epoch", epoch), began)
            if not np.isfinite(train_loss):
                raise InputError(f"{label}: the training loss became {train_loss} in epoch {epoch}")
            val_loss = None
            if (epoch + 1) % settings.validate_every == 0 or epoch + 1 == settings.epochs:
                val_loss = run.validate(validation, seeding.generator(seed, "validation"))
                if val_loss < state.best_loss:
                    state.best_loss = val_loss
                    state.best = _copy(method.network.state_dict())
                epochs.set_postfix(train=f"{train_loss:.4f}", val=f"{val_loss:.4f}")
                log.info("epoch %d: train %.5f, validation %.5f", epoch + 1, train_loss, val_loss)
            state.epoch = epoch + 1
            state.losses, state.seconds, state.drawn = [], 0.0, None
            state.history.append(
                {
                    "epoch": state.epoch,
                    "train_loss": train_loss,
                    "val_loss": val_loss,
                    "seconds": round(time.monotonic() - began, 3),
                }
            )
            if state.epoch < settings.epochs:
                run.save_if_due()
    return state


class _Run:
    """One training run: network, optimiser, precision, and when its state is to be stored."""

    def __init__(self, method, source, settings, device, state_path, fingerprint, label):
        self.method, self.source, self.settings, self.device = method, source, settings, device
        self.path, self.fingerprint, self.label = Path(state_path), fingerprint, label
        method.to(device)
        method.network.to(memory_format=torch.channels_last)  # faster convolutions
        self.optimizer = torch.optim.AdamW(
            [parameter for parameter in method.network.parameters() if parameter.requires_grad],
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
            # On a GPU one kernel, which unscales gradients itself instead of waiting for them.
            fused=device.type == "cuda",
        )
        self.autocast = devices.autocast(device, settings.precision)
        # Small gradients would be zero in half precision.
        half = devices.reduced(device, settings.precision) is torch.float16
        self.scaler = torch.amp.GradScaler(device.type, enabled=half)
        self.state = State()
        self.saved = time.monotonic()
        self.signal = None

    def train_epoch(self, rng, began):
        """What is left of an epoch that began at a time; the mean loss of all its batches."""
        state = self.state
        self.method.network.train()
        for batch in self.source.epoch(rng, len(state.losses), state.drawn):
            self.optimizer.zero_grad(set_to_none=True)
            with self.autocast:
                loss = self.method.loss(batch, rng)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            state.losses.append(loss.detach())
            state.drawn = rng.bit_generator.state
            state.seconds = time.monotonic() - began
            self.save_if_due()
        return float(torch.stack(state.losses).mean())

    @torch.no_grad()
    def validate(self, batches, rng):
        """Mean loss over fixed batches; `rng` starts from the same point every time."""
        self.method.network.eval()
        with self.autocast:
            losses = torch.stack([self.method.loss(batch, rng).double() for batch in batches])
        sizes = torch.tensor([len(batch) for batch in batches], device=losses.device)
        return float((losses * sizes).sum() / sizes.sum())

    @contextmanager
    def heeding_signals(self):
        """Within, SIGTERM and SIGUSR1 wait for the end of the step (`save_if_due`)."""

        def note(number, _):
            if self.signal != signal.SIGTERM:  # ... is not made harmless by a later SIGUSR1
                self.signal = number

        before = {s: signal.signal(s, note) for s in (signal.SIGTERM, signal.SIGUSR1)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def save_if_due(self):
        """Store the state if a signal came, or if the last time is long ago."""
        due = time.monotonic() - self.saved > 60 * self.settings.save_minutes
        if self.signal is None and not due:
            return
        self.save()
        self.saved = time.monotonic()
        if self.signal == signal.SIGTERM:
            raise InputError(f"{self.label}: told to end (SIGTERM); the next start goes on here")
        self.signal = None

    def save(self):
        content = {
            "fingerprint": self.fingerprint,
            "network": self.method.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            **vars(self.state),
        }
        checkpoints.write(content, self.path)
        log.info(
            "saved the state: %d epochs and %d batches", self.state.epoch, len(self.state.losses)
        )

    def resume(self):
        """Take up the saved state if it fits; the state."""
        if not self.path.exists():
            return self.state
        try:
            content = checkpoints.read(self.path, self.device)
        except InputError as error:
            log.warning("starting over: %s", error)
            return self.state
        if content.pop("fingerprint") != self.fingerprint:
            log.info(
                "starting over: configuration, code or data changed since %s was saved", self.path
            )
            return self.state
        self.method.network.load_state_dict(content.pop("network"))
        self.optimizer.load_state_dict(content.pop("optimizer"))
        self.scaler.load_state_dict(content.pop("scaler"))
        self.state = State(**content)
        log.info("resuming after epoch %d and %d batches", self.state.epoch, len(self.state.losses))
        return self.state


def _copy(state_dict):
    return {name: tensor.detach().clone() for name, tensor in state_dict.items()}


def write_history(history, path):
    """`history.tsv`: epoch, training and validation loss, seconds."""
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]), delimiter="\t")
        writer.writeheader()
        for line in history:
            writer.writerow({k: "n/a" if v is None else v for k, v in line.items()})
