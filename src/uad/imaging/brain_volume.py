"""Whether a brain mask has the volume of a brain, however it was made."""

from collections.abc import Sequence

from uad.base.errors import InputError
from uad.imaging.volumes import Volume


def check(mask: Volume, limits_ml: Sequence[float]) -> None:
    """Raise `InputError` if no brain has the volume of a mask.

    Parameters
    ----------
    mask : Volume
        Above zero in the brain, on the atlas grid: the affine has brought the head to the size of
        the atlas, so that brains differ less there than in life.
    limits_ml : sequence of float
        Least and greatest volume, ml (`preprocessing.brain_ml`).
    """
    least, most = limits_ml
    volume = (mask.array > 0).sum() * mask.voxel_ml
    if not least <= volume <= most:
        raise InputError(
            f"{mask.path}: the brain mask has {volume:.0f} ml, but a brain has {least:g} to "
            f"{most:g} (preprocessing.brain_ml); look at it, and try another brain_mask"
        )
