"""How near the paper's networks come to the most that a processor can do.

The most is measured with a network's own convolutions and products: each is computed alone, in the
faster of two layouts. The highest rate that one of them reaches is taken for the processor's, and
the limit is all of them at this rate. It leaves nothing for all else that a network computes:
normalisation, activations, additions, the optimiser.

One thread, processor time, medians of rounds in which all ways take turns. `python
benchmarks/run.py limit` writes the table.
"""

import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import gpu
import numpy as np
import paper
import torch
from timing import seconds
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import flop_registry

from uad.base import devices

METHODS = ("cddpm", "unet_res", "unet")
SLICES = 4
ROUNDS = 3
LARGE = 1e8  # operations; the rate of smaller convolutions is that of starting them
OF_LIMIT, OF_REFERENCE = 1.3, 0.5  # targets: in 32 bits, and of the reference's time in 16

HERE = gpu.Way("32-true", fused=False)
WAYS = {
    "reference": replace(HERE, layout="default", upsampling="separate"),
    "here": HERE,
    "here, 16 bits": replace(HERE, precision="bf16-mixed"),
    "compiled": replace(HERE, compiled="default"),
}


@dataclass(frozen=True)
class Spec:
    """What a tensor is like."""

    shape: tuple
    dtype: torch.dtype

    def tensor(self, layout):
        """One like it with random values; `layout` is a memory format."""
        tensor = torch.randn(self.shape).to(self.dtype)
        return tensor.to(memory_format=layout) if len(self.shape) == 4 else tensor


class Operations(TorchDispatchMode):
    """Collects convolutions and products: how often each, its operations and its arguments."""

    def __init__(self):
        super().__init__()
        self.times = Counter()
        self.known = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        count = flop_registry.get(func._overloadpacket)
        if count:
            call = tree_map(_spec, (args, kwargs))
            key = func, repr(call)
            self.times[key] += 1
            self.known[key] = count(*args, **kwargs, out_val=result), call
        return result

    def total(self):
        """Operations of everything that was computed."""
        return sum(self.times[key] * flop for key, (flop, _) in self.known.items())


def _spec(value):
    return Spec(tuple(value.shape), value.dtype) if isinstance(value, torch.Tensor) else value


def _like(layout, value):
    return value.tensor(layout) if isinstance(value, Spec) else value


def alone(func, call):
    """Least seconds of one operation, of two layouts and three calls each."""
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        args, kwargs = tree_map(partial(_like, layout), call)
        run = partial(func, *args, **kwargs)
        run()
        found += [seconds(run, time.process_time) for _ in range(3)]
    return min(found)


def limit(function):
    """Seconds that a function's operations take at the highest rate of one of them, and that rate.

    Returns
    -------
    least : float
        Seconds.
    rate : float
        Operations per second.
    """
    with Operations() as seen:
        function()
    rate = max(
        flop / alone(func, call) for (func, _), (flop, call) in seen.known.items() if flop > LARGE
    )
    return seen.total() / rate, rate


def prepared(config, name, what, way):
    """A function that makes a training step, or that makes of `SLICES` slices what is scored."""
    run = gpu.Run(
        config, [name], torch.device("cpu"), (SLICES, *paper.SHAPE[1:]), SLICES, 1, None, False, 0
    )
    with gpu.the_way(way):
        method, step = gpu.stepper(run, name, way, SLICES)
    if what == "map":
        if method.levels:  # one of them; the others are the same work
            method.params = replace(method.params, test_levels=method.params.test_levels[:1])
        image = run.batch_of(SLICES, run.device).image[:, 0]
        step = partial(gpu.infer, method, image, way.precision, np.random.default_rng(6))

    def work():
        with gpu.the_way(way):
            return step()

    return work


def measure(config):
    """Lines of the table: of each method and kind of work all ways, and the limit."""
    devices.set_up_networks(1)
    for name in METHODS:
        for what in ("step", "map"):
            works = {label: prepared(config, name, what, way) for label, way in WAYS.items()}
            made = {label: work() for label, work in works.items()}  # compiles, too
            rounds = [
                {label: seconds(work, time.process_time) for label, work in works.items()}
                for _ in range(ROUNDS)
            ]
            took = {label: median(r[label] for r in rounds) for label in WAYS}
            least, rate = limit(works["here"])
            yield {
                "method": name, "what": what, **took, "limit": least, "gflops": rate / 1e9,
                "of the limit": median(r["here"] for r in rounds) / least,
                "of the reference": median(
                    r["here, 16 bits"] / r["reference"] for r in rounds
                ),
                "error": _apart(made["here"], made["reference"]),
                "error, 16 bits": _apart(made["here, 16 bits"], made["reference"]),
            }  # fmt: skip


def _apart(first, second):
    """Distance of losses or maps, of the norm of the second."""
    first, second = (np.asarray(made, np.float64) for made in (first, second))
    return float(np.linalg.norm(first - second) / np.linalg.norm(second))
