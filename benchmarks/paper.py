"""The paper's networks and arrays, for benchmarks; needs torch and NumPy only.

Volumes are 50 slices of 96 x 96 voxels of 2 mm, batches have 32 slices.
"""

import json
from pathlib import Path

from uad.engine import calibration

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
    return calibration.build(name, config["methods"], slice_shape)


def training_block(name, config):
    """How a method is trained."""
    return config["training"] | config["methods"][name]["training"]
