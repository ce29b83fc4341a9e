"""Rule train_model: fit one model on one fold."""

from uad.base import devices, logs
from uad.engine import training
from uad.engine.jobs import Job

with logs.job(snakemake.log[0]):
    params = snakemake.params
    training.train(
        model=snakemake.wildcards.model,
        block=params.block,
        inputs=snakemake.input,
        outputs=snakemake.output,
        seed=params.seed,
        save_minutes=params.save_minutes,
        synthetic=params.synthetic,
        job=Job(
            fold=int(snakemake.wildcards.fold),
            device=devices.claim(params.accelerator, params.local_gpus),
            threads=snakemake.threads,
            code=params.code,
        ),
    )
