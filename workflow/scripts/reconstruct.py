"""Rule reconstruct: pseudo-healthy volumes of one model, fold and data set."""

from uad.base import devices, logs
from uad.engine import inference

with logs.job(snakemake.log[0]):
    inference.reconstruct(
        fold=int(snakemake.wildcards.fold),
        files=snakemake.input.packed,
        split_path=snakemake.input.split,
        with_training=snakemake.params.with_training,
        model_path=snakemake.input.model,
        seed=snakemake.params.seed,
        device=devices.claim(snakemake.params.accelerator, snakemake.params.local_gpus),
        threads=snakemake.threads,
        code=snakemake.params.code,
        output=snakemake.output[0],
    )
