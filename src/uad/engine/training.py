"""The training job: data, model and device of one model and fold put together."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from uad.base import devices, seeding, tsv
from uad.base.errors import InputError
from uad.base.files import write_json
from uad.base.logs import log
from uad.data import packed, slices, splits
from uad.data.packed import Volumes
from uad.engine import checkpoints, gradient_free, loop
from uad.engine.jobs import Job
from uad.engine.saved_state import SavedState, State
from uad.engine.settings import Training
from uad.models import anomalies, methods
from uad.models.method import Method


def train(
    model: str,
    block: dict,
    inputs: Any,
    outputs: Any,
    seed: int,
    save_minutes: float,
    job: Job,
    synthetic: dict | None = None,
) -> None:
    """Train one model on one fold and store its best state.

    Parameters
    ----------
    model : str
        Method and, after a hyphen, what it learns anomalies from.
    block : dict
        The method's block of the configuration, of which only what decides the weights is used
        (`methods.training_params`).
    inputs : mapping
        `train`, `val` (files of packed data sets), `train_split`, `val_split`, `upstream` if the
        method builds on another, `pretrained` if it starts from weights.
    outputs : mapping
        `model`, `history`, and `about`, which repeats all that is stored with the model but the
        weights; `upstream` for the upstream model, if training lets it drift.
    seed : int
        Of the run.
    save_minutes : float
        How often the state for resuming is saved.
    job : Job
    synthetic : dict, optional
        Block `synthetic` of the configuration, for models that are trained on such anomalies.
    """
    devices.set_up_networks(job.threads)
    name, _, source = model.partition("-")
    label = f"{model} fold {job.fold}"
    block = methods.training_params(name, block)
    settings = Training(**block["training"], save_minutes=save_minutes)
    pack, val_pack = packed.of_files(inputs["train"]), packed.of_files(inputs["val"])
    params = methods.params_of(name, block, pack.image.shape[2:])  # of (V, Z, X, Y)
    seed = seeding.derive(seed, model, "fold", job.fold)
    # Initial weights come from torch's global generator, which only this job uses.
    torch.manual_seed(seed)
    upstream = None
    if inputs.get("upstream"):
        upstream = checkpoints.load(inputs["upstream"], job.device)
    method = methods.build(name, params, upstream)
    if inputs.get("pretrained"):
        checkpoints.load_pretrained(method, inputs["pretrained"])

    split, val_split = (tsv.read(inputs[key]) for key in ("train_split", "val_split"))
    for table in (split, val_split):
        splits.check(table)
    corrupt = anomalies.load(source, synthetic)
    data = slices.TrainingSlices(
        pack=pack,
        rows=pack.rows(splits.subjects(split, job.fold, "train")),
        batch_size=settings.batch_size,
        slices_per_volume=settings.slices_per_volume,
        drop_last=not source or corrupt is not None
        if settings.drop_last == "healthy"
        else settings.drop_last,
        augment=settings.augment,
        corrupt=corrupt,
        partners=method.needs_partners,
        device=job.device,
    )
    rows = val_pack.rows(splits.subjects(val_split, job.fold, "val"))
    for role, found in (("train", data.rows), ("val", rows)):
        if not len(found):
            raise InputError(f"{label}: the split has no {role} subject in this fold")
    if (synthetic or {}).get("validation") != "training":
        corrupt = None  # they are in the data set
    if settings.validation == "random":
        validation = dataclasses.replace(
            data, pack=val_pack, rows=rows, slices_per_volume=1, drop_last=False, corrupt=corrupt
        )
    else:
        validation = slices.fixed(
            val_pack,
            rows,
            settings.validation_slices,
            settings.batch_size,
            method.needs_partners,
            job.device,
            corrupt,
            seeding.generator(seed, "validation anomalies"),
        )
    log.info("%d training volumes, %d batches per epoch", len(data.rows), data.batches)
    fitting = job.fingerprint(inputs, model=model, block=block, synthetic=synthetic, seed=seed)
    state_path = Path(outputs["model"]).with_name(".state.pt")
    saved = SavedState(state_path, fitting, settings.save_minutes, label)
    check_epochs(name, method, settings.epochs)
    if settings.epochs:
        state = loop.fit(method, data, validation, settings, seed, saved)
    else:
        state = State(best=method.network.state_dict())
    if method.fits:
        volumes = Volumes(pack, data.rows)
        state.best = gradient_free.fit(method, state.best, volumes, seed, job.device)
    loop.write_history(state.history, outputs["history"])
    network = state.best
    if outputs.get("upstream"):
        network, drifted = method.split(network)
        content = checkpoints.read(inputs["upstream"])
        content |= {"network": content["network"] | drifted, "drifted": model}
        checkpoints.write(content, outputs["upstream"])
    about = checkpoints.save(
        outputs["model"], name, params, network, job.code,
        model=model, fold=job.fold, seed=seed, training=block["training"], synthetic=synthetic,
        val_loss=state.best_loss if settings.epochs else None,
        parameters=_count(method.network), device=job.device.type,
    )  # fmt: skip
    write_json(about, outputs["about"])
    saved.discard()


def check_epochs(name: str, method: Method, epochs: int) -> None:
    """Weights that learn need epochs, and epochs need weights that learn; else `InputError`."""
    learns = _count(method.network)["trained"] > 0
    if learns and not epochs:
        raise InputError(
            f"methods.{name}.training.epochs is 0, but its network has weights to train; let them "
            "be, with requires_grad_(False), or give it epochs"
        )
    if epochs and not learns:
        raise InputError(
            f"methods.{name}.training.epochs is {epochs}, but its network has no weights to train; "
            "set it to 0"
        )


def _count(network):
    """Parameters of a network, those that are trained and those that are not."""
    sizes = {True: 0, False: 0}
    for parameter in network.parameters():
        sizes[parameter.requires_grad] += parameter.numel()
    return {"trained": sizes[True], "frozen": sizes[False]}
