"""Array operations that several stages use."""

import numpy as np


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """Slices of the smallest box around a mask; empty slices for an empty mask."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        (where,) = np.nonzero(mask.any(axis=others))
        box.append(slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(0, 0))
    return tuple(box)
