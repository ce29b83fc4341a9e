"""The training loop: one for all methods, resumable, in mixed precision where a GPU has it.

Every epoch's random numbers come from a generator named after the epoch, and its state is stored
with the batches that are done (`uad.engine.saved_state`), so a run that is killed and started again
continues with the numbers it would have drawn anyway. On the CPU the result is byte-identical.

The checkpoint with the lowest validation loss wins (SADM App. B), measured on fixed slices with
fixed noise levels and noise, or on other ones every time (`training.validation`).

A step whose gradients are not finite changes nothing and is counted (`skipped` in the history); a
number of them in a row ends the training.
"""

import csv
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from uad.base import devices, seeding
from uad.base.errors import InputError
from uad.base.files import replacing
from uad.base.logs import log, progress
from uad.data.slices import Batch, TrainingSlices
from uad.engine import extras
from uad.engine.saved_state import Cursor, SavedState, State
from uad.engine.settings import Training
from uad.models.method import Method

# Steps without finite gradients, one after the other, that end a training: what went wrong once may
# not again, but a network whose weights are too large stays as it is. In half precision as many
# halve the scale of the gradients to less than one.
SKIPPED_AT_MOST = 20
HISTORY = ("epoch", "steps", "train_loss", "val_loss", "val_dice", "skipped", "seconds")


def fit(
    method: Method,
    data: TrainingSlices,
    validation: Sequence[Batch] | TrainingSlices,
    settings: Training,
    seed: int,
    saved: SavedState,
) -> State:
    """Train `method.network`.

    Parameters
    ----------
    method : Method
    data : slices.TrainingSlices
        On the device to compute on.
    validation : list of slices.Batch, or slices.TrainingSlices
        Fixed, on the same device; or drawn anew, and what is random in the loss with it.
    settings : uad.engine.settings.Training
    seed : int
        Of this model and fold.
    saved : SavedState
        Where the state for resuming is kept; discarded by the caller when the model is stored.

    Returns
    -------
    State

    Raises
    ------
    InputError
        If gradients stay infinite or undefined, no validation loss is finite, or the job was
        stopped by SIGTERM.
    """
    device = torch.device(data.device)
    devices.lay_out(method, device)
    network = method.network
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    # On a GPU one kernel, which unscales gradients itself instead of waiting for them.
    fused = device.type == "cuda"
    optimizer = torch.optim.AdamW(
        trained,
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=fused,
    )
    autocast = devices.autocast(device, settings.precision)
    # In half precision small gradients would be zero without a scale. In all precisions the scaler
    # leaves out steps whose gradients are not finite.
    half = devices.reduced(device, settings.precision) is torch.float16
    scaler = torch.amp.GradScaler(device.type, **({} if half else {"init_scale": 1.0}))

    parts = {"network": network, "optimizer": optimizer}
    if half:
        parts["scaler"] = scaler
    average = None
    if settings.ema is not None:
        parts["average"] = average = extras.moving_average(network, settings.ema)
    state = saved.resume(parts, device)
    for group in optimizer.param_groups:
        group["fused"] = fused  # not as where the state was saved
    with saved.heeding_signals():
        epochs = progress(range(state.cursor.epoch, settings.epochs), saved.label)
        for epoch in epochs:
            cursor = state.cursor
            began = time.monotonic() - cursor.seconds
            rng = seeding.generator(seed, "epoch", epoch)
            network.train()
            for batch in data.epoch(rng, len(cursor.losses), cursor.rng):
                optimizer.zero_grad(set_to_none=True)
                with autocast:
                    loss = method.loss(batch, rng)
                scaler.scale(loss).backward()
                finite = _are_finite(network.parameters()) & loss.detach().isfinite()
                if extras.scheduled(settings):
                    step = epoch * data.batches + len(cursor.losses)
                    steps = settings.epochs * data.batches
                    extras.set_rate(optimizer, extras.rate(settings, step, steps, data.batches))
                if settings.clip is not None:
                    extras.clip(trained, settings.clip, optimizer, scaler)
                scaler.step(optimizer)
                scaler.update(None if half else 1.0)
                if average is not None:
                    average.update_parameters(network)
                cursor.losses.append(torch.where(finite, loss.detach(), torch.nan))
                cursor.rng = rng.bit_generator.state
                cursor.seconds = time.monotonic() - began
                saved.save_if_due(state, parts)
            losses = torch.stack(cursor.losses).cpu()  # (batches,)
            done = losses.isfinite()
            train_loss = float(losses[done].mean())
            for step in done.tolist():
                state.skipped = 0 if step else state.skipped + 1
                if state.skipped == SKIPPED_AT_MOST:
                    raise InputError(
                        f"{saved.label}: {SKIPPED_AT_MOST} steps in a row, the last in epoch "
                        f"{epoch + 1}, had a loss or gradients that are not finite; lower the "
                        f"learning rate, or delete {saved.path} to start anew"
                    )
            if not done.all():
                log.warning("epoch %d: %d steps left out", epoch + 1, int((~done).sum()))

            val_loss = val_dice = None
            if (epoch + 1) % settings.validate_every == 0 or epoch + 1 == settings.epochs:
                batches, draws = validation, seeding.generator(seed, "validation")
                if isinstance(validation, TrainingSlices):
                    draws = seeding.generator(seed, "validation", epoch)
                    batches = list(validation.epoch(draws))
                with autocast, extras.averaged(method, average):
                    val_loss, val_dice = validate(method, batches, draws)
                    stored = method.network.state_dict()
                if not np.isfinite(val_loss):
                    log.warning("epoch %d: the validation loss is %s", epoch + 1, val_loss)
                if val_loss < state.best_loss:
                    state.best_loss = val_loss
                    state.best = {k: v.detach().clone() for k, v in stored.items()}
                epochs.set_postfix(train=f"{train_loss:.4f}", val=f"{val_loss:.4f}")
                log.info("epoch %d: train %.5f, validation %.5f", epoch + 1, train_loss, val_loss)
            state.history.append(
                {
                    "epoch": epoch + 1,
                    "steps": len(losses),
                    "train_loss": train_loss if np.isfinite(train_loss) else None,
                    "val_loss": val_loss if val_loss is None or np.isfinite(val_loss) else None,
                    "val_dice": val_dice,
                    "skipped": int((~done).sum()),
                    "seconds": round(time.monotonic() - began, 3),
                }
            )
            state.cursor = Cursor(epoch + 1)
            if epoch + 1 < settings.epochs:
                saved.save_if_due(state, parts)
    if state.best is None:
        raise InputError(
            f"{saved.label}: no validation loss was finite, so there is no best state; lower the "
            "learning rate"
        )
    return state


def _are_finite(parameters):
    """Whether all gradients are, as a tensor: without waiting for a GPU."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return torch.nn.utils.get_total_norm(gradients).isfinite()  # the cheapest that sees them all


@torch.no_grad()
def validate(
    method: Method, batches: Sequence[Batch], rng: np.random.Generator
) -> tuple[float, float | None]:
    """Mean loss over fixed batches, each weighed by its slices; and their Dice.

    Parameters
    ----------
    method : Method
    batches : list of slices.Batch
    rng : numpy.random.Generator
        In the same state every time.

    Returns
    -------
    loss : float
    dice : float or None
        Of all pixels together; None of a method that learns no masks, and without a lesion.
    """
    method.network.eval()
    found, overlaps = zip(*(method.loss_and_overlap(batch, rng) for batch in batches))
    losses = torch.stack(found).double()  # (batches,)
    sizes = torch.tensor([len(batch) for batch in batches], device=losses.device)
    loss = float((losses * sizes).sum() / sizes.sum())
    known = [overlap for overlap in overlaps if overlap is not None]
    both, pixels = torch.stack(known).sum(dim=0).tolist() if known else (0, 0)
    return loss, both / pixels if pixels else None


def write_history(history: Sequence[dict], path: Path | str) -> None:
    """`history.tsv`: a line per epoch, with the columns of `HISTORY`."""
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HISTORY, delimiter="\t")
        writer.writeheader()
        for line in history:
            writer.writerow({k: "n/a" if v is None else v for k, v in line.items()})
