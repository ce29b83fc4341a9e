"""Rule train_model: fit one model on one fold."""

from uad.base import devices, logs
from uad.engine import training

with logs.job(snakemake.log[0]):
    training.train(
        model=snakemake.wildcards.model,
        fold=int(snakemake.wildcards.fold),
        block=snakemake.params.block,
        inputs=snakemake.input,
        seed=snakemake.params.seed,
        device=devices.claim(snakemake.params.accelerator, snakemake.params.local_gpus),
        threads=snakemake.threads,
        code=snakemake.params.code,
        model_path=snakemake.output.model,
        history_path=snakemake.output.history,
    )
