"""Whether a mask on the atlas grid can be one of a brain, or of a lesion in it."""

import numpy as np

from uad.base.errors import InputError
from uad.imaging.volumes import Volume

# Dice of the brain mask with the atlas brain, to which the head was registered: no mask smaller
# than 0.54 or larger than 1.86 times the atlas brain reaches it, nor one in another place.
LEAST_DICE = 0.7
LEAST_INSIDE = 0.5  # share of the lesion that the brain mask must hold
MOST_OF_BRAIN = 0.5  # share of the brain mask that a lesion may have


def check_brain(brain: Volume, atlas_brain: Volume) -> None:
    """Raise `InputError` if a brain mask is far from the atlas brain; one grid."""
    inside, atlas = brain.array > 0, atlas_brain.array > 0
    dice = 2 * (inside & atlas).sum() / (inside.sum() + atlas.sum())
    if dice < LEAST_DICE:
        raise InputError(
            f"{brain.path}: the brain mask has {inside.sum() * brain.voxel_ml:.0f} ml and a Dice "
            f"of {dice:.2f} with the atlas brain of {atlas.sum() * brain.voxel_ml:.0f} ml; at "
            f"least {LEAST_DICE} is needed"
        )


def check_lesion(lesion: Volume, brain: Volume) -> None:
    """Raise `InputError` if a lesion is no part of the brain, or most of it; one grid."""
    marked, inside = lesion.array > 0, brain.array > 0
    n, n_inside = np.count_nonzero(marked), np.count_nonzero(marked & inside)
    if n_inside < LEAST_INSIDE * n:
        raise InputError(
            f"{lesion.path}: {n_inside / n:.0%} of the lesion ({n * lesion.voxel_ml:.2f} ml) is in "
            f"the brain mask, at least {LEAST_INSIDE:.0%} is needed; is it of another patient?"
        )
    if n_inside > MOST_OF_BRAIN * np.count_nonzero(inside):
        raise InputError(
            f"{lesion.path}: the lesion has {n_inside / np.count_nonzero(inside):.0%} of the brain "
            f"mask, more than {MOST_OF_BRAIN:.0%} cannot be one"
        )
