"""A training step and the inference of a volume, of one method with the paper's networks.

A process of its own for each, so that the peak memory is that of this one:

    python benchmarks/networks.py <method> step|infer

prints a line of JSON. Weights are random: they change neither time nor memory.
"""

import json
import resource
import sys
from pathlib import Path

import numpy as np
import torch
import yaml
from timing import seconds

from uad import methods, residuals, slices, training

SHAPE = (50, 96, 96)  # (Z, X, Y)
BATCHES = (8, 32)  # the paper's is the last
LONGEST = 60  # seconds; the batch of a step is the first if the last one would take longer


def build(name, config):
    """A method, on its upstream if it has one."""
    block = config["methods"][name]
    upstream = block["upstream"] and build(block["upstream"], config).eval().requires_grad_(False)
    method = methods.build(name, methods.params_of(name, block, SHAPE[1:]), upstream)
    return method.to(memory_format=torch.channels_last)


def step(method, block):
    """Seconds of an optimiser step, and its batch."""
    settings = training.Settings(**block)
    trained = [p for p in method.network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate)
    method.network.train()

    def run(n):
        image = torch.rand(n, 1, *SHAPE[1:])
        mask = (image > 0.5).float()
        batch = slices.Batch(image, mask, mask, partner=image.flip(0))
        optimizer.zero_grad(set_to_none=True)
        method.loss(batch, np.random.default_rng(0)).backward()
        optimizer.step()

    few, all_ = BATCHES
    run(1)
    time = seconds(lambda: run(few))
    if time * all_ / few > LONGEST:
        return {"seconds": time, "batch": few}
    return {"seconds": seconds(lambda: run(all_)), "batch": all_}


@torch.no_grad()
def infer(method, _):
    """Seconds of a volume's reconstructions (if any) and of its anomaly map.

    Networks see `slices.AT_ONCE` slices at a time, each time the same work: one such part is
    timed, and the volume's number of them multiplied in. The residual's map is of a whole volume.
    """
    method.eval()
    image = torch.rand(*SHAPE)
    part = image[: slices.AT_ONCE]
    parts = len(image) / len(part)
    brain = np.zeros(SHAPE, bool)
    brain[:, 16:-16, 16:-16] = True  # 44 %, about a head's share
    rng = np.random.default_rng(0)
    if method.levels:
        method.reconstruct(part[:1], rng)
        made = seconds(lambda: method.reconstruct(part, rng)) * parts
        return {
            "reconstruct": made,
            "map": seconds(lambda: residuals.anomaly_map(image, image.flip(1), brain)),
        }
    given = part[None].repeat(3, 1, 1, 1)
    method.anomaly_map(part[:1], brain[:1], given[:, :1])
    time = seconds(lambda: method.anomaly_map(part, brain[: len(part)], given))
    return {"reconstruct": 0.0, "map": time * parts}


if __name__ == "__main__":
    name, what = sys.argv[1:]
    config = yaml.safe_load(Path("config/config.yaml").read_text())
    torch.manual_seed(0)
    block = {**config["training"], **config["methods"][name]["training"]}
    result = {"step": step, "infer": infer}[what](build(name, config), block)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB to GiB
    print(json.dumps({**result, "gib": peak}))
