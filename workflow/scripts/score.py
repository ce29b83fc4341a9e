"""Rule score: anomaly maps of one model and fold on every test set."""

from uad.base import devices, logs
from uad.engine import scoring
from uad.engine.jobs import Evaluated, Job
from uad.models import methods

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    methods.use(params.outside)
    job = Job(
        fold=int(snakemake.wildcards.fold),
        device=devices.claim(params.accelerator, params.local_gpus),
        threads=snakemake.threads,
        code=params.code,
    )
    for i, dataset in enumerate(params.datasets):
        scoring.score(
            data=Evaluated(inputs[dataset], inputs.splits[i], params.with_training[i]),
            model_path=inputs.model,
            test=params.test,
            reconstruction_path=inputs.reconstructions[i] if inputs.reconstructions else None,
            job=job,
            output=snakemake.output[i],
        )
