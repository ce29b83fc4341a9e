"""Brain masks of whole heads by HD-BET 2 (Isensee et al., Human Brain Mapping 2019; nnU-Net, 2021).

HD-BET is a trained nnU-Net and a small program around it. Here nnU-Net is called directly, with the
settings of that program (tiles that overlap by half and are weighted by a Gaussian, test-time
mirroring on a GPU only), because the program looks for its weights in the home folder and fetches
them from the network when they are not there, starts twelve worker processes per image and computes
with as many threads as the machine has cores. The masks are the same (tested).

Runs in an environment of its own, since it pulls packages that can replace torch.
"""

import contextlib
import importlib.util
import io
import logging
import os
import pickle
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uad.base.errors import InputError

if TYPE_CHECKING:  # torch is imported where it is needed, after `set_up`
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    from uad.imaging.volumes import Volume

# The last is nnU-Net's, which reads it when imported.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "nnUNet_def_n_proc")
# Makes torch.load refuse pickled objects, although nnU-Net tells it to load anything.
WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
PRIMUS = "nnunetv2.training.nnUNetTrainer.primus.primus_trainers"

log = logging.getLogger("uad")


def set_up(threads: int) -> None:
    """Keep torch and nnU-Net to a number of CPU threads; call before either is imported.

    Raises
    ------
    InputError
        If nnU-Net is not installed for this interpreter.
    """
    if importlib.util.find_spec("nnunetv2") is None:
        raise InputError(
            f"HD-BET is not installed for {sys.executable}; run make setup-hdbet, or give "
            "snakemake --sdm conda (or set brain_mask: atlas, which needs no HD-BET)"
        )
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    os.environ.update(nnUNet_compile="F")  # as HD-BET does; compiling takes longer than one head
    # nnU-Net looks for the trainer of the weights by importing its modules one by one. This one
    # imports timm and torchvision, which fail beside a CPU build of torch; HD-BET is older than it.
    sys.modules[PRIMUS] = types.ModuleType(PRIMUS)
    import torch

    torch.set_num_threads(threads)
    os.environ[WEIGHTS_ONLY] = "1"
    torch.serialization.add_safe_globals(_numpy_values())


def _numpy_values():
    """What torch has to know to load numbers and arrays of NumPy: checkpoints log them as such."""
    make_scalar, make_array = np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]
    found = [np.dtype, np.ndarray, *(type(np.dtype(kind)) for kind in "?bhilqefd")]
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):  # NumPy 1 and 2
        found += [(make_scalar, f"{module}.scalar"), (make_array, f"{module}._reconstruct")]
    return found


@contextlib.contextmanager
def _chatter_logged() -> Iterator[None]:
    """What nnU-Net prints goes to the log."""
    chatter = io.StringIO()
    with contextlib.redirect_stdout(chatter):
        yield
    for line in filter(None, map(str.strip, chatter.getvalue().splitlines())):
        log.info("nnU-Net: %s", line)


def load(weights: Path | str, device: "torch.device") -> "nnUNetPredictor":
    """HD-BET with its weights; call `set_up` first.

    Parameters
    ----------
    weights : path-like
        See `hd_bet_weights`.
    device : torch.device
        On a GPU the mean over all mirrored copies of a head is taken; on the CPU one pass is made,
        which is eight times faster and what HD-BET recommends there.

    Raises
    ------
    InputError
        If nnU-Net cannot load the weights, or there are Python objects among them.
    """
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    with _chatter_logged():
        predictor = nnUNetPredictor(
            tile_step_size=0.5,
            use_gaussian=True,
            use_mirroring=device.type == "cuda",
            perform_everything_on_device=True,
            device=device,
            allow_tqdm=False,
        )
        try:
            predictor.initialize_from_trained_model_folder(str(weights), "all")
        except pickle.UnpicklingError as error:
            raise InputError(
                f"{weights}: the checkpoint of these weights holds Python objects, which are not "
                "loaded since they could run any program; hd_bet.weights must be those of release "
                "2.0.0"
            ) from error
        except (KeyError, RuntimeError) as error:
            raise InputError(
                f"{weights}: nnU-Net cannot load HD-BET's weights from here "
                f"({str(error).splitlines()[0]}); hd_bet.weights must be those of release 2.0.0"
            ) from error
    return predictor


def find_brain(head: "Volume", predictor: "nnUNetPredictor") -> "Volume":
    """Brain mask of a whole head.

    Parameters
    ----------
    head : Volume
        T1-weighted, LPS order.
    predictor : nnUNetPredictor
        From `load`.

    Returns
    -------
    Volume
        uint8, 1 in the brain, on the grid of `head`.
    """
    # In this process, not in a pool. HD-BET wants the orientation of the MNI152 template, which
    # is LAS; nnU-Net wants axes and spacing as SimpleITK gives them. (X, Y, Z) -> (1, Z, Y, X)
    upright = np.ascontiguousarray(head.array[:, ::-1].T, np.float32)[None]
    spacing = [float(mm) for mm in head.spacing_mm[::-1]]
    with _chatter_logged():
        found = predictor.predict_single_npy_array(upright, {"spacing": spacing})
    return head.like((found > 0).astype(np.uint8).T[:, ::-1])
