"""The authors' Lightning checkpoints as models of this workflow, mapped by name.

Their names are those of the released code: SparK (`Spark_2D`), DDPM and cDDPM (`DDPM_2D`), and the
SADM network with the cDDPM that it stands on (`SADM_2D`). Only weights are read. What Lightning
stores beside them (configuration objects, states of optimisers and callbacks) is unpacked into
objects that can do nothing, so that none of its code runs or need be installed.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from uad.base import tsv
from uad.base.errors import InputError
from uad.base.files import write_json
from uad.engine import checkpoints
from uad.models import methods

# Names of the released code, up to a dot or the end, to those here. Of a residual block:
RESIDUAL = {
    "in_layers.0": "norm_in",
    "in_layers.2": "conv_in",
    "emb_layers.1": "embed",
    "out_layers.0": "norm_out",
    "out_layers.3": "conv_out",
    "skip_connection": "skip",
}
# Of the denoiser outside its residual blocks, in which numbers count.
UNET = {
    "time_embed": "embed_time",
    "label_emb": "embed_condition",
    "input_blocks.0.0": "conv_in",
    "middle_block.1.norm": "attention.norm",
    "middle_block.1.qkv": "attention.qkv",
    "middle_block.1.proj_out": "attention.out",
    "out.0": "norm_out",
    "out.2": "conv_out",
}
MIDDLE = {"0": "middle_in", "2": "middle_out"}
# Of two convolutions of the segmentation network, and of a level of SparK's decoder.
CONVOLUTIONS = {"block.1": "0", "block.3": "2", "block.5": "3", "block.7": "5"}
DOUBLING = {"up": "0", "conv.0.b.0": "1", "conv.0.b.1": "2", "conv.0.b.3": "4", "conv.0.b.4": "5"}
SPARK = {
    "sparse_encoder.sp_cnn": "encoder",
    "dense_decoder.proj": "conv_out",
    "en_de_norms": "norms",
    "en_de_lins": "projections",
    "mask_tokens": "tokens",
}
# Of SparK, not needed here: buffers without weights, and a head that it does not use.
LEFT_OUT = ("imn_m", "imn_s", "norm_black", "sparse_encoder.sp_cnn.fc.")


def read(path: Path | str) -> dict[str, Any]:
    """A Lightning checkpoint: tensors and plain values as they are, all else without effect.

    Raises
    ------
    InputError
        If the file is missing or damaged, or holds no `state_dict`.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        unknown = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        stand_ins = [(type("Nothing", (_Nothing,), {}), name) for name in unknown]
        with torch.serialization.safe_globals(stand_ins):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and end-of-file errors of many kinds
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as a checkpoint ({reason})") from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), Mapping):
        raise InputError(f"{path}: is no Lightning checkpoint, since it has no `state_dict`")
    return content


class _Nothing:
    """In the place of whatever a checkpoint holds beside weights: takes anything, does nothing."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass


def import_model(
    path: Path | str,
    model: str,
    block: dict,
    outputs: Any,
    fold: int,
    code: str,
    upstream: dict | None = None,
) -> None:
    """A checkpoint as a model of this workflow.

    Parameters
    ----------
    path : path-like
    model : str
        A method that the authors have released, and after a hyphen what it learns anomalies from.
    block : dict
        The method's block of the configuration (`methods.training_params`).
    outputs : mapping
        `model`, `history` (one line) and `about`; `upstream` too if the method lets it drift.
    fold : int
    code : str
        Digest of the code that runs.
    upstream : dict, optional
        Block of its upstream method, a cDDPM, of which a checkpoint of SADM holds what has become.

    Raises
    ------
    InputError
        If the checkpoint is of another network than the configuration has.
    """
    content = read(path)
    score = _best_score(content)
    said = {"model": model, "fold": fold, "seed": None, "val_loss": score, "device": "cpu"}
    said["imported"] = Path(path).name

    def write(name: str, of: dict, output: Path | str) -> dict[str, Any]:
        params = methods.params_of(name, of, slice_shape=())
        network = methods.build(name, params).network
        _load(network, WEIGHTS[name](content["state_dict"], of), path, name)
        sizes = {"trained": sum(p.numel() for p in network.parameters()), "frozen": 0}
        more = {**said, "parameters": sizes, "training": of["training"]}
        return checkpoints.save(output, name, params, network.state_dict(), code, **more)

    if outputs.get("upstream"):
        write(block["upstream"], upstream, outputs["upstream"])
    about = write(model.partition("-")[0], block, outputs["model"])
    unknown = dict.fromkeys(("steps", "train_loss", "val_dice"))
    line = {"epoch": 1, "val_loss": score, **unknown, "skipped": 0, "seconds": 0.0}
    tsv.write(pd.DataFrame([line]), outputs["history"])
    write_json(about, outputs["about"])


def _load(network, weights, path, method):
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        expected = network.state_dict()
        missing, left_over = (
            sorted(a.keys() - b.keys()) for a, b in ((expected, weights), (weights, expected))
        )
        shared = expected.keys() & weights.keys()
        other = sorted(k for k in shared if weights[k].shape != expected[k].shape)
        raise InputError(
            f"{path}: does not fit methods.{method} of the configuration: of {len(expected)} "
            f"weights {len(missing)} are missing, {len(other)} have another shape, and "
            f"{len(left_over)} are left over, such as {[*missing, *other, *left_over][0]}"
        ) from error


def _unet(state: Mapping[str, torch.Tensor], block: dict) -> dict[str, torch.Tensor]:
    """Weights of the denoiser."""
    per_stage = block["unet"]["res_blocks"] + 1

    def renamed(name: str) -> str:
        if match := re.match(r"input_blocks\.([1-9]\d*)\.0\.", name):
            return f"down.{int(match[1]) - 1}.{_swapped(name[match.end() :], RESIDUAL)}"
        if match := re.match(r"middle_block\.([02])\.", name):
            return f"{MIDDLE[match[1]]}.{_swapped(name[match.end() :], RESIDUAL)}"
        if match := re.match(r"output_blocks\.(\d+)\.(\d+)\.", name):
            stage, place = divmod(int(match[1]), per_stage)
            # The last residual block of a stage is followed by one that doubles the size.
            place += match[2] != "0"
            return f"up.{stage}.{place}.{_swapped(name[match.end() :], RESIDUAL)}"
        return _swapped(name, UNET)

    return {renamed(k): v for k, v in _below(state, "diffusion.model.").items()}


def _swapped(name: str, table: Mapping[str, str]) -> str:
    """A name with another beginning; unchanged, so that it is left over, if none is known."""
    for theirs, ours in table.items():
        if name == theirs or name.startswith(f"{theirs}."):
            return ours + name.removeprefix(theirs)
    return name


def _below(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """What is below a name, by the rest of its name."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _ddpm(state: Mapping[str, torch.Tensor], block: dict) -> dict[str, torch.Tensor]:
    return _unet(state, block)


def _cddpm(state: Mapping[str, torch.Tensor], block: dict) -> dict[str, torch.Tensor]:
    encoder = _below(state, "encoder.encoder.")  # names of timm's ResNet are those here
    return {
        **{f"unet.{k}": v for k, v in _unet(state, block).items()},
        **{f"encoder.{k}": v for k, v in encoder.items()},
    }


def _spark(state: Mapping[str, torch.Tensor], block: dict) -> dict[str, torch.Tensor]:
    def renamed(name: str) -> str:
        if match := re.match(r"dense_decoder\.dec\.(\d+)\.", name):
            return f"decoder.{match[1]}.{_swapped(name[match.end() :], DOUBLING)}"
        return _swapped(name, SPARK)

    weights = _below(state, "model.").items()
    return {renamed(k): v for k, v in weights if not k.startswith(LEFT_OUT)}


def _unet_res(state: Mapping[str, torch.Tensor], block: dict) -> dict[str, torch.Tensor]:
    def renamed(name: str) -> str:
        if match := re.match(r"down_path\.(\d+)\.", name):
            return f"down.{match[1]}.{_swapped(name[match.end() :], CONVOLUTIONS)}"
        if match := re.match(r"up_path\.(\d+)\.conv_block\.", name):
            return f"up.{match[1]}.{_swapped(name[match.end() :], CONVOLUTIONS)}"
        if match := re.match(r"up_path\.(\d+)\.up\.", name):
            return f"upsample.{match[1]}.{name[match.end() :]}"
        return _swapped(name, {"last": "head"})

    return {renamed(k): v for k, v in _below(state, "SegUnet.").items()}


WEIGHTS: dict[str, Callable[[Mapping[str, torch.Tensor], dict], dict[str, torch.Tensor]]] = {
    "spark": _spark,
    "ddpm": _ddpm,
    "pddpm": _ddpm,
    "cddpm": _cddpm,
    "unet_res": _unet_res,
}


def _best_score(content: dict) -> float | None:
    """The validation loss that chose the checkpoint, if Lightning's callback tells it."""
    callbacks = content.get("callbacks")
    for state in callbacks.values() if isinstance(callbacks, Mapping) else ():
        score = state.get("best_model_score") if isinstance(state, Mapping) else None
        if isinstance(score, torch.Tensor | float):
            return float(score)
    return None
