"""The training loop: one for all methods, resumable, on Lightning Fabric.

Every epoch's random numbers come from a generator named after the epoch, so a run that is killed
and started again continues from its last saved epoch with the numbers it would have drawn anyway.
On the CPU the result is the same to the byte.

The checkpoint with the lowest validation loss wins (SADM App. B), measured on fixed slices with
fixed noise levels and noise.
"""

import csv
import time
from dataclasses import dataclass
from pathlib import Path

import lightning_fabric
import numpy as np
import torch

from uad import checkpoints, seeding
from uad.errors import InputError
from uad.logs import log, progress
from uad.volumes import replacing


@dataclass(frozen=True)
class Settings:
    """The `training` block of a method."""

    learning_rate: float
    betas: list
    weight_decay: float
    epochs: int
    batch_size: int
    slices_per_volume: int
    drop_last: bool
    augment: bool
    precision: str
    validate_every: int
    validation_slices: int
    save_minutes: float


@dataclass
class State:
    """What a run needs to go on; `best` holds the network's state at the lowest validation loss."""

    epoch: int
    history: list
    best: dict | None
    best_loss: float


def make_fabric(device, precision):
    """Lightning Fabric on one device (`devices.claim`).

    The CPU, which has no fast 16-bit floats, computes in 32 bits unless bfloat16 is asked for.
    """
    on_gpu = device.type == "cuda"
    fabric = lightning_fabric.Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        devices=[device.index] if on_gpu else 1,
        precision=precision if on_gpu or precision == "bf16-mixed" else "32-true",
    )
    fabric.launch()
    return fabric


def fit(method, source, validation, settings, seed, fabric, state_path, fingerprint, label):
    """Train `method.network`.

    Parameters
    ----------
    method : nn.Module
        With `network` and `loss`; see `uad.methods`.
    source : slices.TrainingSlices
    validation : list of slices.Batch
        Fixed.
    settings : Settings
    seed : int
        Of this model and fold.
    fabric : lightning_fabric.Fabric
    state_path : path-like
        Where the state for resuming is kept; removed by the caller when the model is stored.
    fingerprint : str
        State with another fingerprint (other configuration, code or data) is not resumed.
    label : str
        For the progress bar.

    Returns
    -------
    State
    """
    method.network.to(memory_format=torch.channels_last)  # faster convolutions
    module = fabric.setup_module(method)
    module.mark_forward_method("loss")
    optimizer = torch.optim.AdamW(
        [parameter for parameter in method.network.parameters() if parameter.requires_grad],
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
    )
    optimizer = fabric.setup_optimizers(optimizer)
    state = _resume(state_path, fingerprint, method, optimizer, fabric.device)
    saved = time.monotonic()
    epochs = progress(range(state.epoch, settings.epochs), label)
    for epoch in epochs:
        began = time.monotonic()
        train_loss = _train_epoch(
            method, module, optimizer, source, fabric, seeding.generator(seed, "epoch", epoch)
        )
        if not np.isfinite(train_loss):
            raise InputError(f"{label}: the training loss became {train_loss} in epoch {epoch}")
        state.epoch = epoch + 1
        last = state.epoch == settings.epochs
        val_loss = None
        if state.epoch % settings.validate_every == 0 or last:
            with fabric.autocast():
                rng = seeding.generator(seed, "validation")
                val_loss = _validate(method, module, validation, rng)
            if val_loss < state.best_loss:
                state.best_loss = val_loss
                state.best = _copy(method.network.state_dict())
        state.history.append(
            {
                "epoch": state.epoch,
                "train_loss": train_loss,
                "val_loss": val_loss,
                "seconds": round(time.monotonic() - began, 3),
            }
        )
        if val_loss is not None:
            epochs.set_postfix(train=f"{train_loss:.4f}", val=f"{val_loss:.4f}")
            log.info("epoch %d: train %.5f, validation %.5f", state.epoch, train_loss, val_loss)
        if time.monotonic() - saved > 60 * settings.save_minutes and not last:
            _save(state_path, fingerprint, state, method, optimizer)
            saved = time.monotonic()
    return state


def _train_epoch(method, module, optimizer, source, fabric, rng):
    """One pass over the training slices; the mean loss."""
    method.network.train()
    losses = []
    for batch in source.epoch(rng):
        optimizer.zero_grad(set_to_none=True)
        # Fabric calls a marked method as it is on one device, without the precision's context.
        with fabric.autocast():
            loss = module.loss(batch, rng)
        fabric.backward(loss)
        optimizer.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())


@torch.no_grad()
def _validate(method, module, validation, rng):
    """Mean loss over fixed batches; `rng` starts from the same point every time."""
    method.network.eval()
    losses = torch.stack([module.loss(batch, rng).double() for batch in validation])
    sizes = torch.tensor([len(batch) for batch in validation], device=losses.device)
    return float((losses * sizes).sum() / sizes.sum())


def _copy(state_dict):
    return {name: tensor.detach().clone() for name, tensor in state_dict.items()}


def _save(path, fingerprint, state, method, optimizer):
    content = {
        "fingerprint": fingerprint,
        "network": method.network.state_dict(),
        "optimizer": optimizer.state_dict(),
        **vars(state),
    }
    checkpoints.write(content, path)
    log.info("saved the state of epoch %d", state.epoch)


def _resume(path, fingerprint, method, optimizer, device):
    """The saved state if it fits, else a fresh one."""
    fresh = State(epoch=0, history=[], best=None, best_loss=float("inf"))
    if not Path(path).exists():
        return fresh
    try:
        content = checkpoints.read(path, device)
    except InputError as error:
        log.warning("starting over: %s", error)
        return fresh
    if content.pop("fingerprint") != fingerprint:
        log.info("starting over: configuration, code or data changed since %s was saved", path)
        return fresh
    method.network.load_state_dict(content.pop("network"))
    optimizer.load_state_dict(content.pop("optimizer"))
    state = State(**content)
    log.info("resuming after epoch %d", state.epoch)
    return state


def write_history(history, path):
    """`history.tsv`: epoch, training and validation loss, seconds."""
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]), delimiter="\t")
        writer.writeheader()
        for line in history:
            writer.writerow({k: "n/a" if v is None else v for k, v in line.items()})
