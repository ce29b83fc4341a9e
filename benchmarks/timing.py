"""Two ways to compute the same, timed in turns."""

import time
from dataclasses import dataclass
from statistics import median

import torch

from uad.base import devices


@dataclass(frozen=True)
class Path:
    """A hot path beside its baseline.

    Attributes
    ----------
    name, baseline_name : str
        For the table.
    target : float
        How many times faster than the baseline it shall be.
    baseline, ours : callable
        Without arguments.
    repeats : int
        Rounds; each runs the baseline and then ours, so that a busy machine hits both.
    threads : int
        Of torch.
    """

    name: str
    baseline_name: str
    target: float
    baseline: object
    ours: object
    repeats: int = 5
    threads: int = 1


@dataclass(frozen=True)
class Timing:
    """Median seconds of both sides, and the median of the rounds' ratios."""

    baseline: float
    ours: float
    ratio: float


def compare(path):
    """Time a path in processor time of this process, which says the same on a busy machine.

    Both sides run once before, unless there is only one round, so that no round pays for imports
    and caches.
    """
    devices.set_up_cpu(path.threads)
    if path.repeats > 1:
        path.baseline(), path.ours()
    clock = time.process_time
    rounds = [
        (seconds(path.baseline, clock), seconds(path.ours, clock)) for _ in range(path.repeats)
    ]
    ratio = median(baseline / ours for baseline, ours in rounds)
    return Timing(*(median(side) for side in zip(*rounds)), ratio)


def seconds(function, clock=time.perf_counter):
    """Time of a call, a GPU's work included; wall-clock time if nothing else is said."""
    began = clock()
    function()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - began
