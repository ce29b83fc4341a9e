"""The paper's networks and arrays, for benchmarks; needs torch and NumPy only.

Volumes are 50 slices of 96 x 96 voxels of 2 mm, batches have 32 slices.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from uad.data import packed
from uad.models import methods

SHAPE = (50, 96, 96)  # (Z, X, Y)
BATCH = 32


def read(*paths):
    """Configurations, YAML or JSON, merged one over the other."""
    config = {}
    for path in map(Path, paths):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            merge(config, json.loads(text))
        else:
            import yaml  # not on every machine

            merge(config, yaml.safe_load(text))
    return config


def merge(below, above):
    """Put the values of a nested dict into another."""
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            merge(below[key], value)
        else:
            below[key] = value


def build(name, config, slice_shape=SHAPE[1:]):
    """A method with random weights, on its upstream if it has one."""
    block = config["methods"][name]
    upstream = block["upstream"] and build(block["upstream"], config, slice_shape)
    if upstream:
        upstream.eval().requires_grad_(False)
    return methods.build(name, methods.params_of(name, block, slice_shape), upstream)


def training_block(name, config):
    """How a method is trained."""
    return config["training"] | config["methods"][name]["training"]


def make_pack(folder, n, shape, rng):
    """Random volumes as a packed data set, healthy, with all voxels inside the brain."""
    empty = np.zeros(shape, np.uint8)
    volumes = (
        {"image": rng.random(shape, dtype=np.float32), "brain": empty + 1, "lesion": empty}
        for _ in range(n)
    )
    packed.write(folder, pd.DataFrame({"subject": [f"S{i}" for i in range(n)]}), volumes, n, shape)
    return packed.Pack(folder)
