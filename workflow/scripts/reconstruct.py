"""Rule reconstruct: pseudo-healthy volumes of one model, fold and data set."""

from uad.base import devices, logs
from uad.engine import reconstruction
from uad.engine.jobs import Evaluated, Job
from uad.models import methods

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    methods.use(params.outside)
    reconstruction.reconstruct(
        data=Evaluated(inputs.packed, inputs.split, params.with_training),
        model_path=inputs.model,
        test=params.test,
        seed=params.seed,
        job=Job(
            fold=int(snakemake.wildcards.fold),
            device=devices.claim(params.accelerator, params.local_gpus),
            threads=snakemake.threads,
            code=params.code,
        ),
        output=snakemake.output[0],
    )
