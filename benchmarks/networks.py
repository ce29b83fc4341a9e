"""A training step and the inference of a volume, of one method with the paper's networks.

A process of its own for each, so that the peak memory is that of this one:

    python benchmarks/networks.py <method> step|infer <precision>
    python benchmarks/networks.py <method> infer usual

prints a line of JSON. Weights are random: they change neither time nor memory. On the GPU if torch
sees one; the memory is then the GPU's. The usual inference is that of torch's defaults and of the
libraries that the reference uses: 32 bits, default layout and memory, a volume's slices all at
once, doubling before convolution, SSIM of torchmetrics, median filter of SciPy.
"""

import json
import resource
import sys
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import numpy as np
import paper
import paths
import torch
from timing import seconds

from uad.base import devices
from uad.data import slices
from uad.engine.settings import Training
from uad.models import method as interface
from uad.models import residuals
from uad.models.networks import unet

BATCHES = (8, 32)  # the paper's is the last
LONGEST = 60  # seconds; the batch of a step is the first if the last one would take longer


def step(method, block, device, precision):
    """Seconds of an optimiser step, and its batch."""
    settings = Training(**block)
    trained = [p for p in method.network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, fused=device.type == "cuda")
    method.network.train()

    def run(n):
        image = torch.rand(n, 1, *paper.SHAPE[1:], device=device)
        mask = (image > 0.5).float()
        batch = slices.Batch(image, mask, mask, partner=image.flip(0))
        optimizer.zero_grad(set_to_none=True)
        with devices.autocast(device, precision):
            loss = method.loss(batch, np.random.default_rng(0))
        loss.backward()
        optimizer.step()

    few, all_ = BATCHES
    run(1)
    time = seconds(lambda: run(few))
    if time * all_ / few > LONGEST:
        return {"seconds": time, "batch": few}
    run(all_)
    return {"seconds": seconds(lambda: run(all_)), "batch": all_}


@torch.no_grad()
def infer(method, block, device, precision, residual=residuals.anomaly_map):
    """Seconds of a volume's reconstructions (if any) and of its anomaly map.

    Networks see a part of the slices at a time, each time the same work: one such part is
    timed, and the volume's number of them multiplied in; so are noise levels. The residual's map is
    of a whole volume.
    """
    method.eval()
    image = torch.rand(*paper.SHAPE, device=device)
    part = interface.in_parts(image)[0][:, 0]
    parts = len(image) / len(part)
    brain = np.zeros(paper.SHAPE, bool)
    brain[:, 16:-16, 16:-16] = True  # 44 %, about a head's share
    rng = np.random.default_rng(0)
    with devices.autocast(device, precision):
        if method.levels:
            if method.levels > 1:
                method.params = replace(method.params, test_levels=method.params.test_levels[:1])
            method.reconstruct(part[:1], rng)
            made = seconds(lambda: method.reconstruct(part, rng)) * parts * method.levels
            x, y = image.cpu(), image.flip(1).cpu()  # a job without a GPU
            return {"reconstruct": made, "map": seconds(lambda: residual(x, y, brain))}
        given = part[None].repeat(3, 1, 1, 1)
        method.anomaly_map(part[:1], brain[:1], given[:, :1])
        time = seconds(lambda: method.anomaly_map(part, brain[: len(part)], given))
        return {"reconstruct": 0.0, "map": time * parts}


@contextmanager
def as_usual():
    """Networks as torch's users write them."""
    with (
        mock.patch.object(interface, "AT_ONCE_ON_CPU", paper.SHAPE[0]),
        mock.patch.object(unet, "resampled_conv", paths.one_after_the_other),
    ):
        yield


def peak_gib(device):
    """Highest memory so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB to GiB


if __name__ == "__main__":
    name, what, precision = sys.argv[1:]
    config = paper.read("config/config.yaml")
    torch.manual_seed(0)
    device = devices.choose("auto")
    block = paper.training_block(name, config)
    method = paper.build(name, config).to(device)
    if precision == "usual":
        with as_usual():
            result = infer(method, block, device, "32-true", paths.usual_residual)
    else:
        devices.set_up_cpu(torch.get_num_threads())
        devices.lay_out(method, device)
        result = {"step": step, "infer": infer}[what](method, block, device, precision)
    print(json.dumps({**result, "gib": peak_gib(device)}))
