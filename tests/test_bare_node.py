"""Training and inference where only torch, NumPy, SciPy and pandas are: on a lent GPU node, say."""

import os
import subprocess
import sys

from conftest import ROOT

# Behind this, nothing can be imported but the standard library, the four and what these need.
BARE = """
import importlib.abc, sys

ALLOWED = {"torch", "numpy", "scipy", "pandas", "uad"} | {
    "torchgen", "functorch", "typing_extensions", "sympy", "mpmath", "networkx",  # of torch
    "dateutil", "pytz", "tzdata", "six",  # of pandas
} | set(sys.stdlib_module_names)

class Finder(importlib.abc.MetaPathFinder):
    finders = list(sys.meta_path)

    def find_spec(self, name, path=None, target=None):
        head = name.partition(".")[0]
        if head in ALLOWED or head.startswith("_sysconfigdata"):  # of Python
            specs = (finder.find_spec(name, path, target) for finder in self.finders)
            return next(filter(None, specs), None)

sys.meta_path[:] = [Finder()]
"""

IMPORT = """
import importlib, pkgutil, sys

lacking = {}
for stage in ("base", "models", "engine", "data", "evaluation"):
    package = importlib.import_module(f"uad.{stage}")
    for found in pkgutil.walk_packages(package.__path__, f"uad.{stage}."):
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            lacking[found.name] = error.name
for module, package in lacking.items():
    print(module, package)
"""

TRAIN = """
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from uad.base import devices, resumable
from uad.data import packed, slices
from uad.engine import loop
from uad.engine.saved_state import SavedState
from uad.engine.settings import Training
from uad.models import methods, residuals

folder, shape, rng = Path(sys.argv[1]), (12, 48, 48), np.random.default_rng(0)
volumes = [
    {"image": rng.random(shape, np.float32), "brain": np.ones(shape), "lesion": np.zeros(shape)}
    for _ in range(4)
]
packed.write(folder / "pack", pd.DataFrame({"subject": list("abcd")}), volumes, 4, shape)
pack, device = packed.Pack(folder / "pack"), devices.claim("cpu", 1)

method = methods.build("cddpm", {
    "unet": {
        "channels": 8, "multipliers": [1, 2], "res_blocks": 1, "head_channels": 8,
        "norm_groups": 4,
    },
    "encoder": {"width": 4, "blocks": [1, 1], "features": 8, "drop_path": 0.1},
    "steps": 1000,
    "test_levels": [500],
    "noise": {"octaves": 3, "persistence": 0.8, "wavelength": 16},
})
calls = []

def field(seed, shape, octaves, persistence, wavelength):
    calls.append((octaves, persistence, wavelength))
    return np.random.default_rng(abs(seed)).normal(size=shape)

method.field = field
settings = Training(
    learning_rate=0.001, betas=[0.9, 0.999], weight_decay=0, epochs=1, batch_size=3,
    slices_per_volume=1, drop_last=False, augment=True, precision="bf16-mixed", validate_every=1,
    validation_slices=1, save_minutes=10,
)
before = [p.detach().clone() for p in method.network.parameters()]
source = slices.TrainingSlices(pack, np.arange(3), 3, 1, False, True, None, False, device)
validation = slices.fixed(pack, [3], 1, 1, False, device)
saved = SavedState(folder / "state.pt", "x", settings.save_minutes, "test")
state = loop.fit(method, source, validation, settings, 1, saved)
assert np.isfinite(state.best_loss)
assert any((p != q).any() for p, q in zip(before, method.network.parameters()))

@torch.no_grad()
def anomaly_map(i):
    image = torch.from_numpy(np.array(pack.image[i]))
    reconstruction = method.eval().reconstruct(image, np.random.default_rng(0)).mean(0)
    return residuals.anomaly_map(image, reconstruction, pack.brain[i] > 0)

resumable.write_resumable(folder / "maps.npy", 1, shape, np.float32, anomaly_map, "x", "test")
assert np.load(folder / "maps.npy").any()
assert set(calls) == {(3, 0.8, 16)}
print(len(calls))
"""


def run(code, *arguments):
    """What code prints in a process that finds nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", BARE + code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_modules_about_images_and_downloads_need_more():
    lacking = dict(line.split() for line in run(IMPORT).splitlines())
    assert lacking == {
        "uad.data.downloads": "yaml",
        "uad.data.export": "SimpleITK",
        "uad.data.external.maps": "SimpleITK",
        "uad.data.packing": "nibabel",
        "uad.data.reading": "nibabel",
        "uad.evaluation.scored_maps": "PIL",
        "uad.models.anomalies.draem": "PIL",
    }


def test_a_model_is_trained_and_its_map_computed(tmp_path):
    # A field for the training batch, one for the validation batch, one for the only noise level.
    assert run(TRAIN, tmp_path).split() == ["3"]
