"""What a training may have beside the loop: a schedule, clipping, a moving average of weights.

All are off unless the configuration names them (`uad.engine.settings.Training`).
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from uad.engine.settings import Training
from uad.models.method import Method


def rate(settings: Training, step: int, steps: int, per_epoch: int) -> float:
    """Learning rate of a step.

    Parameters
    ----------
    settings : Training
    step : int
        Counted from 0 over the whole training.
    steps : int
        Of the whole training.
    per_epoch : int
    """
    left = 1 - step / steps
    factor = {None: 1.0, "linear": left, "cosine": 0.5 - 0.5 * math.cos(math.pi * left)}
    risen = 1.0
    if settings.warm_up is not None:
        risen = min(1.0, (step + 1) / (settings.warm_up * per_epoch))
    return settings.learning_rate * factor[settings.schedule] * risen


def scheduled(settings: Training) -> bool:
    """Whether the learning rate changes."""
    return settings.schedule is not None or settings.warm_up is not None


def set_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Give all parameters a learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = value


def clip(
    parameters: Iterable[nn.Parameter],
    norm: float,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> None:
    """Cut the gradient to a norm; before the optimiser's step, which then takes it as it is."""
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(parameters, norm)


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """The average of a network's weights; its buffers are those of the last step."""
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))


@contextmanager
def averaged(method: Method, average: AveragedModel | None) -> Iterator[None]:
    """Within, the method's network is the average, if there is one."""
    network = method.network
    if average is not None:
        method.network = average.module
    try:
        yield
    finally:
        method.network = network
