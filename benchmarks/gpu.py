"""What a GPU makes of the paper's networks: is it right, how fast, and what pays.

    PYTHONPATH=src python benchmarks/gpu.py --out FOLDER      (make bench-gpu)
    ... --tiny      the demo's networks and a few steps, also without a GPU: a trial
    ... --parts correct steps      some of the parts only

Needs torch, NumPy, SciPy and pandas, so that it runs from a bare checkout on a borrowed node;
PyYAML, or the configuration as JSON (`--config`); Pillow for DRAEM-Net. The package `opensimplex`
is used if it is there, else a field of the same kind that is not simplex noise.

Every number goes into `FOLDER/gpu.jsonl` as soon as it is known: a run that is cut short loses
nothing. Put the file into `benchmarks/measured/`, named after card and date; `python
benchmarks/run.py gpu` makes the tables of `docs/benchmarks.md` from what is there.
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import platform
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from unittest import mock

import numpy as np
import paper
import torch
import torch.nn.functional as F
from torch import nn

from uad.base import devices
from uad.data import slices
from uad.engine import calibration, loop
from uad.engine.saved_state import SavedState
from uad.engine.settings import Training
from uad.models import method as interface
from uad.models import methods, noise
from uad.models.networks import unet

PARTS = ("steps", "busy", "together", "correct", "variants")
VOLUMES = 352  # eleven batches of 32 in an epoch, as IXI has


@dataclass(frozen=True)
class Way:
    """How networks compute in a training step.

    Attributes
    ----------
    precision : str
        See `uad.base.devices.PRECISIONS`.
    layout : {"ours", "last", "default"}
        In memory: that of `uad.base.devices.lay_out`, channels last, torch's default.
    fused : bool
        AdamW as one kernel.
    compiled : str or None
        Mode of `torch.compile`.
    upsampling : {"joined", "separate"}
        Doubling and convolution as one transposed convolution, or one after the other.
    norm : {"converted", "native"}
        Normalisation of 16-bit numbers: converted to 32 bits and back, or by a kernel that reads
        and writes 16 bits and computes in 32.
    search : bool
        cuDNN tries its algorithms for each shape (`torch.backends.cudnn.benchmark`).
    tf32 : bool
        Products of 32-bit numbers with 10 bits of mantissa.
    """

    precision: str = "16-mixed"
    layout: str = "ours"
    fused: bool = True
    compiled: str | None = None
    upsampling: str = "joined"
    norm: str = "converted"
    search: bool = True
    tf32: bool = True


USUAL = Way(layout="default", fused=False, search=False)


@dataclass
class Run:
    """Where and how large.

    Attributes
    ----------
    config : dict
    methods : list of str
    device : torch.device
    shape : tuple of int
        Of a volume, (Z, X, Y).
    batch, steps : int
    out : Path
        The file of results.
    tiny : bool
    until : float
        When to begin no further measurement, on the clock of `time.monotonic`.
    """

    config: dict
    methods: list
    device: torch.device
    shape: tuple
    batch: int
    steps: int
    out: Path
    tiny: bool
    until: float

    def note(self, part, **values):
        """Write a line of results, and show it."""
        line = json.dumps({"part": part, **values})
        with open(self.out, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)

    def build(self, name):
        """A method of the paper, with the same random weights each time."""
        torch.manual_seed(0)
        method = paper.build(name, self.config, self.shape[1:])
        _wake(method)
        for part in filter(None, (method, getattr(method, "upstream", None))):
            if hasattr(part, "field") and not importlib.util.find_spec("opensimplex"):
                part.field = _field
        return method

    def batch_of(self, n, device):
        """Random slices, with masks and partners."""
        rng = np.random.default_rng(1)
        image = torch.from_numpy(rng.random((n, 1, *self.shape[1:]), np.float32)).to(device)
        mask = (image > 0.5).float()
        return slices.Batch(image, torch.ones_like(mask), mask, partner=image.flip(0))

    def of(self, part):
        """Measurements in the order given, each alone: one that fails is noted."""

        def measure(key, function):
            if time.monotonic() > self.until:
                return self.note(part, **key, failed="no time left")
            try:
                return function()
            except Exception as error:  # the others are worth having
                return self.note(part, **key, failed=f"{type(error).__name__}: {error}"[:300])
            finally:
                _free(self.device)

        return measure


def _field(seed, shape, octaves, persistence, wavelength):
    """Smooth noise in place of simplex noise."""
    rng, field = np.random.default_rng(abs(seed)), np.zeros(shape)
    for octave in range(octaves):
        n = [max(2, round(side * 2**octave / wavelength)) for side in shape]
        coarse = torch.from_numpy(rng.uniform(-0.7, 0.7, n))[None, None]
        smooth = F.interpolate(coarse, shape, mode="bicubic", align_corners=True)[0, 0]
        field += persistence**octave * smooth.numpy()
    return field


def _wake(method):
    """Small random values where networks start at zero, so that a comparison sees every layer."""
    for parameter in method.network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)


def _free(device):
    if device.type == "cuda":
        torch._dynamo.reset()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def parts_of(network):
    """Networks that are called: those of a dict, or the network itself."""
    return list(network.values()) if isinstance(network, nn.ModuleDict) else [network]


@contextmanager
def the_way(way):
    """torch's global switches of a way."""
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32
    matmul = torch.get_float32_matmul_precision()
    torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = way.search, way.tf32
    torch.set_float32_matmul_precision("high" if way.tf32 else "highest")
    conv = _separate if way.upsampling == "separate" else unet.resampled_conv
    norm = _native_norm if way.norm == "native" else unet.GroupNorm32.forward
    try:
        with (
            mock.patch.object(unet, "resampled_conv", conv),
            mock.patch.object(unet.GroupNorm32, "forward", norm),
        ):
            yield
    finally:
        torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = before
        torch.set_float32_matmul_precision(matmul)


def _separate(conv, x, how):
    return conv(unet.resample(x, how))


def _native_norm(self, x):
    with torch.autocast(x.device.type, enabled=False):
        return F.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype),
                            self.eps)  # fmt: skip


def lay_out(method, way, device):
    """Move a method to a device in the layout of a way."""
    if way.layout == "ours":
        return devices.lay_out(method, device)
    last = way.layout == "last"
    return method.to(device, memory_format=torch.channels_last if last else torch.contiguous_format)


def stepper(run, name, way, n, device=None):
    """A method, and a function that makes one training step of it, as `uad.engine.loop` does but
    for the check of gradients in 32 bits."""
    device = device or run.device
    method = run.build(name).to(device)
    lay_out(method, way, device)
    settings = Training(**paper.training_block(name, run.config))
    if way.compiled:
        for network in parts_of(method.network):
            network.compile(mode=way.compiled)
    method.network.train()
    trained = [p for p in method.network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, fused=way.fused)
    half = devices.reduced(device, way.precision) is torch.float16
    scaler = torch.amp.GradScaler(device.type, enabled=half)
    batch, rng = run.batch_of(n, device), np.random.default_rng(2)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with devices.autocast(device, way.precision):
            loss = method.loss(batch, rng)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.detach()

    return method, step


def per_call(run, function, warm, calls):
    """Median seconds of a call, of three rounds; the GPU is waited for at a round's end only."""
    for _ in range(warm):
        function()
    rounds = []
    for _ in range(3):
        _wait(run.device)
        began = time.perf_counter()
        for _ in range(calls):
            function()
        _wait(run.device)
        rounds.append((time.perf_counter() - began) / calls)
    return median(rounds)


def peak(run):
    """Highest memory that tensors took on the GPU, in GiB; None on a CPU."""
    return torch.cuda.max_memory_allocated() / 2**30 if run.device.type == "cuda" else None


# --- Is it right? ---------------------------------------------------------------------------------


def correct(run):
    """Losses, gradients and maps of every method beside those of the CPU; resuming across."""
    measure = run.of("correct")
    for name in run.methods:
        measure({"method": name}, partial(_beside_the_cpu, run, name))
    for one, other in (("cuda", "cuda"), ("cpu", "cuda"), ("cuda", "cpu")):
        if run.device.type == "cpu":
            one = other = "cpu"
        measure(
            {"resume": [one, other]}, partial(_resume, run, torch.device(one), torch.device(other))
        )


def _beside_the_cpu(run, name):
    """A loss, its gradient, and the map of four slices, relative to the CPU's in 32 bits."""
    wanted = _loss_and_map(run, name, Way(precision="32-true", tf32=False), torch.device("cpu"))
    for way in (
        Way(precision="32-true", tf32=False),
        Way(precision="32-true"),
        Way(precision="16-mixed"),
        Way(precision="bf16-mixed"),
    ):
        if run.device.type == "cpu" and way.precision == "16-mixed":
            continue
        found = _loss_and_map(run, name, way, run.device)
        errors = {
            key: float(torch.linalg.vector_norm(found[key] - x) / torch.linalg.vector_norm(x))
            for key, x in wanted.items()
        }
        run.note("correct", method=name, precision=way.precision, tf32=way.tf32, **errors)


def _loss_and_map(run, name, way, device):
    """Loss, gradient of all parameters as one vector, and map or reconstruction; on the CPU."""
    with the_way(way):
        method = run.build(name)
        lay_out(method, way, device)
        batch, rng = run.batch_of(4, device), np.random.default_rng(3)
        method.network.train()
        with devices.autocast(device, way.precision):
            loss = method.loss(batch, rng)
        # As a scaler does: small gradients would be zero in half precision.
        (loss * 1024).backward()
        gradient = [
            p.grad.flatten().double().cpu() / 1024
            for p in method.network.parameters()
            if p.grad is not None
        ]
        result = {"loss": loss.detach().double().cpu(), "gradient": torch.cat(gradient)}
        if name not in methods.PRETRAINING:
            made = infer(method, batch.image[:, 0], way.precision, np.random.default_rng(4))
            result["map"] = torch.as_tensor(made).double().cpu()
    return result


@torch.no_grad()
def infer(method, image, precision, rng):
    """Reconstructions of a volume, or the map of a method that makes none."""
    method.eval()
    with devices.autocast(image.device, precision):
        if method.levels:
            return method.reconstruct(image, rng)
        brain = np.ones(tuple(image.shape), bool)
        given = image.flip(1)[None].repeat(3, 1, 1, 1)
        return method.anomaly_map(image, brain, given)


class _StopError(Exception):
    pass


class _Cut:
    """Training slices that end with an exception, as a job is killed."""

    def __init__(self, source, batches):
        self.source, self.left = source, batches
        self.device = source.device

    def epoch(self, rng, done=0, drawn=None):
        for batch in self.source.epoch(rng, done, drawn):
            if not self.left:
                raise _StopError
            self.left -= 1
            yield batch


def _resume(run, one, other):
    """Weights of a training that went on elsewhere, relative to those of one on the CPU."""
    name = "cddpm"
    block = paper.training_block(name, run.config) | {
        "epochs": 2, "batch_size": 4, "precision": "32-true", "save_minutes": 0,
        "slices_per_volume": 1, "validate_every": 2, "augment": True,
    }  # fmt: skip
    settings = Training(**block)
    with the_way(Way(tf32=False)), tempfile.TemporaryDirectory() as folder:
        pack = calibration.random_pack(
            Path(folder) / "pack", 12, (4, 48, 48), np.random.default_rng(5)
        )

        def train(device, cut, file):
            source = slices.TrainingSlices(
                pack, np.arange(12), 4, 1, True, True, None, False, device
            )
            validation = slices.fixed(pack, np.arange(2), 2, 4, False, device)
            method = small.build(name)
            saved = SavedState(Path(folder) / file, "x", 0, "resume")
            source = _Cut(source, cut) if cut else source
            loop.fit(method, source, validation, settings, 0, saved)
            return torch.cat([p.detach().cpu().flatten() for p in method.network.parameters()])

        small = replace(run, shape=(4, 48, 48))
        before = torch.cat([p.detach().flatten() for p in small.build(name).network.parameters()])
        whole = train(torch.device("cpu"), None, "whole.pt")
        with suppress(_StopError):
            train(one, 4, "state.pt")
        resumed = train(other, None, "state.pt")
    distance = torch.linalg.vector_norm
    run.note(
        "correct",
        resume=[one.type, other.type],
        weights=float(distance(resumed - whole) / distance(whole - before)),
    )


# --- How fast? ------------------------------------------------------------------------------------


def steps(run):
    """A training step and a volume of every method, here and as usual."""
    measure = run.of("steps")
    ways = {"usual": USUAL, "here": Way()}
    for name in run.methods:
        own = paper.training_block(name, run.config)["precision"]
        for label, way in ways.items():
            way = replace(way, precision=own)
            key = {"method": name, "way": label}
            measure(key, partial(_step, run, "steps", name, way, key))
        if name not in methods.PRETRAINING:
            key = {"method": name, "way": "volume"}
            measure(key, partial(_volume, run, name, replace(Way(), precision=own), key))


def _step(run, part, name, way, key, n=None, warm=4, calls=None):
    n = n or run.batch
    with the_way(way):
        began = time.perf_counter()
        _, step = stepper(run, name, way, n)
        step()
        _wait(run.device)
        first = time.perf_counter() - began
        seconds = per_call(run, step, warm, calls or run.steps)
        run.note(
            part, **key, **asdict(way), batch=n, seconds=seconds, first=first, gib=peak(run),
        )  # fmt: skip


def _volume(run, name, way, key, at_once=None, part="steps"):
    at_once = at_once or interface.AT_ONCE
    with the_way(way), mock.patch.object(interface, "AT_ONCE", at_once):
        method = run.build(name)
        lay_out(method, way, run.device)
        image = run.batch_of(run.shape[0], run.device).image[:, 0]
        rng = np.random.default_rng(6)
        work = partial(infer, method, image, way.precision, rng)
        seconds = per_call(run, work, 1, 1)
        run.note(part, **key, precision=way.precision, at_once=at_once, seconds=seconds,
                 gib=peak(run))  # fmt: skip


def variants(run):
    """What pays: a step of the cDDPM and of others in several ways."""
    measure = run.of("variants")

    def one(label, name, way, **more):
        if run.device.type == "cuda" or not way.compiled:
            key = {"method": name, "label": label}
            measure(key, partial(_step, run, "variants", name, way, key, **more))

    measure({"label": "ceilings"}, partial(_ceilings, run))
    here = Way()
    one("usual", "cddpm", USUAL)
    one("here", "cddpm", here)
    one("without a search for algorithms", "cddpm", replace(here, search=False))
    one("norm in 16 bits", "cddpm", replace(here, norm="native"))
    one("doubled, then convolved", "cddpm", replace(here, upsampling="separate"))
    for name in ("cddpm", "unet", "draem_net", "rd"):
        one("channels last", name, replace(here, layout="last"))
        one("default layout", name, replace(here, layout="default"))
    one("bf16", "cddpm", replace(here, precision="bf16-mixed"))
    one("twice the batch", "cddpm", here, n=2 * run.batch)
    one("a quarter of the batch", "cddpm", here, n=run.batch // 4)
    exact = replace(here, precision="32-true")
    one("32 bits, TF32", "ddpm", exact)
    one("32 bits", "ddpm", replace(exact, tf32=False))
    one("16 bits", "ddpm", here)
    for at_once in (10, 25, 50):
        key = {"method": "cddpm", "label": f"volume, {at_once} slices at once"}
        at = partial(_volume, run, "cddpm", here, key, at_once, "variants")
        measure(key, at)
    measure({"label": "attention"}, partial(_attention, run))
    fast = replace(here, compiled="default")
    one("compiled", "cddpm", fast)
    one("compiled", "unet_res", fast)
    one("compiled, channels last", "cddpm", replace(fast, layout="last"))
    one("compiled, TF32", "ddpm", replace(fast, precision="32-true"))
    one("compiled", "draem_net", fast)
    one("compiled", "unet", fast)
    one("compiled, CUDA graphs", "unet", replace(fast, compiled="reduce-overhead"))
    one("compiled, doubled then convolved", "cddpm", replace(fast, upsampling="separate"))


def _ceilings(run):
    """What the GPU can do at most: a large product and a large copy; and what a step asks for."""
    from torch.utils.flop_counter import FlopCounterMode

    n = 512 if run.tiny else 8192
    a, b = (torch.randn(n, n, device=run.device, dtype=torch.bfloat16) for _ in range(2))
    product = per_call(run, lambda: a @ b, 3, 10)
    x = torch.randn(n, n, device=run.device)
    copy = per_call(run, x.clone, 3, 10)
    for name in ("cddpm", "unet_res"):
        _, step = stepper(run, name, Way(), run.batch)
        with FlopCounterMode(display=False) as counter:
            step()
        run.note("variants", label="operations", method=name, flop=counter.get_total_flops())
    run.note(
        "variants", label="ceilings", product_tflops=2 * n**3 / product / 1e12,
        copy_gb_s=2 * x.numel() * 4 / copy / 1e9,
    )  # fmt: skip


def _attention(run):
    """The backends of the only attention, with its shape at the paper's size."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    shape = (run.batch, 4, (run.shape[1] // 4) * (run.shape[2] // 4), 64)
    dtype = torch.float16 if run.device.type == "cuda" else torch.float32
    q, k, v = (torch.randn(shape, device=run.device, dtype=dtype) for _ in range(3))
    backends = ["MATH", "EFFICIENT_ATTENTION", "FLASH_ATTENTION", "CUDNN_ATTENTION"]
    for name in backends if run.device.type == "cuda" else backends[:1]:
        with sdpa_kernel([getattr(SDPBackend, name)]):
            seconds = per_call(run, lambda: F.scaled_dot_product_attention(q, k, v), 3, 20)
        run.note("variants", label=f"attention, {name}", seconds=seconds)


# --- Is it kept busy? -----------------------------------------------------------------------------


def busy(run):
    """The training loop itself, reading and augmenting included: time and share of computing."""
    measure = run.of("busy")
    for name in ("cddpm", "unet"):
        for compiled in (False, True) if run.device.type == "cuda" else (False,):
            key = {"method": name, "compiled": compiled}
            measure(key, partial(_busy, run, key, name, compiled))


def _busy(run, key, name, compiled):
    n = 3 * run.batch if run.tiny else VOLUMES
    settings = Training(**paper.training_block(name, run.config))
    with tempfile.TemporaryDirectory() as folder:
        pack = calibration.random_pack(
            Path(folder) / "pack", n, run.shape, np.random.default_rng(0)
        )
        source = slices.TrainingSlices(
            pack, np.arange(n), run.batch, 1, True, settings.augment, None, False, run.device
        )
        method = run.build(name)
        if compiled:
            for network in parts_of(method.network):
                network.compile()
        validation = [next(source.epoch(np.random.default_rng(0)))]

        def epochs(count):
            now = replace(settings, epochs=count, validate_every=count)
            saved = SavedState(Path(folder) / "unused", "", float("inf"), "benchmark")
            return loop.fit(method, source, validation, now, 0, saved).history

        epochs(3)  # warm
        wanted = 2 if run.tiny else (110 if compiled else 500) // source.batches
        history = epochs(wanted + 1)[:-1]  # without the epoch that ends with a validation
        seconds = median(line["seconds"] for line in history) / source.batches
        share = None
        if run.device.type == "cuda":
            activity = torch.profiler.ProfilerActivity.CUDA
            with torch.profiler.profile(activities=[activity], acc_events=True) as profile:
                began = time.perf_counter()
                epochs(4)
                wall = time.perf_counter() - began
            share = sum(e.self_device_time_total for e in profile.key_averages()) / 1e6 / wall
        run.note("busy", **key, steps=wanted * source.batches, seconds=seconds, share=share,
                 gib=peak(run))  # fmt: skip


# --- Several trainings at once --------------------------------------------------------------------


def together(run):
    """Steps per second of several trainings on the same GPU, with and without MPS."""
    measure = run.of("together")
    for mps in (False, True):
        if mps and run.device.type == "cpu":
            continue
        with _mps(mps) as environment:
            if environment is None:
                run.note("together", mps=True, failed="no MPS daemon")
                continue
            for name in ("cddpm", "unet"):
                for n in (1, 2, 4):
                    key = {"method": name, "processes": n, "mps": mps}
                    measure(key, partial(_at_once, run, key, name, n, environment))


@contextmanager
def _mps(wanted):
    """The environment of processes, with a daemon of this user's own if MPS is wanted."""
    if not wanted:
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        environment = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        control = ["nvidia-cuda-mps-control"]
        try:
            subprocess.run([*control, "-d"], env={**os.environ, **environment}, check=True,
                           timeout=20)  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            yield None
            return
        try:
            yield environment
        finally:
            subprocess.run(control, input=b"quit\n", env={**os.environ, **environment},
                           timeout=30, check=False)  # fmt: skip


def _at_once(run, key, name, n, environment):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(n), context.Queue()
    with mock.patch.dict(os.environ, environment):
        processes = [
            context.Process(target=_train_for_a_while, args=(run, name, barrier, results))
            for _ in range(n)
        ]
        for process in processes:
            process.start()
        try:
            rates = [results.get(timeout=60) for _ in processes]
        finally:
            for process in processes:
                process.join(5)
                process.kill()
    run.note("together", **key, steps_per_second=sum(rates))


def _train_for_a_while(run, name, barrier, results):
    """Steps per second of one process, while the others compute too."""
    devices.set_up_networks(1)
    seconds = 1 if run.tiny else 5
    _, step = stepper(run, name, Way(), run.batch)
    for _ in range(3):
        step()
    _wait(run.device)
    barrier.wait(80)
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        step()
        done += 1
        if done % 4 == 0:
            _wait(run.device)
    _wait(run.device)
    results.put(done / (time.perf_counter() - began))
    barrier.wait(80)


def main():
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--config", nargs="+", default=["config/config.yaml"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--methods", nargs="+", help="for `correct` and `steps`; else all")
    parser.add_argument("--minutes", type=float, default=10, help="begin nothing after that")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    config = paper.read(*options.config, *(["config/demo.yaml"] if options.tiny else []))
    device = devices.choose("auto" if options.tiny else "cuda")
    devices.set_up_networks(1 if options.tiny else min(8, os.cpu_count()))
    options.out.mkdir(parents=True, exist_ok=True)
    shape, batch, calls = ((4, 64, 64), 4, 1) if options.tiny else (paper.SHAPE, paper.BATCH, 8)
    until = time.monotonic() + 60 * options.minutes
    out = options.out / "gpu.jsonl"
    names = options.methods or list(config["methods"])
    run = Run(config, names, device, shape, batch, calls, out, options.tiny, until)
    run.note(
        "machine",
        device=torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        cores=os.cpu_count(),
        python=platform.python_version(),
        torch=torch.__version__,
        noise="opensimplex" if importlib.util.find_spec("opensimplex") else "stand-in",
        date=str(date.today()),
        tiny=options.tiny,
    )
    if importlib.util.find_spec("opensimplex"):
        noise.draw(np.random.default_rng(0), shape[1:], 2, 0.8, 16)  # Numba compiles it once
    for part in options.parts:
        began = time.monotonic()
        {"correct": correct, "steps": steps, "variants": variants, "busy": busy,
         "together": together}[part](run)  # fmt: skip
        run.note("time", of=part, seconds=time.monotonic() - began)


if __name__ == "__main__":
    main()
