"""The training job: data, model and device of one model and fold put together."""

from pathlib import Path

import torch

from uad.base import devices, digests, seeding, tsv
from uad.base.files import discard, write_json
from uad.base.logs import log
from uad.data import packed, slices, splits
from uad.engine import checkpoints, loop
from uad.engine.settings import Training
from uad.models import methods


def train(model, fold, block, inputs, seed, device, threads, code, model_path, history_path):
    """Train one model on one fold and store its best state.

    Parameters
    ----------
    model : str
        Method, and behind a hyphen what it learns anomalies from.
    fold : int
    block : dict
        The method's block of the configuration.
    inputs : mapping
        `train`, `val` (files of packed data sets), `train_split`, `val_split`, `upstream` if the
        method stands on another, `pretrained` if it starts from weights.
    seed : int
    device : torch.device
        See `uad.base.devices.claim`.
    threads : int
    code : str
        Digest of the code, stored with the model.
    model_path, history_path : path-like
        Beside the model, `about.json` repeats all that is stored with it but the weights.
    """
    devices.set_up_cpu(threads)
    name, _, source = model.partition("-")
    settings = Training(**block["training"])
    pack, val_pack = packed.of_files(inputs["train"]), packed.of_files(inputs["val"])
    params = methods.params_of(name, block, pack.image.shape[2:])
    seed = seeding.derive(seed, model, "fold", fold)
    # Initial weights come from torch's global generator, which only this job uses.
    torch.manual_seed(seed)
    upstream = None
    if inputs.get("upstream"):
        upstream = checkpoints.load(inputs["upstream"], device)
    method = methods.build(name, params, upstream)
    if inputs.get("pretrained"):
        checkpoints.load_pretrained(method, inputs["pretrained"])

    split, val_split = (tsv.read(inputs[key]) for key in ("train_split", "val_split"))
    for table in (split, val_split):
        splits.check(table)
    data = slices.TrainingSlices(
        pack=pack,
        rows=pack.rows(splits.subjects(split, fold, "train")),
        batch_size=settings.batch_size,
        slices_per_volume=settings.slices_per_volume,
        drop_last=settings.drop_last,
        augment=settings.augment,
        synthesize=source == "draem",
        partners=method.needs_partners,
        device=device,
    )
    validation = slices.fixed(
        val_pack,
        val_pack.rows(splits.subjects(val_split, fold, "val")),
        settings.validation_slices,
        settings.batch_size,
        method.needs_partners,
        device,
    )
    log.info("%d training volumes, %d batches per epoch", len(data.rows), data.batches)
    fitting = digests.fingerprint(
        model=model,
        fold=fold,
        block=block,
        seed=seed,
        code=code,
        inputs=digests.file_states(inputs),
    )
    state_path = Path(model_path).with_name(".state.pt")
    state = loop.fit(
        method, data, validation, settings, seed, device, state_path, fitting,
        label=f"{model} fold {fold}",
    )  # fmt: skip
    loop.write_history(state.history, history_path)
    about = checkpoints.save(
        model_path, name, params, state.best, code,
        model=model, fold=fold, seed=seed, training=block["training"], val_loss=state.best_loss,
        parameters=_count(method.network), device=device.type,
    )  # fmt: skip
    write_json(about, Path(model_path).with_name("about.json"))
    discard(state_path)


def _count(network):
    """Parameters of a network, those that are trained and those that are not."""
    sizes = {True: 0, False: 0}
    for parameter in network.parameters():
        sizes[parameter.requires_grad] += parameter.numel()
    return {"trained": sizes[True], "frozen": sizes[False]}
