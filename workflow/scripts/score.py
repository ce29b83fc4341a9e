"""Rule score: anomaly maps of one model and fold on every test set."""

from uad.base import logs
from uad.engine import jobs, scoring
from uad.models import methods

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    methods.use(params.outside)
    job = jobs.of_rule(snakemake)
    for i, dataset in enumerate(params.datasets):
        scoring.score(
            data=jobs.Evaluated(inputs[dataset], inputs.splits[i], params.with_training[i]),
            model_path=inputs.model,
            test=params.test,
            reconstruction_path=inputs.reconstructions[i] if inputs.reconstructions else None,
            job=job,
            output=snakemake.output[i],
        )
