"""Rule score: anomaly maps of one model and fold on every test set."""

from uad.base import devices, logs
from uad.engine import inference

with logs.job(snakemake.log[0]):
    inputs = snakemake.input
    device = devices.claim(snakemake.params.accelerator, snakemake.params.local_gpus)
    for position, dataset in enumerate(snakemake.params.datasets):
        inference.score(
            fold=int(snakemake.wildcards.fold),
            files=inputs[dataset],
            split_path=inputs.splits[position],
            with_training=snakemake.params.with_training[position],
            reconstruction_path=inputs.reconstructions[position]
            if inputs.reconstructions
            else None,
            model_path=inputs.model,
            residual={},
            device=device,
            threads=snakemake.threads,
            code=snakemake.params.code,
            output=snakemake.output[position],
        )
