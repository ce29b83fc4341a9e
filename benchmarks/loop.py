"""The cDDPM's training loop on a GPU: is it kept busy, and how fast beside the usual loop?

    python benchmarks/loop.py            (make bench-gpu)
    python benchmarks/loop.py --tiny     small networks, a few steps, also without a GPU; a trial

Prints a table and, unless it is a trial, writes it into `docs/benchmarks.md`. The usual loop reads
and augments whole volumes by TorchIO in worker processes and computes eagerly in torch's default
layout; both loops run in the configured precision.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import paths
import run
import torch
import yaml

from uad.base import devices
from uad.data import packed, slices
from uad.engine import loop
from uad.engine.saved_state import SavedState
from uad.engine.settings import Training
from uad.models import methods
from uad.plan import config as uad_config

VOLUMES = 352  # eleven batches of 32 in an epoch, as IXI has
STEPS = 500
SECONDS_PROFILED = 10


class Unchanging:
    """Training slices that are the same batch every time: a loop without a loader."""

    def __init__(self, source):
        self.batches, self.device = source.batches, source.device
        self.batch = next(source.epoch(np.random.default_rng(0)))

    def epoch(self, rng, done=0, drawn=None):
        yield from [self.batch] * (self.batches - done)


class Volumes(torch.utils.data.Dataset):
    """A slice of each augmented volume."""

    def __init__(self, image):
        self.image, self.augmentation = image, paths.whole_volume_augmentation()

    def __len__(self):
        return len(self.image)

    def __getitem__(self, i):
        z = int(torch.randint(self.image.shape[1], ()))
        return paths.whole_volume_sample(self.image[i], z, self.augmentation)[None].clone()


def make_pack(folder, n, shape):
    """Random volumes as a packed data set."""
    rng = np.random.default_rng(0)
    empty = np.zeros(shape, np.uint8)
    volumes = (
        {"image": rng.random(shape, dtype=np.float32), "brain": empty + 1, "lesion": empty}
        for _ in range(n)
    )
    table = pd.DataFrame({"subject": [f"S{i}" for i in range(n)]})
    packed.write(folder, table, volumes, n, shape)
    return packed.Pack(folder)


def the_workflows(config, source, steps, compiled=False):
    """Median seconds of a step of `uad.engine.loop`, without the first two epochs and the last.

    Returns
    -------
    float, and a function that runs some epochs more.
    """
    method = build(config)
    if compiled:
        for network in method.network.values():
            network.compile()
    validation = [next(source.epoch(np.random.default_rng(0)))]  # behind the last epoch only

    def seconds(epochs):
        """Of each epoch, which ends with the mean loss, for which the GPU is waited for."""
        settings = replace(settings_of(config), epochs=epochs, validate_every=epochs)
        saved = SavedState("unused", "", float("inf"), "benchmark")
        state = loop.fit(method, source, validation, settings, 0, saved)
        return [line["seconds"] for line in state.history]

    measured = seconds(3 + -(-steps // source.batches))[2:-1]
    return median(measured) / source.batches, lambda: seconds(3)


def the_usual(config, image, steps, device):
    """Median seconds of a step of the usual loop."""
    method, settings = build(config).to(device), settings_of(config)
    optimizer = torch.optim.AdamW(method.network.parameters(), lr=settings.learning_rate)
    half = devices.reduced(device, settings.precision) is torch.float16
    scaler = torch.amp.GradScaler(device.type, enabled=half)
    loader = torch.utils.data.DataLoader(
        Volumes(image),
        settings.batch_size,
        shuffle=True,
        drop_last=True,
        pin_memory=device.type == "cuda",
        num_workers=os.cpu_count(),
        persistent_workers=True,
    )
    rng, epochs = np.random.default_rng(0), []
    for _ in range(2 + -(-steps // len(loader))):
        began, losses = time.perf_counter(), []
        for x in loader:
            x = x.to(device, non_blocking=True)
            batch = slices.Batch(x, torch.ones_like(x), torch.zeros_like(x))
            optimizer.zero_grad(set_to_none=True)
            with devices.autocast(device, settings.precision):
                loss = method.loss(batch, rng)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            losses.append(loss.detach())
        torch.stack(losses).mean().item()
        epochs.append(time.perf_counter() - began)
    return median(epochs[2:]) / len(loader)


def build(config):
    """The cDDPM with random weights."""
    block = config["methods"]["cddpm"]
    torch.manual_seed(0)
    return methods.build("cddpm", methods.params_of("cddpm", block, paths.SHAPE[1:]))


def settings_of(config):
    """How the cDDPM is trained."""
    return Training(**config["training"] | config["methods"]["cddpm"]["training"])


def busy(epochs):
    """Share of the time in which the GPU computes, over some epochs."""
    activity = torch.profiler.ProfilerActivity.CUDA
    with torch.profiler.profile(activities=[activity], acc_events=True) as profile:
        began = time.perf_counter()
        while time.perf_counter() - began < SECONDS_PROFILED:
            epochs()
        wall = time.perf_counter() - began
    return sum(e.self_device_time_total for e in profile.key_averages()) / 1e6 / wall


def measure(config, pack, steps, device):
    """The lines of the table."""
    settings = settings_of(config)
    source = slices.TrainingSlices(
        pack,
        np.arange(len(pack.image)),
        settings.batch_size,
        1,
        True,
        settings.augment,
        None,
        False,
        device,
    )
    usual = the_usual(config, pack.image, steps, device)
    ours, epochs = the_workflows(config, source, steps)
    share = f"{100 * busy(epochs):.0f} %" if device.type == "cuda" else "–"
    alone, _ = the_workflows(config, Unchanging(source), steps)
    lines = [
        ["usual loop", usual, "–"],
        ["this workflow", ours, share],
        ["… without reading and augmenting", alone, "–"],
    ]
    if device.type == "cuda":
        lines.append(["… compiled", the_workflows(config, source, steps, compiled=True)[0], "–"])
    batch = settings.batch_size
    return [
        [name, f"{1000 * s:.1f}", f"{batch / s:.0f}", f"{usual / s:.1f}", share]
        for name, s, share in lines
    ]


def make_tiny(config):
    """The configuration with small networks and batches."""
    block = config["methods"]["cddpm"]
    block["unet"] |= {"channels": 8, "multipliers": [1, 2], "head_channels": 8, "norm_groups": 4}
    block["unet"] |= {"res_blocks": 1}
    block["encoder"] |= {"width": 4, "blocks": [1, 1], "features": 8}
    block["training"] |= {"batch_size": 4}
    return config


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", action="store_true")
    tiny = parser.parse_args().tiny
    device = devices.choose("auto" if tiny else "cuda")
    config = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    if tiny:
        config = make_tiny(config)
    with tempfile.TemporaryDirectory() as folder:
        pack = make_pack(Path(folder), *((8, (12, 48, 48)) if tiny else (VOLUMES, paths.SHAPE)))
        rows = measure(config, pack, 4 if tiny else STEPS, device)
    header = ["Training step", "Time, ms", "Slices per second", "Times the usual", "GPU computes"]
    result = run.table(header, rows)
    print(result)
    if not tiny:
        uad_config.fill_in(run.PAGE, {"gpu": f"{run.measured_on()}\n\n{result}"})
