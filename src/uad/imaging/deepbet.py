"""Brain masks of whole T1-weighted heads by deepbet 1.0 (Fisch et al., Computers in Biology and
Medicine 2024).

Two small networks, one after the other: the first finds the box of the brain in the head at
128 x 128 x 128 voxels, the second the brain in that box at 256 x 256 x 256. Their weights come with
the package, so nothing is fetched. They were trained on T1-weighted heads of healthy adults; other
contrasts are refused when a run is planned.

Computed on the CPU wherever it runs: seconds per head, and the same mask with and without a GPU.

Runs in an environment of its own, since the package asks for a windowing toolkit and puts a
folder `data` beside all other packages.
"""

import hashlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np

from uad.base.errors import InputError

if TYPE_CHECKING:  # installed elsewhere
    from deepbet import BrainExtraction

    from uad.imaging.volumes import Volume

# SHA-256 of the networks in version 1.0.2. They are TorchScript, programs of a kind, so nothing
# else is loaded.
WEIGHTS = {
    "bbox_model.pt": "39a7b2b5f799faa1391ea97bfcdc0b9299f20d84f2316a4ff8918dc4685e40aa",
    "model.pt": "de8ee7c69654d0dd3935dc4a5d84571d8ecf4637a6bfc01df399c4c2bc86e0fd",
}


def set_up(threads: int) -> None:
    """Check that deepbet is there, with its own weights, and limit torch to a number of threads.

    Raises
    ------
    InputError
        If deepbet is not installed for this interpreter, or its weights are not those of `WEIGHTS`.
    """
    package = importlib.util.find_spec("deepbet")
    if package is None:
        raise InputError(
            f"deepbet is not installed for {sys.executable}; run make setup-deepbet, or give "
            "snakemake --sdm conda (or set brain_mask: atlas, which needs no deepbet)"
        )
    check_weights(Path(package.origin).parents[1] / "data/models")
    os.environ.update(OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    from uad.base import devices  # imports torch, which reads the variables then

    devices.set_up_cpu(threads)


def check_weights(folder: Path | str) -> None:
    """Raise `InputError` unless a folder holds the networks of deepbet 1.0.2."""
    for name, expected in WEIGHTS.items():
        path = Path(folder) / name
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        if found != expected:
            state = "no such file" if found is None else f"its SHA-256 is {found}"
            raise InputError(
                f"{path}: not the network of deepbet 1.0.2 ({state}); delete the environment that "
                "it is in, and run make setup-deepbet again"
            )


def load() -> "BrainExtraction":
    """deepbet with its networks; call `set_up` first."""
    from deepbet import BrainExtraction

    return BrainExtraction(no_gpu=True)


def find_brain(head: "Volume", networks: "BrainExtraction") -> "Volume":
    """Brain mask of a whole head.

    Parameters
    ----------
    head : Volume
        T1-weighted, with its skull, any unit.
    networks : deepbet.BrainExtraction
        See `load`.

    Returns
    -------
    Volume
        uint8, 1 in the brain, on the grid of `head`.

    Raises
    ------
    InputError
        If deepbet sees no brain in the head.
    """
    image = nib.Nifti1Image(np.asarray(head.array, np.float32), head.affine)
    try:
        _, mask, _ = networks.run(image)
    except (AssertionError, ValueError) as error:  # nothing above its threshold, or hardly anything
        raise InputError(f"{head.path}: deepbet finds no brain in this head ({error})") from error
    return head.like(np.asarray(mask.dataobj).astype(np.uint8))
