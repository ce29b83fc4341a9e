"""Rule train_model: fit one model on one fold."""

from uad.base import logs
from uad.engine import jobs, training
from uad.models import methods

with logs.job(snakemake.log[0]):
    params = snakemake.params
    methods.use(params.outside)
    training.train(
        model=snakemake.wildcards.model,
        block=params.block,
        inputs=snakemake.input,
        outputs=snakemake.output,
        seed=params.seed,
        save_minutes=params.save_minutes,
        synthetic=params.synthetic,
        job=jobs.of_rule(snakemake),
    )
