"""Device, precision, threads and memory of a job, and the transfer of arrays to its device."""

import ctypes
import math
import os

import numpy as np
import torch
from torch import nn

from uad.base import locks
from uad.base.errors import InputError
from uad.base.logs import log

# The 16-bit type that networks compute in; weights, and what needs more range, keep 32 bits.
PRECISIONS = {"32-true": None, "16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}


def choose(accelerator: str) -> torch.device:
    """The kind of device for an `accelerator` of the configuration.

    Parameters
    ----------
    accelerator : {"auto", "cpu", "cuda"}
        ``auto`` takes a GPU if there is one.

    Raises
    ------
    InputError
        If ``cuda`` is demanded and no GPU is visible.
    """
    available = torch.cuda.is_available()
    if accelerator == "cuda" and not available:
        raise InputError("accelerator: cuda is configured, but torch sees no GPU on this machine")
    return torch.device("cuda" if available and accelerator != "cpu" else "cpu")


def claim(accelerator: str, local_gpus: int) -> torch.device:
    """The device for this job alone, until its process ends; waits for a GPU if all are taken.

    In a cluster job that was given one GPU it is that one. Elsewhere jobs share the GPUs that they
    see by `uad.base.locks`, one job on each; more only if `local_gpus` exceeds their number.

    Parameters
    ----------
    accelerator : {"auto", "cpu", "cuda"}
    local_gpus : int
        Jobs that may compute on the GPUs of this machine at once.

    Returns
    -------
    torch.device
        ``cpu``, or ``cuda`` with a number, which is then also torch's current device.

    Raises
    ------
    InputError
        See `choose`.
    """
    if choose(accelerator).type == "cpu":
        _log_cpu(accelerator)
        return torch.device("cpu")
    count = torch.cuda.device_count()
    if count == 1 and "SLURM_JOB_ID" in os.environ:
        index = 0
    else:
        cards = [str(torch.cuda.get_device_properties(i).uuid) for i in range(count)]
        index = locks.take(cards, per_card=math.ceil(local_gpus / count))
    device = torch.device("cuda", index)
    torch.cuda.set_device(device)
    # Shapes recur, so that the fastest of cuDNN's algorithms is worth a search.
    torch.backends.cudnn.benchmark = True
    log.info("computing on %s (%s)", device, torch.cuda.get_device_name(device))
    return device


def set_up_cpu(threads: int) -> None:
    """Limit torch to a number of threads, and keep freed memory in this process.

    By default the C library returns large blocks to the system at once and requests them again,
    page by page, for a network's next layer. On a CPU this takes a seventh of the time of training
    and a quarter of that of inference. Only glibc has this setting. Results do not change.
    """
    torch.set_num_threads(threads)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of <malloc.h>
        mallopt(trim_threshold, -1)  # none
        mallopt(mmap_threshold, 1_000_000_000)


def set_up_networks(threads: int) -> None:
    """The same for a job that runs networks; denormal numbers are rounded to zero there.

    Cubic splines leave traces far below 1e-38 in the background of images. Some processors need a
    hundred times as long for such numbers: on an Intel Xeon a training step of Unet_res took nine
    times as long with them. Other jobs keep them: without, SciPy's k-d tree recurses for ever.
    """
    set_up_cpu(threads)
    torch.set_flush_denormal(True)


def reduced(device: torch.device, precision: str) -> torch.dtype | None:
    """The 16-bit type that networks compute in; None if they compute in 32 bits.

    Parameters
    ----------
    device : torch.device
    precision : {"32-true", "16-mixed", "bf16-mixed"}
        ``16-mixed`` means 32 bits on the CPU, where half precision is slow.
    """
    dtype = PRECISIONS[precision]
    return None if device.type == "cpu" and dtype is torch.float16 else dtype


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """A context in which networks compute as `reduced` says."""
    dtype = reduced(device, precision)
    return torch.autocast(device.type, dtype, enabled=dtype is not None)


def lay_out(network: nn.Module, device: torch.device) -> None:
    """Move a network to a device, in the memory layout that is fastest there.

    Convolutions are faster with channels last; on a GPU not where they are between group
    normalisations (measured with the cDDPM, `docs/benchmarks.md`).
    """
    grouped = any(isinstance(module, nn.GroupNorm) for module in network.modules())
    default = device.type == "cuda" and grouped
    network.to(device, memory_format=torch.contiguous_format if default else torch.channels_last)


def send(array: np.ndarray, device: torch.device | str) -> torch.Tensor:
    """An array as a tensor on a device, without waiting for what a GPU is still computing.

    Parameters
    ----------
    array : ndarray
        On the CPU the tensor shares its memory.
    device : torch.device or str
    """
    tensor = torch.from_numpy(array)
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def _log_cpu(accelerator):
    """Log that the CPU is used, and why if it was not asked for."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if accelerator == "cpu":
        log.info("computing on the CPU")
    elif given:
        log.info(
            "computing on the CPU: torch cannot use the GPU that this job was given (number %s)",
            given,
        )
    else:
        log.info("computing on the CPU: torch sees no GPU")
