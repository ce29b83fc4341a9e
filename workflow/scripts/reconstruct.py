"""Rule reconstruct: pseudo-healthy volumes of one model, fold and data set."""

from uad.base import logs
from uad.engine import jobs, reconstruction
from uad.models import methods

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    methods.use(params.outside)
    reconstruction.reconstruct(
        data=jobs.Evaluated(inputs.packed, inputs.split, params.with_training),
        model_path=inputs.model,
        test=params.test,
        seed=params.seed,
        job=jobs.of_rule(snakemake),
        output=snakemake.output[0],
        original=inputs.get("original", ()),
    )
