"""Control `chance`: uniform noise in the brain. Average precision must be near the prevalence."""

import numpy as np


def build(validation, rng):
    """See `uad.evaluation.controls`."""
    return lambda volume: rng.random(volume.image.shape, dtype=np.float32) * volume.brain
