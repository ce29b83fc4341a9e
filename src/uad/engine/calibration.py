"""What an epoch and a volume cost on this machine, measured on random images.

A training runs by the loop of trainings, a volume by the functions of inference; where the whole
would take long, a part is timed: fewer slices, one noise level. Times are taken as proportional to
slices, and on a CPU they are nearly so.
"""

import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from uad.base import devices
from uad.data import packed, slices
from uad.engine import loop
from uad.engine.saved_state import SavedState
from uad.engine.settings import Training
from uad.models import anomalies, methods
from uad.models.method import Method

# Seconds of a timed part that are enough: one of few slices that takes longer is not made larger.
ENOUGH = 3.0
FEW = 2  # slices of the first part
NEVER = float("inf")  # minutes until the state of a training is saved


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds of the parts that a model's jobs consist of.

    Attributes
    ----------
    step : float
        Of an optimiser step with the configured batch, with reading and augmentation.
    validation : float
        Of the validation loss of one slice.
    reconstruct, score : float
        Of a volume's reconstructions at all levels, and of its anomaly map; 0 if there is none.
    """

    step: float = 0.0
    validation: float = 0.0
    reconstruct: float = 0.0
    score: float = 0.0


def measure(
    model: str,
    blocks: dict,
    shape: tuple[int, int, int],
    device: torch.device,
    threads: int,
    synthetic: dict | None,
    seed: int,
) -> Cost:
    """Time a model with random weights.

    Parameters
    ----------
    model : str
        Method and, after a hyphen, what it learns anomalies from.
    blocks : dict
        `methods` of the configuration.
    shape : tuple of int
        Of a packed volume, (Z, X, Y).
    device : torch.device
    threads : int
        Of a CPU.
    synthetic : dict or None
        Block `synthetic`, for models that are trained on such anomalies.
    seed : int
        Of images and weights.
    """
    devices.set_up_networks(threads)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    name, _, source = model.partition("-")
    method = build(name, blocks, shape[1:])
    block = methods.training_params(name, blocks[name])
    settings = Training(**block["training"], save_minutes=NEVER)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        data = _data(method, settings, source, shape, device, synthetic, folder, rng)
        if settings.epochs:
            found |= _training(method, settings, data, seed)
    if name not in methods.PRETRAINING:
        upstream = blocks[name]["upstream"]
        given = len(blocks[upstream].get("test_levels", [1])) if upstream else 0
        found |= _inference(method, shape, given, device, rng)
    return Cost(**found)


def build(name: str, blocks: dict, slice_shape: tuple[int, int]) -> Method:
    """A method with random weights, on its upstream if it has one.

    Parameters
    ----------
    name : str
    blocks : dict
        `methods` of the configuration.
    slice_shape : tuple of int
        (X, Y)
    """
    upstream = blocks[name]["upstream"]
    below = build(upstream, blocks, slice_shape) if upstream else None
    if below is not None:
        below.eval().requires_grad_(False)
    return methods.build(name, methods.params_of(name, blocks[name], slice_shape), below)


def random_pack(
    folder: Path | str, n: int, shape: tuple[int, int, int], rng: np.random.Generator
) -> packed.Pack:
    """`n` random volumes of `shape`, (Z, X, Y), packed: healthy, all voxels inside the brain."""
    empty = np.zeros(shape, np.uint8)
    volumes = (
        {"image": rng.random(shape, dtype=np.float32), "brain": empty + 1, "lesion": empty}
        for _ in range(n)
    )
    table = pd.DataFrame({"subject": [f"S{i}" for i in range(n)]})
    packed.write(Path(folder), table, volumes, n, shape)
    return packed.Pack(Path(folder))


def _data(method, settings, source, shape, device, synthetic, folder, rng):
    """As many random volumes as a batch has."""
    n = settings.batch_size
    return slices.TrainingSlices(
        pack=random_pack(folder, n, shape, rng),
        rows=np.arange(n),
        batch_size=n,
        slices_per_volume=1,
        drop_last=False,
        augment=settings.augment,
        corrupt=anomalies.load(source, synthetic),
        partners=method.needs_partners,
        device=device,
    )


def _training(method, settings, data, seed):
    """Seconds of a step and of a validated slice."""
    n = settings.batch_size
    part = min(FEW, n) if data.device.type == "cpu" else n
    history = _epochs(method, settings, data, part, seed)
    if part < n and history[1]["seconds"] * n / part < ENOUGH:
        part, history = n, _epochs(method, settings, data, n, seed)
    _, alone, with_validation = (line["seconds"] for line in history)
    return {
        "step": alone * n / part,
        "validation": max(with_validation - alone, 0.0) / part,
    }


def _epochs(method, settings, data, n, seed):
    """History of three epochs of one step: to warm up, a step alone, a step with validation."""
    data = dataclasses.replace(data, rows=data.rows[:n], batch_size=n)
    settings = dataclasses.replace(settings, epochs=3, validate_every=3, validation="random")
    path = Path(tempfile.gettempdir()) / "never-written"  # no save is due
    saved = SavedState(path, "", NEVER, "calibration")
    return loop.fit(method, data, data, settings, seed, saved).history


@torch.no_grad()
def _inference(method, shape, given, device, rng):
    """Seconds of a volume's reconstructions, or of its anomaly map from `given` ones, if any."""
    devices.lay_out(method, device)
    method.eval()
    volume = torch.from_numpy(rng.random(shape, dtype=np.float32)).to(device)  # (Z, X, Y)
    brain = np.ones(shape, bool)
    levels = method.levels
    if levels > 1:
        one = method.params.test_levels[:1]
        method.params = dataclasses.replace(method.params, test_levels=one)

    def reconstruct(n: int) -> None:
        method.reconstruct(volume[:n], rng).cpu()

    def score(n: int) -> None:
        made = volume[None, :n].repeat(given, 1, 1, 1) if given else None
        method.anomaly_map(volume[:n], brain[:n], made)

    with devices.autocast(device, method.precision):
        if levels:
            return {"reconstruct": _timed(reconstruct, len(volume)) * levels}
        return {"score": _timed(score, len(volume))}


def _timed(work: Callable[[int], None], n: int) -> float:
    """Seconds of `work` on `n` slices, extrapolated from fewer if they take long."""
    few = min(FEW, n)
    work(few)
    began = time.monotonic()
    work(few)
    seconds = (time.monotonic() - began) * n / few
    if few < n and seconds < ENOUGH:
        began = time.monotonic()
        work(n)
        seconds = time.monotonic() - began
    return seconds
